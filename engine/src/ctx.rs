//! What a bot can do from inside a callback.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::bots::{Core, Flight, Kind};
use crate::dice::Rng;
use crate::flush::Out;
use crate::groups::GroupId;
use crate::id::BotId;
use crate::ledger::Ledger;
use crate::links::{Link, LinkState, Links};
use crate::mail::{Letter, Office, Post};
use crate::metrics::{Counter, Gauge, Meter, Op, Value};
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::time::Time;
use crate::transcript::{Failure, Recorder};

/// What a callback may do. Nothing happens at once: bytes, letters, dials and ends have their
/// place later in the turn.
pub struct Ctx<'a, S: Scenario> {
    /// Who is called.
    pub id: BotId,
    /// The link this is about, if it is about one.
    pub link: Option<Link>,
    /// The clock, as last read.
    pub now: Time,
    /// When this was meant to happen: for a wake the moment it was set for, otherwise `now`.
    /// Latencies count from here.
    pub due: Time,
    pub(crate) core: &'a mut Core,
    pub(crate) desk: &'a mut Desk<S>,
    /// The bot's own timer made this call: letters may be dropped when an outbox is full.
    pub(crate) by_timer: bool,
}

/// What all callbacks of a shard share.
pub(crate) struct Desk<S: Scenario> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) links: Links<S::Session>,
    pub(crate) out: Out,
    pub(crate) office: Office<S::Mail>,
    pub(crate) meter: Box<Meter>,
    pub(crate) ledger: Ledger,
    pub(crate) recorder: Recorder,
    /// What the callback asked for and the shard does once it has returned.
    pub(crate) wishes: VecDeque<Wish>,
    /// Bots that began an op in this turn, as key and generation, to stamp at the flush.
    pub(crate) begun: Vec<(u32, u32)>,
    /// The key of the bot in the callback.
    pub(crate) key: u32,
    pub(crate) draining: bool,
}

#[derive(Clone, Copy)]
pub(crate) enum Wish {
    Dial(Option<SocketAddr>),
    Redial,
    Listen(SocketAddr),
    Close(Link),
    Lose(Link, &'static str),
    Ready,
    LeaveWhenIdle,
    Quit(Outcome),
    StopRun(&'static str),
}

/// How a bot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was meant to do.
    Done,
    /// It could not, and why.
    Failed(&'static str),
}

impl<S: Scenario> Ctx<'_, S> {
    /// The bot's own dice.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.core.rng
    }

    /// The plan of the run.
    pub fn plan(&self) -> &Plan {
        &self.desk.plan
    }

    /// Whether the run drains.
    pub fn draining(&self) -> bool {
        self.desk.draining
    }

    // Bytes.

    /// Lets the session of this link (in a wake or letter: of the bot's first open link) append
    /// bytes. One write a link follows at the end of the turn. False if no link is open.
    pub fn send(&mut self, write: impl FnOnce(&mut S::Session, &mut Vec<u8>)) -> bool {
        let Some(key) = self.open_link() else { return false };
        let link = self.desk.links.at(key);
        self.desk.out.append(key, link, |session, bytes| write(session, bytes));
        true
    }

    /// Whether [`Ctx::send`] would find an open link.
    pub fn is_open(&self) -> bool {
        self.open_link().is_some()
    }

    fn open_link(&self) -> Option<u32> {
        let open = |links: &Links<_>, key| links.peek(key).state == LinkState::Open;
        let links = &self.desk.links;
        match self.link {
            Some(link) => (links.live(link) && open(links, link.key)).then_some(link.key),
            None => links.chain(self.core.links).find(|&key| open(links, key)),
        }
    }

    /// [`Ctx::send`] on another link of this bot.
    pub fn send_on(
        &mut self,
        link: Link,
        write: impl FnOnce(&mut S::Session, &mut Vec<u8>),
    ) -> bool {
        let before = self.link.replace(link);
        let sent =
            self.desk.links.chain(self.core.links).any(|key| key == link.key) && self.send(write);
        self.link = before;
        sent
    }

    // Links.

    /// Connects to the plan's target, when there is a place among the attempts under way.
    pub fn dial(&mut self) {
        self.desk.wishes.push_back(Wish::Dial(None));
    }

    /// Connects to an address of the bot's own.
    pub fn dial_to(&mut self, address: SocketAddr) {
        self.desk.wishes.push_back(Wish::Dial(Some(address)));
    }

