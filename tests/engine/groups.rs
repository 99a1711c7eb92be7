//! Groups and letters over more shards than a machine word has bits.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;

use densebots_engine::{
    BotId, Command, Counter, Ctx, GroupId, Letter, Life, Link, Names, Plan, Rng, Role, Scenario,
    start_observed,
};
use densebots_protocols::line::{Framing, Line};

use crate::ground::{begun, plan, until};

const SHARDS: usize = 70;
const BOTS: u32 = 140;
/// Bots that leave the group when they hear the first letter, and bots that end on the second.
const LEAVERS: std::ops::RangeInclusive<u32> = 1..=10;
const MORTALS: std::ops::RangeInclusive<u32> = 11..=20;
const NAMED: [u32; 3] = [21, 64, 140];
const HEARD: Counter = Counter(0);

/// All bots join a group. Its keeper, who knows exactly who is in, conducts.
struct Choir;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Note {
    /// To the group; the number counts up.
    Verse(u8),
    ToAll,
    ToNamed,
}

/// A singer keeps what it heard; the keeper counts its members.
#[derive(Debug, Default)]
struct Singer {
    heard: Vec<Note>,
    members: u32,
}

impl Scenario for Choir {
    type Session = Line;
    type Bot = Singer;
    type Mail = Note;

