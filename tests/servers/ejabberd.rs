//! ejabberd: its configuration and how it is started.

use std::fs;
use std::process::Command;

use super::Server;

/// The programs it takes. Its own script is only read.
pub(super) const NEEDED: &[&str] = &["erl", "ejabberdctl"];

/// How to start it, and what it says when it listens.
///
/// `ejabberdctl` insists on root or on the user of the package and on a name in the port mapper of
/// Erlang, which it leaves running. Neither is needed to serve: this starts what the script would.
pub(super) fn command(server: &Server) -> (Command, Vec<String>) {
    let folder = &server.folder;
    let path = folder.join("ejabberd.yml");
    fs::write(&path, configuration(server)).expect("the folder is ours");
    let mut command = Command::new("erl");
    command
        .env("ERL_LIBS", libraries())
        .env("EJABBERD_CONFIG_PATH", path)
        .env("EJABBERD_LOG_PATH", folder.join("ejabberd.log"))
        .env("ERL_CRASH_DUMP_BYTES", "0")
        .env("ERL_MAX_PORTS", "65536")
        .env("HOME", folder) // no cookie and no history of whoever runs the tests
        .args(["+K", "true", "+P", "250000", "-noinput", "-mnesia", "dir"])
        .arg(format!("{:?}", folder.join("spool")))
        .args(["-s", "ejabberd"]);
    let ready = [server.plain_port, server.direct_tls_port];
    let ready = ready.map(|port| format!("connections at 127.0.0.1:{port} for ejabberd_c2s"));
    (command, ready.to_vec())
}

/// Where Debian keeps it: the path has the machine's architecture in it.
fn libraries() -> String {
    let script = ["/usr/sbin/ejabberdctl", "/usr/bin/ejabberdctl"];
    let script = script.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let line = script.lines().find_map(|line| line.strip_prefix("ERL_LIBS="));
    line.expect("ejabberdctl says where the libraries are").trim_matches('\'').to_owned()
}

fn configuration(server: &Server) -> String {
    let Server { domain, anonymous, muc, closed_muc, plain_port, direct_tls_port, .. } = server;
    let folder = server.folder.display();
    let certified = format!("cafile: {folder}/ca.pem"); // of users (XEP-0178)
    let listen = "module: ejabberd_c2s, ip: 127.0.0.1, backlog: 1024, max_stanza_size: 16777216, \
                  shaper: none, access: all";
    format!(
        r#"
hosts: ["{domain}", "{anonymous}"]
loglevel: info
certfiles: ["{folder}/both.pem"]
ca_file: "{folder}/ca.pem"
acme: {{auto: false}}
listen:
  - {{port: {plain_port}, starttls: true, {listen}}}
  - {{port: {direct_tls_port}, tls: true, tls_verify: true, {certified}, {listen}}}
auth_password_format: plain
disable_sasl_mechanisms: [digest-md5, x-oauth2]
registration_timeout: infinity
max_fsm_queue: 100000
shaper_rules: {{max_user_sessions: 10000, max_user_offline_messages: 10000}}
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_stream_mgmt: {{max_ack_queue: 100000}}
host_config:
  "{domain}":
    auth_method: internal
  "{anonymous}":
    auth_method: anonymous
    anonymous_protocol: sasl_anon
append_host_config:
  "{domain}":
    modules:
      mod_register: {{access: all, access_remove: all, ip_access: all}}
      mod_muc:
        host: "{muc}"
        access_create: all
        max_users: 10000
        max_user_conferences: 10000
        default_room_options: {{max_users: 10000}}
  "{anonymous}":
    modules:
      mod_muc: {{host: "{closed_muc}", access_create: none}}
"#
    )
}
