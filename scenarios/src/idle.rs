//! Bots that connect and stay connected.

use densebots_engine::{BotId, Ctx, Link, Rng, Role, Scenario};
use densebots_protocols::line::{Framing, Line};

/// Each bot connects and stays connected. What it hears it ignores.
pub struct Idle;

impl Scenario for Idle {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_event(&self, (): &mut (), _: &[u8], _: &mut Ctx<'_, Self>) {}
}
