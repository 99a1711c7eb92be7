//! Each bot comes back with its own ticket: the peer, rustls, says whose session it was.

use std::collections::BTreeMap;
use std::time::Duration;

use densebots_engine::{
    Arrival, Backoff, BotId, Ctx, Link, Load, Lost, Plan, Repeat, Report, Resume, Rng, Scenario,
    Tier, Tls, Versions, start,
};
use densebots_protocols::line::{Framing, Line};

use crate::bots::{dialling, plan};
use crate::certificates::Authority;
use crate::peer::{Made, Manner, PATIENCE, Saw, peer};

const BOTS: u32 = 3;
/// Connections of each bot.
const VISITS: u32 = 3;
const ALL: usize = (BOTS * VISITS) as usize;

/// Bots that say their number. One whose words come back is done; one that loses its link comes
/// again until it has had its visits.
struct Visitors;

impl Scenario for Visitors {
    type Session = Line;
    type Bot = u32;
    type Mail = ();

    fn bot(&self, _: BotId, _: densebots_engine::Role, _: &mut Rng) -> u32 {
        0
    }

    fn session(&self, _: BotId, _: &mut u32, _: Link) -> Line {
        Line::new(Framing::lines(100))
    }

    fn on_open(&self, visits: &mut u32, _: Link, ctx: &mut Ctx<'_, Self>) {
        *visits += 1;
        ctx.ready();
        let number = ctx.id.0.to_string();
        ctx.send(|line, out| line.send(number.as_bytes(), out).expect("fits into a line"));
    }

    fn on_event(&self, _: &mut u32, _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.quit();
    }

    fn on_lost(&self, visits: &mut u32, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        if *visits == VISITS { ctx.quit() } else { ctx.redial() }
    }
}

/// What bots that arrive one after the other came to, and what the peer saw of each connection.
fn visit(manner: Manner, tls: Tls, times: u32) -> (Report, Vec<Saw>) {
    let authority = Authority::new();
    let (at, saw) = peer(&Made::with(authority.good()), manner, false);
    let dial = dialling(authority.pem()).dial;
    let pause = Duration::from_millis(20);
    let plan = Plan {
        load: Load::Closed {
            bots: BOTS,
            arrival: Arrival::Constant(4.0), // the second comes when the first has its tickets
            hold: Duration::from_secs(600),
        },
        repeat: Repeat { times: Some(times), interval: Duration::ZERO },
        reconnect: Backoff { first: pause, cap: pause, give_up: Some(3) },
        ..plan(Some(at), BOTS, Tls { dial, direct: true, ..tls })
    };
    let report = start(Visitors, plan).expect("a plan that can run").finish();
    assert_eq!(report.bots.population.done, u64::from(BOTS), "{:?}", report.total.losses);
    let all = report.total.tls.handshakes;
    let mut saws: Vec<Saw> =
        (0..all).map(|_| saw.recv_timeout(PATIENCE).expect("one a connection")).collect();
    saws.sort_by_key(|saw| saw.nth);
    (report, saws)
}

/// Every first visit of a bot was a whole handshake, and every other one went on with a session of
/// the same bot. Over TLS 1.3 (`names`) the peer can tell which, and no ticket is used twice.
#[track_caller]
fn each_comes_back_as_itself(report: &Report, saws: &[Saw], names: bool) {
    assert_eq!(saws.len(), ALL);
    let mut before: BTreeMap<&[u8], Vec<u64>> = BTreeMap::new();
    let mut used = Vec::new();
    for saw in saws {
        let own = before.entry(&saw.said).or_default();
        assert_eq!(saw.resumed, !own.is_empty(), "{saw:?} after {own:?}");
        if let Some(from) = saw.from {
            assert!(own.contains(&from), "{saw:?} with a session of somebody else: {own:?}");
            assert!(!used.contains(&from), "{from} used twice");
            used.push(from);
        }
        own.push(saw.nth);
    }
    assert_eq!(before.len(), BOTS as usize, "{saws:?}");
    let resumed = u64::from(BOTS * (VISITS - 1));
    let named = if names { resumed } else { 0 };
    assert_eq!((report.total.tls.resumed, used.len() as u64), (resumed, named));
}

const WAYS: [(Versions, Tier); 3] = [
    (Versions::Only13, Tier::Dense),
    (Versions::Only13, Tier::Kept),
    (Versions::Only12, Tier::Dense),
];

#[test]
fn bots_that_begin_again_come_as_themselves() {
    for (versions, tier) in WAYS {
        let tls = Tls { versions, tier, resume: Resume::PerBot, ..Tls::default() };
        let (report, saws) = visit(Manner::Echo, tls, VISITS);
        each_comes_back_as_itself(&report, &saws, versions == Versions::Only13);
        let dense = (versions, tier) == (Versions::Only13, Tier::Dense);
        assert_eq!(report.total.tls.dense, if dense { ALL as u64 } else { 0 });
    }
}

#[test]
fn bots_that_lost_their_link_come_back_as_themselves() {
    for (versions, tier) in WAYS {
        let tls = Tls { versions, tier, resume: Resume::PerBot, ..Tls::default() };
        // Closed before a word has come: the tickets came before it.
        let (report, saws) = visit(Manner::CloseNotify, tls, 1);
        each_comes_back_as_itself(&report, &saws, versions == Versions::Only13);
    }
}

#[test]
fn who_takes_the_place_of_a_bot_does_not_take_its_ticket() {
    for versions in [Versions::Only13, Versions::Only12] {
        let tls = Tls { versions, resume: Resume::PerBot, ..Tls::default() };
        let (report, saws) = visit(Manner::Echo, tls, 1);
        assert_eq!((saws.len(), report.total.tls.resumed), (BOTS as usize, 0));
        assert!(saws.iter().all(|saw| !saw.resumed && saw.from.is_none()), "{saws:?}");
        // The check can fail: a shared ticket is taken by whoever comes next.
        let tls = Tls { versions, resume: Resume::Shared, ..Tls::default() };
        let (report, saws) = visit(Manner::Echo, tls, 1);
        let resumed = saws.iter().filter(|saw| saw.resumed).count() as u64;
        assert_eq!((report.total.tls.resumed, resumed), (resumed, u64::from(BOTS - 1)));
    }
}
