//! Letters a second between shards, through groups' homes and callbacks.
//!
//! 50,000 bots a shard in groups of ten, half of each group on either of two shards. A token goes
//! round in each group: who has the turn publishes, nine others hear it, five of them on the other
//! shard. "Each way" counts only letters that crossed.
//!
//! What two cores of this machine are worth, `mail.two_apart` says: two programs of one shard each
//! side by side, which share nothing.
//!
//! `cargo bench --bench mail [-- ROUNDS]`

use std::time::Duration;
use std::{env, io};

use densebots_bench::machine::processor_time;
use densebots_bench::pairs::Spread;
use densebots_bench::roles::{Role, role_or};
use densebots_bench::traffic::{number, value};
use densebots_engine::{
    Arrival, BotId, Ctx, GroupId, Letter, Link, Load, Phase, Plan, Rng, Role as BotRole, Scenario,
    start,
};
use densebots_protocols::line::{Framing, Line};

/// Bots in a group.
const GROUP: u32 = 10;
/// In all: 50,000 on each of two shards, and the same run on one to compare with.
const BOTS: u32 = 100_000;
/// How long letters are counted.
const HOLD: Duration = Duration::from_secs(4);
/// Letters a second that are to cross from either shard to the other.
const EACH_WAY_MIN: f64 = 5e6;
/// How many times the letters of one core two are to carry.
const TWO_CORES_MIN: f64 = 1.8;

struct Tokens;

impl Scenario for Tokens {
    type Session = Line;
    type Bot = ();
    /// The turn.
    type Mail = u32;

    fn bot(&self, _: BotId, _: BotRole, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_start(&self, (): &mut (), _: BotRole, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        ctx.join(GroupId::numbered(u64::from(ctx.id.0 / GROUP)));
        if ctx.id.0.is_multiple_of(GROUP) {
            ctx.wake_in(Duration::from_secs(1)); // by then everybody has joined
        }
    }

    fn on_event(&self, (): &mut (), _: &[u8], _: &mut Ctx<'_, Self>) {}

    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        ctx.publish(GroupId::numbered(u64::from(ctx.id.0 / GROUP)), 0);
    }

    fn on_mail(&self, (): &mut (), letter: &Letter<u32>, ctx: &mut Ctx<'_, Self>) {
        let turn = letter.body + 1;
        if turn % GROUP == ctx.id.0 % GROUP
            && !ctx.draining()
            && let Some(group) = letter.group
        {
            ctx.publish(group, turn);
        }
    }
}

/// Runs once; prints letters heard, seconds and CPU seconds.
fn run(shards: usize) -> io::Result<()> {
    let plan = Plan {
        load: Load::Closed {
            bots: BOTS,
            arrival: Arrival::AtOnce,
            hold: HOLD + Duration::from_secs(2),
        },
        first_id: GROUP,
        shards,
        ..Plan::default()
    };
    let run = start(Tokens, plan).map_err(io::Error::other)?;
    let (mut begun, mut heard, mut dropped) = (None, 0, 0);
    while let Some(snapshot) = run.snapshot(Duration::from_secs(30)) {
        let mail = &snapshot.report.total.mail;
        dropped = mail.dropped + mail.gone;
        match begun {
            None if snapshot.phase == Phase::Hold && mail.heard > 0 => {
                heard = mail.heard;
                begun = Some((snapshot.at, processor_time()));
            }
            Some((at, before)) if snapshot.at.since(at) >= HOLD => {
                let seconds = snapshot.at.since(at).as_secs_f64();
                let processor = (processor_time() - before).seconds();
                let heard = mail.heard - heard;
                println!("heard={heard} seconds={seconds} processor={processor}");
                break;
            }
            _ => {}
        }
    }
    drop(run);
    if dropped == 0 { Ok(()) } else { Err(io::Error::other(format!("{dropped} letters lost"))) }
}

fn begin(shards: usize) -> io::Result<Role> {
    Role::start("mail", &format!("shards={shards}"), None)
}

/// Letters heard a second, and CPU nanoseconds a letter.
fn figures(mut role: Role) -> io::Result<(f64, f64)> {
    let line = role.line()?;
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let figure =
        |name| -> io::Result<f64> { value(&words, name)?.parse().map_err(io::Error::other) };
    let heard = figure("heard")?;
    Ok((heard / figure("seconds")?, figure("processor")? * 1e9 / heard))
}

fn main() -> io::Result<()> {
    role_or(|_, words| run(number(words, "shards")?));
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(3);
    let (mut each_way, mut cost) = (Vec::new(), Vec::new());
    let (mut ratio, mut apart) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (one, _) = figures(begin(1)?)?;
        let (two, nanos) = figures(begin(2)?)?;
        let beside = [begin(1)?, begin(1)?].map(figures);
        let [(first, _), (second, _)] = beside.map(|figures| figures.expect("both run"));
        // Five of the nine that hear a letter live on the other shard; half of them each way.
        each_way.push(two * 5.0 / 9.0 / 2.0);
        cost.push(nanos);
        ratio.push(two / one);
        apart.push((first + second) / one);
    }
    let each_way = Spread::of(each_way);
    println!("letters a second each way: {each_way}");
    each_way.wanted("mail.each_way", EACH_WAY_MIN);
    println!("CPU nanoseconds a letter heard: {}", Spread::of(cost));
    // What two programs apart reach is the machine's doing, and no bar of ours.
    for (name, ratios, least) in
        [("mail.two_cores", ratio, Some(TWO_CORES_MIN)), ("mail.two_apart", apart, None)]
    {
        let ratio = Spread::of(ratios);
        println!("ratio {name} {:.3} {:.3} {:.3}", ratio.median, ratio.min, ratio.max);
        least.into_iter().for_each(|least| ratio.wanted(name, least));
    }
    Ok(())
}
