//! Against a real name server, dnsmasq, on a port of its own; the order of what it says.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::*;

/// Ends with the test.
struct NameServer(Child);

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A name server that knows these records, and its port; nothing where none is installed.
fn name_server(records: &[&str]) -> Option<(NameServer, u16)> {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = free.local_addr().expect("has an address").port();
    drop(free);
    let program = ["dnsmasq", "/usr/sbin/dnsmasq"].into_iter().find(|name| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    });
    let Some(program) = program else {
        eprintln!("SKIPPED: dnsmasq is not installed, SRV records were looked up nowhere");
        return None;
    };
    let mut command = Command::new(program);
    command
        .args(["--no-daemon", "--no-resolv", "--no-hosts", "--bind-interfaces", "--conf-file="])
        .args(["--pid-file=", "--user=", "--group=", "--listen-address=127.0.0.1"])
        .arg(format!("--port={port}"))
        .args(["--local=/example/"])
        .args(records.iter().map(|record| format!("--srv-host={record}")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Some((NameServer(command.spawn().expect("dnsmasq starts")), port))
}

fn asked(port: u16, service: &str, domain: &str) -> Result<Vec<Offer>> {
    let mut connection = ConnectionConfig::udp();
    connection.port = port;
    let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
    let config = ResolverConfig::from_name_servers(vec![server]);
    alone(async {
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        builder.options_mut().timeout = Duration::from_millis(200);
        builder.options_mut().attempts = 20; // until the server is up
        ask(&builder.build()?, service, domain).await
    })
}

fn offer(priority: u16, weight: u16, port: u16, host: &str) -> Offer {
    Offer { priority, weight, port, host: host.to_owned() }
}

#[test]
fn a_name_server_is_asked() {
    let records = [
        "_xmpp-client._tcp.chat.example,one.chat.example,5222,10,60",
        "_xmpp-client._tcp.chat.example,two.chat.example,5223,10,40",
        "_xmpp-client._tcp.chat.example,spare.chat.example,5222,20,0",
    ];
    let Some((_server, port)) = name_server(&records) else { return };
    let found = asked(port, "_xmpp-client._tcp", "chat.example").expect("an answer");
    let groups = by_priority(found);
    let first =
        vec![offer(10, 60, 5222, "one.chat.example"), offer(10, 40, 5223, "two.chat.example")];
    assert_eq!(groups, [first, vec![offer(20, 0, 5222, "spare.chat.example")]]);
    let none = asked(port, "_xmpps-client._tcp", "chat.example").expect("an answer");
    assert_eq!(none, [], "no such record");
    let none = asked(port, "_xmpp-client._tcp", "nobody.example").expect("an answer");
    assert_eq!(none, [], "no such domain");
}

#[test]
fn silence_is_an_error_and_not_an_empty_answer() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = silent.local_addr().expect("has an address").port();
    assert!(asked(port, "_xmpp-client._tcp", "chat.example").is_err());
}

#[test]
fn lower_priorities_come_first_and_repeated_records_count_once() {
    let all = [
        offer(20, 1, 5222, "late"),
        offer(5, 0, 5222, "b"),
        offer(5, 7, 5222, "a"),
        offer(5, 7, 5222, "a"),
        offer(0, 0, 0, "portless"),
        offer(0, 0, 5222, ""),
    ];
    let groups = by_priority(all.to_vec());
    let first = vec![offer(5, 7, 5222, "a"), offer(5, 0, 5222, "b")];
    assert_eq!(groups, [first, vec![offer(20, 1, 5222, "late")]]);
}
