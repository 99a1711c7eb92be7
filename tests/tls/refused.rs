//! What goes wrong, and under which words it is counted.

use std::sync::Arc;
use std::time::Duration;

use densebots_engine::{Cause, Identity, Tier, Tls, Trust, Versions, start};

use crate::bots::{Talk, dialling, plan};
use crate::certificates::{Authority, NAME};
use crate::peer::{Made, Manner, PATIENCE, Saw, peer};

/// A bot meets a peer and is lost for this reason. What the peer saw of it, if it looked.
fn fails(made: &Made, manner: Manner, tls: Tls, cause: Cause, condition: &str) -> Option<Saw> {
    let (at, saw) = peer(made, manner, !tls.direct);
    let asks = !tls.direct;
    let mut plan = plan(Some(at), 1, tls);
    if manner == Manner::Stall {
        plan.connect_timeout = Duration::from_millis(300);
    }
    let run = start(Talk { asks, listens: None, seen: None }, plan).expect("a plan that can run");
    let report = run.finish();
    let told: Vec<_> =
        report.total.losses.iter().map(|l| (l.lost.cause, l.lost.condition, l.count)).collect();
    assert_eq!(told, [(cause, condition, 1)], "{manner:?}");
    assert_eq!(report.bots.population.failed, 1);
    let silent = matches!(manner, Manner::Stall | Manner::Plain | Manner::Hangup | Manner::Inject);
    (!silent).then(|| saw.recv_timeout(PATIENCE).expect("what the peer saw"))
}

/// The same for TLS with the connection and in mid-stream; the peer's error is as it should be.
fn both(made: &Made, manner: Manner, tls: &Tls, condition: &str, heard: Option<&str>) {
    for direct in [true, false] {
        let tls = Tls { direct, ..tls.clone() };
        let saw = fails(made, manner, tls, Cause::Tls, condition);
        if let (Some(saw), Some(heard)) = (saw, heard) {
            let error = saw.error.unwrap_or_default();
            assert!(error.contains(heard), "{condition}: the peer heard {error:?}");
        }
    }
}

#[test]
fn certificates_that_are_not_good() {
    let (authority, other) = (Authority::new(), Authority::new());
    let tls = dialling(authority.pem());
    let cases: [(Identity, &str, &str); 3] = [
        (authority.sign(NAME, 2001), "certificate expired", "CertificateExpired"),
        (authority.sign("b.example", 2100), "certificate for another name", "BadCertificate"),
        (other.good(), "certificate of an unknown issuer", "UnknownCA"),
    ];
    for (identity, condition, heard) in cases {
        both(&Made::with(identity), Manner::Echo, &tls, condition, Some(heard));
    }
    let mut pinned = tls;
    pinned.dial.as_mut().expect("it dials").trust = Trust::Pinned(vec![[7; 32]]);
    let made = Made::with(authority.good());
    both(&made, Manner::Echo, &pinned, "certificate not the pinned one", None);
}

#[test]
fn ends_that_have_nothing_in_common() {
    let authority = Arc::new(Authority::new());
    let made = Made { versions: vec![&rustls::version::TLS13], ..Made::with(authority.good()) };
    let tls = Tls { versions: Versions::Only12, ..dialling(authority.pem()) };
    both(&made, Manner::Echo, &tls, "alert: protocol_version", None);
    let made = Made { alpn: vec![b"a".to_vec()], ..Made::with(authority.good()) };
    let tls = Tls { alpn: vec![b"b".to_vec()], ..dialling(authority.pem()) };
    both(&made, Manner::Echo, &tls, "alert: no_application_protocol", None);
    // In TLS 1.3 the handshake is over for the bot before its want of a certificate is noticed.
    let made = Made { demands: Some(authority.clone()), ..Made::with(authority.good()) };
    both(&made, Manner::Echo, &dialling(authority.pem()), "alert: certificate_required", None);
}

