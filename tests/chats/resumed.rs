//! Links that break and streams that go on (XEP-0198): whatever the network resets, every message
//! is owed, and heard once.

use std::time::Duration;

use densebots_engine::net::sim::Faults;

use crate::world::Setting;
use crate::{jumpers, neighbours};

const SEEDS: u64 = 25;

/// A network that breaks half of its connections within some seconds, and some before the login
/// is over. It is well in time for the last of them to be resumed.
fn breaking(seed: u64, set: &'static [(&'static str, &'static str)]) -> Setting {
    let reset_after = Duration::from_millis(1)..=Duration::from_secs(8);
    let faults = Faults { reset: 0.5, reset_after, ..Faults::none() };
    Setting { faults, ..Setting::quiet(seed, set) }
}

const SET: &[(&str, &str)] =
    &[("management", "resume"), ("says", "1..3"), ("pause", "100ms..1s"), ("patience", "500ms")];

#[test]
fn jumpers_are_owed_every_message_over_broken_links() {
    let mut resumed = 0;
    for seed in 0..SEEDS {
        let played = jumpers(&breaking(seed, SET));
        played.adds_up();
        let own = played.delivery();
        assert_eq!(played.online, 20, "seed {seed}: all are back");
        let wrong = [own.missing, own.duplicated, own.reordered, own.late, own.bounced];
        assert_eq!(wrong, [0; 5], "seed {seed}: {own:?}");
        // Nobody has to log in twice whose stream was there: a link that is lost in the login
        // leaves none.
        let (resumptions, logins) = (played.counter("xmpp.resumed"), played.op("xmpp.login").0);
        assert_eq!(logins, 20 + resumptions, "seed {seed}");
        assert!(own.delivered > 500, "seed {seed}: {own:?}");
        resumed += resumptions;
    }
    assert!(resumed > 10 * SEEDS, "{resumed}");
}

#[test]
fn neighbours_are_owed_every_message_over_broken_links() {
    let set: &[_] =
        &[("management", "resume"), ("pace", "300ms"), ("settle", "100ms"), ("rounds", "0")];
    for seed in 0..SEEDS {
        let played = neighbours(&breaking(seed, set));
        played.adds_up();
        let own = played.delivery();
        assert_eq!(played.online, 20, "seed {seed}: all are back");
        let wrong = [own.missing, own.duplicated, own.reordered, own.late, own.bounced];
        assert_eq!(wrong, [0; 5], "seed {seed}: {own:?}");
    }
}
