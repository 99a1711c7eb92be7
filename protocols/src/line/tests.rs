use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a peer's bytes came to: the events, and how it went on after them.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    events: Vec<Vec<u8>>,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// So many bytes wait for more.
    Waits(usize),
    Breaks(Violation),
}

/// Drives a session as a link does: one piece a read, the rest in front of the next one.
///
/// Checks on the way what holds for every session: no step uses nothing or more than there is, an
/// event lies within the bytes it used, every byte is either used or waiting.
fn drive<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>, ended: bool) -> Heard {
    let (mut line, mut out) = (Line::new(framing), Vec::new());
    let (mut given, mut used_up) = (Vec::new(), 0);
    let mut heard = Heard { events: Vec::new(), then: Then::Waits(0) };
    let mut pieces = pieces.peekable();
    let mut more = true;
    while more {
        given.extend_from_slice(pieces.next().unwrap_or_default());
        more = pieces.peek().is_some();
        loop {
            let input = &given[used_up..];
            match line.receive(input, ended && !more, &mut out) {
                Ok(Step::Event(used, payload)) => {
                    assert!((1..=input.len()).contains(&used));
                    assert!(input[..used].as_ptr_range().start <= payload.as_ptr_range().start);
                    assert!(payload.as_ptr_range().end <= input[..used].as_ptr_range().end);
                    heard.events.push(payload.to_vec());
                    used_up += used;
                }
                Ok(Step::Partial) => break,
                Ok(step) => panic!("no framing answers {step:?}"),
                Err(violation) => {
                    let again = line.receive(input, ended && !more, &mut out);
                    assert_eq!(again, Err(violation), "once broken, always the same");
                    heard.then = Then::Breaks(violation);
                    return heard;
                }
            }
        }
    }
    assert_eq!(out, b"", "a framing never answers by itself");
    heard.then = Then::Waits(given.len() - used_up);
    heard
}

/// The same in one read and in reads of a single byte.
#[track_caller]
fn check(framing: Framing, input: &[u8], ended: bool, events: &[&[u8]], then: Then) {
    let events = events.iter().map(|event| event.to_vec()).collect();
    let expected = Heard { events, then };
    assert_eq!(drive(framing, [input].into_iter(), ended), expected, "in one piece");
    assert_eq!(drive(framing, input.chunks(1), ended), expected, "byte by byte");
}

const fn packets(width: Width, order: ByteOrder, counts_itself: bool, largest: u32) -> Framing {
    Framing::packets(Header { width, order, counts_itself }, largest)
}

const LINES: Framing = Framing::lines(5);
const FIXED: Framing = Framing::fixed(NonZeroU32::new(3).unwrap());
const BYTE: Framing = packets(Width::One, ByteOrder::Big, false, 200);
const BYTE_ITSELF: Framing = packets(Width::One, ByteOrder::Big, true, 5);
const BIG: Framing = packets(Width::Two, ByteOrder::Big, false, 300);
const LITTLE: Framing = packets(Width::Two, ByteOrder::Little, false, 300);
const WIDE: Framing = packets(Width::Four, ByteOrder::Big, false, 5);
const WIDE_ITSELF: Framing = packets(Width::Four, ByteOrder::Little, true, 5);
const UNLIMITED: Framing = packets(Width::Four, ByteOrder::Big, false, u32::MAX);

