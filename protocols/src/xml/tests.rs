use proptest::prelude::*;

use super::oracle::streams::{document, edited};
use super::oracle::{Unit, units};
use super::*;

const HEADER: &str = "<stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Whole, byte by byte, and cut once at every place: always the same.
#[track_caller]
fn check(stream: &str, expected: &[Unit], violation: Option<Violation>) {
    let bytes = stream.as_bytes();
    let whole = units(std::iter::once(bytes));
    assert_eq!((&whole.0[..], whole.1), (expected, violation), "{stream}");
    assert_eq!(units(bytes.chunks(1)), whole, "byte by byte: {stream}");
    for cut in 0..bytes.len() {
        let (front, back) = bytes.split_at(cut);
        assert_eq!(units([front, back].into_iter()), whole, "cut at {cut}: {stream}");
    }
}

#[test]
fn a_stream_is_cut_into_its_units() {
    use Unit::*;
    check("<a>", &[Opened(3)], None);
    check("<?xml version='1.0'?>\n <a>", &[Opened(26)], None);
    check("\r\n<?xml version='1.0'?><a></a>", &[KeepAlive(2), Opened(26), Closed(30)], None);
    check("<a><b/><c></c></a>", &[Opened(3), Stanza(7), Stanza(14), Closed(18)], None);
    check(
        "<a> <b/>\n\n</a> ",
        &[Opened(3), KeepAlive(4), Stanza(8), KeepAlive(10), Closed(14), KeepAlive(15)],
        None,
    );
    check("<a><b><c>x</c> > <d/></b></a >", &[Opened(3), Stanza(25), Closed(30)], None);
    check(
        "<a><b c='/>' d=\"'>\"/><e/></a>",
        &[Opened(3), Stanza(21), Stanza(25), Closed(29)],
        None,
    );
    check("<a b='/'><c d='/'></c>", &[Opened(9), Stanza(22)], None);
    check("<a><b><![CDATA[</b>]]]>]]></b>", &[Opened(3), Stanza(30)], None);
    check("<a><b><![CDATA[]]]]]>]></b>", &[Opened(3), Stanza(27)], None);
    check("<a><ä>€</ä>", &[Opened(3), Stanza(15)], None);
    check("<a><b", &[Opened(3)], None);
}

#[test]
fn what_xmpp_forbids_is_refused() {
    use Unit::*;
    check("<!-- -->", &[], Some(COMMENT));
    check("<a><!-- -->", &[Opened(3)], Some(COMMENT));
    check("<a><b><!-- -->", &[Opened(3)], Some(COMMENT));
    check("<!DOCTYPE a>", &[], Some(DOCUMENT_TYPE));
    check("<?xml version='1.0'?><!DOCTYPE a []><a>", &[], Some(DOCUMENT_TYPE));
    check("<a><b><!ELEMENT c>", &[Opened(3)], Some(DOCUMENT_TYPE));
    check("<?php?>", &[], Some(INSTRUCTION));
    check("<?xml-stylesheet?><a>", &[], Some(INSTRUCTION));
    check("<?xml?>", &[], Some(DECLARATION));
    check("<?xml version='1.0'?><?xml version='1.0'?>", &[], Some(INSTRUCTION));
    check("<a><?xml version='1.0'?>", &[Opened(3)], Some(INSTRUCTION));
    check("<a><b><?x?>", &[Opened(3)], Some(INSTRUCTION));
    check("HTTP/1.1 400 Bad Request\r\n", &[], Some(TEXT_BEFORE));
    check("\u{feff}<a>", &[], Some(TEXT_BEFORE));
    check("<?xml version='1.0'?>x<a>", &[], Some(TEXT_BEFORE));
    check("<a>x<b/>", &[Opened(3)], Some(TEXT_BETWEEN));
    check("<a><b/>&amp;", &[Opened(3), Stanza(7)], Some(TEXT_BETWEEN));
    check("<a><![CDATA[x]]>", &[Opened(3)], Some(TEXT_BETWEEN));
    check("<![CDATA[x]]>", &[], Some(BAD_SECTION));
    check("<a><b><![CDATAx", &[Opened(3)], Some(BAD_SECTION));
    check("<a><b><![cdata[", &[Opened(3)], Some(BAD_SECTION));
    check("<a>< b>", &[Opened(3)], Some(NO_NAME));
    check("<a><>", &[Opened(3)], Some(NO_NAME));
    check("<a><1>", &[Opened(3)], Some(NO_NAME));
    check("<a><<", &[Opened(3)], Some(NO_NAME));
    check("</a>", &[], Some(CLOSED_UNOPENED));
    check("<a/>", &[], Some(EMPTY_STREAM));
    check("<a></a><b/>", &[Opened(3), Closed(7)], Some(AFTER_END));
    check("<a></a></a>", &[Opened(3), Closed(7)], Some(AFTER_END));
}

