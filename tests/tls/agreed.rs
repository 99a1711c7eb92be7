//! What both ends agree on, in every tier and version, however TLS begins.

use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};

use densebots_engine::{Identity, Report, Resume, Tier, Tls, Trust, Versions};
use rustls::CipherSuite;

use crate::bots::{dialling, run};
use crate::certificates::{Authority, NAME};
use crate::peer::{Made, Manner, PATIENCE, Saw, peer};

const BOTS: u32 = 3;

/// Bots talk to a peer and leave; what they came to, and what the peer saw of each.
fn talk(made: &Made, manner: Manner, tls: Tls) -> (Report, Vec<Saw>) {
    let (at, saw) = peer(made, manner, !tls.direct);
    let (seen, streams) = channel();
    let report = run(at, BOTS, tls, Some(seen));
    let losses = &report.total.losses;
    assert_eq!(report.bots.population.done, u64::from(BOTS), "{losses:?}");
    assert!(losses.is_empty(), "{losses:?}");
    let saws: Vec<_> =
        (0..BOTS).map(|_| saw.recv_timeout(PATIENCE).expect("one for each bot")).collect();
    for saw in &saws {
        assert_eq!((saw.error.as_ref(), saw.parted), (None, true), "a close_notify at the end");
        assert_eq!(saw.name.as_deref(), Some(NAME));
    }
    // Both ends derived the same values for channel binding (RFC 9266), or none.
    let mut ours: Vec<_> =
        streams.iter().filter(|stream| stream.encrypted).map(|stream| stream.secured).collect();
    let mut theirs: Vec<_> = saws.iter().map(|saw| saw.exporter).collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
    (report, saws)
}

fn tiers(report: &Report) -> (u64, u64, u64) {
    let tls = &report.total.tls;
    assert_eq!(tls.took.count(), tls.handshakes);
    (tls.handshakes, tls.dense, tls.kept)
}

#[test]
fn every_tier_and_version_however_it_begins() {
    let authority = Authority::new();
    let made = Made::with(authority.good());
    let cases = [
        (Versions::Both, Tier::Dense, (3, 3, 0)),
        (Versions::Only13, Tier::Kept, (3, 0, 3)),
        (Versions::Only12, Tier::Dense, (3, 0, 3)), // nothing is dense over 1.2
    ];
    for (versions, tier, expected) in cases {
        for direct in [true, false] {
            let tls = Tls { direct, versions, tier, ..dialling(authority.pem()) };
            let (report, saws) = talk(&made, Manner::Echo, tls);
            assert_eq!(tiers(&report), expected, "{versions:?} {tier:?}, direct: {direct}");
            let bound = saws.iter().all(|saw| saw.exporter.is_some());
            assert_eq!(bound, versions != Versions::Only12);
        }
    }
}

#[test]
fn every_suite_of_tls_1_3_is_dense() {
    let authority = Authority::new();
    for suite in [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ] {
        let made = Made {
            suites: Some(suite),
            versions: vec![&rustls::version::TLS13],
            ..Made::with(authority.good())
        };
        let (report, _) = talk(&made, Manner::Echo, dialling(authority.pem()));
        assert_eq!(tiers(&report), (3, 3, 0), "{suite:?}");
    }
}

#[test]
fn tickets_are_shared_if_the_plan_says_so() {
    let authority = Authority::new();
    let made = Made::with(authority.good());
    for (versions, resume) in [
        (Versions::Only13, Resume::Never),
        (Versions::Only13, Resume::Shared),
        (Versions::Only12, Resume::Shared),
    ] {
        let (at, saw) = peer(&made, Manner::Echo, false);
        let tls = Tls { versions, resume, ..dialling(authority.pem()) };
        let mut plan = crate::bots::plan(Some(at), 1, tls);
        plan.repeat = densebots_engine::Repeat { times: Some(3), ..Default::default() };
        let talk = crate::bots::Talk { asks: false, listens: None, seen: None };
        let report = densebots_engine::start(talk, plan).expect("runs").finish();
        assert_eq!(report.bots.population.done, 1, "{:?}", report.total.losses);
        let dense = if versions == Versions::Only13 { 3 } else { 0 };
        assert_eq!(tiers(&report), (3, dense, 3 - dense), "{versions:?} {resume:?}");
        let resumed = (0..3).filter(|_| saw.recv_timeout(PATIENCE).expect("three").resumed);
        assert_eq!(resumed.count(), if resume == Resume::Shared { 2 } else { 0 }, "{versions:?}");
    }
}

