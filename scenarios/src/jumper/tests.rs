//! Jumpers and the embedded target in one simulated world.

use densebots_engine::net::sim::Faults;
use densebots_engine::{Arrival, Backoff, Cause, Endpoint, Load, Plan, Rehearsal, Time};

use super::*;
use crate::Settings;
use crate::target::xmpp::{Service, XmppTarget};

/// Every connection is reset after a few seconds, and bots come back to other rooms: what they owe
/// of the room that they were in ends with the new login, not with the run.
#[test]
fn who_logs_in_anew_owes_nothing_of_the_room_before() {
    let second = Duration::from_secs(1);
    let faults = Faults { reset: 1.0, reset_after: 2 * second..=4 * second, ..Faults::none() };
    let endpoint =
        Endpoint { name: "target".to_owned(), address: ([127, 0, 0, 1], 7000).into(), weight: 1 };
    let plan = |bots| Plan {
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold: 25 * second },
        endpoints: vec![endpoint.clone()],
        shards: 1,
        reconnect: Backoff { first: second / 10, cap: second / 10, give_up: None },
        ..Plan::default()
    };
    let mut stage = Rehearsal::new(7, faults);
    let target = Plan {
        load: Load::Closed { bots: 1, arrival: Arrival::AtOnce, hold: 99 * second },
        ..plan(1)
    };
    stage.add("target", XmppTarget::new(&Service::default(), &target), target).expect("a plan");
    let set = [("rooms", "4"), ("says", "250"), ("pause", "100ms..300ms")];
    let settings = Settings::of(&PARAMETERS, set).expect("known");
    let jumpers = Jumper::from(&settings, &plan(20)).expect("they fit");
    let jumpers = stage.add("jumpers", jumpers, plan(20)).expect("a plan");
    stage.run_to_end(Time::ZERO + 60 * second).expect("nothing is broken");
    let total = &stage.report(jumpers).total;
    let lost: u64 = total.losses.iter().map(|loss| loss.count).sum();
    assert!(lost > 50, "{:?}", total.losses);
    assert!(total.losses.iter().all(|loss| loss.lost.cause != Cause::Violation));
    let delivery = &total.delivery;
    assert!(delivery.delivered > 1000 && delivery.missing == 0, "{}", delivery.delivered);
    // A bot is away for a tenth of a second of every three.
    let share = delivery.excused as f64 / delivery.expected as f64;
    assert!(share < 0.2, "{share} of {} are excused", delivery.expected);
}
