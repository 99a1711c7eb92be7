//! What a traced bot goes through, and every byte of both sides, a line each.

use std::sync::mpsc::{Receiver, sync_channel};

use densebots_engine::{BotId, Life, Outcome, Time};
use densebots_scenarios::Observer;
use densebots_scenarios::target::Speaks;

use crate::paint::Paint;
use mask::Mask;

pub(crate) mod failing;
mod mask;

/// Lines that may wait to be shown: a target that floods a traced bot waits for the screen's sake.
pub(crate) const LINES_MAX: usize = 1_024;
/// Bytes of one piece that are shown: several stanzas.
const SHOWN_MAX: usize = 1_500;

/// An observer of these bots, and where its lines come out, without the secrets of XMPP.
pub(crate) fn trace(bots: Vec<u32>, speaks: Speaks, paint: Paint) -> (Observer, Receiver<String>) {
    let (tell, lines) = sync_channel(LINES_MAX);
    let mut traced: Vec<Traced> =
        bots.into_iter().map(|bot| Traced { bot, masks: masks(speaks) }).collect();
    let observer = move |life: Life<()>| {
        if let Some(line) = line(&mut traced, &life, speaks, paint) {
            let _ = tell.send(line);
        }
    };
    (Box::new(observer), lines)
}

/// A bot that is traced.
struct Traced {
    bot: u32,
    /// What hides secrets in what it hears and in what it says.
    masks: Option<[Mask; 2]>,
}

fn masks(speaks: Speaks) -> Option<[Mask; 2]> {
    (speaks == Speaks::Xmpp).then(<[Mask; 2]>::default)
}

fn line(traced: &mut [Traced], life: &Life<()>, speaks: Speaks, paint: Paint) -> Option<String> {
    let (BotId(id), text) = match life {
        Life::Started(bot) => (bot, paint.faint("launched")),
        Life::Online(bot) => (bot, paint.faint("online")),
        Life::Lost(bot, lost) => {
            let cause = lost.cause;
            let text = format!("lost: {} ({})", cause.name(), lost.condition);
            (bot, paint.bad(&format!("{text}, by the {}", cause.blame())))
        }
        Life::Wire { bot, at, said, bytes } => {
            let own = traced.iter_mut().find(|own| own.bot == bot.0)?;
            let shown = match &mut own.masks {
                Some(masks) => &masks[usize::from(*said)].shown(bytes),
                None => &**bytes,
            };
            (bot, piece(*at, *said, shown, paint))
        }
        Life::Ended(bot, Outcome::Done, ()) => (bot, paint.faint("done")),
        Life::Ended(bot, Outcome::Failed(why), ()) => (bot, paint.bad(&format!("gave up: {why}"))),
        Life::Listening(..) => return None,
    };
    let own = traced.iter_mut().find(|own| own.bot == *id)?;
    if matches!(life, Life::Started(_) | Life::Lost(..)) {
        own.masks = masks(speaks); // the next stream begins anew
    }
    Some(format!("bot {id}  {text}"))
}

fn piece(at: Time, said: bool, bytes: &[u8], paint: Paint) -> String {
    let text = readable(bytes);
    let (arrow, text) = if said { ("->", paint.good(&text)) } else { ("<-", text) };
    format!("{:9.3} s  {arrow} {text}", at.seconds())
}

/// Bytes as text, what is not readable escaped, what is long cut with its length.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
    // XML is full of apostrophes, and they do no harm here.
    let text = format!("\"{}\"", shown.escape_ascii()).replace("\\'", "'");
    match bytes.len() - shown.len() {
        0 => text,
        _ => format!("{text}... ({} bytes)", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable_whatever_they_are() {
        assert_eq!(readable(b"hi\r\n"), r#""hi\r\n""#);
        assert_eq!(readable(&[0, 0x1b, 0xff]), r#""\x00\x1b\xff""#);
        assert_eq!(readable(b"<a b='c'/>"), "\"<a b='c'/>\"");
        assert!(readable(&[b'a'; 3000]).ends_with("aaa\"... (3000 bytes)"));
    }
}
