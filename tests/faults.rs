//! Bad targets, written by hand, in virtual time: each costs what it costs, under its right name,
//! and nothing grows.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::net::sim::{Faults, SimConn, SimListener, SimNet};
use densebots_engine::net::{Net, Ready, Token, Tuning};
use densebots_engine::{
    Arrival, Backoff, BotId, Cause, Command, Ctx, Endpoint, Engine, Link, Load, Plan, Rehearsal,
    Report, Rng, Role, Scenario, Time,
};
use densebots_protocols::line::{ByteOrder, Framing, Header, Line, Width};

const BOTS: u32 = 20;
const LINE_MAX: u32 = 1000;

/// Says hello, is online when it is answered, and then says a line every 10 ms.
struct Probe {
    framing: Framing,
    login: bool,
    line: usize,
}

impl Scenario for Probe {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(self.framing)
    }

    fn on_open(&self, (): &mut (), _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.send(|_, out| out.extend_from_slice(b"hello\n"));
        if !self.login {
            ctx.ready();
        }
        if self.line > 0 {
            ctx.wake_in(Duration::from_millis(10));
        }
    }

    fn on_event(&self, (): &mut (), _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
    }

    fn on_wake(&self, (): &mut (), ctx: &mut Ctx<'_, Self>) {
        if ctx.is_open() {
            let size = self.line;
            ctx.send(|_, out| out.resize(out.len() + size, b'x'));
            ctx.wake_in(Duration::from_millis(10));
        }
    }
}

/// What a bad target does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Reads and says nothing.
    Silent,
    CloseAtOnce,
    ResetAtOnce,
    /// Resets when it was told something.
    ResetWhenTold,
    /// Answers with half of a line and resets a little later.
    ResetInMidLine,
    Garbage,
    EndlessLine,
    NeverReads,
    Polite,
}

struct Target {
    manner: Manner,
    at: SocketAddr,
    listener: Option<SimListener>,
    conns: BTreeMap<u64, SimConn>,
    accepted: u64,
    /// Not there in this time.
    away: Option<(Time, Time)>,
}

const LISTENER: Token = Token(0);

impl Target {
    fn new(manner: Manner, at: SocketAddr) -> Target {
        Target { manner, at, listener: None, conns: BTreeMap::new(), accepted: 0, away: None }
    }

    fn act(&mut self, net: &mut SimNet) {
        let mut ready = Vec::new();
        let now = net.now();
        let until = self.away.map(|(from, until)| if now < from { from } else { until });
        net.poll(until.filter(|&until| until > now), &mut ready).expect("a poll");
        if self.away.is_some_and(|(from, until)| from <= now && now < until) {
            self.conns.split_off(&0).into_values().for_each(|conn| net.close(conn, true));
            self.listener.take().into_iter().for_each(|listener| net.unlisten(listener));
            return;
        }
        if self.listener.is_none() {
            self.listener = net.listen(self.at, LISTENER).ok().map(|(listener, _)| listener);
        }
        for event in ready {
            self.serve(net, event);
        }
        while let Some(listener) = &mut self.listener
            && let Ok(Some(mut conn)) = net.accept(listener)
        {
            self.accepted += 1;
            net.adopt(&mut conn, &Tuning::default(), Token(self.accepted)).expect("new");
            match self.manner {
                Manner::CloseAtOnce => net.close(conn, false),
                Manner::ResetAtOnce => net.close(conn, true),
                _ => drop(self.conns.insert(self.accepted, conn)),
            }
        }
    }

    fn serve(&mut self, net: &mut SimNet, event: Ready) {
        let Some(mut conn) = self.conns.remove(&event.token.0) else { return };
        let mut heard = [0; 4096];
        let mut told = false;
        if self.manner != Manner::NeverReads {
            loop {
                match net.read(&mut conn, &mut heard) {
                    Ok(0) => return net.close(conn, false),
                    Ok(_) => told = true,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(_) => return net.close(conn, false),
                }
            }
        }
        let answer: &[u8] = match self.manner {
            Manner::ResetWhenTold if told => return net.close(conn, true),
            Manner::ResetInMidLine if told => b"half of a li",
            Manner::Garbage if told => b"\xFF\xFE\x00garbage",
            Manner::EndlessLine => &[b'x'; 4096],
            Manner::Polite if told => b"well\n",
            _ => b"",
        };
        // What does not fit is not said: whoever says an endless line goes on when it may.
        while let Ok(1..) = net.write(&mut conn, answer) {
            if self.manner != Manner::EndlessLine {
                break;
            }
        }
        if self.manner == Manner::ResetInMidLine && told {
            // The half line travels first: a reset would overtake what is still here.
            return net.close(conn, true);
        }
        self.conns.insert(event.token.0, conn);
    }
}

struct Case {
    stage: Rehearsal,
    bots: Engine,
}

impl Case {
    fn new(manner: Manner, probe: Probe, adjust: impl FnOnce(&mut Plan, &mut Target)) -> Case {
        let mut stage = Rehearsal::new(1, Faults::none());
        stage.check_every(1);
        let at = ([127, 0, 0, 1], 7000).into();
        let hold = Duration::from_secs(60);
        let mut plan = Plan {
            load: Load::Closed { bots: BOTS, arrival: Arrival::AtOnce, hold },
            endpoints: vec![Endpoint { name: "bad".to_owned(), address: at, weight: 1 }],
            connect_timeout: Duration::from_secs(2),
            reconnect: Backoff { give_up: Some(3), ..Backoff::default() },
            ..Plan::default()
        };
        let mut target = Target::new(manner, at);
        adjust(&mut plan, &mut target);
        stage.add_peer("target", move |net| target.act(net));
        let bots = stage.add("bots", probe, plan).expect("a plan that can run");
        Case { stage, bots }
    }

