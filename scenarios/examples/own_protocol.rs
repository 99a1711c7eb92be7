//! A protocol of one's own, and a bot that speaks it with a server that echoes.
//!
//! At most 60 lines without blank, comment and `use` lines (`tests/tidy.rs` counts). Run it:
//! `cargo run --example own_protocol`.
//!
//! The protocol: a frame is one byte that says how many bytes of text follow; no frame is empty.

use std::num::NonZeroU8;

use densebots_engine::{BotId, Ctx, Link, Names, Op, Plan, Rng, Role, Scenario, start};
use densebots_protocols::{Session, Step, Violation};
use densebots_scenarios::{serve_here, target::Speaks};

/// One connection's state; this protocol has none.
struct Text;

impl Text {
    /// What bots want of a session are ordinary methods that append bytes.
    fn say(&self, text: &str, out: &mut Vec<u8>) {
        out.push(text.len() as u8);
        out.extend(text.bytes());
    }
}

impl Session for Text {
    type Event<'a> = &'a [u8]; // points into the input: nothing is copied
    fn receive<'a>(
        &mut self,
        input: &'a [u8],
        _: bool,
        _: &mut Vec<u8>,
    ) -> Result<Step<&'a [u8]>, Violation> {
        let Some((&length, rest)) = input.split_first() else { return Ok(Step::Partial) };
        // The peer's fault, given as soon as it is certain.
        let length = NonZeroU8::new(length).ok_or(Violation { rule: "an empty frame" })?;
        let Some(text) = rest.get(..length.get().into()) else { return Ok(Step::Partial) };
        Ok(Step::Event(1 + text.len(), text))
    }
}

const SAY: Op = Op(0);

/// What the bots say, in this order.
const POEM: [&str; 3] = ["many bots", "one machine", "and the truth"];

/// What all bots share: here nothing.
struct Poem;

impl Poem {
    fn recite(&self, line: usize, ctx: &mut Ctx<'_, Self>) {
        let Some(text) = POEM.get(line) else { return ctx.quit() };
        ctx.begin(SAY); // the latency counts from the moment this was meant to happen
        ctx.send(|session, out| session.say(text, out));
    }
}

impl Scenario for Poem {
    type Session = Text;
    type Bot = usize; // the lines it has heard
    type Mail = ();
    fn names(&self) -> Names {
        Names::ops(&["poem.say"])
    }
    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> usize {
        0
    }
    fn session(&self, _: BotId, _: &mut usize, _: Link) -> Text {
        Text
    }
    fn on_open(&self, heard: &mut usize, _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        self.recite(*heard, ctx);
    }
    fn on_event(&self, heard: &mut usize, text: &[u8], ctx: &mut Ctx<'_, Self>) {
        let _latency = if text == POEM[*heard].as_bytes() { ctx.end(SAY) } else { ctx.fail(SAY) };
        *heard += 1;
        self.recite(*heard, ctx);
    }
}

#[cfg_attr(test, test)]
fn main() {
    let (_target, endpoints) = serve_here(Speaks::Echo, 1).expect("a port to listen on");
    let run = start(Poem, Plan { endpoints, ..Plan::default() }).expect("a plan that can run");
    assert_eq!(run.finish().total.ops[0].ok, 3);
}
