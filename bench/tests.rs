//! The bare programs against each other, in this process.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use crate::bare_server::Answers;
use crate::reflector::Reflector;
use crate::traffic::{Load, Mode};
use crate::{bare_server, bare_talkers, limit, replay, talkers};

fn load(mode: Mode, ports: &[u16]) -> Load {
    Load { mode, hold: Duration::from_millis(200), ..Load::new(101, 3, ports) }
}

#[test]
fn every_mode_connects_all_and_counts_what_it_did() {
    let ports = bare_server::start(2, 101, &Answers(&[]));
    assert_eq!(ports.len(), 2);
    for (mode, holds, talks) in
        [(Mode::ConnectOnly, false, false), (Mode::Idle, true, false), (Mode::PingPong, true, true)]
    {
        let figures = limit::run(&load(mode, &ports)).unwrap();
        assert_eq!(figures.connect.count, 101, "{mode:?}");
        assert_eq!(figures.hold.wall >= Duration::from_millis(200), holds, "{mode:?}");
        assert_eq!(figures.hold.count > 0, talks, "{mode:?}");
    }
}

#[test]
fn one_source_is_left_to_the_kernel() {
    let ports = bare_server::start(1, 101, &Answers(&[]));
    let load = Load { sources: 1, ..load(Mode::ConnectOnly, &ports) };
    assert_eq!(limit::run(&load).unwrap().connect.count, 101);
}

#[test]
fn refusal_and_silence_end_the_run() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    // It accepts by its backlog and never answers: nothing is counted, and the run ends on time.
    let figures = limit::run(&load(Mode::PingPong, &[port])).unwrap();
    assert_eq!((figures.connect.count, figures.hold.count), (101, 0));
    drop(closed);
    let error = limit::run(&load(Mode::PingPong, &[port])).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn too_many_for_the_descriptor_tables_are_refused_with_the_number_of_threads() {
    let load = Load { connections: 1 << 40, ..load(Mode::ConnectOnly, &[9]) };
    let error = limit::run(&load).unwrap_err().to_string();
    assert!(error.contains("need") && error.contains("threads"), "{error}");
}

#[test]
fn logins_are_replayed_to_the_end() {
    let (_, script) = replay::online().expect("a login");
    assert_eq!(script.len(), replay::ANSWERS.len() + 1);
    assert!(script.iter().all(|said| !said.is_empty()));
    assert!(script[4].ends_with(b"<presence/>"));
    let ports = bare_server::start(1, 101, &Answers(&replay::ANSWERS));
    let logins = Load { mode: Mode::ConnectOnly, ..Load::new(101, 1, &ports) };
    assert_eq!(replay::run(&logins).expect("logins").connect.count, 101);
    assert_eq!(crate::xmpp::log_in(&logins, None).expect("logins").connect.count, 101);
}

#[test]
fn what_is_said_in_a_room_is_heard_by_all_in_it() {
    let ports = bare_server::start(1, 24, &Reflector::default());
    let hold = Duration::from_millis(200);
    let load = Load { mode: Mode::Idle, hold, ..Load::new(12, 1, &ports) };
    for run in [talkers::run, bare_talkers::run] {
        let figures = run(&load, 3).expect("they talk");
        assert_eq!(figures.connect.count, 12);
        assert!(figures.hold.count > 100 && figures.hold.wall >= hold, "{figures:?}");
    }
}
