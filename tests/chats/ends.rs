//! What the owner of a room does to bots in it, up to its end: who can comes back.

use std::time::Duration;

use densebots_engine::net::sim::Faults;
use densebots_engine::{
    BotId, Command, Ctx, Link, Lost, Plan, Rehearsal, Rng, Role, Scenario, Time,
};
use densebots_protocols::xmpp::{Event, History, Xmpp};
use densebots_scenarios::Settings;
use densebots_scenarios::rooms::{self, Rooms};
use densebots_scenarios::target::xmpp::{self, XmppTarget};

use crate::world::visitor;

const ROOM: &str = "room0@conference.localhost";
const BOTS: u32 = 5;

const fn seconds(count: u64) -> Time {
    Time::from_nanos(count * 1_000_000_000)
}

/// Makes the room before anybody comes, kicks one bot after five seconds, bans another after seven
/// and destroys the room after nine.
struct Owner;

/// What moderators order (XEP-0045 sections 8.2 and 9.1).
fn order(item: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/muc#admin'><item {item}/></query>")
}

impl Scenario for Owner {
    type Session = Xmpp;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Xmpp {
        visitor("owner")
    }

    fn on_open(&self, (): &mut (), _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, (): &mut (), event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        if let Event::Online { .. } = event {
            ctx.ready();
            ctx.send(|session, out| session.join(ROOM, "owner", None, History::None, out));
            ctx.wake_at(seconds(5));
        }
    }

    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        let order = match ctx.due.nanos() / 1_000_000_000 {
            5 => order("nick='bot2' role='none'"),
            7 => order("jid='bot3@localhost' affiliation='outcast'"),
            _ => {
                ctx.send(|session, out| session.destroy_room(ROOM, "over", out));
                return;
            }
        };
        ctx.send(|session, out| {
            session.iq("set", ROOM, "order", out, |out| out.extend_from_slice(order.as_bytes()));
        });
        ctx.wake_at(ctx.due + Duration::from_secs(2));
    }

    fn on_lost(&self, (): &mut (), _: Link, _: &Lost, _: &mut Ctx<'_, Self>) {}
}

/// The end is told without status 110 (XEP-0045 section 10.9). Each bot hears it, and is in the
/// room that the first of them makes anew.
#[test]
fn who_hears_the_end_of_a_room_comes_back() {
    let plan = crate::world::plan(1, BOTS);
    let mut stage = Rehearsal::new(1, Faults::none());
    let ears = Plan { load: crate::world::plan(1, 2).load, ..plan.clone() };
    let target = XmppTarget::new(&xmpp::Service::default(), &ears);
    stage.add("target", target, ears).expect("a plan");
    let alone = Plan { load: crate::world::plan(1, 1).load, ..plan.clone() };
    stage.add("owner", Owner, alone).expect("a plan");
    let set = [
        ("rooms-per-bot", "1"),
        ("bots-per-room", "5"),
        ("pace", "500ms"),
        ("entry", "1ms"),
        ("patience", "1s"),
    ];
    let settings = Settings::of(&rooms::PARAMETERS, set).expect("known");
    let bots = Rooms::from(&settings, &plan).expect("they fit");
    let bots = stage.add("bots", bots, plan).expect("a plan");
    let counted = |stage: &Rehearsal, name: &str| {
        let report = stage.report(bots);
        let at = report.names.counters.iter().position(|own| own == name);
        report.total.counters[at.unwrap_or_else(|| panic!("no counter {name}"))]
    };
    stage.run_until(seconds(4)).expect("sound");
    assert_eq!(counted(&stage, "rooms.created"), 0, "the owner was the first");
    stage.run_until(seconds(20)).expect("sound");
    let told = ["kicked", "banned", "destroyed"].map(|why| format!("rooms.thrown_out.{why}"));
    let told = told.map(|name| counted(&stage, &name));
    assert_eq!(told, [1, 1, u64::from(BOTS) - 1], "who was kicked came back, who was banned not");
    assert_eq!(counted(&stage, "rooms.thrown_out"), told.iter().sum());
    assert!(counted(&stage, "xmpp.refused.forbidden") > 0, "he tried");
    assert_eq!(counted(&stage, "rooms.created"), 1, "and one of the bots made it again");
    stage.command(bots, seconds(20), Command::Drain);
    stage.run_until(seconds(40)).expect("sound");
    let own = &stage.report(bots).total.delivery;
    assert_eq!((own.missing, own.duplicated, own.late, own.bounced), (0, 0, 0, 0));
    let said = 2 * u64::from(BOTS) * 12;
    assert!(own.delivered > said * u64::from(BOTS), "{} heard", own.delivered);
}