#[test]
fn a_stream_that_goes_on() {
    use Then::{Breaks, Waits};
    let goes_on = |framing, input: &[u8], events: &[&[u8]], then| {
        check(framing, input, false, events, then);
    };

    goes_on(LINES, b"", &[], Waits(0));
    goes_on(LINES, b"one\ntwo\r\n\n\r\nthr", &[b"one", b"two", b"", b""], Waits(3));
    goes_on(LINES, b"\0\xff\r.\n", &[b"\0\xff\r."], Waits(0));
    goes_on(LINES, b"a\r\r\n", &[b"a\r"], Waits(0)); // one CR belongs to the end, no more
    goes_on(LINES, b"12345\n12345\r\n12345", &[b"12345", b"12345"], Waits(5));
    goes_on(LINES, b"12345\r", &[], Waits(6)); // may yet be the end of an allowed line
    goes_on(LINES, b"ok\n12345\r.", &[b"ok"], Breaks(LINE_TOO_LONG));
    goes_on(LINES, b"ok\n123456", &[b"ok"], Breaks(LINE_TOO_LONG));
    goes_on(LINES, b"123456\n", &[], Breaks(LINE_TOO_LONG));
    goes_on(LINES, b"12345\r\r\n", &[], Breaks(LINE_TOO_LONG));
    goes_on(Framing::lines(0), b"\n\r\n", &[b"", b""], Waits(0));
    goes_on(Framing::lines(0), b".", &[], Breaks(LINE_TOO_LONG));
    goes_on(Framing::lines(u32::MAX), b"long\nlonger", &[b"long"], Waits(6));

    goes_on(FIXED, b"12345678", &[b"123", b"456"], Waits(2));
    goes_on(FIXED, b"\n\r\n", &[b"\n\r\n"], Waits(0));

    goes_on(BYTE, b"\x03one\x00\x03two\x05thr", &[b"one", b"", b"two"], Waits(4));
    goes_on(BYTE, b"\x00\xc9", &[b""], Breaks(PACKET_TOO_LARGE)); // 201, known from the length
    goes_on(BYTE_ITSELF, b"\x04one\x01\x06fours", &[b"one", b"", b"fours"], Waits(0));
    goes_on(BYTE_ITSELF, b"\x07", &[], Breaks(PACKET_TOO_LARGE));
    goes_on(BYTE_ITSELF, b"\x00", &[], Breaks(PACKET_TOO_SMALL));
    goes_on(BIG, b"\x00\x03one\x01", &[b"one"], Waits(1));
    goes_on(BIG, b"\x01\x2d", &[], Breaks(PACKET_TOO_LARGE)); // 301
    goes_on(BIG, b"\x01\x2c", &[], Waits(2)); // 300
    goes_on(LITTLE, b"\x03\x00one\x2c\x01", &[b"one"], Waits(2));
    goes_on(LITTLE, b"\x2d\x01", &[], Breaks(PACKET_TOO_LARGE));
    goes_on(WIDE, b"\0\0\0\x05fours\0\0\0", &[b"fours"], Waits(3));
    goes_on(WIDE, b"\x01\0\0\0", &[], Breaks(PACKET_TOO_LARGE));
    goes_on(WIDE_ITSELF, b"\x07\0\0\0one\x04\0\0\0", &[b"one", b""], Waits(0));
    goes_on(WIDE_ITSELF, b"\x03\0\0\0", &[], Breaks(PACKET_TOO_SMALL));
    goes_on(WIDE_ITSELF, b"\xff\xff\xff\xff", &[], Breaks(PACKET_TOO_LARGE));
    goes_on(UNLIMITED, b"\xff\xff\xff\xff....", &[], Waits(8));
}

#[test]
fn a_stream_that_ends() {
    use Then::{Breaks, Waits};
    let ends = |framing, input: &[u8], events: &[&[u8]], then| {
        check(framing, input, true, events, then);
    };

    for framing in [Framing::chunks(), FIXED, LINES, BYTE, WIDE_ITSELF] {
        ends(framing, b"", &[], Waits(0));
    }
    ends(LINES, b"one\ntwo\n", &[b"one", b"two"], Waits(0));
    ends(LINES, b"one\ntwo", &[b"one"], Breaks(LINE_CUT));
    ends(LINES, b"12345\r", &[], Breaks(LINE_CUT));
    ends(LINES, b"123456", &[], Breaks(LINE_TOO_LONG)); // the older fault is the one reported
    ends(FIXED, b"123456", &[b"123", b"456"], Waits(0));
    ends(FIXED, b"1234", &[b"123"], Breaks(FIXED_CUT));
    ends(BYTE, b"\x03one", &[b"one"], Waits(0));
    ends(BYTE, b"\x03on", &[], Breaks(PACKET_CUT));
    ends(BIG, b"\x00\x01.\x00", &[b"."], Breaks(PACKET_CUT));
}

