//! The target and our own dialling side in one simulated world.

use std::collections::HashMap;
use std::sync::Mutex;

use densebots_engine::net::sim::{Dice, Faults};
use densebots_engine::{Arrival, Command, Endpoint, Load, Rehearsal, Report, Time};
use densebots_protocols::xmpp as wire;
use densebots_protocols::xmpp::sasl::{Choice, Mechanism};
use densebots_protocols::xmpp::{Account, History, Identity, Tls, Xmpp};

use super::*;

mod resumed;
mod routed;

const SHARDS: usize = 3;

/// What one bot does: at `at` milliseconds of the run it calls a function of its session.
type Act = (u64, fn(&mut Xmpp, &mut Vec<u8>));

/// Bots that follow a script each, and note every stanza they hear.
struct Actors {
    scripts: Vec<Vec<Act>>,
    password: &'static str,
    heard: Arc<Mutex<HashMap<u32, Vec<String>>>>,
}

impl Scenario for Actors {
    type Session = Xmpp;
    type Bot = usize;
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> usize {
        0
    }

    fn session(&self, id: BotId, _: &mut usize, _: Link) -> Xmpp {
        let service = wire::Service {
            tls: Tls::Off,
            mechanism: Choice::Exactly(Mechanism::Plain),
            ..wire::Service::new("localhost")
        };
        let identity = Identity::password(&format!("u{id}"), self.password).expect("prepared");
        Xmpp::new(Account { service: Arc::new(service), identity, resource: "r".into() })
    }

    fn on_open(&self, _: &mut usize, _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, next: &mut usize, event: wire::Event<'_>, ctx: &mut Ctx<'_, Self>) {
        let said = match event {
            wire::Event::Online { .. } => {
                ctx.ready();
                return self.plan_next(*next, ctx);
            }
            wire::Event::Message(stanza)
            | wire::Event::Presence(stanza)
            | wire::Event::Iq(stanza) => stanza.element().source().to_owned(),
            wire::Event::StreamError(error) => error.condition().name().to_owned(),
            _ => return,
        };
        self.heard.lock().expect("one thread").entry(ctx.id.0).or_default().push(said);
    }

    fn on_wake(&self, next: &mut usize, ctx: &mut Ctx<'_, Self>) {
        let (_, act) = self.scripts[ctx.id.0 as usize - 1][*next];
        ctx.send(act);
        *next += 1;
        self.plan_next(*next, ctx);
    }

    fn on_lost(&self, _: &mut usize, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        ctx.quit();
    }
}

impl Actors {
    fn plan_next(&self, next: usize, ctx: &mut Ctx<'_, Self>) {
        if let Some((at, _)) = self.scripts[ctx.id.0 as usize - 1].get(next) {
            ctx.wake_at(Time::ZERO + Duration::from_millis(*at));
        }
    }
}

const HOLD: Duration = Duration::from_secs(100);

fn plan(bots: u32) -> Plan {
    let endpoint = |port: u16| Endpoint {
        name: format!("target {port}"),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    Plan {
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold: HOLD },
        endpoints: (0..SHARDS as u16).map(|nth| endpoint(7000 + nth)).collect(),
        shards: SHARDS,
        ..Plan::default()
    }
}

/// Plays the scripts against the service. Tells what each bot heard, and the target's report.
fn play(
    service: &Service,
    password: &'static str,
    scripts: Vec<Vec<Act>>,
) -> (HashMap<u32, Vec<String>>, Report) {
    play_with(1, Faults::none(), service, password, scripts)
}

fn play_with(
    seed: u64,
    faults: Faults,
    service: &Service,
    password: &'static str,
    scripts: Vec<Vec<Act>>,
) -> (HashMap<u32, Vec<String>>, Report) {
    let heard = Arc::new(Mutex::new(HashMap::new()));
    let mut stage = Rehearsal::new(seed, faults);
    stage.check_every(1);
    let ears = plan(SHARDS as u32);
    let target = stage.add("target", XmppTarget::new(service, &ears), ears).expect("a plan");
    let bots = scripts.len() as u32;
    let actors = Actors { scripts, password, heard: heard.clone() };
    let actors = stage.add("actors", actors, plan(bots)).expect("a plan");
    let until = Time::ZERO + Duration::from_secs(20);
    stage.run_until(until).unwrap_or_else(|broken| panic!("{broken}"));
    for engine in [actors, target] {
        stage.command(engine, until, Command::Stop);
    }
    stage.run_to_end(until + HOLD).unwrap_or_else(|broken| panic!("{broken}"));
    let told = heard.lock().expect("one thread").clone();
    (told, stage.report(target).clone())
}

