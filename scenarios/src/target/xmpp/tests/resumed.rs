//! Streams that are counted, lost and resumed, by our own dialling side in one simulated world.

use std::collections::HashMap;
use std::sync::Mutex;

use densebots_engine::net::sim::Faults;
use densebots_engine::{Command, Rehearsal, Report, Time};
use densebots_protocols::xmpp as wire;
use densebots_protocols::xmpp::{Account, Identity, Management, Resumption, Tls, Xmpp};

use super::{ROOM, SHARDS, count, heard, join_as, plan};
use crate::target::xmpp::*;

/// At so many milliseconds of the run a bot does this.
type Act = (u64, Deed);

#[derive(Clone, Copy)]
enum Deed {
    /// It calls a function of its session.
    Say(fn(&mut Xmpp, &mut Vec<u8>)),
    /// Its link is cut.
    Cut,
    /// It connects, with what it has of a lost stream.
    Dial,
    /// It takes what another bot has of a lost stream, and connects with that.
    Steal(u32),
    /// It connects with its stream while its link still stands.
    DialBeside,
}
use Deed::{Cut, Dial, DialBeside, Say, Steal};

/// Bots that follow a script each, and note what they hear.
struct Actors {
    scripts: Vec<Vec<Act>>,
    management: Management,
    heard: Arc<Mutex<HashMap<u32, Vec<String>>>>,
    /// What is left of lost streams, by bot.
    lost: Mutex<HashMap<u32, Resumption>>,
}

impl Actors {
    fn note(&self, bot: BotId, what: impl Into<String>) {
        self.heard.lock().expect("one thread").entry(bot.0).or_default().push(what.into());
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Resumption>> {
        self.lost.lock().expect("one thread")
    }

    fn plan_next(&self, next: usize, ctx: &mut Ctx<'_, Self>) {
        if let Some((at, _)) = self.scripts[ctx.id.0 as usize - 1].get(next) {
            ctx.wake_at(Time::ZERO + Duration::from_millis(*at));
        }
    }
}

impl Scenario for Actors {
    type Session = Xmpp;
    /// The next act, and the link of the last login.
    type Bot = (usize, BotId, Option<Link>);
    type Mail = ();

    fn bot(&self, id: BotId, _: Role, _: &mut Rng) -> Self::Bot {
        (0, id, None)
    }

    fn session(&self, id: BotId, _: &mut Self::Bot, _: Link) -> Xmpp {
        let service = wire::Service {
            tls: Tls::Off,
            management: self.management,
            ..wire::Service::new("localhost")
        };
        let service = Arc::new(wire::Service {
            mechanism: "PLAIN".parse().map(wire::sasl::Choice::Exactly).expect("known"),
            ..service
        });
        let identity = Identity::password(&format!("u{id}"), "any").expect("prepared");
        let account = Account { service, identity, resource: "r".into() };
        match self.lost().remove(&id.0) {
            Some(resumption) => Xmpp::resuming(account, resumption),
            None => Xmpp::new(account),
        }
    }

    fn on_start(&self, _: &mut Self::Bot, _: Role, ctx: &mut Ctx<'_, Self>) {
        ctx.dial();
        self.plan_next(0, ctx);
    }

    fn on_open(&self, _: &mut Self::Bot, _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, bot: &mut Self::Bot, event: wire::Event<'_>, ctx: &mut Ctx<'_, Self>) {
        let said = match event {
            wire::Event::Online { address } => {
                bot.2 = ctx.link;
                ctx.ready();
                address.map_or_else(|| "again".to_owned(), |address| format!("as {address}"))
            }
            wire::Event::Message(stanza)
            | wire::Event::Presence(stanza)
            | wire::Event::Iq(stanza) => stanza.element().source().to_owned(),
            wire::Event::StreamError(error) => error.condition().name().to_owned(),
            wire::Event::Acknowledged(left) => format!("{left} left"),
            _ => return,
        };
        self.note(ctx.id, said);
    }

