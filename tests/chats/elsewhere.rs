//! Bots that are sent to another host (RFC 6120 section 4.9.3.19).

use densebots_engine::net::sim::Faults;
use densebots_engine::{
    Backoff, BotId, Cause, Command, Ctx, Endpoint, Link, Plan, Rehearsal, Report, Rng, Role,
    Scenario, Time,
};
use densebots_protocols::line::{Framing, Line};
use densebots_scenarios::target::xmpp::{Service, XmppTarget};
use densebots_scenarios::xmpp_idle::XmppIdle;
use densebots_scenarios::{Settings, chat};

use crate::world::plan;

const BOTS: u32 = 20;

/// Sends everybody who says anything elsewhere.
struct Usher {
    to: &'static str,
}

impl Scenario for Usher {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_start(&self, (): &mut (), role: Role, ctx: &mut Ctx<'_, Self>) {
        if role == Role::Planned {
            ctx.listen(usher().address);
            ctx.ready();
        }
    }

    fn on_event(&self, (): &mut (), _: &[u8], ctx: &mut Ctx<'_, Self>) {
        let said = format!(
            "<stream:stream xmlns='jabber:client' version='1.0' id='1' \
             xmlns:stream='http://etherx.jabber.org/streams'><stream:error><see-other-host \
             xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{}</see-other-host></stream:error>\
             </stream:stream>",
            self.to
        );
        ctx.send(|_, out| out.extend_from_slice(said.as_bytes()));
        ctx.quit();
    }
}

fn usher() -> Endpoint {
    let address = ([127, 0, 0, 1], 7100).into();
    Endpoint { name: "usher".to_owned(), address, weight: 1 }
}

/// What became of bots that know the usher alone, and how many were online in the end.
fn sent(to: &'static str) -> (Report, u64) {
    let ears = plan(1, 2);
    let own = Plan {
        endpoints: vec![usher()],
        reconnect: Backoff { give_up: Some(9), ..plan(1, 1).reconnect },
        ..plan(1, BOTS)
    };
    let settings = Settings::of(&chat::PARAMETERS, []).expect("known");
    let idle = XmppIdle::from(&settings, &own).expect("they fit");
    let mut stage = Rehearsal::new(1, Faults::none());
    stage.check_every(1);
    let target = XmppTarget::new(&Service::default(), &ears);
    stage.add("target", target, ears).expect("a plan");
    stage.add("usher", Usher { to }, plan(1, 1)).expect("a plan");
    let bots = stage.add("bots", idle, own).expect("a plan");
    let end = Time::from_nanos(20_000_000_000);
    stage.run_until(end).unwrap_or_else(|broken| panic!("{broken}"));
    let online = stage.report(bots).bots.population.online;
    stage.command(bots, end, Command::Drain);
    let later = Time::from_nanos(22_000_000_000);
    stage.run_until(later).unwrap_or_else(|broken| panic!("{broken}"));
    (stage.report(bots).clone(), online)
}

#[test]
fn they_go_where_the_plan_lets_them() {
    let (report, online) = sent("127.0.0.1:7000");
    assert_eq!(online, u64::from(BOTS));
    let losses = &report.total.losses;
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!(losses[0].lost.condition, "a stream error: see-other-host");
    let attempt = (losses[0].lost.online, losses[0].count);
    assert_eq!(attempt, (false, BOTS.into()), "nobody was online yet");
    assert_eq!(report.total.dialled, 2 * u64::from(BOTS));
}

#[test]
fn they_do_not_go_anywhere_else_and_say_where_that_would_have_been() {
    let (report, online) = sent("xmpp2.example.org:5222");
    assert_eq!((online, report.bots.population.failed), (0, BOTS.into()));
    let losses = &report.total.losses;
    assert_eq!(losses.len(), 1, "{losses:?}");
    let lost = losses[0].lost;
    let words = "sent to xmpp2.example.org:5222, which is not in the plan (see-other-host)";
    assert_eq!((lost.cause, lost.condition), (Cause::Scenario, words));
}

#[test]
fn they_do_not_run_in_circles() {
    let (report, online) = sent("127.0.0.1:7100");
    assert_eq!((online, report.bots.population.failed), (0, BOTS.into()));
    // Of ten attempts every fourth is one too many in a row.
    let words = "sent from host to host without end (see-other-host)";
    let circles = report.total.losses.iter().find(|loss| loss.lost.condition == words);
    assert_eq!(circles.map(|loss| loss.count), Some(2 * u64::from(BOTS)));
    assert_eq!(report.total.dialled, 10 * u64::from(BOTS));
}
