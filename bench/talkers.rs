//! Bots on the engine in rooms where one speaks and all hear, against the
//! [`Reflector`](crate::reflector::Reflector).
//!
//! The speaker of a room says something whenever it hears what it said before, so that one message
//! is on its way in each room at all times. A bot does with it what a `jumper` does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use densebots_engine::metrics::Delivery;
use densebots_engine::{
    Arrival, BotId, Close, Command, Ctx, Endpoint, GroupId, Link, Load as PlanLoad, Names, Op,
    Phase as RunPhase, Plan, Rng, Role, Scenario, Terms, Time, start,
};
use densebots_protocols::xmpp::{Event, History, Stanza, Xmpp};
use densebots_scenarios::Settings;
use densebots_scenarios::chat::{self, Chat, Stay, Told};

use crate::machine::{ProcessorTime, processor_time};
use crate::traffic::{Figures, Load, Phase};
use crate::xmpp::FIRST_ID;

/// From due until the speaker hears it.
const SAY: Op = Op(chat::OWN);
/// Begins all ids.
pub(crate) const RUN: u32 = 0x1a2b_3c4d;
/// For so long the ledger remembers a message. Before as much has passed none has been forgotten,
/// and nothing is measured.
const LATE: Duration = Duration::from_secs(1);
pub(crate) const WARM: Duration = Duration::from_millis(1200);
/// How often a bot looks whether all are in.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// What is said.
pub(crate) const BODY: &str = "I brought tea. The biscuits did not survive the stairs.";

/// The `nth` room: all addresses are of one length.
pub(crate) fn address(nth: usize) -> String {
    format!("bot_room_{nth:06}@conference.localhost")
}

struct Talkers {
    chat: Chat,
    rooms: Vec<(String, GroupId)>,
    /// Bots in a room.
    size: u32,
    talking: Arc<AtomicBool>,
}

#[derive(Default)]
struct Bot {
    stay: Stay,
    /// What it has to hear back.
    said: u32,
}

impl Talkers {
    /// The room of a bot, and its place there; the first one speaks.
    fn room(&self, id: BotId) -> (&(String, GroupId), u32) {
        let nth = id.0 - FIRST_ID;
        (&self.rooms[(nth / self.size) as usize], nth % self.size)
    }

    fn speak(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        let ((address, group), _) = self.room(ctx.id);
        let message = ctx.ledger().sent(*group);
        bot.said = message.sequence;
        ctx.begin(SAY);
        ctx.send(|session, out| {
            session.groupchat(address, message.text().as_str(), BODY, out);
        });
    }

    fn heard(&self, bot: &mut Bot, message: &Stanza<'_>, ctx: &mut Ctx<'_, Self>) {
        let [id, kind, from] = message.element().attributes(["id", "type", "from"]);
        let known = ctx.ledger().read(id.unwrap_or_default().as_bytes());
        let (Some(known), Some("groupchat")) = (known, kind.as_deref()) else {
            return ctx.ledger().foreign();
        };
        let from = from.unwrap_or_default();
        let room = from.split_once('/').map_or(&*from, |(room, _)| room);
        ctx.ledger().heard(GroupId::named(room), known);
        if known.sender == ctx.id && known.sequence == bot.said {
            ctx.end(SAY);
            if self.talking.load(Ordering::Relaxed) {
                self.speak(bot, ctx);
            }
        }
    }
}