fn heard(told: &HashMap<u32, Vec<String>>, bot: u32) -> &[String] {
    told.get(&bot).map_or(&[], Vec::as_slice)
}

fn count(told: &[String], what: &str) -> usize {
    told.iter().filter(|said| said.contains(what)).count()
}

const ROOM: &str = "room@conference.localhost";

fn join_as(session: &mut Xmpp, nick: &str, out: &mut Vec<u8>) {
    session.join(ROOM, nick, None, History::None, out);
}

#[test]
fn everybody_in_a_room_hears_everybody_in_one_order() {
    let one: Vec<Act> = vec![
        (1000, |session, out| join_as(session, "one", out)),
        (2000, |session, out| session.groupchat(ROOM, "m1", "a < b", out)),
        (4000, |session, out| session.leave(ROOM, "one", out)),
    ];
    let two: Vec<Act> = vec![
        (1500, |session, out| join_as(session, "two", out)),
        (2000, |session, out| session.groupchat(ROOM, "m2", "c", out)),
        (5000, |session, out| session.groupchat(ROOM, "m3", "alone", out)),
    ];
    let outside: Vec<Act> =
        vec![(2000, |session, out| session.groupchat(ROOM, "m4", "outside", out))];
    let (told, _) = play(&Service::default(), "any", vec![one, two, outside]);
    let (one, two, outside) = (heard(&told, 1), heard(&told, 2), heard(&told, 3));

    assert!(one[0].contains("from='room@conference.localhost/one'"), "{one:?}");
    assert!(one[0].contains("<status code='110'/><status code='201'/>"), "{one:?}");
    assert!(one[0].contains(" to='u1@localhost/r'"), "{one:?}");
    assert!(one[1].contains("<subject/>"), "{one:?}");
    assert!(one[2].contains("conference.localhost/two'") && !one[2].contains("110"), "{one:?}");
    assert!(two[0].contains("/one'") && two[1].contains("/two'"), "{two:?}");
    assert!(two[1].contains("code='110'") && !two[1].contains("201"), "{two:?}");
    let messages = |told: &[String]| -> Vec<&str> {
        let ids = ["id='m1'", "id='m2'", "id='m3'"].into_iter();
        let mut found: Vec<(usize, &str)> = ids
            .filter_map(|id| Some((told.iter().position(|said| said.contains(id))?, id)))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    };
    assert_eq!(messages(one).len(), 2, "who has left hears nothing more: {one:?}");
    assert_eq!(messages(one)[..], messages(two)[..2]);
    assert_eq!(messages(two).len(), 3);
    assert_eq!(count(one, "a &lt; b"), 1);
    assert!(one.last().is_some_and(|last| last.contains("unavailable") && last.contains("110")));
    assert_eq!(count(two, "type='unavailable'"), 1);
    assert_eq!(outside.len(), 1);
    assert!(outside[0].contains("<not-acceptable"), "{outside:?}");
}

#[test]
fn a_nick_has_one_owner_and_a_room_its_limit() {
    let service = Service { occupants_max: 2, ..Service::default() };
    let owner: Vec<Act> = vec![
        (1000, |session, out| join_as(session, "one", out)),
        (5000, |session, out| session.nick(ROOM, "two", out)),
    ];
    let conflict: Vec<Act> = vec![
        (2000, |session, out| join_as(session, "one", out)),
        (3000, |session, out| join_as(session, "two", out)),
        (6000, |session, out| session.nick(ROOM, "three", out)),
        (7000, |session, out| session.groupchat(ROOM, "m", "still here", out)),
    ];
    let late: Vec<Act> = vec![(4000, |session, out| join_as(session, "late", out))];
    let (told, _) = play(&service, "any", vec![owner, conflict, late]);
    let (owner, conflict, late) = (heard(&told, 1), heard(&told, 2), heard(&told, 3));
    assert!(conflict[0].contains("<conflict"), "{conflict:?}");
    assert_eq!(count(conflict, "code='303'"), 1, "{conflict:?}");
    assert_eq!(count(owner, "<conflict"), 1, "{owner:?}");
    assert_eq!(count(owner, "room@conference.localhost/three'"), 2, "{owner:?}");
    assert_eq!(count(owner, "still here"), 1, "who is refused a nick stays: {owner:?}");
    assert_eq!(late.len(), 1);
    assert!(late[0].contains("<service-unavailable") && late[0].contains("type='wait'"));
}