#[test]
fn peers_that_do_not_shake_hands() {
    let authority = Authority::new();
    let (made, tls) = (Made::with(authority.good()), dialling(authority.pem()));
    both(&made, Manner::Plain, &tls, "plaintext where TLS was expected", None);
    both(&made, Manner::Hangup, &tls, "closed in mid-handshake", None);
    for direct in [true, false] {
        let tls = Tls { direct, ..tls.clone() };
        let condition = "TLS handshake not finished in time";
        fails(&made, Manner::Stall, tls, Cause::Timeout, condition);
    }
}

#[test]
fn plaintext_behind_the_leave_to_begin_tls() {
    let authority = Authority::new();
    let tls = Tls { direct: false, ..dialling(authority.pem()) };
    let condition = "plaintext behind its leave to begin TLS";
    let made = Made::with(authority.good());
    fails(&made, Manner::Inject, tls, Cause::Violation, condition);
}

#[test]
fn peers_that_leave() {
    let authority = Authority::new();
    let made = Made::with(authority.good());
    for tier in [Tier::Dense, Tier::Kept] {
        for versions in [Versions::Only12, Versions::Only13] {
            let tls = Tls { tier, versions, ..dialling(authority.pem()) };
            let ended = "the peer ended the stream";
            let saw = fails(&made, Manner::CloseNotify, tls.clone(), Cause::Closed, ended);
            let saw = saw.expect("it looked");
            assert_eq!((saw.parted, saw.error), (true, None), "its last word is answered");
            let cut = "ended without close_notify";
            fails(&made, Manner::Truncate, tls, Cause::Closed, cut);
        }
    }
}

#[test]
fn records_that_nobody_sealed() {
    let authority = Authority::new();
    let made = Made::with(authority.good());
    for tier in [Tier::Dense, Tier::Kept] {
        let tls = Tls { tier, ..dialling(authority.pem()) };
        both(&made, Manner::BadRecord, &tls, "bad record", Some("BadRecordMac"));
    }
}

#[test]
fn new_keys_on_a_dense_link() {
    let authority = Authority::new();
    let tls = dialling(authority.pem());
    let saw = fails(
        &Made::with(authority.good()),
        Manner::KeyUpdate,
        tls,
        Cause::Tls,
        "key update on a dense link",
    );
    // The bot leaves in good order; its close may cut off what the peer still says.
    let saw = saw.expect("it looked");
    assert!(saw.parted || saw.error.is_some_and(|error| error.starts_with("write")));
}

#[test]
fn a_session_that_asks_for_tls_the_plan_does_not_have() {
    let made = Made::with(Authority::new().good());
    let tls = Tls { direct: false, ..Tls::default() };
    let condition = "TLS was asked for and the plan has none";
    let (at, _saw) = peer(&made, Manner::Stall, true);
    let talk = Talk { asks: true, listens: None, seen: None };
    let report = start(talk, plan(Some(at), 1, tls)).expect("runs").finish();
    let lost = report.total.losses[0].lost;
    assert_eq!((lost.cause, lost.condition), (Cause::Scenario, condition));
}

#[test]
fn plans_whose_tls_cannot_work() {
    let authority = Authority::new();
    let refused = |change: &dyn Fn(&mut Tls)| {
        let mut tls = dialling(authority.pem());
        change(&mut tls);
        let error = plan(None, 1, tls).check().expect_err("it cannot work");
        assert_eq!(error.field, "tls");
        error.why
    };
    fn trust(tls: &mut Tls) -> &mut Trust {
        &mut tls.dial.as_mut().expect("it dials").trust
    }
    let why = refused(&|tls| tls.dial.as_mut().expect("it dials").name = "a b".into());
    assert!(why.contains("`a b`"), "{why}");
    let why = refused(&|tls| *trust(tls) = Trust::Roots(Vec::new()));
    assert!(why.contains("roots"), "{why}");
    let why = refused(&|tls| *trust(tls) = Trust::Roots(vec![b"-----BEGIN X-----".to_vec()]));
    assert!(why.contains("PEM"), "{why}");
    let why = refused(&|tls| {
        let Identity { chain, .. } = authority.good();
        let Identity { key, .. } = authority.good();
        tls.dial.as_mut().expect("it dials").identity = Some(Identity { chain, key });
    });
    assert!(why.contains("certificate of the bots"), "{why}");
}
