//! What must be true of every simulated run, whatever its faults.

use std::time::Duration;

use densebots_engine::net::sim::{Blame, Cause as Why};
use densebots_engine::{Cause, Command, Load, Time};

use crate::book::Loss;
use crate::mail;
use crate::scenario::PING;
use crate::world::{DRAIN, HEAL, World};

/// Late comers, and those who wait for a retry, get so long after the healing.
const GRACE: Duration = Duration::from_millis(2500);

/// A run is over so soon after its last bot.
const PROMPT: Duration = Duration::from_millis(300);

/// Plays the world of a seed. Says what was wrong with it, and the hash of its trace.
pub(crate) fn trial(mut world: World) -> (Vec<String>, u64, World) {
    let mut wrong = Vec::new();
    let played = world.play(|world| wrong.extend(liveness(world)));
    wrong.extend(played.err().map(|broken| broken.to_string()));
    if wrong.is_empty() {
        wrong.extend(half_open(&world));
        wrong.extend(world.close().err().map(|broken| broken.to_string()));
        wrong.extend(ends(&world));
    }
    wrong.extend(blames(&world));
    wrong.extend(mail::check(&world.book.open(), DRAIN));
    wrong.extend(answers(&world));
    wrong.extend(last_words(&world));
    wrong.append(&mut world.book.open().wrong);
    wrong.append(&mut world.target_book.open().wrong);
    let hash = world.stage.trace_hash();
    (wrong, hash, world)
}

/// Of as many bots as were wanted at most, each once, there are a few pieces of what it said and
/// heard before it failed, in order.
fn last_words(world: &World) -> Vec<String> {
    let transcripts = &world.stage.report(world.bots).transcripts;
    let mut bots: Vec<_> = transcripts.iter().map(|own| own.bot).collect();
    bots.sort_unstable();
    bots.dedup();
    let mut wrong = Vec::new();
    if bots.len() != transcripts.len() || bots.len() > world.plan.failing as usize {
        wrong.push(format!("last words: of {bots:?}, each once and {}", world.plan.failing));
    }
    for own in transcripts {
        let moments = own.pieces.iter().map(|piece| piece.at).chain([own.at]);
        let fits = own.pieces.iter().all(|piece| piece.bytes.len() == piece.length.min(512));
        if !moments.is_sorted() || !(1..=8).contains(&own.pieces.len()) || !fits {
            wrong.push(format!("last words: {own:?}"));
        }
    }
    wrong
}

/// Everything healed: whoever lives is online and has finished an op since. No wake was forgotten.
fn liveness(world: &World) -> Vec<String> {
    let (mut wrong, now) = (Vec::new(), world.stage.now());
    let book = world.book.open();
    let target = world.stage.report(world.bots).bots.target;
    let living = book.lives.values().filter(|life| life.runs > 0 && life.ended.is_none()).count();
    if closed(world) && living as u64 > target {
        wrong.push(format!("population: {living} bots live, {target} were wanted"));
    }
    for (bot, life) in &book.lives {
        if life.ended.is_some() || life.runs == 0 {
            continue;
        }
        if let Some(due) = life.wake.filter(|&due| book.overslept(*bot, due, now)) {
            wrong.push(format!("pace: bot {bot} never woke for {due:?}"));
        }
        if life.started + GRACE < now && life.last_ok < HEAL {
            wrong.push(format!("liveness: bot {bot} finished nothing since the healing: {life:?}"));
        }
    }
    wrong
}

/// The bots are gone: the target has noticed each of them.
fn half_open(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    if !world.stage.ended(world.bots) {
        wrong.push("the run did not end in time".to_owned());
        return wrong;
    }
    for shard in 0..2 {
        let open = world.stage.world().open(world.stage.net(world.target, shard));
        if open != 1 {
            wrong.push(format!("half-open: target shard {shard} still has {open} sockets"));
        }
    }
    wrong
}

fn closed(world: &World) -> bool {
    matches!(world.plan.load, Load::Closed { .. })
}