#[test]
fn an_owner_kicks_bans_and_destroys() {
    fn order(session: &mut Xmpp, item: &str, out: &mut Vec<u8>) {
        session.iq("set", ROOM, "o", out, |out| {
            let query = "<query xmlns='http://jabber.org/protocol/muc#admin'>";
            out.extend_from_slice(format!("{query}{item}</query>").as_bytes());
        });
    }
    let owner: Vec<Act> = vec![
        (1000, |session, out| join_as(session, "one", out)),
        (3000, |session, out| order(session, "<item nick='two' role='none'/>", out)),
        (5000, |session, out| {
            order(session, "<item jid='u2@localhost' affiliation='outcast'/>", out);
        }),
        (8000, |session, out| session.destroy_room(ROOM, "d", out)),
    ];
    let other: Vec<Act> = vec![
        (2000, |session, out| join_as(session, "two", out)),
        (2500, |session, out| session.destroy_room(ROOM, "d", out)),
        (4000, |session, out| join_as(session, "two", out)),
        (6000, |session, out| join_as(session, "two", out)),
    ];
    let third: Vec<Act> = vec![
        (7000, |session, out| join_as(session, "three", out)),
        (9000, |session, out| join_as(session, "three", out)),
    ];
    let (told, _) = play(&Service::default(), "any", vec![owner, other, third]);
    let (owner, other, third) = (heard(&told, 1), heard(&told, 2), heard(&told, 3));
    assert_eq!(count(other, "<forbidden"), 2, "no owner, and banned: {other:?}");
    assert_eq!(count(other, "code='307'"), 1, "{other:?}");
    assert_eq!(count(other, "code='301'"), 1, "{other:?}");
    assert_eq!(count(owner, "type='result'"), 3, "{owner:?}");
    assert_eq!(count(owner, "<destroy/>"), 1, "{owner:?}");
    assert_eq!(count(third, "<destroy/>"), 1, "{third:?}");
    assert_eq!(count(third, "code='201'"), 1, "it is a new room: {third:?}");
}

#[test]
fn a_user_hears_its_own_presence() {
    let one: Vec<Act> = vec![
        (1000, |session, out| session.presence(out)),
        (2000, |session, out| session.status(Some("away"), "tea", out)),
    ];
    let (told, _) = play(&Service::default(), "any", vec![one, vec![]]);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    assert_eq!(one.len(), 2, "{one:?}");
    assert!(one.iter().all(|said| said.contains("from='u1@localhost/r'")), "{one:?}");
    assert!(one[1].contains("<status>tea</status>"), "{one:?}");
    assert!(two.is_empty(), "who has not subscribed hears nothing: {two:?}");
}

/// A wish waits for one who is connected and has not said so, is told once, and granted once.
#[test]
fn who_is_not_available_is_asked_when_it_is() {
    use densebots_protocols::xmpp::Subscription::{Subscribe, Subscribed};
    let one: Vec<Act> = vec![
        (1000, |session, out| session.presence(out)),
        (1100, |session, out| session.subscription("u2@localhost", Subscribe, out)),
        (3500, |session, out| session.status(None, "still", out)),
    ];
    let grant = |session: &mut Xmpp, out: &mut Vec<u8>| {
        session.subscription("u1@localhost", Subscribed, out);
    };
    let two: Vec<Act> = vec![
        (800, grant), // nobody has asked yet
        (2000, |session, out| session.status(None, "here", out)),
        (2500, grant),
        (2600, grant),
        (3000, |session, out| session.status(None, "there", out)),
    ];
    let (told, _) = play(&Service::default(), "any", vec![one, two]);
    let (one, two) = (heard(&told, 1), heard(&told, 2));
    let count = |told: &[String], what: &str| told.iter().filter(|s| s.contains(what)).count();
    assert_eq!(count(two, "type='subscribe'"), 1, "{two:?}");
    let asked = two.iter().position(|said| said.contains("type='subscribe'"));
    assert!(two[..asked.unwrap_or(0)].iter().any(|s| s.contains("<status>here")), "{two:?}");
    assert_eq!(count(two, "still"), 0, "who has not asked hears nothing: {two:?}");
    assert_eq!(count(one, "type='subscribed'"), 1, "{one:?}");
    assert_eq!(count(one, "<status>here"), 1, "{one:?}");
    assert_eq!(count(one, "<status>there"), 1, "{one:?}");
}

