//! In-band registration (XEP-0077) before any login, in as few words as it takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::Server;

/// No answer on loopback takes longer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Makes accounts one after the other on one stream.
pub(super) fn register<'a>(
    server: &Server,
    accounts: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let mut link = TcpStream::connect(server.plain()).expect("it listens");
    link.set_read_timeout(Some(ANSWER_MAX)).expect("no zero");
    link.set_nodelay(true).expect("a socket");
    let header = format!(
        "<?xml version='1.0'?><stream:stream to='{}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>",
        server.domain
    );
    ask(&mut link, &header, &["</stream:features>"]);
    for (name, password) in accounts {
        let (user, secret) = (escaped(name), escaped(password));
        let request = format!(
            "<iq type='set' id='register'><query xmlns='jabber:iq:register'>\
             <username>{user}</username><password>{secret}</password></query></iq>"
        );
        let answer = ask(&mut link, &request, &["type='result'", "type=\"result\"", "</iq>"]);
        assert!(answer.contains("result"), "{name} cannot be registered: {answer}");
    }
}

/// Says something and reads until one of `ends` came.
fn ask(link: &mut TcpStream, request: &str, ends: &[&str]) -> String {
    link.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    let mut chunk = [0; 4096];
    while !ends.iter().any(|end| answer.contains(end)) {
        let read = link.read(&mut chunk).expect("it answers in time");
        assert!(read > 0, "closed after: {answer}");
        answer.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    answer
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
