//! The engine as the client of the bare server: the same traffic as the limit program's.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use densebots_engine::{
    Arrival, BotId, Close, Ctx, Endpoint, Link, Load as PlanLoad, Names, Op, Phase as RunPhase,
    Plan, Rng, Role, Scenario, start,
};
use densebots_protocols::line::{Framing, Line};

use crate::limit;
use crate::machine::processor_time;
use crate::traffic::{Figures, Load, Mode, Phase};

/// The name of the role that runs the engine.
pub const ROLE: &str = "engine";

/// Once all are in, each bot always has one message in flight, or none at all.
struct PingPong {
    size: NonZeroU32,
    silent: bool,
    /// All are in. The limit program, too, lets nobody talk before.
    begun: Arc<AtomicBool>,
}

const PING: Op = Op(0);
/// How often a bot looks whether all are in.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl PingPong {
    fn ping(&self, ctx: &mut Ctx<'_, Self>) {
        ctx.begin(PING);
        let size = self.size.get() as usize;
        ctx.send(|_, out| out.resize(out.len() + size, b'x'));
    }
}

impl Scenario for PingPong {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn names(&self) -> Names {
        Names::ops(&["ping"])
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::fixed(self.size))
    }

    fn on_open(&self, (): &mut (), _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        if !self.silent {
            ctx.wake_in(LOOK_EVERY);
        }
    }

    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        if self.begun.load(Ordering::Relaxed) {
            self.ping(ctx);
        } else {
            ctx.wake_in(LOOK_EVERY);
        }
    }

    fn on_event(&self, (): &mut (), _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.end(PING);
        if !ctx.draining() {
            self.ping(ctx);
        }
    }
}

/// Runs the engine once in this process.
pub fn run(load: &Load) -> io::Result<Figures> {
    let silent = load.mode != Mode::PingPong;
    let endpoint = |&port: &u16| Endpoint {
        name: port.to_string(),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    let plan = Plan {
        load: PlanLoad::Closed {
            bots: load.connections as u32,
            arrival: Arrival::AtOnce,
            hold: load.hold + 2 * LOOK_EVERY,
        },
        endpoints: load.ports.iter().map(endpoint).collect(),
        sources: (1..=load.sources).map(|last| [127, 0, 0, last].into()).collect(),
        shards: load.threads,
        connecting_max: (limit::IN_FLIGHT_MAX * load.threads) as u32,
        split_tables: load.connections / load.threads > 15_000,
        close: Close::Rst,
        drain: Duration::from_secs(1),
        sample_every: Duration::from_millis(200),
        ..Plan::default()
    };
    let size = NonZeroU32::new(load.size as u32).unwrap_or(NonZeroU32::MIN);
    let all_in = Arc::new(AtomicBool::new(false));
    let begun = processor_time();
    let run =
        start(PingPong { size, silent, begun: all_in.clone() }, plan).map_err(io::Error::other)?;
    let mut figures = Figures::default();
    let mut hold = None;
    while let Some(snapshot) = run.snapshot(Duration::from_secs(30)) {
        let (now, total) = (processor_time(), &snapshot.report.total);
        let heard = total.ops[0].ok;
        match (snapshot.phase, hold) {
            (RunPhase::Hold, None) => {
                figures.connect.count = snapshot.report.bots.peak_online;
                figures.connect.wall = snapshot.report.ramp;
                figures.connect.processor = now - begun;
                all_in.store(true, Ordering::Relaxed);
                hold = Some((snapshot.at, now, heard));
            }
            // The first messages: not all bots have looked yet.
            (RunPhase::Hold, Some((_, _, 0))) => hold = Some((snapshot.at, now, heard)),
            (RunPhase::Hold, Some((at, before, count))) => {
                let wall = snapshot.at.since(at);
                figures.hold = Phase { count: heard - count, wall, processor: now - before };
            }
            _ => {}
        }
        if load.mode == Mode::ConnectOnly && hold.is_some() {
            break;
        }
    }
    let _ = run.command(densebots_engine::Command::Stop);
    let report = run.finish();
    if figures.connect.count != load.connections as u64 {
        return Err(io::Error::other(report.failures().join("; ")));
    }
    Ok(figures)
}