    /// After a loss: dials the same target again, after the plan's back-off.
    pub fn redial(&mut self) {
        self.desk.wishes.push_back(Wish::Redial);
    }

    /// Listens; every connection that comes is a bot of its own with [`Role::Accepted`].
    ///
    /// [`Role::Accepted`]: crate::Role::Accepted
    pub fn listen(&mut self, at: SocketAddr) {
        self.desk.wishes.push_back(Wish::Listen(at));
    }

    /// Where the next [`Ctx::redial`] goes instead, once: to an address that the target named.
    pub fn detour(&mut self, address: SocketAddr) {
        self.core.cold.get_or_insert_default().detour = Some(address);
    }

    /// Loses a link of this bot on purpose, and says why in the report.
    pub fn lose(&mut self, link: Link, why: &'static str) {
        self.desk.wishes.push_back(Wish::Lose(link, why));
    }

    /// From now on this bot stays when its last link is gone, until it quits. Without this wish a
    /// bot that was accepted ends with its last link; others stay anyway.
    pub fn outlive_links(&mut self) {
        if self.core.kind == Kind::Accepted {
            self.core.kind = Kind::Resident;
        }
    }

    /// Ends a link of this bot once its last bytes are sent.
    pub fn close(&mut self, link: Link) {
        self.desk.wishes.push_back(Wish::Close(link));
    }

    // Time.

    /// Wakes the bot when `pause` has passed. A bot has one wake: a new one takes its place.
    pub fn wake_in(&mut self, pause: Duration) {
        self.core.wake = self.now + pause;
    }

    /// Wakes the bot at `due`; use `ctx.due + period` for a pace that does not drift.
    pub fn wake_at(&mut self, due: Time) {
        self.core.wake = due;
    }

    /// Wakes the bot after a pause drawn from its own dice, counted from now.
    pub fn think(&mut self, think: &crate::Think) {
        let pause = think.draw(&mut self.core.rng);
        self.wake_in(pause);
    }

    /// Sleeps until something else happens.
    pub fn forget_wake(&mut self) {
        self.core.wake = Time::NEVER;
    }

    // Ops.

    /// An op begins, meant for `ctx.due`, and may take the plan's request timeout.
    pub fn begin(&mut self, op: Op) {
        self.begin_within(op, self.desk.plan.request_timeout);
    }

    /// An op begins, meant for `ctx.due`, and may take so long.
    pub fn begin_within(&mut self, op: Op, patience: Duration) {
        self.begin_flight(op, 0, patience);
    }

    /// An op begins of which the bot may have several in flight: `nth` tells them apart when they
    /// end in another order. It may take the plan's request timeout.
    pub fn begin_nth(&mut self, op: Op, nth: u16) {
        self.begin_flight(op, nth, self.desk.plan.request_timeout);
    }

    fn begin_flight(&mut self, op: Op, nth: u16, patience: Duration) {
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        let due = if self.desk.plan.has(crate::planted::Bug::LatencyFromNow) {
            self.now
        } else {
            self.due
        };
        self.core.begin(Flight { op, nth, patience_ms, due, flushed: Time::NEVER });
        self.desk.begun.push((self.desk.key, self.core.generation));
        self.desk.meter.op(op).begun += 1;
    }

    /// An op succeeded. Returns its latency from `due`; `None` (and counted as late) if no such
    /// op is in flight, because it timed out or never began.
    pub fn end(&mut self, op: Op) -> Option<Duration> {
        self.ended(op, None, true)
    }

    /// That one of several succeeded, which began with [`Ctx::begin_nth`].
    pub fn end_nth(&mut self, op: Op, nth: u16) -> Option<Duration> {
        self.ended(op, Some(nth), true)
    }

    /// An op failed.
    pub fn fail(&mut self, op: Op) -> Option<Duration> {
        self.ended(op, None, false)
    }

    /// That one of several failed.
    pub fn fail_nth(&mut self, op: Op, nth: u16) -> Option<Duration> {
        self.ended(op, Some(nth), false)
    }

    fn ended(&mut self, op: Op, nth: Option<u16>, ok: bool) -> Option<Duration> {
        let Some(flight) = self.core.end(op, nth) else {
            self.desk.meter.op(op).late += 1;
            return None;
        };
        let latency = self.now.since(flight.due);
        let service = (flight.flushed != Time::NEVER).then(|| self.now.since(flight.flushed));
        self.desk.meter.op(op).ended(ok, latency, service);
        if !ok {
            self.desk.recorder.fail(self.id, self.now, Failure::Failed(op));
        }
        Some(latency)
    }

