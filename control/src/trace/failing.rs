//! What bots that failed said and heard last: for the report, and for who asked to see it.

use densebots_engine::metrics::Names;
use densebots_engine::{Failure, Piece, Transcript};

use super::mask::Mask;
use super::piece;
use crate::paint::Paint;

/// How a bot failed, in words.
pub(crate) fn cause(failure: &Failure, names: &Names) -> String {
    let name = |op: densebots_engine::Op| &names.ops[usize::from(op.0)];
    match *failure {
        Failure::Lost(lost) => {
            let what = if lost.online { "lost" } else { "did not get online" };
            format!("{what}: {} ({})", lost.cause.name(), lost.condition)
        }
        Failure::Failed(op) => format!("{} failed", name(op)),
        Failure::TimedOut(op) => format!("{} timed out", name(op)),
        Failure::GaveUp(why) => format!("gave up: {why}"),
    }
}

/// A piece without its secrets. It begins where a unit does, so that nothing before it matters.
pub(crate) fn masked(piece: &Piece) -> Vec<u8> {
    Mask::default().shown(&piece.bytes)
}

/// A transcript as `--trace failing:N` shows it.
pub(crate) fn lines(transcript: &Transcript, names: &Names, paint: Paint) -> Vec<String> {
    let bot = transcript.bot;
    let told = format!("{:9.3} s  {}", transcript.at.seconds(), cause(&transcript.failure, names));
    let pieces = transcript.pieces.iter().map(|own| {
        let rest = own.length - own.bytes.len();
        let more = if rest > 0 { format!(" and {rest} bytes more") } else { String::new() };
        format!("bot {bot}  {}{more}", piece(own.at, own.said, &masked(own), paint))
    });
    pieces.chain([format!("bot {bot}  {}", paint.bad(&told))]).collect()
}

#[cfg(test)]
mod tests {
    use densebots_engine::{BotId, Op, Time};

    use super::*;

    #[test]
    fn a_transcript_is_shown_piece_by_piece_and_without_secrets() {
        let piece = |said, text: &str, length| Piece {
            at: Time::ZERO,
            said,
            bytes: text.as_bytes().to_vec(),
            length,
        };
        let transcript = Transcript {
            bot: BotId(3),
            at: Time::ZERO,
            failure: Failure::TimedOut(Op(1)),
            pieces: vec![
                piece(true, "<auth m='P'>AGJvdDEA</auth>", 27),
                // Cut within the secret: the next piece begins anew all the same.
                piece(true, "<presence><x><password>hush", 2000),
                piece(false, "<failure><text>no</text></failure>", 34),
            ],
        };
        let names = Names::ops(&["xmpp.login", "xmpp.join"]);
        let expected = [
            r#"bot 3      0.000 s  -> "<auth m='P'>[hidden]</auth>""#,
            r#"bot 3      0.000 s  -> "<presence><x><password>[hidden]" and 1973 bytes more"#,
            r#"bot 3      0.000 s  <- "<failure><text>no</text></failure>""#,
            "bot 3      0.000 s  xmpp.join timed out",
        ];
        assert_eq!(lines(&transcript, &names, Paint::off()), expected);
    }
}
