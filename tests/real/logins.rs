//! Every way to log in, and what is said of one that fails.

use std::fs;

use densebots_engine::{Cause, Identity, Trust};
use densebots_tests::servers::{Make, ejabberd};

use crate::ground::{Bots, accounts, all_well, at_both, op};

#[test]
fn by_every_mechanism_plain_and_over_starttls() {
    at_both(|server| {
        accounts(server, "mechanism", 1);
        for (mechanism, over_tls) in
            server.make.mechanisms().iter().flat_map(|name| [(name, false), (name, true)])
        {
            let bot = Bots::jump(server, "mechanism", 1).set("mechanism", mechanism);
            let bot = if over_tls { bot.over_tls(server, false) } else { bot };
            let report = bot.run();
            all_well(server, &report);
            for phase in ["xmpp.login", "xmpp.sasl", "xmpp.bind", "xmpp.presence", "xmpp.join"] {
                assert_eq!(op(&report, phase), (1, 1), "{phase} by {mechanism}");
            }
            assert_eq!(op(&report, "xmpp.tls").1, u64::from(over_tls), "{mechanism}");
            assert_eq!(report.total.tls.handshakes, u64::from(over_tls), "{mechanism}");
            let derived = report.total.derive.count + report.total.derive.remembered;
            assert_eq!(derived > 0, mechanism.starts_with("SCRAM"), "{mechanism}");
        }
    });
}

#[test]
fn as_nobody_in_particular() {
    at_both(|server| {
        let bot = Bots::jump(server, "nobody", 1).set("mechanism", "ANONYMOUS");
        let report = bot.set("domain", &server.anonymous).run();
        all_well(server, &report);
        assert_eq!(op(&report, "xmpp.login"), (1, 1));
    });
}

#[test]
fn the_strongest_mechanism_over_direct_tls() {
    at_both(|server| {
        accounts(server, "direct", 3);
        let bots = Bots::jump(server, "direct", 3).set("mechanism", "strongest");
        let report = bots.over_tls(server, true).run();
        all_well(server, &report);
        let tls = &report.total.tls;
        assert_eq!((tls.handshakes, tls.dense), (3, 3), "TLS 1.3 with a suite that is kept dense");
        assert_eq!(op(&report, "xmpp.tls"), (3, 3), "from the connection to its end");
        assert!(report.total.derive.count > 0, "the strongest is a SCRAM");
        assert_eq!(
            op(&report, "xmpp.pbkdf2"),
            (report.total.derive.count, report.total.derive.count)
        );
    });
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    at_both(|server| {
        let Some(other) = Make::ALL.into_iter().find(|&make| make != server.make) else { return };
        let Some(other) = densebots_tests::servers::shared(other) else { return };
        for direct in [false, true] {
            let mut bot = Bots::jump(server, "stranger", 1).over_tls(server, direct);
            let dial = bot.plan.tls.as_mut().and_then(|tls| tls.dial.as_mut()).expect("it dials");
            dial.trust = Trust::Roots(vec![other.ca_pem.clone().into_bytes()]);
            let report = bot.run();
            assert_eq!(report.failures(), ["nobody got online"]);
            let [loss] = report.total.losses[..] else { panic!("{:?}", report.total.losses) };
            assert_eq!((loss.lost.cause, loss.count), (Cause::Tls, 1), "{loss:?}");
            assert!(loss.lost.condition.contains("certificate"), "{loss:?}");
        }
    });
}

#[test]
fn a_wrong_password_is_named() {
    at_both(|server| {
        accounts(server, "forgetful", 1);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("password");
        fs::write(&file, "something else").expect("the folder is ours");
        for mechanism in server.make.mechanisms() {
            let bot = Bots::jump(server, "forgetful", 1).set("mechanism", mechanism);
            let report = bot.set("password-file", &file.to_string_lossy()).run();
            assert_eq!(report.failures(), ["nobody got online"], "{mechanism}");
            let [loss] = report.total.losses[..] else { panic!("{:?}", report.total.losses) };
            assert_eq!(loss.lost.condition, "a login failure: not-authorized", "{mechanism}");
            assert_eq!(loss.lost.cause.blame(), "target", "{mechanism}");
        }
    });
}

/// ejabberd knows EXTERNAL (XEP-0178). Prosody as it comes does not know it for users.
#[test]
fn by_a_certificate_that_names_the_account() {
    let Some(server) = ejabberd() else { return };
    accounts(server, "certified", 2);
    let shown = |nth: u32| {
        let (chain, key) = server.certify(&format!("certified{nth}@{}", server.domain));
        Identity { chain: chain.into_bytes(), key: key.into_bytes() }
    };
    let run = |identity| {
        let mut bot = Bots::jump(server, "certified", 1).set("mechanism", "EXTERNAL");
        bot = bot.over_tls(server, true);
        let dial = bot.plan.tls.as_mut().and_then(|tls| tls.dial.as_mut()).expect("it dials");
        dial.identity = identity;
        bot.run()
    };
    let report = run(Some(shown(1)));
    all_well(server, &report);
    assert_eq!((op(&report, "xmpp.login"), op(&report, "xmpp.sasl")), ((1, 1), (1, 1)));
    // It offers that to everybody over TLS, and refuses who shows another's certificate, or none.
    for identity in [Some(shown(2)), None] {
        let report = run(identity);
        assert_eq!(report.failures(), ["nobody got online"]);
        let [loss] = report.total.losses[..] else { panic!("{:?}", report.total.losses) };
        assert_eq!(loss.lost.condition, "a login failure: not-authorized");
    }
}
