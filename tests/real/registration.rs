//! Accounts that bots make and remove over the network (XEP-0077).

use std::time::Duration;

use densebots_engine::Report;
use densebots_scenarios::Settings;
use densebots_scenarios::accounts::{Accounts, Pattern};
use densebots_scenarios::chat;
use densebots_scenarios::register::{Purpose, Tally, prepare};
use densebots_tests::servers::{Make, Server};

use crate::ground::{Bots, all_well, at_both, op};

/// How the wire is encrypted: not at all, by STARTTLS, from the first byte.
const WIRES: [(&str, Option<bool>); 3] =
    [("fresh", None), ("safe", Some(false)), ("sealed", Some(true))];

/// Makes or removes the accounts of a family: each its own password.
fn settle(
    purpose: Purpose,
    (server, domain): (&Server, &str),
    (family, direct): (&str, Option<bool>),
    bots: u32,
) -> Report {
    let run = Bots::jump(server, family, bots).lasting(Duration::from_secs(60));
    let run = match direct {
        None => run,
        Some(direct) => run.over_tls(server, direct),
    };
    let names = format!("{family}{{id}}");
    let password = Pattern::of(&names).expect("a pattern");
    let accounts = Accounts::by_pattern(&names, password).expect("a pattern");
    let settings = Settings::of(&chat::PARAMETERS, [("domain", domain)]).expect("known");
    let ready = prepare(purpose, accounts, &settings, &run.plan).expect("good parameters");
    ready.start(run.plan, None).expect("a plan that can run").finish()
}

#[test]
fn who_registers_can_log_in_until_the_account_is_removed() {
    at_both(|server| {
        let here = (server, &*server.domain);
        for wire in WIRES {
            let tally = |purpose, bots| Tally::of(&settle(purpose, here, wire, bots));
            let made = |made, there| Tally { made, there, ..Tally::default() };
            assert_eq!(tally(Purpose::Make, 10), made(10, 0), "{wire:?}");
            // A second run goes on where the first ended.
            assert_eq!(tally(Purpose::Make, 25), made(15, 10), "{wire:?}");
            assert_eq!(tally(Purpose::Make, 25), made(0, 25), "{wire:?}");
            all_well(server, &Bots::jump(server, wire.0, 25).run());
            let gone = settle(Purpose::Remove, here, wire, 25);
            let removed = Tally { removed: 25, ..Tally::default() };
            assert_eq!(Tally::of(&gone), removed, "{wire:?}: {:?}", gone.total.losses);
            assert_eq!(op(&gone, "xmpp.unregister"), (25, 25), "{wire:?}");
            let again = settle(Purpose::Remove, here, wire, 25);
            assert_eq!(Tally::of(&again), Tally::default(), "{wire:?}");
            let [loss] = again.total.losses[..] else { panic!("{:?}", again.total.losses) };
            let why = (loss.count, loss.lost.condition);
            assert_eq!(why, (25, "a login failure: not-authorized"), "{wire:?}");
            assert_eq!(again.bots.population.failed, 25, "{wire:?}");
        }
    });
}

#[test]
fn who_may_not_register_hears_why() {
    at_both(|server| {
        let report = settle(Purpose::Make, (server, &server.anonymous), ("unwanted", None), 5);
        let losses = &report.total.losses;
        let losses: Vec<_> = losses.iter().map(|loss| (loss.count, loss.lost.condition)).collect();
        let refused = |refused| Tally { refused, ..Tally::default() };
        let expected = match server.make {
            Make::Prosody => (refused(vec![("feature-not-implemented", 5)]), vec![]),
            Make::Ejabberd => (refused(vec![]), vec![(5, "a stream error: not-authorized")]),
        };
        assert_eq!((Tally::of(&report), losses), expected);
        assert_eq!(report.bots.population.failed, 5);
    });
}
