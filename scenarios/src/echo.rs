//! The smallest whole bot: it sends a line at its pace and waits for its echo.
//!
//! Copy this file to write a bot of your own. A scenario is one value that all bots share
//! ([`Echo`]), a state that each bot has ([`Bot`]), and callbacks between them.

use std::time::Duration;

use densebots_engine::{BotId, Ctx, Link, Names, Op, Rng, Role, Scenario};
use densebots_protocols::line::{Framing, Line};

use crate::{Parameter, SettingError, Settings, Traffic};

/// What can be set.
pub const PARAMETERS: &[Parameter] = &[
    Parameter { name: "pace", default: "10s", about: "time between two messages of a bot" },
    Parameter {
        name: "count",
        default: "0",
        about: "messages after which a bot is done; 0: never",
    },
    Parameter { name: "size", default: "64", about: "bytes of a message with its line end" },
];

/// The op: from when a message was due to when its echo came.
const PING: Op = Op(0);

/// What all bots share.
pub struct Echo {
    /// The time between two messages of one bot.
    pub pace: Duration,
    /// Messages after which a bot is done; 0 means never.
    pub count: u32,
    /// Bytes of a message, line end included.
    pub size: usize,
}

/// What one bot knows: it lies inline in a slab, a hundred thousand times.
pub struct Bot {
    /// The number of the message whose echo it waits for; an older one's is late.
    number: u32,
    /// Its first message is on the timer: a reconnect keeps the pace.
    paced: bool,
}

impl Echo {
    /// From what was set.
    pub fn from(settings: &Settings) -> Result<Echo, SettingError> {
        let pace = settings.duration("pace")?;
        if pace.is_zero() {
            return Err(settings.fault("pace", "a time above zero"));
        }
        // Eleven bytes carry the number and the line end.
        let size = settings.number("size", 11..=65_536, "a size from 11 to 65536 bytes")?;
        let count = settings.number("count", 0..=u32::MAX.into(), "a number of messages")?;
        Ok(Echo { pace, count: count as u32, size: size as usize })
    }

    /// A bot that has said all it was meant to say is done.
    fn rest(&self, bot: &Bot, ctx: &mut Ctx<'_, Echo>) {
        if self.count > 0 && bot.number >= self.count {
            ctx.quit();
        }
    }

    /// The traffic of one bot.
    pub fn traffic(&self) -> Traffic {
        let rate = 1.0 / self.pace.as_secs_f64();
        Traffic { sends: rate, hears: rate, bytes: self.size as u64 }
    }
}

impl Scenario for Echo {
    type Session = Line;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        Names::ops(&["echo.ping"])
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot { number: 0, paced: false }
    }

    fn session(&self, _: BotId, _: &mut Bot, _: Link) -> Line {
        Line::new(Framing::lines(self.size as u32))
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        ctx.ready();
        if !std::mem::replace(&mut bot.paced, true) {
            // Spread over one pace, or all bots that came together would speak together.
            let pause = crate::first_pause(self.pace, ctx.rng().fraction());
            ctx.wake_in(pause);
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        ctx.wake_at(ctx.due + self.pace);
        if ctx.draining() {
            return ctx.forget_wake();
        }
        if ctx.busy() || !ctx.is_open() {
            return ctx.drop_load(PING); // meant to be said, could not be: counted, not skipped
        }
        bot.number = bot.number.wrapping_add(1);
        ctx.begin(PING);
        let (number, fill) = (bot.number, self.size - 11);
        ctx.send(|_, out| write_line(number, fill, out));
    }

    fn on_event(&self, bot: &mut Bot, line: &[u8], ctx: &mut Ctx<'_, Self>) {
        match read_number(line) {
            Some(number) if number == bot.number => {
                ctx.end(PING);
                self.rest(bot, ctx);
            }
            Some(_) => ctx.late(PING),
            None => drop(ctx.fail(PING)),
        }
    }

    fn on_timeout(&self, bot: &mut Bot, _: Op, ctx: &mut Ctx<'_, Self>) {
        self.rest(bot, ctx);
    }

    fn on_silent(&self, _: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) -> bool {
        // Number 0 is never waited for, so its echo says only that the target lives.
        ctx.send(|_, out| write_line(0, 0, out))
    }
}

/// `=` and the number in hexadecimal, a space, filling, LF.
fn write_line(number: u32, fill: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'=');
    out.extend((0..8).rev().map(|nibble| DIGITS[(number >> (4 * nibble)) as usize & 15]));
    out.push(b' ');
    out.resize(out.len() + fill, b'.');
    out.push(b'\n');
}

fn read_number(line: &[u8]) -> Option<u32> {
    let digits = line.strip_prefix(b"=")?.get(..8)?;
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_size_and_carries_its_number() {
        for number in [0, 1, 0xdead_beef, u32::MAX] {
            let mut line = Vec::new();
            write_line(number, 64 - 11, &mut line);
            assert_eq!((line.len(), line.pop()), (64, Some(b'\n')));
            assert_eq!(read_number(&line), Some(number));
        }
        assert_eq!(read_number(b"=12"), None);
        assert_eq!(read_number(b"hello hello"), None);
    }
}
