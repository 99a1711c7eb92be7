//! Rooms with a password, rooms that are full, and rooms that go when the run does.

use std::io::Write;

use densebots_engine::net::sim::Faults;
use densebots_engine::{Command, Plan, Rehearsal, Report, Time};
use densebots_scenarios::Settings;
use densebots_scenarios::jumper::{self, Jumper};
use densebots_scenarios::rooms::{self, Rooms};
use densebots_scenarios::target::xmpp::{Service, XmppTarget};

use crate::world::{self, Setting};
use crate::{in_rooms, jumpers};

const fn seconds(count: u64) -> Time {
    Time::from_nanos(count * 1_000_000_000)
}

fn counter(report: &Report, name: &str) -> u64 {
    let at = report.names.counters.iter().position(|own| own == name);
    report.total.counters[at.unwrap_or_else(|| panic!("no counter {name}"))]
}

/// Of an op: succeeded, failed, timed out.
fn op(report: &Report, name: &str) -> [u64; 3] {
    let at = report.names.ops.iter().position(|own| own == name);
    let op = &report.total.ops[at.unwrap_or_else(|| panic!("no op {name}"))];
    [op.ok, op.failed, op.timed_out]
}

/// A target of this service, in a quiet world.
fn stage(service: &Service) -> Rehearsal {
    let mut stage = Rehearsal::new(1, Faults::none());
    let ears = world::plan(1, 2);
    let target = XmppTarget::new(service, &ears);
    stage.add("target", target, ears).expect("a plan");
    stage
}

/// Ten jumpers for one room with three places.
fn crowd(refusals: &str) -> Report {
    let mut stage = stage(&Service { occupants_max: 3, ..Service::default() });
    let set = [
        ("rooms", "1"),
        ("says", "1..1"),
        ("pause", "300ms..300ms"),
        ("patience", "1s"),
        ("refusals", refusals),
    ];
    let settings = Settings::of(&jumper::PARAMETERS, set).expect("known");
    let plan = world::plan(1, 10);
    let bots = Jumper::from(&settings, &plan).expect("they fit");
    let bots = stage.add("bots", bots, plan).expect("a plan");
    stage.run_until(seconds(20)).expect("sound");
    stage.report(bots).clone()
}

#[test]
fn a_room_that_is_full_is_a_failure_or_waited_for_as_told() {
    let full = "xmpp.refused.service-unavailable";
    let (counted, waited) = (crowd("count"), crowd("wait"));
    let [ok, failed, _] = op(&counted, "xmpp.join");
    assert!(ok > 10 && failed > 10, "{ok} ok, {failed} failed");
    assert_eq!(counter(&counted, full), failed, "each is counted once");
    let [ok, failed, _] = op(&waited, "xmpp.join");
    assert_eq!(failed, 0, "who waits gets in, or runs out of time");
    assert!(ok > 10 && counter(&waited, full) > 10, "{ok} got in, and not at once");
}

#[test]
fn who_does_not_know_the_password_of_a_room_stays_outside() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("writable");
        file
    };
    let (right, wrong) = (file("open {id} <sesame>\n"), file("sesame {id}\n"));
    let mut stage = stage(&Service::default());
    let add = |stage: &mut Rehearsal, names: &str, password: &std::path::Path, first_id| {
        let password = password.to_str().expect("text");
        let set = [
            ("rooms-per-bot", "2"),
            ("bots-per-room", "5"),
            ("pace", "1s"),
            ("entry", "1ms"),
            ("patience", "1s"),
            ("names", names),
            ("room-password-file", password),
        ];
        let settings = Settings::of(&rooms::PARAMETERS, set).expect("known");
        let plan = Plan { first_id, ..world::plan(1, 5) };
        let bots = Rooms::from(&settings, &plan).expect("they fit");
        stage.add("bots", bots, plan).expect("a plan")
    };
    let inside = add(&mut stage, "bot{id}", right.path(), 1);
    stage.run_until(seconds(4)).expect("sound");
    let outside = add(&mut stage, "other{id}", wrong.path(), 101);
    stage.run_until(seconds(12)).expect("sound");
    let [inside, outside] = [inside, outside].map(|bots| stage.report(bots).clone());
    assert_eq!(op(&inside, "xmpp.join"), [10, 0, 0]);
    assert_eq!(op(&inside, "xmpp.create"), [2, 0, 0]);
    assert!(inside.total.delivery.delivered > 100);
    let [ok, failed, _] = op(&outside, "xmpp.join");
    assert!(ok == 0 && failed >= 10, "{ok} ok, {failed} failed");
    assert_eq!(counter(&outside, "xmpp.refused.not-authorized"), failed);
}