#[test]
fn chunks_are_what_a_read_brought() {
    let heard = drive(Framing::chunks(), [&b"on"[..], b"e\n", b"\0"].into_iter(), true);
    let events = vec![b"on".to_vec(), b"e\n".to_vec(), b"\0".to_vec()];
    assert_eq!(heard, Heard { events, then: Then::Waits(0) });
}

#[test]
fn payloads_are_framed_or_refused() {
    use Unframeable::{CarriageReturn, LineFeed, TooLong, WrongSize};
    #[track_caller]
    fn check(framing: Framing, payload: &[u8], expected: Result<&[u8], Unframeable>) {
        let mut out = b"before".to_vec();
        let answer = Line::new(framing).send(payload, &mut out);
        let appended = out.strip_prefix(b"before").unwrap();
        assert_eq!(answer.map(|()| appended), expected);
        assert!(answer.is_ok() || appended.is_empty());
    }

    check(Framing::chunks(), b"\r\n", Ok(b"\r\n"));
    check(FIXED, b"one", Ok(b"one"));
    check(FIXED, b"four", Err(WrongSize { bytes: 4, size: 3 }));
    check(FIXED, b"", Err(WrongSize { bytes: 0, size: 3 }));
    check(LINES, b"", Ok(b"\n"));
    check(LINES, b"\r\0\xff..", Ok(b"\r\0\xff..\n"));
    check(LINES, b"123456", Err(TooLong { bytes: 6, limit: 5 }));
    check(LINES, b"a\nb", Err(LineFeed));
    check(LINES, b"a\r", Err(CarriageReturn));
    check(BYTE, b"a\nb", Ok(b"\x03a\nb"));
    check(BYTE_ITSELF, b"", Ok(b"\x01"));
    check(BYTE_ITSELF, b"123456", Err(TooLong { bytes: 6, limit: 5 }));
    check(BIG, b"one", Ok(b"\x00\x03one"));
    check(LITTLE, b"one", Ok(b"\x03\x00one"));
    check(WIDE, b"one", Ok(b"\0\0\0\x03one"));
    check(WIDE_ITSELF, b"one", Ok(b"\x07\0\0\0one"));
}

#[test]
fn the_width_limits_too() {
    for (width, itself, most) in [
        (Width::One, false, 255),
        (Width::One, true, 254),
        (Width::Two, false, 65_535),
        (Width::Two, true, 65_533),
    ] {
        let framing = packets(width, ByteOrder::Little, itself, u32::MAX);
        let (mut out, payload) = (Vec::new(), vec![b'.'; most + 1]);
        let refused = Unframeable::TooLong { bytes: most + 1, limit: most as u32 };
        assert_eq!(Line::new(framing).send(&payload, &mut out), Err(refused));
        assert_eq!(out, b"");
        Line::new(framing).send(&payload[1..], &mut out).unwrap();
        let heard = drive(framing, [&out[..]].into_iter(), true);
        assert_eq!(heard, Heard { events: vec![payload[1..].to_vec()], then: Then::Waits(0) });
    }
    let four = |counts_itself| Header { width: Width::Four, order: ByteOrder::Big, counts_itself };
    assert_eq!((four(false).most(), four(true).most()), (u32::MAX, u32::MAX - 4));
}