#[test]
fn the_depth_has_a_limit() {
    let nested = |levels: usize, inmost: &str| "<a>".repeat(levels) + inmost;
    let deepest = usize::from(DEPTH_MAX);
    check(&nested(deepest, ""), &[Unit::Opened(3)], None);
    check(&nested(deepest - 1, "<b/>"), &[Unit::Opened(3)], None);
    check(&nested(deepest + 1, ""), &[Unit::Opened(3)], Some(TOO_DEEP));
    check(&nested(deepest, "<b/>"), &[Unit::Opened(3)], Some(TOO_DEEP));
}

#[test]
fn a_unit_that_has_begun_is_told_from_one_that_has_not() {
    for (stream, between) in [
        ("", true),
        (" ", true),
        ("<", false),
        ("<?xml version='1.0'?>", false),
        ("<?xml version='1.0'?> ", false),
        ("<a>", true),
        ("<a> ", true),
        ("<a><b>", false),
        ("<a></a>", true),
    ] {
        let (_, violation, framer) = units(std::iter::once(stream.as_bytes()));
        assert_eq!((violation, framer.is_between()), (None, between), "{stream}");
    }
}

/// Cuts the bytes behind each of the given lengths, over and over.
fn pieces<'a>(bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let (mut rest, mut lengths) = (bytes, lengths.iter().cycle());
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at(rest.len().min(*lengths.next()?));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_split_gives_the_same_units(
        stream in edited(document()),
        lengths in proptest::collection::vec(1_usize..40, 1..20),
    ) {
        let whole = units(std::iter::once(&stream[..]));
        prop_assert_eq!(units(pieces(&stream, &lengths)), whole);
    }

    #[test]
    fn any_bytes_are_cut_the_same_however_they_come(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'<'), Just(b'>'), Just(b'/'), Just(b'a'), Just(b'\''), Just(b'!'),
                Just(b'['), Just(b']'), Just(b'?'), Just(b' '), any::<u8>()], 0..60),
        lengths in proptest::collection::vec(1_usize..9, 1..9),
    ) {
        for start in ["", "<a>", "<a><b>", "<a><b><![CDATA["] {
            let stream = [start.as_bytes(), &bytes].concat();
            let whole = units(std::iter::once(&stream[..]));
            prop_assert_eq!(units(pieces(&stream, &lengths)), whole);
        }
    }
}

mod elements {
    use super::*;

