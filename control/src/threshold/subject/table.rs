//! The table itself, in the order in which people read it.

use super::{Count, Level, Over, Rate, Reading, Share, Spread, Time, What};

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its first word.
    pub root: &'static str,
    /// A name in parentheses follows.
    pub named: bool,
    /// What stands behind the dot; a percentile's number follows.
    pub part: &'static str,
    /// What is measured.
    pub what: What,
    /// The part of the run that counts unless it is said.
    pub over: Over,
    /// In words.
    pub about: &'static str,
}

use Reading::{Max, Mean, Percentile};

/// Everything that a threshold can be about; rows of one first word stand together.
pub(crate) const ROWS: &[Row] = &[
    named("op", "p", spread(Spread::Op, Percentile), "any percentile of its latency, from due"),
    named("op", "max", spread(Spread::Op, Max), "its longest latency"),
    named("op", "mean", spread(Spread::Op, Mean), "its mean latency"),
    named("op", "service.p", spread(Spread::Service, Percentile), "the same from the flush"),
    named("op", "service.max", spread(Spread::Service, Max), "the longest from the flush"),
    named("op", "service.mean", spread(Spread::Service, Mean), "the mean from the flush"),
    named("op", "count", count(Count::OpEnded), "ended: ok, failed and timed out"),
    named("op", "ok", count(Count::OpOk), "succeeded"),
    named("op", "failed", count(Count::OpFailed), "failed"),
    named("op", "timed_out", count(Count::OpTimedOut), "ran out of time"),
    named("op", "dropped", count(Count::OpDropped), "meant to be done and not begun"),
    named("op", "cut", count(Count::OpCut), "cut off by the loss or the end of their bot"),
    named("op", "late", count(Count::OpLate), "answers that came after their op had ended"),
    named("op", "errors", What::Share(Share::OpErrors), "failed or timed out, of those ended"),
    named("op", "rate", What::Rate(Rate::OpOk), "succeeded, a second"),
    named("op", "offered", What::Rate(Rate::OpOffered), "begun or dropped, a second"),
    own(named("op", "in_flight", What::Level(Level::OpInFlight), "begun and not ended")),
    row("errors", "rate", What::Share(Share::Errors), "failed or timed out, of all ops ended"),
    row("errors", "count", count(Count::Errors), "ops that failed or timed out"),
    own(row("bots", "online", What::Level(Level::Online), "the fewest online in the window")),
    own(row("bots", "mean_online", What::Level(Level::MeanOnline), "their mean in the window")),
    own(row("bots", "peak_online", What::Level(Level::PeakOnline), "the most in the run")),
    own(row("bots", "online_at_end", What::Level(Level::OnlineAtEnd), "after the sweep")),
    own(row("bots", "seconds_below_target", What::Time(Time::BelowTarget), "with too few online")),
    own(row("bots", "launched", count(Count::Launched), "launched")),
    own(row("bots", "done", count(Count::Done), "ended as they were meant to")),
    own(row("bots", "failed", count(Count::Failed), "ended otherwise")),
    own(row("bots", "reconnects", count(Count::Reconnects), "came back online after a loss")),
    own(row("bots", "respawned", count(Count::Respawned), "launched in place of others")),
    of_run("connect", "p", spread(Spread::Connect, Percentile), "any percentile of its time"),
    of_run("connect", "max", spread(Spread::Connect, Max), "its longest time"),
    of_run("connect", "mean", spread(Spread::Connect, Mean), "its mean time"),
    of_run("connect", "count", count(Count::Connects), "connections opened"),
    of_run("connect", "failed", count(Count::ConnectsFailed), "attempts to get online that failed"),
    of_run("connect", "rate", What::Rate(Rate::Connects), "connections opened, a second"),
    of_run("delivery", "messages", count(Count::Messages), "messages sent"),
    of_run("delivery", "expected", count(Count::Expected), "deliveries owed"),
    of_run("delivery", "delivered", count(Count::Delivered), "heard in time"),
    of_run("delivery", "missing", count(Count::Missing), "not heard in time"),
    of_run("delivery", "excused", count(Count::Excused), "not heard: the receiver was gone"),
    of_run("delivery", "bounced", count(Count::Bounced), "sent back"),
    of_run("delivery", "unresolved", count(Count::Unresolved), "not decided at the end"),
    of_run("delivery", "duplicated", count(Count::Duplicated), "heard again"),
    of_run("delivery", "reordered", count(Count::Reordered), "heard behind a later one"),
    of_run("delivery", "late", count(Count::Late), "heard after the limit"),
    of_run("delivery", "history", count(Count::History), "heard as history"),
    of_run("delivery", "foreign", count(Count::Foreign), "heard from others than our bots"),
    of_run("delivery", "unowed", count(Count::Unowed), "heard by bots that did not owe it"),
    row("delivery", "p", spread(Spread::Delivery, Percentile), "any percentile, each receiver"),
    row("delivery", "max", spread(Spread::Delivery, Max), "the longest, each receiver"),
    row("delivery", "mean", spread(Spread::Delivery, Mean), "the mean, each receiver"),
    row("delivery", "last.p", spread(Spread::LastDelivery, Percentile), "the same, last receiver"),
    row("delivery", "last.max", spread(Spread::LastDelivery, Max), "the longest, last receiver"),
    row("delivery", "last.mean", spread(Spread::LastDelivery, Mean), "the mean, last receiver"),
    row("lag", "p", spread(Spread::Lag, Percentile), "any percentile of how late turns ran"),
    row("lag", "max", spread(Spread::Lag, Max), "how late the latest turn ran"),
    row("lag", "mean", spread(Spread::Lag, Mean), "how late turns ran, the mean"),
    row("turn", "p", spread(Spread::Turn, Percentile), "any percentile of how long turns took"),
    row("turn", "max", spread(Spread::Turn, Max), "how long the longest turn took"),
    row("turn", "mean", spread(Spread::Turn, Mean), "how long turns took, the mean"),
    row("bytes", "sent", count(Count::Sent), "bytes written"),
    row("bytes", "received", count(Count::Received), "bytes read"),
    row("lost", "count", count(Count::Lost), "links lost by bots that were online"),
    row("lost", "recovered", count(Count::Recovered), "of these, made good by a reconnect"),
    row("lost", "unrecovered", What::Level(Level::Unrecovered), "of these, not made good"),
    row("mail", "written", count(Count::MailWritten), "letters between bots"),
    row("mail", "heard", count(Count::MailHeard), "letters heard"),
    row("mail", "dropped", count(Count::MailDropped), "letters that could not be written"),
    of_run("tls", "p", spread(Spread::Handshake, Percentile), "any percentile of handshakes"),
    of_run("tls", "max", spread(Spread::Handshake, Max), "the longest handshake"),
    of_run("tls", "mean", spread(Spread::Handshake, Mean), "the mean of handshakes"),
    of_run("tls", "handshakes", count(Count::Handshakes), "handshakes"),
    named("counter", "", count(Count::Counter), "a counter of the scenario"),
    own(named("gauge", "", What::Level(Level::Gauge), "a gauge of the scenario, as it stands")),
    named(
        "value",
        "p",
        spread(Spread::Value, Percentile),
        "any percentile of the scenario's values",
    ),
    named("value", "max", spread(Spread::Value, Max), "the largest of them"),
    named("value", "mean", spread(Spread::Value, Mean), "their mean"),
    named("value", "count", count(Count::Values), "how many there are"),
    row("generator", "dropped", count(Count::Dropped), "bots that there was no room for"),
    own(row("generator", "limited", count(Count::Limited), "limited seconds of the window")),
    own(row("generator", "cpu", What::Time(Time::Cpu), "CPU time, user and system")),
    own(row("generator", "memory", What::Level(Level::Memory), "anonymous memory at its most")),
    own(row(
        "generator",
        "user_bytes_per_bot",
        What::Level(Level::BytesPerBot),
        "its growth a bot",
    )),
    own(row(
        "generator",
        "kernel_bytes_per_bot",
        What::Level(Level::KernelBytesPerBot),
        "the growth of the kernel's memory a bot",
    )),
];

const fn row(root: &'static str, part: &'static str, what: What, about: &'static str) -> Row {
    Row { root, named: false, part, what, over: Over::Window, about }
}

const fn of_run(root: &'static str, part: &'static str, what: What, about: &'static str) -> Row {
    Row { root, named: false, part, what, over: Over::Run, about }
}

const fn named(root: &'static str, part: &'static str, what: What, about: &'static str) -> Row {
    Row { root, named: true, part, what, over: Over::Window, about }
}

const fn own(row: Row) -> Row {
    Row { over: Over::Own, ..row }
}

const fn spread(of: Spread, reading: Reading) -> What {
    What::Spread(of, reading)
}

const fn count(count: Count) -> What {
    What::Count(count)
}
