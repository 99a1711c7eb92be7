//! What the ledger costs: time for each message sent and each receipt that is accounted, memory for
//! each message on record.
//!
//! Bots without links, in rooms on one shard, tell each other of messages by the ledger's calls
//! alone, in one callback: no socket, no mail, no parsing but that of the message's name. Rooms
//! are visited in a random order, so that the tables are as cold as in a run of that size. A first
//! round of messages, which nobody hears, makes the tables as large as they have to be. The second
//! is heard by all, and with each message of the third the time of one of those is over: that is
//! what a message costs in its whole life.
//!
//! `cargo bench --bench ledger` measures 100,000 bots; any other run is a small one.
#![allow(clippy::disallowed_methods)] // a bench reads the real clock

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use densebots_engine::{
    Arrival, BotId, Ctx, GroupId, Link, Load, MessageId, Plan, Rng, Role, Scenario, start,
};
use densebots_protocols::line::{Framing, Line};

/// Bots in a room.
const ROOM: u32 = 6;
/// When a message is heard.
const HEARD_AFTER: Duration = Duration::from_secs(3);
/// A moment after the end of a message's time.
const MARGIN: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Figures {
    /// Messages of the first round.
    before: u32,
    sent: Vec<Option<MessageId>>,
    sending: Duration,
    hearing: Duration,
    /// Sending one message while another one's time is over.
    renewing: Duration,
    renewed: u32,
    receipts: u64,
    /// Before the first message, and when all of the first round were sent.
    memory: [u64; 2],
    heard: u32,
}

struct Rooms {
    bots: u32,
    figures: Arc<Mutex<Figures>>,
}

fn room(id: BotId) -> GroupId {
    GroupId::numbered(u64::from(id.0 / ROOM))
}

/// Anonymous memory of this process.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap_or_default();
    let kib = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    kib.unwrap_or(0u64) * 1024
}

impl Scenario for Rooms {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_start(&self, (): &mut (), _: Role, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        let own = room(ctx.id);
        ctx.ledger().entered(own);
        // A multiplier that is prime to the range leads through all bots in a scattered order.
        let turn = u64::from(ctx.id.0) * 1_000_003 % u64::from(self.bots);
        ctx.wake_at(
            densebots_engine::Time::ZERO + Duration::from_secs(8) + Duration::from_micros(turn * 5),
        );
    }

    fn on_event(&self, (): &mut (), _: &[u8], _: &mut Ctx<'_, Self>) {}

    /// Everybody sends one message, and when the time of those is over another one; then everybody
    /// hears what its room was told, and sends a third one when the time of the second is over.
    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        let mut figures = self.figures.lock().expect("one thread");
        let figures = &mut *figures;
        if figures.sent.is_empty() {
            figures.sent.resize(self.bots as usize + ROOM as usize + 1, None);
            figures.memory[0] = memory();
        }
        let (own, room) = (ctx.id.0 as usize, room(ctx.id));
        if figures.before < self.bots {
            figures.before += 1;
            ctx.ledger().sent(room);
            if figures.before == self.bots {
                figures.memory[1] = memory();
            }
            let late = ctx.plan().ledger.late;
            return ctx.wake_at(ctx.due + 2 * late);
        }
        if figures.sent[own].is_none() {
            let begun = Instant::now();
            figures.sent[own] = Some(ctx.ledger().sent(room));
            figures.sending += begun.elapsed();
            return ctx.wake_at(ctx.due + HEARD_AFTER);
        }
        if figures.heard >= self.bots {
            let begun = Instant::now();
            ctx.ledger().sent(room);
            figures.renewing += begun.elapsed();
            figures.renewed += 1;
            if figures.renewed >= self.bots {
                ctx.stop_run("measured");
            }
            return;
        }
        let first = (ctx.id.0 / ROOM * ROOM) as usize;
        let mut text = Vec::with_capacity(MessageId::TEXT_MAX);
        for nth in first..first + ROOM as usize {
            let Some(message) = figures.sent[nth] else { continue };
            text.clear();
            message.write(&mut text);
            let begun = Instant::now();
            let message = ctx.ledger().read(&text).expect("ours");
            ctx.ledger().heard(room, message);
            figures.hearing += begun.elapsed();
            figures.receipts += 1;
        }
        figures.heard += 1;
        ctx.wake_at(ctx.due + ctx.plan().ledger.late - HEARD_AFTER + MARGIN);
    }
}

fn main() {
    let measured = std::env::args().any(|arg| arg == "--bench");
    let bots = if measured { 100_000 } else { 600 };
    let figures = Arc::new(Mutex::new(Figures::default()));
    let plan = Plan {
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold: Duration::from_secs(60) },
        shards: 1,
        ..Plan::default()
    };
    let rooms = Rooms { bots, figures: figures.clone() };
    let report = start(rooms, plan).expect("a plan that can run").finish();
    let total = &report.total.delivery;
    let figures = figures.lock().expect("one thread");
    assert_eq!(total.delivered, figures.receipts, "{total:?}");
    let each = |time: Duration, count: u64| time.as_nanos() as f64 / count.max(1) as f64;
    // Two looks at the clock are in each figure.
    let begun = Instant::now();
    (0..100_000).for_each(|_| _ = std::hint::black_box(Instant::now().elapsed()));
    let clock = each(begun.elapsed(), 100_000) / 2.0;
    let [before, after] = figures.memory;
    println!(
        "ledger: {bots} bots in rooms of {ROOM}: {:.0} ns a receipt, {:.0} ns a message sent, \
         {:.0} ns in its whole life, {} bytes a message on record (the clock takes {clock:.0} ns \
         of each)",
        each(figures.hearing, figures.receipts) - clock,
        each(figures.sending, u64::from(bots)) - clock,
        each(figures.renewing, u64::from(bots)) - clock,
        after.saturating_sub(before) / u64::from(bots),
    );
}