impl Scenario for Talkers {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let ops: Vec<&str> = chat::OPS.into_iter().chain(["xmpp.say"]).collect();
        Names { ledger: true, ..Names::ops(&ops) }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot::default()
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        self.chat.session(id, &mut bot.stay)
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.stay, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match (self.chat.hear(&mut bot.stay, &event, ctx), event) {
            (Told::Online, _) => {
                ctx.end(chat::PRESENCE); // the bare server does not tell it back
                let (address, _) = self.room(ctx.id).0;
                ctx.send(|session, out| session.join(address, "bot", None, History::None, out));
            }
            (_, Event::Presence(_)) => {
                let ((_, group), place) = self.room(ctx.id);
                ctx.ledger().entered(*group);
                ctx.ready();
                if place == 0 {
                    ctx.wake_in(LOOK_EVERY);
                }
            }
            (_, Event::Message(message)) => self.heard(bot, &message, ctx),
            _ => {}
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if self.talking.load(Ordering::Relaxed) {
            self.speak(bot, ctx);
        } else {
            ctx.wake_in(LOOK_EVERY);
        }
    }
}

/// Runs the engine once in this process, with rooms of `size`; counts messages said. An error
/// unless the ledger has each of them heard by everybody in its room, once.
pub fn run(load: &Load, size: usize) -> io::Result<Figures> {
    let plan = plan(load);
    let settings = Settings::of(&chat::PARAMETERS, []).map_err(io::Error::other)?;
    let talking = Arc::new(AtomicBool::new(false));
    let rooms = (0..load.connections.div_ceil(size)).map(address);
    let talkers = Talkers {
        chat: Chat::from(&settings, &plan).map_err(io::Error::other)?,
        rooms: rooms.map(|address| (address.clone(), GroupId::named(&address))).collect(),
        size: size as u32,
        talking: talking.clone(),
    };
    let run = start(talkers, plan).map_err(io::Error::other)?;
    let mut figures = Figures::default();
    let (mut begun, mut mark) = (None::<Time>, None::<(Time, ProcessorTime, u64)>);
    while let Some(snapshot) = run.snapshot(Duration::from_secs(30)) {
        let (now, own) = (processor_time(), &snapshot.report.total.delivery);
        if snapshot.phase != RunPhase::Hold {
            continue;
        }
        let begun = *begun.get_or_insert(snapshot.at);
        if figures.hold.count > 0 {
            if own.delivered + own.missing < own.expected {
                continue; // something is still on its way
            }
            _ = run.command(Command::Stop);
            complete(own, size as u64)?;
            figures.connect.count = snapshot.report.bots.min_online;
            return Ok(figures);
        }
        talking.store(true, Ordering::Relaxed);
        if snapshot.at.since(begun) < WARM {
            continue;
        }
        let (since, before, said) = *mark.get_or_insert((snapshot.at, now, own.messages));
        let wall = snapshot.at.since(since);
        if wall >= load.hold {
            let (count, processor) = (own.messages - said, now - before);
            figures.hold = Phase { count, wall, processor };
            talking.store(false, Ordering::Relaxed);
        }
    }
    Err(io::Error::other(run.finish().failures().join("; ")))
}

fn plan(load: &Load) -> Plan {
    let endpoint = |&port: &u16| Endpoint {
        name: port.to_string(),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    Plan {
        load: PlanLoad::Closed {
            bots: load.connections as u32,
            arrival: Arrival::AtOnce,
            hold: WARM + load.hold + Duration::from_secs(60),
        },
        first_id: FIRST_ID,
        endpoints: load.ports.iter().map(endpoint).collect(),
        sources: (1..=load.sources).map(|last| [127, 0, 0, last].into()).collect(),
        shards: 1,
        close: Close::Rst,
        ledger: Terms { run: RUN, late: LATE },
        sample_every: SAMPLE_EVERY,
        ..Plan::default()
    }
}

/// An error unless every message was heard by all in its room, and only once.
fn complete(own: &Delivery, size: u64) -> io::Result<()> {
    let wrong = [own.missing, own.excused, own.duplicated, own.reordered, own.late, own.unowed];
    let owed = own.messages * size;
    if (own.expected, own.delivered, own.foreign, wrong) == (owed, owed, 0, [0; 6]) {
        return Ok(());
    }
    Err(io::Error::other(format!("the ledger does not add up to {owed}: {own:?}")))
}
