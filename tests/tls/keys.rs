//! Keys that sessions ask for: derived a few a turn, and their links wait.

use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::net::sim::Faults;
use densebots_engine::{
    BotId, Cause, Ctx, Engine, Link, Names, Op, Plan, Rehearsal, Rng, Role, Scenario, Time, Tls,
};
use densebots_protocols::{Derive, Hash, Session, Step, Stream, Violation};

use crate::bots::plan;

/// A login: the peer says a line, which asks for a key; the key is said back. Then come more lines.
struct Login {
    /// Each bot's own, or the same for all.
    secret: u32,
    rounds: u32,
    waits: bool,
}

impl Session for Login {
    type Event<'a> = &'a [u8];

    fn open(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        if stream.accepted {
            // The second line comes with the first: it has to wait for the key.
            out.extend_from_slice(b"salt\nwelcome\n");
        }
    }

    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        _: bool,
        _: &mut Vec<u8>,
    ) -> Result<Step<&'a [u8]>, Violation> {
        assert!(!self.waits, "it was asked to read before it had its key");
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            return Ok(Step::Partial);
        };
        let line = &input[..end];
        if line != b"salt" {
            return Ok(Step::Event(end + 1, line));
        }
        self.waits = true;
        let secret = self.secret.to_be_bytes().into();
        let salt = line.into();
        Ok(Step::Derive(end + 1, Derive { hash: Hash::Sha1, secret, salt, rounds: self.rounds }))
    }

    fn derived(&mut self, key: &[u8], out: &mut Vec<u8>) {
        assert!(std::mem::replace(&mut self.waits, false) && key.len() == 20);
        out.extend(key.iter().map(|byte| b'a' + byte % 26));
        out.push(b'\n');
    }
}

struct Logins {
    listens: Option<SocketAddr>,
    rounds: u32,
    /// All bots have the same secret.
    alike: bool,
}

const LOGIN: Op = Op(0);

impl Scenario for Logins {
    type Session = Login;
    type Bot = ();
    type Mail = ();

    fn names(&self) -> Names {
        Names::ops(&["login"])
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, id: BotId, (): &mut (), _: Link) -> Login {
        let secret = if self.alike { 1 } else { id.0 };
        Login { secret, rounds: self.rounds, waits: false }
    }

    fn on_start(&self, (): &mut (), role: Role, ctx: &mut Ctx<'_, Self>) {
        match (role, self.listens) {
            (Role::Planned, Some(at)) => {
                ctx.listen(at);
                ctx.ready();
            }
            (Role::Planned, None) => ctx.dial(),
            _ => {}
        }
    }

    fn on_open(&self, (): &mut (), _: Link, ctx: &mut Ctx<'_, Self>) {
        if self.listens.is_none() {
            ctx.begin(LOGIN);
        }
    }

    fn on_event(&self, (): &mut (), line: &[u8], ctx: &mut Ctx<'_, Self>) {
        if self.listens.is_some() {
            assert_eq!(line.len(), 20, "a key");
            return;
        }
        assert_eq!(line, b"welcome");
        ctx.end(LOGIN);
        ctx.ready();
        ctx.quit();
    }
}

fn logins(bots: u32, rounds: u32, alike: bool) -> (Rehearsal, Engine) {
    let at = SocketAddr::from(([127, 0, 0, 1], 7000));
    let mut rehearsal = Rehearsal::new(5, Faults::none());
    rehearsal.check_every(1);
    let plain = |plan: Plan| Plan { tls: None, ..plan };
    let target = Logins { listens: Some(at), rounds, alike };
    rehearsal.add("target", target, plain(plan(None, 1, Tls::default()))).expect("a plan");
    let scenario = Logins { listens: None, rounds, alike };
    let plan = plain(plan(Some(at), bots, Tls::default()));
    let bots = rehearsal.add("bots", scenario, plan).expect("a plan");
    rehearsal.run_until(Time::ZERO + Duration::from_secs(5)).expect("nothing is broken");
    (rehearsal, bots)
}

#[test]
fn keys_are_derived_one_after_the_other() {
    const BOTS: u64 = 200;
    let (rehearsal, bots) = logins(BOTS as u32, 2, false);
    let report = rehearsal.report(bots);
    assert_eq!(report.bots.population.done, BOTS, "{:?}", report.total.losses);
    let derive = report.total.derive;
    // In a simulation each takes half a millisecond of its shard.
    assert_eq!((derive.count, derive.remembered, derive.spent_us), (BOTS, 0, BOTS * 500));
    // So the last one waits for all the others.
    let longest = report.total.ops[0].latency.max();
    assert!((90_000..101_000).contains(&longest), "{longest} us");
    assert_eq!(rehearsal.trace_hash(), logins(BOTS as u32, 2, false).0.trace_hash());
}

#[test]
fn keys_are_remembered() {
    let (rehearsal, bots) = logins(200, 2, true);
    let report = rehearsal.report(bots);
    assert_eq!(report.bots.population.done, 200, "{:?}", report.total.losses);
    assert_eq!((report.total.derive.count, report.total.derive.remembered), (1, 199));
}

#[test]
fn too_many_rounds_are_the_generators_limit() {
    let (rehearsal, bots) = logins(1, 100_001, false);
    let report = rehearsal.report(bots);
    let lost = report.total.losses[0].lost;
    assert_eq!(lost.cause, Cause::LocalLimit);
    assert_eq!(lost.condition, "rounds of a login's key derivation");
}

#[test]
fn what_they_cost_is_measured() {
    let target = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = target.local_addr().expect("bound");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in target.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.write_all(b"salt\nwelcome\n");
            std::thread::spawn(
                move || while !matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)) {},
            );
        }
    });
    let plan = Plan { tls: None, ..plan(Some(at), 40, Tls::default()) };
    let scenario = Logins { listens: None, rounds: 4096, alike: false };
    let report = densebots_engine::start(scenario, plan).expect("runs").finish();
    assert_eq!(report.bots.population.done, 40, "{:?}", report.total.losses);
    let derive = report.total.derive;
    assert_eq!(derive.count, 40);
    assert!(derive.spent_us > 40 * 50, "{} us for 40 keys", derive.spent_us);
}