    /// Runs so long, and then to the end.
    fn play(mut self, seconds: u64) -> Report {
        let until = Time::ZERO + Duration::from_secs(seconds);
        self.stage.run_until(until).unwrap_or_else(|broken| panic!("{broken}"));
        self.stage.command(self.bots, until, Command::Stop);
        let end = until + Duration::from_secs(5);
        self.stage.run_to_end(end).unwrap_or_else(|broken| panic!("{broken}"));
        assert!(self.stage.ended(self.bots), "a stop ends the run at once");
        self.stage.report(self.bots).clone()
    }
}

fn lines(login: bool, line: usize) -> Probe {
    Probe { framing: Framing::lines(LINE_MAX), login, line }
}

/// All bots fail for one cause alone before they are online: each tries once and again three times.
fn fails(manner: Manner, probe: Probe, cause: Cause, condition: &str) -> Report {
    let report = Case::new(manner, probe, |_, _| {}).play(20);
    let losses: Vec<_> = report
        .total
        .losses
        .iter()
        .map(|loss| (loss.lost.cause, loss.lost.condition, loss.lost.online, loss.count))
        .collect();
    assert_eq!(losses, [(cause, condition, false, 4 * u64::from(BOTS))], "{manner:?}");
    assert_eq!(report.total.population.failed, u64::from(BOTS), "{manner:?}");
    report
}

#[test]
fn a_target_that_says_nothing_times_out() {
    let why = "connected but never ready";
    fails(Manner::Silent, lines(true, 0), Cause::Timeout, why);
}

#[test]
fn a_target_that_closes_at_once_has_closed() {
    let why = "the peer ended the stream";
    fails(Manner::CloseAtOnce, lines(true, 0), Cause::Closed, why);
}

#[test]
fn a_reset_is_a_reset_at_every_step() {
    for manner in [Manner::ResetAtOnce, Manner::ResetWhenTold, Manner::ResetInMidLine] {
        fails(manner, lines(true, 0), Cause::Reset, "connection reset");
    }
}

#[test]
fn garbage_is_a_violation() {
    let header = Header { width: Width::Two, order: ByteOrder::Big, counts_itself: false };
    let probe = Probe { framing: Framing::packets(header, LINE_MAX), login: true, line: 0 };
    fails(Manner::Garbage, probe, Cause::Violation, "a packet over the limit");
}

#[test]
fn an_endless_line_is_a_violation_after_a_bounded_number_of_bytes() {
    let why = "a line over the limit";
    let report = fails(Manner::EndlessLine, lines(true, 0), Cause::Violation, why);
    let most = 4 * u64::from(BOTS) * 128 * 1024;
    assert!(report.total.received <= most, "{} bytes were read", report.total.received);
}

#[test]
fn nobody_there_is_a_refusal() {
    let report = Case::new(Manner::Polite, lines(true, 0), |_, target| {
        target.away = Some((Time::ZERO, Time::ZERO + Duration::from_secs(60)));
    })
    .play(20);
    let [loss] = &report.total.losses[..] else { panic!("{:?}", report.total.losses) };
    assert_eq!((loss.lost.cause, loss.lost.online), (Cause::Refused, false));
    assert_eq!(loss.count, 4 * u64::from(BOTS));
}

/// A target that never reads: the cap on unsent bytes, or on the time, ends the link.
#[test]
fn a_target_that_never_reads_costs_a_bounded_rest() {
    let second = Duration::from_secs(1);
    let cases = [
        (10_000, 64 << 10, 60 * second, "unsent bytes over the cap"),
        (2_000, 64 << 20, 3 * second, "write-blocked for too long"),
    ];
    for (line, unsent_max, blocked_max, condition) in cases {
        let case = Case::new(Manner::NeverReads, lines(false, line), |plan, _| {
            (plan.unsent_max, plan.blocked_max) = (unsent_max, blocked_max);
        });
        let report = case.play(10);
        let [loss] = &report.total.losses[..] else { panic!("{:?}", report.total.losses) };
        assert_eq!((loss.lost.cause, loss.lost.condition), (Cause::StoppedReading, condition));
        assert!(loss.count >= u64::from(BOTS), "{} losses", loss.count);
        assert!(report.total.blocked_us > 0);
        // 64 KiB each way are the network's; beyond them no link may hold more than the cap.
        let most = loss.count + u64::from(BOTS);
        assert!(report.total.sent <= most * (130 << 10), "{} bytes sent", report.total.sent);
    }
}

#[test]
fn bots_come_back_to_a_target_that_went_away_under_load() {
    let mut case = Case::new(Manner::Polite, lines(true, 200), |plan, target| {
        let seconds = |n| Time::ZERO + Duration::from_secs(n);
        target.away = Some((seconds(5), seconds(7)));
        plan.reconnect.give_up = None;
    });
    let at = Time::ZERO + Duration::from_secs(15);
    case.stage.run_until(at).unwrap_or_else(|broken| panic!("{broken}"));
    let report = case.stage.report(case.bots);
    assert_eq!(report.bots.population.online, u64::from(BOTS), "{:?}", report.bots);
    let lost = report.total.losses.iter().find(|loss| loss.lost.online).expect("all were lost");
    assert_eq!((lost.lost.cause, lost.count), (Cause::Reset, u64::from(BOTS)));
    assert_eq!(lost.recovered, u64::from(BOTS));
    let failed = report.total.losses.iter().filter(|loss| !loss.lost.online);
    assert!(failed.clone().count() == 1 && failed.clone().all(|l| l.lost.cause == Cause::Refused));
    let report = case.play(16);
    assert_eq!(report.total.unsent, 0);
}