#[test]
fn only_who_is_listed_gets_in() {
    let list = HashMap::from([("u1".to_owned(), "right".to_owned())]);
    let service = Service { admission: Admission::Listed(list), ..Service::default() };
    let ping: Vec<Act> = vec![(1000, |session, out| session.ping("", "p", out))];
    let (told, _) = play(&service, "right", vec![ping.clone(), ping]);
    assert_eq!(count(heard(&told, 1), "id='p'"), 1);
    assert!(heard(&told, 2).is_empty());
}

#[test]
fn a_meddling_target_counts_what_it_does() {
    let cases = [
        Meddling { drop: 3, ..Meddling::default() },
        Meddling { duplicate: 3, ..Meddling::default() },
        Meddling { delay: 3, delay_by: Duration::from_millis(700), ..Meddling::default() },
        Meddling { reorder: 3, ..Meddling::default() },
    ];
    for (counter, meddling) in cases.into_iter().enumerate() {
        let mut speaker: Vec<Act> = vec![(1000, |session, out| join_as(session, "one", out))];
        for at in 0..60 {
            speaker.push((3000 + 100 * at, |session, out| {
                session.groupchat(ROOM, "m", "text", out);
            }));
        }
        let listener: Vec<Act> = vec![(2000, |session, out| join_as(session, "two", out))];
        let service = Service { meddling, ..Service::default() };
        let (told, report) = play(&service, "any", vec![speaker, listener]);
        let struck = report.total.counters[counter] as usize;
        assert!((10..80).contains(&struck), "{meddling:?}: {struck} of 120");
        let expected = match counter {
            0 => 120 - struck,
            1 => 120 + struck,
            _ => 120,
        };
        let texts: usize = [1, 2].iter().map(|bot| count(heard(&told, *bot), "id='m'")).sum();
        assert_eq!(texts, expected, "{meddling:?}");
    }
}

/// Whatever the network does, the engine's invariants hold and all that is heard is sound.
#[test]
fn rooms_survive_a_bad_network() {
    const ACTS: [fn(&mut Xmpp, &mut Vec<u8>); 7] = [
        |session, out| join_as(session, "a", out),
        |session, out| join_as(session, "b", out),
        |session, out| session.join("two@conference.localhost", "a", None, History::None, out),
        |session, out| session.leave(ROOM, "a", out),
        |session, out| session.groupchat(ROOM, "m", "text", out),
        |session, out| session.groupchat("two@conference.localhost", "m", "text", out),
        |session, out| session.message("u1@localhost", "m", "text", out),
    ];
    let mut heard_at_all = 0;
    for seed in 0..40 {
        let mut rng = Rng::of(seed, BotId(7));
        let mut script = || -> Vec<Act> {
            let mut at = 500;
            let act = |_| {
                at += rng.below(400);
                (at, ACTS[rng.below(ACTS.len() as u64) as usize])
            };
            (0..40).map(act).collect()
        };
        let scripts = (0..8).map(|_| script()).collect();
        let faults = Faults::swarm(&mut Dice::new(seed));
        let (told, _) = play_with(seed, faults, &Service::default(), "any", scripts);
        for said in told.values().flatten().filter(|said| said.starts_with('<')) {
            let stanza = Stanza::parse(said.as_bytes()).expect("a stanza");
            stanza.element().verify().unwrap_or_else(|broken| panic!("{broken}: {said}"));
            assert!(said.matches(" to='").count() <= 1, "{said}");
            heard_at_all += 1;
        }
    }
    assert!(heard_at_all > 1000, "{heard_at_all}");
}
