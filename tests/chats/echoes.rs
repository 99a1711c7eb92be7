//! The echobot, asked by a bot that sends back whatever it hears.

use std::sync::{Arc, Mutex};

use densebots_engine::{BotId, Ctx, Link, Plan, Rng, Role, Scenario, Time};
use densebots_protocols::xmpp::{Event, Xmpp};
use densebots_scenarios::Settings;
use densebots_scenarios::chat;
use densebots_scenarios::echobot::{Echobot, MARK};
use densebots_scenarios::target::xmpp::{self, XmppTarget};

use crate::world::visitor;

/// Asks, and answers each answer with its own id, as a careless echo would.
struct Asker {
    heard: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Scenario for Asker {
    type Session = Xmpp;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Xmpp {
        visitor("asker")
    }

    fn on_open(&self, (): &mut (), _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, (): &mut (), event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match event {
            Event::Online { .. } => {
                ctx.ready();
                ctx.wake_at(Time::from_nanos(2_000_000_000));
            }
            Event::Message(message) => {
                let text =
                    |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
                let (from, id) = (text(message.from()), text(message.id()));
                let body = text(message.body());
                ctx.send(|session, out| session.message(&from, &id, &body, out));
                self.heard.lock().expect("one thread").push((from, id, body));
            }
            _ => {}
        }
    }

    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        for (id, body) in [("one", "a < b & c"), ("two", ""), ("three", "é")] {
            ctx.send(|session, out| session.message("bot1@localhost", id, body, out));
        }
        ctx.send(|session, out| session.message("nobody@localhost", "none", "anybody?", out));
    }
}

#[test]
fn echobots_answer_words_and_nothing_else() {
    use densebots_engine::net::sim::Faults;
    let plan = crate::world::plan(1, 1);
    let mut stage = densebots_engine::Rehearsal::new(1, Faults::none());
    let ears = Plan { load: crate::world::plan(1, 2).load, ..plan.clone() };
    let target = XmppTarget::new(&xmpp::Service::default(), &ears);
    stage.add("target", target, ears).expect("a plan");
    let settings = Settings::of(&chat::PARAMETERS, []).expect("known");
    let echobot = Echobot::from(&settings, &plan).expect("they fit");
    let echobot = stage.add("echobot", echobot, plan.clone()).expect("a plan");
    let heard = Arc::new(Mutex::new(Vec::new()));
    stage.add("asker", Asker { heard: heard.clone() }, plan).expect("a plan");
    stage.run_until(Time::from_nanos(5_000_000_000)).expect("sound");
    let heard = heard.lock().expect("one thread");
    let answers: Vec<_> = heard.iter().filter(|(from, ..)| from.starts_with("bot1@")).collect();
    assert_eq!(answers.len(), 2, "{heard:?}");
    assert!(answers[0].0.starts_with("bot1@localhost/run"), "{heard:?}");
    assert_eq!((&*answers[0].1, &*answers[0].2), (&*format!("{MARK}one"), "a < b & c"));
    assert_eq!((&*answers[1].1, &*answers[1].2), (&*format!("{MARK}three"), "é"));
    // Answered, without a body, echoes that came back, answers refused.
    assert_eq!(stage.report(echobot).total.counters, [2, 1, 2, 0]);
}