    #[track_caller]
    fn parse(text: &str) -> Element<'_> {
        Element::parse(text.as_bytes(), "jabber:client").expect("well-formed")
    }

    #[track_caller]
    fn refused(text: &str) -> &'static str {
        let broken = Element::parse(text.as_bytes(), "jabber:client");
        broken.and_then(|element| element.verify()).expect_err(text).rule
    }

    #[test]
    fn the_root_is_read_and_nothing_else() {
        let text = "<message  from = \"a&amp;b@c\"\n to='d' xml:lang='en'><<</message >";
        let message = parse(text);
        assert_eq!((message.name(), message.namespace()), ("message", "jabber:client"));
        assert_eq!(message.attribute("from").as_deref(), Some("a&b@c"));
        assert_eq!(message.attribute("xml:lang").as_deref(), Some("en"));
        assert_eq!(message.attribute("type"), None);
        assert!(message.attribute_is("to", "d") && !message.attribute_is("to", "e"));
        assert_eq!(message.source(), text);
        assert_eq!(message.children().count(), 0, "the inside cannot be read");
        assert!(message.verify().is_err());
    }

    #[test]
    fn children_have_their_namespaces() {
        let text = "<iq><query xmlns='urn:q'><item/>x<item xmlns=''/><a:item xmlns:a='urn:a'>\
                    <item/></a:item></query><ping xmlns=\"urn:p\" /><![CDATA[<no/>]]></iq>";
        let iq = parse(text);
        iq.verify().expect("well-formed");
        let names = |element: &Element<'_>| -> Vec<String> {
            element
                .children()
                .map(|child| format!("{{{}}}{}", child.namespace(), child.name()))
                .collect()
        };
        assert_eq!(names(&iq), ["{urn:q}query", "{urn:p}ping"]);
        let query = iq.child("query", "urn:q").expect("there");
        assert_eq!(names(&query), ["{urn:q}item", "{}item", "{urn:a}item"]);
        let prefixed = query.child("item", "urn:a").expect("there");
        assert_eq!(prefixed.prefix(), Some("a"));
        assert_eq!(names(&prefixed), ["{urn:q}item"]);
        assert!(iq.child("query", "urn:p").is_none());
    }

    #[test]
    fn a_prefix_is_found_where_it_was_declared_last() {
        let text =
            "<a xmlns:p='urn:1'><p:b><p:c xmlns:p='urn:2'><d><p:e/></d></p:c><p:f/></p:b></a>";
        let root = parse(text);
        root.verify().expect("well-formed");
        let b = root.child("b", "urn:1").expect("b");
        let c = b.child("c", "urn:2").expect("c");
        let d = c.child("d", "jabber:client").expect("d");
        assert!(d.child("e", "urn:2").is_some());
        assert!(b.child("f", "urn:1").is_some());
    }

    #[test]
    fn the_prefix_of_streams_is_known() {
        let features = parse("<stream:features><bind xmlns='urn:b'/><stream:x/></stream:features>");
        assert!(features.is("features", STREAMS));
        assert!(features.child("x", STREAMS).is_some());
        features.verify().expect("well-formed");
    }

    #[test]
    fn text_is_what_was_meant() {
        for (inside, expected) in [
            ("", ""),
            ("plain €", "plain €"),
            ("a&lt;&#98;&#x63;&amp;amp;", "a<bc&amp;"),
            ("a<b>no</b>c<d/>e", "ace"),
            ("<![CDATA[a<b>&amp;]]]]>c", "a<b>&amp;]]c"),
            ("1\r\n2\r3\n&#13;", "1\n2\n3\n\r"),
            ("a &unknown; b", ""),
        ] {
            let text = format!("<m>{inside}</m>");
            assert_eq!(parse(&text).text(), expected, "{inside}");
        }
        assert!(matches!(parse("<m>plain</m>").text(), std::borrow::Cow::Borrowed("plain")));
    }

    #[test]
    fn a_broken_element_is_refused_by_name() {
        assert_eq!(
            refused("<a></b>"),
            "an end tag that does not match its start (not-well-formed)"
        );
        assert_eq!(refused("<a><b></c></a>"), "malformed XML (not-well-formed)");
        assert_eq!(refused("<p:a/>"), "a prefix without a namespace (bad-namespace-prefix)");
        assert_eq!(refused("<a><p:b/></a>"), "a prefix without a namespace (bad-namespace-prefix)");
        assert_eq!(refused("<a p:b=''/>"), "a prefix without a namespace (bad-namespace-prefix)");
        assert_eq!(refused("<a b='' b=''/>"), "an attribute twice (not-well-formed)");
        assert_eq!(refused("<a b/>"), "a malformed tag (not-well-formed)");
        assert_eq!(refused("<a b=c/>"), "a malformed tag (not-well-formed)");
        assert_eq!(refused("<a b='1'c='2'/>"), "a malformed tag (not-well-formed)");
        assert_eq!(refused("<a b='<'/>"), "a malformed tag (not-well-formed)");
        assert_eq!(refused("<a>&nbsp;</a>"), "an unknown entity (restricted-xml)");
        assert_eq!(refused("<a b='&nbsp;'/>"), "an unknown entity (restricted-xml)");
        assert_eq!(refused("<a>&#0;</a>"), "a character that XML does not have (not-well-formed)");
        assert_eq!(refused("<a>\u{1}</a>"), "a character that XML does not have (not-well-formed)");
        assert_eq!(refused("<a>]]></a>"), "malformed XML (not-well-formed)");
        assert_eq!(refused("<a:b:c xmlns:a='x'/>"), "a malformed tag (not-well-formed)");
        let latin = Element::parse(b"<a>\xe4</a>", "").expect_err("no UTF-8");
        assert_eq!(latin.rule, "bytes that are not UTF-8 (not-well-formed)");
    }

    #[test]
    fn a_header_is_read_behind_its_declaration() {
        for start in ["", "<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding='utf-8'?>\r\n"] {
            let text = format!("{start}{HEADER}");
            let header = Element::header(text.as_bytes()).expect("a header");
            assert!(header.is("stream", STREAMS));
            assert_eq!(header.default_namespace(), "jabber:client");
            assert_eq!(header.attribute("version").as_deref(), Some("1.0"));
        }
        for (text, rule) in [
            ("<?xml version='1.1'?><a>", "XML that is not version 1.0 (not-well-formed)"),
            (
                "<?xml version='1.0' encoding='latin1'?><a>",
                "an encoding that is not UTF-8 (unsupported-encoding)",
            ),
            ("<?xml encoding='utf-8'?><a>", "an XML declaration that is none (not-well-formed)"),
            (
                "<?xml version='1.0'encoding='utf-8'?><a>",
                "an XML declaration that is none (not-well-formed)",
            ),
            ("<a b='1' b='2'>", "an attribute twice (not-well-formed)"),
        ] {
            assert_eq!(Element::header(text.as_bytes()).expect_err(text).rule, rule);
        }
    }

    /// What is written is read back.
    #[test]
    fn writing_and_reading_agree() {
        for value in ["", "plain", "<&>'\"", "\t\n\r", "a\r\nb", "]]>", "€ 😀"] {
            let mut text = b"<a".to_vec();
            push_attribute("b", value, &mut text);
            text.push(b'>');
            push_text(value, &mut text);
            text.extend_from_slice(b"</a>");
            let element = Element::parse(&text, "").expect("well-formed");
            element.verify().expect("well-formed");
            assert_eq!(element.attribute("b").as_deref(), Some(value));
            assert_eq!(element.text(), value);
        }
    }
}

