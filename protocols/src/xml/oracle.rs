//! A parser that others wrote says what is well-formed, and where its elements end.
//!
//! For tests, and with the feature `oracle` for those of others.

use rxml::error::EndOrError;
use rxml::{Parse as _, Parser, RawEvent, RawParser};

use super::*;

#[cfg(test)]
pub(crate) mod streams;

/// A unit and where it ends in the whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whitespace between units.
    KeepAlive(usize),
    /// The header.
    Opened(usize),
    /// An element right below the stream.
    Stanza(usize),
    /// The end tag of the stream.
    Closed(usize),
}

/// The units of a stream that comes in pieces, the violation that ends it, and the framer behind
/// it. Runs of whitespace that the pieces cut apart are put together.
///
/// Panics if a unit ends outside of its bytes, or a violation is not repeated.
pub fn units<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Unit>, Option<Violation>, Framer) {
    let (mut framer, mut units, mut before) = (Framer::new(), Vec::new(), 0);
    for piece in pieces {
        let mut at = 0;
        while at < piece.len() {
            let frame = match framer.scan(&piece[at..]) {
                Ok(frame) => frame,
                Err(violation) => {
                    assert_eq!(framer.scan(&piece[at..]), Err(violation), "always the same");
                    return (units, Some(violation), Framer::new()); // of no more use
                }
            };
            let (used, make): (usize, fn(usize) -> Unit) = match frame {
                Frame::Partial => break,
                Frame::KeepAlive(used) => (used, Unit::KeepAlive),
                Frame::Opened(used) => (used, Unit::Opened),
                Frame::Stanza(used) => (used, Unit::Stanza),
                Frame::Closed(used) => (used, Unit::Closed),
            };
            assert!((1..=piece.len() - at).contains(&used));
            assert!(framer.is_between());
            at += used;
            let unit = make(before + at);
            if let (Some(Unit::KeepAlive(end)), Unit::KeepAlive(now)) = (units.last_mut(), unit) {
                *end = now;
            } else {
                units.push(unit);
            }
        }
        before += piece.len();
    }
    (units, None, framer)
}

/// What the other parser makes of a stream: the borders, and whether it refused the rest.
///
/// The raw parser stops behind each tag; the other one knows about namespaces.
fn expected(stream: &[u8]) -> (Vec<Unit>, bool) {
    let (mut raw, mut rest) = (RawParser::new(), stream);
    let (mut borders, mut depth) = (Vec::new(), 0);
    while let Ok(Some(event)) = raw.parse(&mut rest, false) {
        let at = stream.len() - rest.len();
        match event {
            RawEvent::ElementHeadClose(_) => {
                depth += 1;
                if depth == 1 {
                    borders.push(Unit::Opened(at));
                }
            }
            RawEvent::ElementFoot(_) => {
                depth -= 1;
                match depth {
                    0 => borders.push(Unit::Closed(at)),
                    1 => borders.push(Unit::Stanza(at)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    let (mut parser, mut rest) = (Parser::new(), stream);
    let refused = loop {
        match parser.parse(&mut rest, false) {
            Ok(Some(_)) => {}
            Ok(None) | Err(EndOrError::NeedMoreData) => break false,
            Err(EndOrError::Error(_)) => break true,
        }
    };
    (borders, refused)
}

/// What we make of it: the borders, and the rule that was broken.
fn ours(stream: &[u8]) -> (Vec<Unit>, Option<Violation>) {
    let (units, mut violation, _) = units(std::iter::once(stream));
    let (mut begin, mut name) = (0, "");
    for unit in &units {
        let (end, verdict) = match *unit {
            Unit::KeepAlive(end) => (end, Ok(())),
            Unit::Opened(end) => {
                let header = Element::header(&stream[begin..end]);
                (end, header.map(|header| name = header.qualified()))
            }
            Unit::Stanza(end) => {
                let element = Element::parse(&stream[begin..end], "jabber:client");
                (end, element.and_then(|element| element.verify()))
            }
            Unit::Closed(end) => (end, end_of_stream(&stream[begin..end], name)),
        };
        if let Err(found) = verdict {
            violation = Some(found);
            break;
        }
        begin = end;
    }
    let borders = units.into_iter().filter(|unit| !matches!(unit, Unit::KeepAlive(_))).collect();
    (borders, violation)
}

/// Where we refuse what a parser of any XML has to accept.
const STRICTER: [Violation; 5] = [TEXT_BETWEEN, TEXT_BEFORE, AFTER_END, EMPTY_STREAM, TOO_DEEP];

/// Compares what both make of a stream; says what they do not agree about.
pub fn agree(stream: &[u8]) -> Result<(), String> {
    // Whitespace before the header may still belong to the stream before this one, so we let it
    // pass; as a document of its own that is not well-formed.
    let begin = stream.iter().position(|byte| !is_space(*byte)).unwrap_or(stream.len());
    let stream = &stream[begin..];
    let text = String::from_utf8_lossy(stream);
    let (borders, refused) = expected(stream);
    let (found, violation) = ours(stream);
    let quarrel = match violation {
        None if refused => {
            // It may refuse what is not whole yet, and so has not been looked at here.
            let whole = found.last().map_or(0, |unit| match *unit {
                Unit::Opened(end) | Unit::Stanza(end) | Unit::Closed(end) => end,
                Unit::KeepAlive(_) => unreachable!("filtered"),
            });
            let refuses = expected(&stream[..whole]).1;
            refuses.then(|| format!("only the other refuses {text:?}"))
        }
        None => (found != borders).then(|| format!("{found:?} here, {borders:?} there: {text:?}")),
        Some(stricter) if STRICTER.contains(&stricter) => None,
        // The other one lets a namespace be declared twice in a tag; XML does not.
        Some(twice) if twice.rule.contains("twice") && text.matches("xmlns").count() >= 2 => None,
        // The other one waits for more where something stands between a name and its `>`.
        Some(UNBALANCED) if !borders.iter().any(|unit| matches!(unit, Unit::Closed(_))) => None,
        Some(violation) => (!refused).then(|| format!("only we refuse {text:?}: {violation}")),
    };
    quarrel.map_or(Ok(()), Err)
}