#[test]
fn a_file_without_a_password_is_a_fault() {
    let settings = Settings::of(&rooms::PARAMETERS, [("room-password-file", "/no/such/file")]);
    let why = Rooms::from(&settings.expect("known"), &world::plan(1, 5)).err();
    let why = why.map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("room-password-file") && why.contains("/no/such/file"), "{why}");
}

/// Each room is destroyed once, by who made it, when nobody is owed anything any more; and that
/// counts nobody as thrown out.
#[test]
fn rooms_are_destroyed_by_their_makers_at_the_end() {
    let set: &[_] =
        &[("rooms-per-bot", "3"), ("bots-per-room", "5"), ("pace", "800ms"), ("entry", "50ms")];
    for seed in 0..4 {
        let played = in_rooms(&Setting::quiet(seed, set));
        assert_eq!(played.op("xmpp.destroy"), (12, 0), "seed {seed}");
        assert_eq!(played.counter("rooms.thrown_out"), 0, "seed {seed}");
        let own = played.delivery();
        assert_eq!([own.missing, own.excused, own.bounced], [0; 3], "seed {seed}: {own:?}");
        assert_eq!(own.delivered, own.expected, "seed {seed}");
    }
    let left = in_rooms(&Setting::quiet(
        1,
        &[("rooms-per-bot", "3"), ("bots-per-room", "5"), ("destroy", "false")],
    ));
    assert_eq!(left.op("xmpp.destroy"), (0, 0));
}

/// Jumpers are seldom in the rooms that they made, and these may be gone and made anew by others.
#[test]
fn jumpers_destroy_what_they_made() {
    let set: &[_] = &[("rooms", "8"), ("says", "1..3"), ("pause", "100ms..1s")];
    for seed in 0..4 {
        let played = jumpers(&Setting::quiet(seed, set));
        let (gone, refused) = played.op("xmpp.destroy");
        assert!((1..=8).contains(&gone) && refused == 0, "seed {seed}: {gone} gone, {refused} not");
        assert_eq!(played.counter("jumper.thrown_out"), 0, "seed {seed}");
        assert_eq!(played.delivery().missing, 0, "seed {seed}");
    }
}

/// A bot that is taken out of a run that goes on leaves its room to the others.
#[test]
fn rooms_stay_while_the_run_goes_on() {
    let mut stage = stage(&Service::default());
    let set = [("rooms-per-bot", "1"), ("bots-per-room", "5"), ("entry", "1ms"), ("pace", "1s")];
    let settings = Settings::of(&rooms::PARAMETERS, set).expect("known");
    let plan = world::plan(1, 5);
    let bots = Rooms::from(&settings, &plan).expect("they fit");
    let bots = stage.add("bots", bots, plan).expect("a plan");
    stage.run_until(seconds(15)).expect("sound");
    stage.command(bots, seconds(15), Command::Remove { bots: 5, force: false });
    stage.run_until(seconds(30)).expect("sound");
    let report = stage.report(bots);
    assert_eq!(counter(report, "rooms.created"), 1);
    assert_eq!(op(report, "xmpp.destroy"), [0; 3]);
}