/// `cargo test --release -p densebots-protocols -- --ignored --nocapture cost_of`
#[test]
#[ignore = "a measurement, not a check"]
#[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
fn cost_of_a_message() {
    let text = "<message xmlns='jabber:client' from='room-123456@conference.example.org/nick-1234' \
                to='user-123456@example.org/resource-7' type='groupchat' id='run-7f3a-123456-42'>\
                <body>Neither, fair saint, &amp; if either thee dislike &lt;3</body>\
                <x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='none' \
                role='participant'/></x><stanza-id xmlns='urn:xmpp:sid:0' by='room' \
                id='1'/></message>";
    let rounds = 200_000_u32;
    let timed = |name: &str, work: &dyn Fn() -> usize| {
        let begin = std::time::Instant::now();
        let sum: usize = (0..rounds).map(|_| std::hint::black_box(work())).sum();
        let each = begin.elapsed() / rounds;
        println!("{name}: {each:?} for {} bytes ({sum})", text.len());
    };
    let parsed = || Element::parse(text.as_bytes(), "jabber:client").expect("well-formed");
    timed("framed", &|| {
        let mut framer = Framer::between_elements();
        usize::from(framer.scan(std::hint::black_box(text.as_bytes())).is_ok())
    });
    timed("root only", &|| std::hint::black_box(parsed()).name().len());
    timed("root, from, id, type", &|| {
        let message = parsed();
        ["from", "id", "type"].iter().filter_map(|name| message.attribute(name)).count()
    });
    timed("root and body", &|| {
        parsed().child("body", "jabber:client").expect("a body").text().len()
    });
    timed("verified", &|| usize::from(parsed().verify().is_ok()));
}
