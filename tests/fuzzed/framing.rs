//! Streams cut into units: XML, and lines.

use std::num::NonZeroU32;

use densebots_protocols::line::{ByteOrder, Framing, Header, Line, Width};
use densebots_protocols::xml::{Element, oracle};
use densebots_protocols::{Session, Step, Violation};

use super::{pieces, taken};

/// The header of an open stream.
const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
                        xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Any bytes are cut at the same borders however they come. Choices: three lengths of pieces.
pub fn framer(input: &[u8]) {
    let Some(([a, b, c, _], stream)) = taken(input) else { return };
    let whole = oracle::units(std::iter::once(stream));
    assert_eq!(oracle::units(stream.chunks(1)), whole, "byte by byte");
    let lengths = [a, b, c].map(usize::from);
    assert_eq!(oracle::units(pieces(stream, lengths)), whole, "in pieces of {lengths:?}");
}

/// What is well-formed here is so for a parser that others wrote, and the other way round; and an
/// element can be read wherever it is not. Choices: none; all bytes are what an open stream says.
pub fn element(input: &[u8]) {
    if let Err(quarrel) = oracle::agree(&[HEADER, input].concat()) {
        panic!("{quarrel}");
    }
    if let Ok(element) = Element::parse(input, "jabber:client") {
        let read = read(&element, 0);
        assert!(read <= input.len(), "{read} elements in {} bytes", input.len());
    }
}

/// Looks at everything an element has to say; answers how many elements it holds, itself included.
fn read(element: &Element<'_>, depth: u8) -> usize {
    assert!(depth <= densebots_protocols::xml::DEPTH_MAX, "deeper than any stream");
    assert!(element.source().contains(element.qualified()));
    let [from, again] = element.attributes(["from", "from"]);
    assert!(again.is_none() || from.is_some(), "the first name comes first");
    assert_eq!(element.attribute_is("from", from.as_deref().unwrap_or("?")), from.is_some());
    assert!(element.text().len() <= element.source().len());
    1 + element.children().map(|child| read(&child, depth + 1)).sum::<usize>()
}

/// How a stream of lines went on: what was heard, and the rule that was broken or the bytes left.
type Heard = (Vec<Vec<u8>>, Result<usize, Violation>);

/// Any bytes are cut into the same messages however they come, no message is over its limit, and
/// what can be sent is heard again. Choices: the framing, its limit, two lengths of pieces.
pub fn line(input: &[u8]) {
    let Some(([shape, limit, a, b], stream)) = taken(input) else { return };
    let limit = u32::from(limit);
    let framing = framing(shape, limit);
    let whole = hear(framing, std::iter::once(stream));
    let chunks = shape.is_multiple_of(15);
    let lengths = [usize::from(a), usize::from(b), 1];
    for cut in [hear(framing, stream.chunks(1)), hear(framing, pieces(stream, lengths))] {
        if chunks {
            assert_eq!((cut.0.concat(), cut.1), (stream.to_vec(), Ok(0)), "bytes are bytes");
        } else {
            assert_eq!(cut, whole, "{framing:?} in pieces");
        }
    }
    for message in &whole.0 {
        assert!(chunks || message.len() <= limit as usize + 1, "{framing:?}: over the limit");
        let mut sent = Vec::new();
        if Line::new(framing).send(message, &mut sent).is_ok() && !sent.is_empty() {
            let again = hear(framing, std::iter::once(&sent[..]));
            assert_eq!(again, (vec![message.clone()], Ok(0)), "{framing:?}");
        }
    }
}

fn framing(shape: u8, limit: u32) -> Framing {
    let packets = |nth: u8| {
        let width = [Width::One, Width::Two, Width::Four][usize::from(nth % 3)];
        let order = if nth.is_multiple_of(2) { ByteOrder::Big } else { ByteOrder::Little };
        Framing::packets(Header { width, order, counts_itself: nth >= 6 }, limit)
    };
    match shape % 15 {
        0 => Framing::chunks(),
        1 => Framing::fixed(NonZeroU32::MIN.saturating_add(limit)),
        2 => Framing::lines(limit),
        nth => packets(nth - 3),
    }
}

/// Drives a session as a link does, up to the end of the stream.
fn hear<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> Heard {
    let (mut line, mut out) = (Line::new(framing), Vec::new());
    let (mut rest, mut heard) = (Vec::new(), Vec::new());
    for piece in pieces {
        rest.extend_from_slice(piece);
        let mut used = 0;
        while used < rest.len() {
            match line.receive(&rest[used..], false, &mut out) {
                Ok(Step::Event(taken, message)) => {
                    assert!((1..=rest.len() - used).contains(&taken));
                    heard.push(message.to_vec());
                    used += taken;
                }
                Ok(Step::Partial) => break,
                Ok(step) => panic!("no framing answers {step:?}"),
                Err(violation) => return (heard, Err(violation)),
            }
        }
        rest.drain(..used);
    }
    assert_eq!(out, b"", "a framing never answers by itself");
    let left = line.receive(&rest, true, &mut out).map(|_| rest.len());
    (heard, left)
}
