//! Logins by certificate alone (SASL EXTERNAL, XEP-0178), with both ends ours.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use densebots_engine::{AcceptTls, Arrival, Endpoint, Identity, Load, Plan, Report, Tls};
use densebots_scenarios::target::Admission;
use densebots_scenarios::target::xmpp::{Service, Starttls};
use densebots_scenarios::{Settings, find, serve_xmpp};

use crate::bots::{dialling, plan};
use crate::certificates::{Authority, NAME};
use crate::peer::PATIENCE;

const BOTS: u32 = 3;

/// Bots that show this certificate, at a target that lets in who is listed.
fn logins(authority: &Authority, shown: Option<Identity>, listed: &[&str]) -> Report {
    let tls = Tls { direct: false, ..dialling(authority.pem()) };
    let accept = AcceptTls { identity: authority.good(), peer_roots: vec![authority.pem()] };
    let accepting = Tls { dial: None, accept: Some(accept), ..tls.clone() };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let endpoint = |address| Endpoint { name: "target".to_owned(), address, weight: 1 };
    let names = listed.iter().map(|name| ((*name).to_owned(), "a password".to_owned()));
    let service = Service {
        domain: NAME.to_owned(),
        admission: Admission::Listed(names.collect()),
        starttls: Starttls::Required,
        ..Service::default()
    };
    let (told, listening) = channel();
    let ears = Plan { endpoints: vec![endpoint(any)], ..plan(None, 1, accepting) };
    let target = serve_xmpp(&service, ears, move |at| told.send(at).expect("the test listens"));
    let target = target.expect("a plan that can run");
    let at = listening.recv_timeout(PATIENCE).expect("it listens");

    let scenario = find("xmpp-idle").expect("a built-in scenario");
    let set = [("domain", NAME), ("mechanism", "EXTERNAL")];
    let settings = Settings::of(scenario.parameters, set).expect("it has these");
    let mut tls = tls;
    tls.dial.as_mut().expect("it dials").identity = shown;
    let hold = std::time::Duration::from_millis(200);
    let load = Load::Closed { bots: BOTS, arrival: Arrival::AtOnce, hold };
    let bots = Plan { endpoints: vec![endpoint(at)], load, ..plan(None, BOTS, tls) };
    let report = scenario.start(&settings, bots, None).expect("it can run").finish();
    drop(target);
    report
}

#[test]
fn who_has_a_good_certificate_needs_no_password() {
    let authority = Authority::new();
    let shown = authority.sign("bots.example", 2100);
    let all = ["bot1", "bot2", "bot3"];
    let report = logins(&authority, Some(shown.clone()), &all);
    assert_eq!(report.bots.population.done, u64::from(BOTS), "{:?}", report.total.losses);
    assert!(report.total.losses.is_empty(), "{:?}", report.total.losses);

    // An account that is not there is nobody's.
    let report = logins(&authority, Some(shown), &all[..2]);
    let losses = &report.total.losses;
    assert_eq!(report.bots.population.done, 2, "{losses:?}");
    assert!(losses.iter().all(|one| one.lost.condition == "a login failure: invalid-authzid"));

    // Without a certificate that way is not even offered.
    let report = logins(&authority, None, &all);
    let losses = &report.total.losses;
    assert_eq!(report.bots.peak_online, 0, "{losses:?}");
    let words = "no login mechanism that can be used";
    assert!(losses.iter().all(|one| one.lost.condition == words), "{losses:?}");
    assert_eq!(losses.iter().map(|one| one.count).sum::<u64>(), u64::from(BOTS));
}
