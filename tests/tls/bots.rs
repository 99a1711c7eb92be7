//! Bots of these tests: one kind says pieces of many sizes and expects each back, the other echoes.

use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use densebots_engine::{
    Arrival, Backoff, BotId, Ctx, DialTls, Endpoint, Link, Load, Plan, Report, Rng, Role, Scenario,
    Tls, Trust, start,
};
use densebots_protocols::{Session, Step, Stream, Violation};

use crate::certificates::NAME;

/// Pieces a bot says, one after the other's echo; a record holds 16,384 bytes.
pub(crate) const PIECES: [usize; 7] = [1, 300, 16_384, 16_385, 40_000, 7, 70_000];
/// What begins TLS in mid-stream, and the leave to.
pub(crate) const ASK: &[u8] = b"STARTTLS\n";
pub(crate) const LEAVE: &[u8] = b"PROCEED\n";

/// A stream of bytes that turns to TLS before anything else, if it is to.
pub(crate) struct Upgrade {
    asks: bool,
    stage: Stage,
    seen: Option<Sender<Stream>>,
}

enum Stage {
    Asking,
    Asked,
    Talking,
}

impl Session for Upgrade {
    type Event<'a> = &'a [u8];

    fn open(&mut self, stream: &Stream, out: &mut Vec<u8>) {
        if let Some(seen) = &self.seen {
            let _ = seen.send(*stream);
        }
        self.stage = match (stream.encrypted || !self.asks, stream.accepted) {
            (true, _) => Stage::Talking,
            (false, true) => Stage::Asked,
            (false, false) => {
                out.extend_from_slice(ASK);
                Stage::Asking
            }
        };
    }

    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        _: bool,
        out: &mut Vec<u8>,
    ) -> Result<Step<&'a [u8]>, Violation> {
        let word = match self.stage {
            Stage::Talking if input.is_empty() => return Ok(Step::Partial),
            Stage::Talking => return Ok(Step::Event(input.len(), input)),
            Stage::Asking => LEAVE,
            Stage::Asked => ASK,
        };
        if input.len() < word.len() {
            return Ok(Step::Partial);
        }
        if !input.starts_with(word) {
            return Err(Violation { rule: "a word of its own" });
        }
        if matches!(self.stage, Stage::Asked) {
            out.extend_from_slice(LEAVE);
        }
        Ok(Step::StartTls(word.len()))
    }
}

/// What the bots of one engine do.
pub(crate) struct Talk {
    /// TLS begins in mid-stream.
    pub(crate) asks: bool,
    /// Listens here instead of dialling.
    pub(crate) listens: Option<SocketAddr>,
    /// Where every opening of a stream is told.
    pub(crate) seen: Option<Sender<Stream>>,
}

/// How far a bot is.
#[derive(Default)]
pub(crate) struct Progress {
    piece: usize,
    heard: usize,
    secured: bool,
}

fn byte(piece: usize, at: usize) -> u8 {
    (piece * 31 + at * 7 + at / 251) as u8
}

fn say(progress: &Progress, ctx: &mut Ctx<'_, Talk>) {
    let piece = progress.piece;
    ctx.send(|_, out| out.extend((0..PIECES[piece]).map(|at| byte(piece, at))));
}

impl Scenario for Talk {
    type Session = Upgrade;
    type Bot = Progress;
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Progress {
        Progress::default()
    }

    fn session(&self, _: BotId, _: &mut Progress, _: Link) -> Upgrade {
        Upgrade { asks: self.asks, stage: Stage::Asking, seen: self.seen.clone() }
    }

    fn on_start(&self, _: &mut Progress, role: Role, ctx: &mut Ctx<'_, Self>) {
        match (role, self.listens) {
            (Role::Planned, Some(at)) => {
                ctx.listen(at);
                ctx.ready();
            }
            (Role::Planned, None) => ctx.dial(),
            _ => {}
        }
    }

    fn on_open(&self, bot: &mut Progress, _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        if self.listens.is_none() && !self.asks {
            assert!(bot.secured, "TLS comes first when it comes with the connection");
            say(bot, ctx);
        }
    }

    fn on_secured(&self, bot: &mut Progress, _: Link, ctx: &mut Ctx<'_, Self>) {
        bot.secured = true;
        if self.listens.is_none() && self.asks {
            say(bot, ctx);
        }
    }

    fn on_event(&self, bot: &mut Progress, bytes: &[u8], ctx: &mut Ctx<'_, Self>) {
        if self.listens.is_some() {
            ctx.send(|_, out| out.extend_from_slice(bytes));
            return;
        }
        for &heard in bytes {
            assert_eq!(heard, byte(bot.piece, bot.heard), "piece {} at {}", bot.piece, bot.heard);
            bot.heard += 1;
            assert!(bot.heard <= PIECES[bot.piece], "more than was said");
        }
        if bot.heard == PIECES[bot.piece] {
            (bot.piece, bot.heard) = (bot.piece + 1, 0);
            if bot.piece < PIECES.len() { say(bot, ctx) } else { ctx.quit() }
        }
    }
}

/// TLS that dials, with the connection, and believes `roots`.
pub(crate) fn dialling(roots: Vec<u8>) -> Tls {
    let trust = Trust::Roots(vec![roots]);
    let dial = DialTls { name: NAME.to_owned(), trust, identity: None };
    Tls { direct: true, dial: Some(dial), ..Tls::default() }
}

/// A plan for bots that come at once, stay as long as they need and give up at the first failure.
pub(crate) fn plan(at: Option<SocketAddr>, bots: u32, tls: Tls) -> Plan {
    let endpoint = |address: SocketAddr| Endpoint { name: address.to_string(), address, weight: 1 };
    Plan {
        endpoints: at.into_iter().map(endpoint).collect(),
        shards: 1,
        load: Load::Closed { bots, arrival: Arrival::AtOnce, hold: Duration::from_secs(600) },
        sample_every: Duration::from_millis(20),
        reconnect: Backoff { give_up: Some(0), ..Backoff::default() },
        tls: Some(tls),
        ..Plan::default()
    }
}

/// Runs bots to their end.
pub(crate) fn run(at: SocketAddr, bots: u32, tls: Tls, seen: Option<Sender<Stream>>) -> Report {
    let asks = !tls.direct;
    let talk = Talk { asks, listens: None, seen };
    start(talk, plan(Some(at), bots, tls)).expect("a plan that can run").finish()
}
