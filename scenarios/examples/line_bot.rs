//! A bot on `line`: it says hello, waits for the echo, and is done.
//!
//! Everything that is needed, and no more: at most 30 lines without blank, comment and `use` lines
//! (`tests/tidy.rs` counts). Run it: `cargo run --example line_bot`.

use densebots_engine::{BotId, Ctx, Link, Names, Op, Plan, Rng, Role, Scenario, start};
use densebots_protocols::line::{Framing, Line};
use densebots_scenarios::{serve_here, target::Speaks};

const HELLO: Op = Op(0);

struct Hello;

impl Scenario for Hello {
    type Session = Line;
    type Bot = ();
    type Mail = ();
    fn names(&self) -> Names {
        Names::ops(&["hello"])
    }
    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}
    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::lines(1024))
    }
    fn on_open(&self, (): &mut (), _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        ctx.begin(HELLO);
        ctx.send(|line, out| line.send(b"hello", out).expect("fits into a line"));
    }
    fn on_event(&self, (): &mut (), _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.end(HELLO);
        ctx.quit();
    }
}

#[cfg_attr(test, test)]
fn main() {
    let (_target, endpoints) = serve_here(Speaks::Echo, 1).expect("a port to listen on");
    let run = start(Hello, Plan { endpoints, ..Plan::default() }).expect("a plan that can run");
    assert_eq!(run.finish().total.ops[0].ok, 1);
}
