//! Both ends ours: over loopback, and in a simulated network that splits and delays everything.

use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use densebots_engine::net::sim::Faults;
use densebots_engine::{
    AcceptTls, Life, Plan, Rehearsal, Resume, Run, Tier, Time, Tls, Versions, start_observed,
};
use densebots_protocols::Stream;

use crate::bots::{Talk, dialling, plan, run};
use crate::certificates::Authority;
use crate::peer::PATIENCE;

/// TLS that accepts.
fn accepting(authority: &Authority, tls: &Tls, peers: Vec<Vec<u8>>) -> Tls {
    let accept = AcceptTls { identity: authority.good(), peer_roots: peers };
    Tls { dial: None, accept: Some(accept), ..tls.clone() }
}

/// An engine whose one bot listens and whose accepted bots echo.
fn target(tls: Tls, seen: Option<Sender<Stream>>) -> (Run, SocketAddr) {
    let asks = !tls.direct;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (told, listening) = channel();
    let talk = Talk { asks, listens: Some(any), seen };
    let run = start_observed(talk, plan(None, 1, tls), move |life| {
        if let Life::Listening(_, at) = life {
            told.send(at).expect("the test listens");
        }
    });
    (run.expect("a plan that can run"), listening.recv_timeout(PATIENCE).expect("it listens"))
}

#[test]
fn more_bots_than_may_shake_hands_at_once() {
    let authority = Authority::new();
    for (direct, versions) in
        [(true, Versions::Both), (false, Versions::Both), (false, Versions::Only12)]
    {
        let tls = Tls { direct, versions, ..dialling(authority.pem()) };
        let (target, at) = target(accepting(&authority, &tls, Vec::new()), None);
        let report = run(at, 300, tls, None);
        assert_eq!(report.bots.population.done, 300, "{:?}", report.total.losses);
        let of_bots = &report.total.tls;
        let dense = if versions == Versions::Only12 { 0 } else { 300 };
        assert_eq!((of_bots.handshakes, of_bots.dense, of_bots.kept), (300, dense, 300 - dense));
        target.command(densebots_engine::Command::Stop).expect("runs");
        let served = target.finish();
        let of_target = &served.total.tls;
        assert_eq!((of_target.handshakes, of_target.dense), (300, dense));
        assert!(served.total.losses.is_empty(), "{:?}", served.total.losses);
    }
}

#[test]
fn whoever_shows_a_good_certificate_is_known_to_have() {
    let authority = Authority::new();
    let mut tls = dialling(authority.pem());
    for shows in [false, true] {
        if shows {
            let dial = tls.dial.as_mut().expect("it dials");
            dial.identity = Some(authority.sign("bot.example", 2100));
        }
        let (seen, streams) = channel();
        let peers = vec![authority.pem()];
        let (target, at) = target(accepting(&authority, &tls, peers), Some(seen));
        let (bots_seen, bots_streams) = channel();
        let report = run(at, 1, tls.clone(), Some(bots_seen));
        assert_eq!(report.bots.population.done, 1, "{:?}", report.total.losses);
        let stream = streams.recv_timeout(PATIENCE).expect("it was opened");
        assert_eq!((stream.encrypted, stream.accepted, stream.verified), (true, true, shows));
        let other = bots_streams.recv_timeout(PATIENCE).expect("it was opened");
        assert!(stream.secured.is_some() && stream.secured == other.secured);
        drop(target);
    }
}

#[test]
fn both_sides_count_who_comes_back() {
    let authority = Authority::new();
    for versions in [Versions::Only13, Versions::Only12] {
        let tls = Tls { resume: Resume::PerBot, versions, ..dialling(authority.pem()) };
        let (target, at) = target(accepting(&authority, &tls, Vec::new()), None);
        let repeat = densebots_engine::Repeat { times: Some(3), ..Default::default() };
        let talk = Talk { asks: false, listens: None, seen: None };
        let plan = Plan { repeat, ..plan(Some(at), 5, tls) };
        let report = densebots_engine::start(talk, plan).expect("a plan that can run").finish();
        assert_eq!(report.bots.population.done, 5, "{:?}", report.total.losses);
        assert_eq!((report.total.tls.handshakes, report.total.tls.resumed), (15, 10));
        target.command(densebots_engine::Command::Stop).expect("runs");
        let served = target.finish();
        assert_eq!((served.total.tls.handshakes, served.total.tls.resumed), (15, 10));
    }
}

#[test]
fn those_that_never_shake_hands_are_sent_away() {
    let authority = Authority::new();
    let tls = dialling(authority.pem());
    let accepting = accepting(&authority, &tls, Vec::new());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (told, listening) = channel();
    let patience = Duration::from_millis(300);
    let plan = Plan { connect_timeout: patience, ..plan(None, 1, accepting) };
    let talk = Talk { asks: false, listens: Some(any), seen: None };
    let target = start_observed(talk, plan, move |life| {
        if let Life::Listening(_, at) = life {
            told.send(at).expect("the test listens");
        }
    });
    let target = target.expect("a plan that can run");
    let at = listening.recv_timeout(PATIENCE).expect("it listens");
    // More than may shake hands at once say nothing; whoever comes behind them gets in.
    let silent: Vec<_> =
        (0..100).map(|_| std::net::TcpStream::connect(at).expect("it accepts")).collect();
    let report = run(at, 1, tls, None);
    assert_eq!(report.bots.population.done, 1, "{:?}", report.total.losses);
    drop((silent, target));
}

/// Bots and their target in one simulated world.
fn rehearse(seed: u64, faults: Faults, tls: &Tls, authority: &Authority) -> Rehearsal {
    let at = SocketAddr::from(([127, 0, 0, 1], 7000));
    let asks = !tls.direct;
    let mut rehearsal = Rehearsal::new(seed, faults);
    rehearsal.check_every(1);
    let accepting = accepting(authority, tls, Vec::new());
    let listens = Talk { asks, listens: Some(at), seen: None };
    rehearsal.add("target", listens, plan(None, 1, accepting)).expect("a plan");
    let talks = Talk { asks, listens: None, seen: None };
    let patience = Duration::from_secs(300);
    let plan = Plan { connect_timeout: patience, ..plan(Some(at), 8, tls.clone()) };
    let bots = rehearsal.add("bots", talks, plan).expect("a plan");
    rehearsal.run_until(Time::ZERO + Duration::from_secs(200)).expect("nothing is broken");
    let report = rehearsal.report(bots);
    let losses = &report.total.losses;
    assert_eq!(report.bots.population.done, 8, "seed {seed}: {losses:?}");
    assert_eq!(report.total.tls.handshakes, 8, "seed {seed}");
    rehearsal
}

#[test]
fn however_the_network_cuts_it() {
    let authority = Authority::new();
    for seed in 0..24 {
        let bytes = 256 + (seed as usize * 97) % 3000;
        let faults = Faults {
            send_buffer: 200..=bytes,
            receive_buffer: 200..=bytes,
            latency: Duration::from_micros(10)..=Duration::from_micros(500),
            short_read: 0.5,
            would_block: 0.2,
            spurious: 0.2,
            jitter: 0.1,
            ..Faults::none()
        };
        let tls = Tls {
            direct: seed % 2 == 0,
            versions: if seed % 5 == 4 { Versions::Only12 } else { Versions::Both },
            tier: if seed % 3 == 2 { Tier::Kept } else { Tier::Dense },
            resume: match seed % 7 {
                5 => Resume::PerBot,
                6 => Resume::Shared,
                _ => Resume::Never,
            },
            ..dialling(authority.pem())
        };
        rehearse(seed, faults, &tls, &authority);
    }
}