#[test]
fn new_keys_are_taken_over_by_a_whole_connection() {
    let authority = Authority::new();
    let made = Made::with(authority.good());
    let tls = Tls { tier: Tier::Kept, ..dialling(authority.pem()) };
    talk(&made, Manner::KeyUpdate, tls);
}

#[test]
fn the_protocol_is_agreed_on() {
    let authority = Authority::new();
    let alpn = vec![b"xmpp-client".to_vec()];
    let made = Made { alpn: alpn.clone(), ..Made::with(authority.good()) };
    let (_, saws) = talk(&made, Manner::Echo, Tls { alpn, ..dialling(authority.pem()) });
    assert!(saws.iter().all(|saw| saw.alpn.as_deref() == Some(b"xmpp-client")));
}

#[test]
fn bots_show_the_certificate_that_is_demanded() {
    let authority = Arc::new(Authority::new());
    let made = Made { demands: Some(authority.clone()), ..Made::with(authority.good()) };
    let mut tls = dialling(authority.pem());
    let dial = tls.dial.as_mut().expect("it dials");
    let Identity { chain, key } = authority.sign("bot.example", 2100);
    dial.identity = Some(Identity { chain, key });
    let (_, saws) = talk(&made, Manner::Echo, tls);
    assert!(saws.iter().all(|saw| saw.certificates == 1));
}

#[test]
fn post_quantum_key_exchange_works_when_asked_for() {
    let authority = Authority::new();
    let tls = Tls { post_quantum: true, ..dialling(authority.pem()) };
    talk(&Made::with(authority.good()), Manner::Echo, tls);
}

#[test]
fn a_pinned_certificate_needs_no_name_and_no_authority() {
    let authority = Authority::new();
    let identity = authority.sign("another.example", 2001);
    let (chain, _) = crate::certificates::parsed(&identity);
    let suite = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash = suite.tls13().expect("a suite of 1.3").common.hash_provider.hash(&chain[0]);
    let mut tls = dialling(authority.pem());
    let pin: [u8; 32] = hash.as_ref().try_into().expect("SHA-256");
    tls.dial.as_mut().expect("it dials").trust = Trust::Pinned(vec![[0; 32], pin]);
    talk(&Made::with(identity), Manner::Echo, tls);
}

#[test]
fn nobody_is_checked_if_the_plan_says_so() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut tls = dialling(authority.pem());
    tls.dial.as_mut().expect("it dials").trust = Trust::Anybody;
    talk(&Made::with(other.sign("another.example", 2001)), Manner::Echo, tls);
}

#[test]
fn the_key_log_has_a_line_for_every_secret() {
    let authority = Authority::new();
    let (lines, logged) = sync_channel(1000);
    let tls = Tls { key_log: Some(lines), ..dialling(authority.pem()) };
    talk(&Made::with(authority.good()), Manner::Echo, tls);
    let logged: Vec<String> = logged.try_iter().collect();
    for label in ["CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 ", "EXPORTER_SECRET "] {
        let lines = logged.iter().filter(|line| line.starts_with(label));
        assert_eq!(lines.count(), BOTS as usize, "{label}: {logged:?}");
    }
    // And one that finds no room is counted.
    let (lines, _full) = sync_channel(0);
    let tls = Tls { key_log: Some(lines), ..dialling(authority.pem()) };
    let (report, _) = talk(&Made::with(authority.good()), Manner::Echo, tls);
    let lost = report.total.limits.iter().any(|(name, _)| *name == "lines of the key log");
    assert!(lost, "{:?}", report.total.limits);
}