/// The run ended when its last bot had, and a closed load launched everybody it meant to.
fn timely(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let report = world.stage.report(world.bots);
    let last = world.book.open().lives.values().filter_map(|life| life.ended).max();
    let over = Time::ZERO + report.duration;
    if last.is_some_and(|last| over > last + PROMPT) {
        wrong.push(format!("the last bot ended at {last:?}, the run at {over:?}"));
    }
    let bounds = report.total.limits.iter().find(|(name, _)| name.starts_with("live bots"));
    if let Some((name, count)) = bounds.filter(|_| closed(world)) {
        wrong.push(format!("population: {count} arrivals were dropped: {name}"));
    }
    wrong
}

/// The run has ended: the report agrees with the book, nothing is left anywhere.
fn ends(world: &World) -> Vec<String> {
    let mut wrong = timely(world);
    let mut equal = |what: &str, reported: u64, seen: u64| {
        if reported != seen {
            wrong.push(format!("report: {what}: {reported} reported, {seen} seen"));
        }
    };
    let report = world.stage.report(world.bots);
    let (total, book) = (&report.total, world.book.open());
    let ping = &total.ops[usize::from(PING.0)];
    equal("pings ok", ping.ok, book.pings_ok);
    equal("pings in flight", ping.in_flight() as u64, 0);
    equal("latencies", ping.latency.count(), ping.ok + ping.timed_out);
    equal("letters heard", total.mail.heard, book.heard.len() as u64);
    let population = total.population;
    let lives = book.lives.values().filter(|life| life.runs > 0);
    equal("launched", population.launched, lives.clone().count() as u64);
    equal("ended", population.done + population.failed, population.launched);
    let failed = lives.filter(|life| life.failed.is_some()).count();
    equal("failed", population.failed, failed as u64);
    let losses = total.losses.iter().map(|loss| loss.count).sum();
    equal("losses", losses, book.losses.len() as u64);
    for net in 0..4 {
        equal("sockets left open", 0, world.stage.world().open(net) as u64);
    }
    wrong
}

/// Every loss was done on purpose, by the network or by one of the ends.
fn blames(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let sides = [(world.bots, &world.book), (world.target, &world.target_book)];
    for (engine, book) in sides {
        let losses = book.open().losses.clone();
        for loss in &losses {
            let net = world.stage.net(engine, loss.bot.0 as usize % 2);
            let blame = world.stage.world().blame_of(net, loss.token);
            if !fits(world, loss, blame) {
                wrong.push(format!("blame: {loss:?} was {blame:?}"));
            }
        }
    }
    wrong
}

fn fits(world: &World, loss: &Loss, blame: Option<Blame>) -> bool {
    let Some(blame) = blame else { return false };
    let stalled =
        || !world.book.open().stalls.is_empty() || !world.target_book.open().stalls.is_empty();
    // Whoever waits for an answer gives up; somebody must have held it up.
    let hindered = || blame.hindered || stalled() || world.faults.no_descriptors > 0.0;
    match loss.lost.cause {
        Cause::Refused => matches!(blame.cause, Why::Refused | Why::NobodyListens),
        Cause::Reset => {
            matches!(blame.cause, Why::Reset | Why::ResetByPeer | Why::ListenerClosed)
        }
        Cause::Closed => matches!(
            blame.cause,
            Why::ClosedByPeer | Why::FinishedByPeer | Why::Reset | Why::ResetByPeer
        ),
        Cause::LocalLimit => blame.cause == Why::NoDescriptors,
        Cause::Timeout => matches!(blame.cause, Why::Silent | Why::BacklogFull) || hindered(),
        _ => false,
    }
}

/// Nobody is removed twice, and whoever was removed has ended.
fn answers(world: &World) -> Vec<String> {
    let (mut wrong, mut all) = (Vec::new(), Vec::new());
    let book = world.book.open();
    for (command, answer) in world.stage.answers(world.bots) {
        let Ok(ids) = answer else { continue };
        if let Command::Remove { bots, .. } = command
            && ids.len() > *bots as usize
        {
            wrong.push(format!("commands: {command:?} removed {ids:?}"));
        }
        for id in ids {
            if all.contains(id) {
                wrong.push(format!("commands: bot {id} was removed twice"));
            }
            all.push(*id);
            let ended = book.lives.get(id).and_then(|life| life.ended);
            if ended.is_none_or(|ended: Time| ended > DRAIN) && wrong.is_empty() {
                wrong.push(format!("commands: bot {id} was removed and lives on"));
            }
        }
    }
    wrong
}