    fn names(&self) -> Names {
        Names { counters: vec!["heard".to_owned()], ..Names::default() }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Singer {
        Singer::default()
    }

    fn session(&self, _: BotId, _: &mut Singer, _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_start(&self, _: &mut Singer, _: Role, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        if ctx.id.0 <= BOTS {
            ctx.join(GroupId::named("choir"));
        }
    }

    fn on_event(&self, _: &mut Singer, _: &[u8], _: &mut Ctx<'_, Self>) {}

    fn keeps(&self, _: GroupId) -> bool {
        true
    }

    fn on_member(&self, keeper: &mut Singer, _: BotId, joined: bool, ctx: &mut Ctx<'_, Self>) {
        keeper.members = if joined { keeper.members + 1 } else { keeper.members - 1 };
        let verse = match (keeper.members, joined) {
            (140, true) => 1,
            (130, false) => 2,
            (120, false) => 3,
            _ => return,
        };
        ctx.publish(GroupId::named("choir"), Note::Verse(verse));
        if verse == 3 {
            ctx.send_all(Note::ToAll);
            NAMED.iter().for_each(|&id| assert!(ctx.send_to(BotId(id), Note::ToNamed)));
        }
    }

    fn on_mail(&self, bot: &mut Singer, letter: &Letter<Note>, ctx: &mut Ctx<'_, Self>) {
        let choir = GroupId::named("choir");
        let to_group = matches!(letter.body, Note::Verse(_));
        assert_eq!(letter.group, to_group.then_some(choir));
        bot.heard.push(letter.body);
        ctx.count(HEARD, 1);
        match letter.body {
            Note::Verse(1) if LEAVERS.contains(&ctx.id.0) => ctx.leave(choir),
            Note::Verse(2) if MORTALS.contains(&ctx.id.0) => ctx.quit(),
            _ => {}
        }
    }
}

#[test]
fn letters_reach_a_group_all_and_named_bots_over_seventy_shards() {
    let (told, lives) = channel();
    let plan = Plan { shards: SHARDS, ..plan(Vec::new(), BOTS) };
    let run = start_observed(Choir, plan, move |life| _ = told.send(life));
    let run = begun(run);
    // Three verses with fewer and fewer members, one letter to all, three to named bots.
    let letters = 140 + 130 + 120 + 130 + 3;
    until(&run, "every letter", |snapshot| snapshot.report.total.counters[0] == letters);
    run.command(Command::Drain).expect("the run goes on");
    let report = run.finish();
    assert_eq!(report.total.counters[0], letters, "and not one more");
    assert_eq!(report.total.mail.heard, letters);
    assert_eq!((report.total.mail.dropped, report.total.mail.gone), (0, 0));

    let heard: BTreeMap<u32, Vec<Note>> = lives
        .iter()
        .filter_map(|life| match life {
            Life::Ended(BotId(id), _, singer) if id <= BOTS => Some((id, singer.heard)),
            _ => None,
        })
        .collect();
    let expected = (1..=BOTS).map(|id| {
        let mut notes = vec![Note::Verse(1)];
        if !LEAVERS.contains(&id) {
            notes.push(Note::Verse(2));
        }
        if !LEAVERS.contains(&id) && !MORTALS.contains(&id) {
            notes.push(Note::Verse(3));
        }
        if !MORTALS.contains(&id) {
            notes.push(Note::ToAll);
        }
        if NAMED.contains(&id) {
            notes.push(Note::ToNamed);
        }
        (id, notes)
    });
    // Letters by different ways may overtake each other; those of the group may not.
    let sorted = heard.iter().map(|(&id, notes)| {
        let verses: Vec<_> = notes.iter().filter(|n| matches!(n, Note::Verse(_))).collect();
        assert!(verses.is_sorted(), "bot {id} heard {notes:?}");
        let mut notes = notes.clone();
        notes.sort();
        (id, notes)
    });
    assert_eq!(sorted.collect::<BTreeMap<_, _>>(), expected.collect());
}

/// Several bots speak at once to a group of others. They begin when its keeper has told each of
/// them of every member.
struct Crowd;

const SPEAKERS: u32 = 8;
const WORDS: u32 = 25;
const MEMBERS: u32 = 32;

impl Scenario for Crowd {
    type Session = Line;
    type Bot = Vec<(u32, u32)>;
    type Mail = u32;

    fn names(&self) -> Names {
        Names { counters: vec!["heard".to_owned()], ..Names::default() }
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Self::Bot {
        Vec::new()
    }

    fn session(&self, _: BotId, _: &mut Self::Bot, _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_start(&self, _: &mut Self::Bot, role: Role, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        match role {
            // The first speak and are no members, so that all members hear the same letters.
            Role::Planned if ctx.id.0 > SPEAKERS => ctx.join(GroupId::numbered(1)),
            _ => {}
        }
    }

    fn on_event(&self, _: &mut Self::Bot, _: &[u8], _: &mut Ctx<'_, Self>) {}

    fn keeps(&self, _: GroupId) -> bool {
        true
    }

    fn on_member(&self, _: &mut Self::Bot, _: BotId, joined: bool, ctx: &mut Ctx<'_, Self>) {
        if joined {
            (1..=SPEAKERS).for_each(|id| assert!(ctx.send_to(BotId(id), 0)));
        }
    }

    fn on_mail(&self, bot: &mut Self::Bot, letter: &Letter<u32>, ctx: &mut Ctx<'_, Self>) {
        bot.push((letter.from.0, letter.body));
        if letter.group.is_some() {
            ctx.count(HEARD, 1);
        } else if bot.len() == MEMBERS as usize {
            // Everybody is in: speak.
            (1..=WORDS).for_each(|word| assert!(ctx.publish(GroupId::numbered(1), word)));
        }
    }
}

#[test]
fn all_members_hear_the_letters_of_a_group_in_the_same_order() {
    let (told, lives) = channel();
    let plan = Plan { shards: 4, ..plan(Vec::new(), SPEAKERS + MEMBERS) };
    let run = begun(start_observed(Crowd, plan, move |life| _ = told.send(life)));
    let letters = u64::from(SPEAKERS * WORDS * MEMBERS);
    until(&run, "every letter", |snapshot| snapshot.report.total.counters[0] == letters);
    run.command(Command::Drain).expect("the run goes on");
    run.finish();
    let mut heard: Vec<Vec<(u32, u32)>> = lives
        .iter()
        .filter_map(|life| match life {
            Life::Ended(BotId(id), _, heard)
                if (SPEAKERS + 1..=SPEAKERS + MEMBERS).contains(&id) =>
            {
                Some(heard)
            }
            _ => None,
        })
        .collect();
    assert_eq!(heard.len(), MEMBERS as usize);
    let first = heard.pop().expect("not empty");
    assert_eq!(first.len(), (SPEAKERS * WORDS) as usize);
    assert!(heard.iter().all(|other| *other == first));
    for speaker in 1..=SPEAKERS {
        let words = first.iter().filter(|&&(from, _)| from == speaker).map(|&(_, word)| word);
        assert!(words.eq(1..=WORDS), "speaker {speaker} is heard in the order it spoke");
    }
}
