//! What a traced bot goes through, and every byte of both sides, a line each.

use std::sync::mpsc::{Receiver, sync_channel};

use densebots_engine::{BotId, Life, Outcome, Time};
use densebots_scenarios::Observer;

use crate::paint::Paint;

/// Lines that may wait to be shown: a target that floods a traced bot waits for the screen's sake.
pub(crate) const LINES_MAX: usize = 1_024;
/// Bytes of one piece that are shown.
const SHOWN_MAX: usize = 200;

/// An observer of these bots, and where its lines come out.
pub(crate) fn trace(bots: Vec<u32>, paint: Paint) -> (Observer, Receiver<String>) {
    let (tell, lines) = sync_channel(LINES_MAX);
    let observer = move |life: Life<()>| {
        if let Some(line) = line(&bots, &life, paint) {
            let _ = tell.send(line);
        }
    };
    (Box::new(observer), lines)
}

fn line(bots: &[u32], life: &Life<()>, paint: Paint) -> Option<String> {
    let (bot, text) = match life {
        Life::Started(bot) => (bot, paint.faint("launched")),
        Life::Online(bot) => (bot, paint.faint("online")),
        Life::Lost(bot, lost) => {
            let cause = lost.cause;
            let text = format!("lost: {} ({})", cause.name(), lost.condition);
            (bot, paint.bad(&format!("{text}, by the {}", cause.blame())))
        }
        Life::Wire { bot, at, said, bytes } => (bot, piece(*at, *said, bytes, paint)),
        Life::Ended(bot, Outcome::Done, ()) => (bot, paint.faint("done")),
        Life::Ended(bot, Outcome::Failed(why), ()) => (bot, paint.bad(&format!("gave up: {why}"))),
        Life::Listening(..) => return None,
    };
    let BotId(id) = bot;
    bots.contains(id).then(|| format!("bot {id}  {text}"))
}

fn piece(at: Time, said: bool, bytes: &[u8], paint: Paint) -> String {
    let text = readable(bytes);
    let (arrow, text) = if said { ("->", paint.good(&text)) } else { ("<-", text) };
    format!("{:9.3} s  {arrow} {text}", at.seconds())
}

/// Bytes as text, what is not readable escaped, what is long cut with its length.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
    let text = format!("\"{}\"", shown.escape_ascii());
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
        assert!(readable(&[b'a'; 300]).ends_with("aaa\"... (300 bytes)"));
    }
}