    fn on_wake(&self, bot: &mut Self::Bot, ctx: &mut Ctx<'_, Self>) {
        let (_, deed) = self.scripts[ctx.id.0 as usize - 1][bot.0];
        let link = bot.2.expect("it is logged in by now");
        match deed {
            Say(what) => _ = ctx.send_on(link, what),
            Cut => ctx.lose(link, "cut"),
            Dial => ctx.dial(),
            Steal(from) => {
                let stolen = self.lost().get(&from).cloned().expect("it has lost one");
                self.lost().insert(ctx.id.0, stolen);
                ctx.dial();
            }
            DialBeside => {
                let mut resumption = None;
                ctx.send_on(link, |session, _| resumption = session.take_resumption());
                self.lost().insert(ctx.id.0, resumption.expect("agreed on"));
                ctx.dial();
            }
        }
        bot.0 += 1;
        self.plan_next(bot.0, ctx);
    }

    fn salvage(&self, bot: &mut Self::Bot, mut session: Xmpp) {
        if let Some(resumption) = session.take_resumption() {
            self.lost().insert(bot.1.0, resumption);
        }
    }

    fn on_lost(&self, _: &mut Self::Bot, _: Link, _: &Lost, _: &mut Ctx<'_, Self>) {}
}

/// Plays the scripts. Tells what each bot heard, and the target's report.
fn play(management: Management, scripts: Vec<Vec<Act>>) -> (HashMap<u32, Vec<String>>, Report) {
    let heard = Arc::new(Mutex::new(HashMap::new()));
    let mut stage = Rehearsal::new(1, Faults::none());
    stage.check_every(1);
    let ears = plan(SHARDS as u32);
    let target = XmppTarget::new(&Service::default(), &ears);
    let target = stage.add("target", target, ears).expect("a plan");
    let bots = plan(scripts.len() as u32);
    let lost = Mutex::default();
    let actors = Actors { scripts, management, heard: heard.clone(), lost };
    let actors = stage.add("actors", actors, bots).expect("a plan");
    let until = Time::ZERO + Duration::from_secs(90);
    stage.run_until(until).unwrap_or_else(|broken| panic!("{broken}"));
    for engine in [actors, target] {
        stage.command(engine, until, Command::Stop);
    }
    let end = until + Duration::from_secs(60);
    stage.run_to_end(end).unwrap_or_else(|broken| panic!("{broken}"));
    let told = heard.lock().expect("one thread").clone();
    (told, stage.report(target).clone())
}

fn counted(report: &Report, counter: Counter) -> u64 {
    report.total.counters[usize::from(counter.0)]
}

fn join(session: &mut Xmpp, out: &mut Vec<u8>) {
    join_as(session, "one", out);
}

fn join_two(session: &mut Xmpp, out: &mut Vec<u8>) {
    join_as(session, "two", out);
}

fn speak(session: &mut Xmpp, out: &mut Vec<u8>) {
    session.groupchat(ROOM, "said", "text", out);
}

/// Whichever shard the second link comes to, nobody notices that the first one was lost.
#[test]
fn who_comes_back_has_missed_nothing_and_was_not_missed() {
    let mut scripts: Vec<Vec<Act>> = vec![vec![
        (1000, Say(join)),
        (3000, Cut),
        (5000, Dial),
        (6000, Say(speak)),
        (6100, Cut),
        (6200, Say(speak)), // kept by nobody: there is no link
        (7000, Dial),
        (8000, Say(|session, out| session.ping("", "alive", out))),
        (8500, Say(|session, out| session.ask_acknowledgement(out))),
    ]];
    let mut two: Vec<Act> = vec![(2000, Say(join_two))];
    two.extend((0..60).map(|nth| (2500 + 100 * nth, Say(speak))));
    scripts.push(two);
    let (told, report) = play(Management::Resume, scripts);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    assert_eq!(count(one, "as u1@localhost/r"), 1, "{one:?}");
    assert_eq!(one.iter().filter(|said| *said == "again").count(), 2, "{one:?}");
    assert_eq!(count(one, "id='said'"), 61, "{one:?}");
    assert_eq!(count(two, "id='said'"), 61, "{two:?}");
    assert_eq!(count(two, "unavailable"), 0, "{two:?}");
    assert_eq!(count(one, "id='alive'"), 1, "{one:?}");
    assert_eq!(one.last().map(String::as_str), Some("0 left"), "{one:?}");
    assert_eq!((counted(&report, RESUMED), counted(&report, WENT)), (2, 0));
}

#[test]
fn who_stays_away_too_long_is_gone() {
    let one: Vec<Act> = vec![(1000, Say(join)), (3000, Cut), (70_000, Dial)];
    let two: Vec<Act> = vec![
        (2000, Say(join_two)),
        (62_000, Say(|session, out| session.message("u1@localhost", "there", "?", out))),
        (64_000, Say(|session, out| session.message("u1@localhost", "gone", "?", out))),
    ];
    let (told, report) = play(Management::Resume, vec![one, two]);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    assert_eq!(count(one, "as u1@localhost/r"), 2, "{one:?}");
    assert_eq!(count(two, "type='unavailable'"), 1, "{two:?}");
    assert_eq!(count(two, "id='there'"), 0, "kept for it: {two:?}");
    assert_eq!(count(two, "id='gone'"), 1, "nobody is there: {two:?}");
    assert_eq!((counted(&report, RESUMED), counted(&report, WENT)), (0, 1));
}

/// Without a wish to resume nobody is waited for.
#[test]
fn who_is_only_counted_is_gone_with_its_link() {
    let one: Vec<Act> = vec![(1000, Say(join)), (3000, Cut), (4000, Dial)];
    let two: Vec<Act> = vec![(2000, Say(join_two))];
    let (told, report) = play(Management::Acknowledge, vec![one, two]);
    assert_eq!(count(heard(&told, 2), "type='unavailable'"), 1, "what is only counted is gone");
    assert_eq!(count(heard(&told, 1), "as u1@localhost/r"), 2);
    assert_eq!((counted(&report, RESUMED), counted(&report, WENT)), (0, 0));
}

#[test]
fn nobody_goes_on_with_the_stream_of_another() {
    let one: Vec<Act> = vec![(1000, Say(join)), (3000, Cut), (8000, Dial)];
    let thief: Vec<Act> = vec![(2000, Cut), (4000, Steal(1))];
    let (told, report) = play(Management::Resume, vec![one, thief]);
    assert_eq!(count(heard(&told, 2), "as u2@localhost/r"), 2, "it logs in as itself");
    assert_eq!(count(heard(&told, 1), "again"), 1, "{:?}", heard(&told, 1));
    assert_eq!(counted(&report, RESUMED), 1);
}

#[test]
fn a_link_that_only_seems_to_stand_is_given_up_for_the_new_one() {
    let one: Vec<Act> = vec![
        (1000, Say(join)),
        (3000, DialBeside),
        (4000, Say(speak)),
        (5000, DialBeside),
        (6000, Say(speak)),
    ];
    let two: Vec<Act> = vec![(2000, Say(join_two)), (7000, Say(speak))];
    let (told, report) = play(Management::Resume, vec![one, two]);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    assert_eq!(one.iter().filter(|said| *said == "conflict").count(), 2, "{one:?}");
    assert_eq!(count(one, "id='said'"), 3, "{one:?}");
    assert_eq!(count(two, "id='said'"), 3, "{two:?}");
    assert_eq!(count(two, "unavailable"), 0, "{two:?}");
    assert_eq!((counted(&report, RESUMED), counted(&report, WENT)), (2, 0));
}

/// What is kept for one who is away is bounded, in stanzas and in bytes.
#[test]
fn who_is_told_too_much_while_it_is_away_is_gone() {
    fn long(session: &mut Xmpp, out: &mut Vec<u8>) {
        session.groupchat(ROOM, "said", &"x".repeat(50_000), out);
    }
    fn many(session: &mut Xmpp, out: &mut Vec<u8>) {
        (0..150).for_each(|_| speak(session, out));
    }
    for (what, enough, too_much) in [(long as fn(&mut _, &mut _), 20, 22), (many, 13, 14)] {
        for (times, gone) in [(enough, 0), (too_much, 1)] {
            let one: Vec<Act> = vec![(1000, Say(join)), (3000, Cut), (50_000, Dial)];
            let mut two: Vec<Act> = vec![(2000, Say(join_two))];
            two.extend((0..times).map(|nth| (4000 + 1000 * nth, Say(what))));
            let (told, report) = play(Management::Resume, vec![one, two]);
            assert_eq!(count(heard(&told, 2), "type='unavailable'"), gone);
            assert_eq!(counted(&report, RESUMED), 1 - gone as u64);
        }
    }
}