/// An LF slipped into the searched part stays unseen: proof that it is not searched again.
#[test]
fn no_byte_is_searched_twice() {
    let (mut line, mut out) = (Line::new(Framing::lines(100)), Vec::new());
    let mut receive = |input| match line.receive(input, false, &mut out) {
        Ok(Step::Event(_, payload)) => Some(payload),
        other => {
            assert_eq!(other, Ok(Step::Partial));
            None
        }
    };
    assert_eq!(receive(b"........"), None);
    assert_eq!(receive(b"...\n....."), None);
    assert_eq!(receive(b"...\n......\n"), Some(&b"...\n......"[..]));
    // That line is used up, so the next one is searched from its beginning.
    assert_eq!(receive(b"a\n"), Some(&b"a"[..]));
    // A caller that loses bytes gets nonsense, but no panic.
    assert_eq!(receive(b"........"), None);
    assert_eq!(receive(b"b\n"), None);
}

/// After a change to TLS the old stream's unfinished line is gone.
#[test]
fn a_new_stream_is_searched_from_its_beginning() {
    let (mut line, mut out) = (Line::new(Framing::lines(100)), Vec::new());
    assert_eq!(line.receive(b"........", false, &mut out), Ok(Step::Partial));
    line.open(&Stream::default(), &mut out);
    assert_eq!(line.receive(b"a\n.......", false, &mut out), Ok(Step::Event(2, &b"a"[..])));
}

/// All framings, with limits small enough for garbage to reach them.
fn framings() -> impl Strategy<Value = Framing> {
    let width = prop_oneof![Just(Width::One), Just(Width::Two), Just(Width::Four)];
    let order = prop_oneof![Just(ByteOrder::Big), Just(ByteOrder::Little)];
    prop_oneof![
        Just(Framing::chunks()),
        (1..20_u32).prop_map(|size| Framing::fixed(NonZeroU32::new(size).unwrap())),
        (0..20_u32).prop_map(Framing::lines),
        (width, order, any::<bool>(), 0..20_u32)
            .prop_map(|(width, order, itself, largest)| packets(width, order, itself, largest)),
    ]
}

/// Bytes that mean something to a framing come often, all others now and then.
fn bytes(count: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(0), 0..20_u8, any::<u8>()], count)
}

/// Cuts a stream into reads of these sizes, over and over.
fn split<'a>(mut rest: &'a [u8], reads: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    reads.iter().cycle().map_while(move |read| {
        let (piece, behind) = rest.split_at((*read).min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    /// What was accepted for sending arrives, however the network cuts it.
    #[test]
    fn what_is_sent_is_heard(
        framing in framings(),
        payloads in vec(bytes(0..20_usize), 0..20),
        reads in vec(1..12_usize, 1..8),
    ) {
        let (line, mut stream) = (Line::new(framing), Vec::new());
        let mut sent = payloads;
        if let Shape::Fixed { size } = framing.0 {
            sent.iter_mut().for_each(|payload| payload.resize(size.get() as usize, b'.'));
        }
        sent.retain(|payload| line.send(payload, &mut stream).is_ok());

        let heard = drive(framing, split(&stream, &reads), true);
        prop_assert_eq!(heard.then, Then::Waits(0));
        if framing == Framing::chunks() {
            prop_assert_eq!(heard.events.concat(), sent.concat());
        } else {
            prop_assert_eq!(heard.events, sent);
        }
    }

    /// Garbage comes to the same events and the same verdict, however the network cuts it.
    #[test]
    fn garbage_is_the_same_however_it_is_cut(
        framing in framings(),
        stream in bytes(0..200_usize),
        reads in vec(1..12_usize, 1..8),
        ended in any::<bool>(),
    ) {
        let whole = drive(framing, [&stream[..]].into_iter(), ended);
        let pieces = drive(framing, split(&stream, &reads), ended);
        prop_assert_eq!(whole.then, pieces.then);
        if framing == Framing::chunks() {
            prop_assert_eq!(whole.events.concat(), pieces.events.concat());
        } else {
            prop_assert_eq!(whole.events, pieces.events);
        }
    }
}
