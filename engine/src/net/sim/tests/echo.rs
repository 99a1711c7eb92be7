//! A pair of echoing peers driven by events only: what the edge-triggered contract promises has to
//! be enough to get every byte there and back, whatever is delayed, hidden or cut up.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::*;

/// Dials, says all of `words`, ends its direction, and hears until the end.
struct Caller {
    conn: Option<SimConn>,
    up: bool,
    words: Vec<u8>,
    said: usize,
    heard: Vec<u8>,
    lost: bool,
}

/// Says back what it hears; ends when the other has ended.
struct Echo {
    conn: SimConn,
    rest: Vec<u8>,
    ended: bool,
}

struct Play {
    world: SimWorld,
    dice: Dice,
    near: SimNet,
    far: SimNet,
    listener: SimListener,
    callers: Vec<Caller>,
    echoes: BTreeMap<u64, Echo>,
    accepted: u64,
}

const ECHOES_FROM: u64 = 1_000;

/// Reads by the contract: until the end or "would block", as a short read says nothing of the end.
fn hear(net: &mut SimNet, conn: &mut SimConn, heard: &mut Vec<u8>) -> std::io::Result<bool> {
    let mut into = [0; 300];
    loop {
        match net.read(conn, &mut into) {
            Ok(0) => return Ok(true),
            Ok(count) => heard.extend_from_slice(&into[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Writes by the contract: until all is said, a short write or "would block".
fn say(net: &mut SimNet, conn: &mut SimConn, words: &[u8]) -> std::io::Result<usize> {
    match net.write(conn, words) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

impl Caller {
    fn act(&mut self, net: &mut SimNet, event: Ready) {
        let Some(mut conn) = self.conn.take() else { return };
        match self.step(net, &mut conn, event) {
            Ok(false) => self.conn = Some(conn),
            Ok(true) => net.close(conn, false),
            Err(_) => {
                self.lost = true;
                net.close(conn, false);
            }
        }
    }

    fn step(
        &mut self,
        net: &mut SimNet,
        conn: &mut SimConn,
        event: Ready,
    ) -> std::io::Result<bool> {
        let starts = !self.up;
        self.up = self.up || net.connected(conn)?;
        if !self.up {
            return Ok(false);
        }
        if (event.writable || starts) && self.said < self.words.len() {
            self.said += say(net, conn, &self.words[self.said..])?;
            if self.said == self.words.len() {
                net.finish(conn)?;
            }
        }
        if event.readable { hear(net, conn, &mut self.heard) } else { Ok(false) }
    }
}

impl Echo {
    fn step(&mut self, net: &mut SimNet, event: Ready) -> std::io::Result<bool> {
        if event.readable && !self.ended {
            self.ended = hear(net, &mut self.conn, &mut self.rest)?;
        }
        if !self.rest.is_empty() {
            let said = say(net, &mut self.conn, &self.rest)?;
            self.rest.drain(..said);
        }
        Ok(self.ended && self.rest.is_empty())
    }
}

impl Play {
    fn new(seed: u64, faults: Faults, callers: u64) -> Play {
        let world = SimWorld::new(seed, faults);
        let mut dice = Dice::new(seed ^ 0xec40);
        let (mut near, mut far) = (world.net("callers"), world.net("echoes"));
        let (listener, _) = far.listen(local(7), LISTENER).expect("a free port");
        let callers = (0..callers).map(|token| {
            let words = (0..dice.below(6_000)).map(|_| dice.roll() as u8).collect();
            let conn = near.connect(&dial(local(7)), Token(token)).ok();
            let lost = conn.is_none();
            Caller { conn, up: false, words, said: 0, heard: Vec::new(), lost }
        });
        let callers = callers.collect();
        let echoes = BTreeMap::new();
        Play { world, dice, near, far, listener, callers, echoes, accepted: 0 }
    }

    fn run(&mut self) {
        let mut ready = Vec::new();
        let mut turns = 0;
        while let Some(next) = self.world.next_moment() {
            self.world.advance_to(next);
            self.near.poll(None, &mut ready).expect("a poll");
            for &event in &ready {
                if let Some(caller) = self.callers.get_mut(event.token.0 as usize) {
                    caller.act(&mut self.near, event);
                }
            }
            // Sometimes the other side is late, so that events merge.
            if self.dice.chance(0.8) {
                self.far.poll(None, &mut ready).expect("a poll");
                for &event in &ready {
                    self.serve(event);
                }
            }
            turns += 1;
            assert!(turns < 200_000, "{:#?}", self.world.last_steps(50));
        }
    }

    fn serve(&mut self, event: Ready) {
        if event.token == LISTENER {
            // Out of descriptors is no end: whatever is left waits for the next event.
            while let Ok(Some(mut conn)) = self.far.accept(&mut self.listener) {
                let token = ECHOES_FROM + self.accepted;
                self.accepted += 1;
                self.far.adopt(&mut conn, &Tuning::default(), Token(token)).expect("new");
                self.echoes.insert(token, Echo { conn, rest: Vec::new(), ended: false });
            }
        }
        let Some(echo) = self.echoes.get_mut(&event.token.0) else { return };
        if echo.step(&mut self.far, event).unwrap_or(true)
            && let Some(echo) = self.echoes.remove(&event.token.0)
        {
            self.far.close(echo.conn, false);
        }
    }

    fn report(&self, what: &str) -> String {
        let steps = self.world.last_steps(30);
        format!("{what}: {:#?} {steps:#?}", self.world.words())
    }
}

fn swarm(seed: u64) -> Faults {
    Faults::swarm(&mut Dice::new(seed))
}

#[test]
fn every_byte_gets_there_and_back_whatever_does_not_break() {
    for seed in 0..300 {
        let mut play = Play::new(seed, swarm(seed).without_breaks(), 6);
        if seed % 3 == 0 {
            play.world.heal(Time::from_nanos(seed * 1_000_000));
        }
        play.run();
        for (token, caller) in play.callers.iter().enumerate() {
            let what = format!("seed {seed} caller {token}");
            assert!(caller.conn.is_none() && !caller.lost, "{}", play.report(&what));
            assert!(caller.heard == caller.words, "{}", play.report(&what));
        }
        assert_eq!((play.near.open(), play.far.open()), (0, 1), "seed {seed}");
        assert!(lock(&play.world.shared).pairs.is_empty(), "seed {seed}");
    }
}

#[test]
fn whatever_breaks_was_broken_on_purpose() {
    let mut lost = 0;
    for seed in 0..300 {
        // These connections are short, so resets have to come early.
        let reset_after = Duration::ZERO..=Duration::from_millis(100);
        let mut play = Play::new(seed, Faults { reset_after, ..swarm(seed) }, 6);
        play.run();
        for (token, caller) in play.callers.iter().enumerate() {
            let what = format!("seed {seed} caller {token}");
            let blame = play.world.blame_of(0, Token(token as u64)).map(|blame| blame.cause);
            if caller.lost {
                lost += 1;
                let broken = blame.is_some_and(|cause| cause.is_fault())
                    || matches!(blame, Some(Cause::BacklogFull | Cause::ResetByPeer));
                assert!(broken, "{blame:?} {}", play.report(&what));
            } else if caller.conn.is_none() {
                // It may hear the end early if its own end was lost on the way to the echo.
                assert!(caller.words.starts_with(&caller.heard), "{}", play.report(&what));
            }
        }
    }
    assert!(lost > 100, "the swarm breaks things: {lost}");
}

#[test]
fn a_run_is_a_function_of_its_seed() {
    let mut hashes = Vec::new();
    for seed in 0..40 {
        let run = || {
            let mut play = Play::new(seed, swarm(seed), 6);
            play.run();
            (play.world.trace_hash(), play.world.now(), play.world.blames())
        };
        let first = run();
        assert_eq!(first, run(), "seed {seed}");
        hashes.push(first.0);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 40);
}