    /// An answer to an op that had ended already.
    pub fn late(&mut self, op: Op) {
        self.desk.meter.op(op).late += 1;
    }

    /// An op that was meant to begin and could not, because the bot is offline or still waits for
    /// the one before: it is offered load that was not given, and the report says so.
    pub fn drop_load(&mut self, op: Op) {
        self.desk.meter.op(op).dropped += 1;
    }

    /// Whether an op of this name is in flight.
    pub fn in_flight(&self, op: Op) -> bool {
        self.core.flights().any(|flight| flight.op == op)
    }

    /// Whether an op is in flight.
    pub fn busy(&self) -> bool {
        self.core.busy()
    }

    // Counts of the scenario's own.

    /// Adds to a counter.
    pub fn count(&mut self, counter: Counter, more: u64) {
        self.desk.meter.counters[usize::from(counter.0)] += more;
    }

    /// Moves a gauge up or down; the report shows the sum over all bots.
    pub fn shift(&mut self, gauge: Gauge, by: i64) {
        self.desk.meter.gauges[usize::from(gauge.0)] += by;
    }

    /// Records a value into a histogram of values.
    pub fn record(&mut self, value: Value, number: u64) {
        self.desk.meter.values[usize::from(value.0)].record(number);
    }

    // Groups and mail.

    /// Joins a group. A bot may be in many.
    pub fn join(&mut self, group: GroupId) {
        if self.core.enter(group) {
            let home = group.home(self.desk.office.shards());
            self.desk.office.post(home, Post::Join { group, bot: self.id });
        }
    }

    /// Leaves a group: no letter of it comes any more, from now on.
    pub fn leave(&mut self, group: GroupId) {
        if self.core.exit(group) {
            let home = group.home(self.desk.office.shards());
            self.desk.office.post(home, Post::Leave { group, bot: self.id });
        }
    }

    /// Whether this bot is in the group.
    pub fn is_in(&self, group: GroupId) -> bool {
        self.core.is_in(group)
    }

    /// A letter to every member of the group but this bot. False, and counted, if it had to be
    /// dropped because an outbox is full.
    pub fn publish(&mut self, group: GroupId, body: S::Mail) -> bool {
        let home = group.home(self.desk.office.shards());
        let admitted = self.desk.office.admit(home, self.by_timer);
        if admitted {
            self.desk.office.post(home, Post::Publish { group, from: self.id, body });
        }
        admitted
    }

    /// A letter to one bot.
    pub fn send_to(&mut self, to: BotId, body: S::Mail) -> bool {
        let shard = to.0 as usize % self.desk.office.shards();
        let admitted = self.desk.office.admit(shard, self.by_timer);
        if admitted {
            let letter = Letter { from: self.id, group: None, body };
            self.desk.office.post(shard, Post::Bot { letter, to });
        }
        admitted
    }

    /// A letter to every bot but this one.
    #[allow(clippy::needless_pass_by_value)] // as `publish` and `send_to` take it
    pub fn send_all(&mut self, body: S::Mail) -> bool {
        let shards = self.desk.office.shards();
        let mut all = true;
        for shard in 0..shards {
            let admitted = self.desk.office.admit(shard, self.by_timer);
            if admitted {
                let letter = Letter { from: self.id, group: None, body: body.clone() };
                self.desk.office.post(shard, Post::All { letter });
            }
            all &= admitted;
        }
        all
    }

    // The bot itself.

    /// The bot is online: ready for what its scenario does.
    pub fn ready(&mut self) {
        self.desk.wishes.push_back(Wish::Ready);
    }

    /// The bot has done what it was meant to do; its links close once their bytes are sent.
    pub fn quit(&mut self) {
        self.desk.wishes.push_back(Wish::Quit(Outcome::Done));
    }

    /// The bot cannot go on, and why.
    pub fn give_up(&mut self, why: &'static str) {
        self.desk.wishes.push_back(Wish::Quit(Outcome::Failed(why)));
    }

    /// The bot leaves as soon as no op is in flight.
    pub fn leave_when_idle(&mut self) {
        self.desk.wishes.push_back(Wish::LeaveWhenIdle);
    }

    /// Ends the whole run, and why.
    pub fn stop_run(&mut self, why: &'static str) {
        self.desk.wishes.push_back(Wish::StopRun(why));
    }
}
