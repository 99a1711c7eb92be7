//! Prosody: its configuration and how it is started.

use std::fs;
use std::process::Command;

use super::Server;

/// The programs it takes.
pub(super) const NEEDED: &[&str] = &["prosody"];

/// How to start it, and what it says when it listens.
pub(super) fn command(server: &Server) -> (Command, Vec<String>) {
    let path = server.folder.join("prosody.cfg.lua");
    fs::create_dir_all(server.folder.join("store")).expect("the folder is ours");
    fs::write(&path, configuration(server)).expect("the folder is ours");
    let mut command = Command::new("prosody");
    command.arg("--config").arg(path).arg("-F");
    let ready = [("c2s", server.plain_port), ("c2s_direct_tls", server.direct_tls_port)];
    let ready = ready.map(|(what, port)| format!("'{what}' on [127.0.0.1]:{port}"));
    (command, ready.to_vec())
}

/// Passwords are kept as they are: only so does it offer SCRAM with more than one hash.
fn configuration(server: &Server) -> String {
    let Server { domain, anonymous, muc, closed_muc, plain_port, direct_tls_port, .. } = server;
    let folder = server.folder.display();
    format!(
        r#"
run_as_root = true -- where the tests are run by root; it is in a folder of its own
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/store"
log = {{ info = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {plain_port} }}
c2s_direct_tls_ports = {{ {direct_tls_port} }}
network_settings = {{ tcp_backlog = 1024 }}
ssl = {{ key = "{folder}/server.key", certificate = "{folder}/server.pem" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"
allow_registration = true
c2s_stanza_size_limit = 16 * 1024 * 1024
modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "ping", "register_ibr", "user_account_management",
    "smacks", "presence", "message", "iq",
}}
modules_disabled = {{ "s2s" }} -- nothing leaves this machine
VirtualHost "{domain}"
VirtualHost "{anonymous}"
    authentication = "anonymous"
Component "{muc}" "muc"
Component "{closed_muc}" "muc"
    restrict_room_creation = true
"#
    )
}
