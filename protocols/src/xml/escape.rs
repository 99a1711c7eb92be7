//! Text written into XML, so that a reader gets back what was meant.

/// Appends character data (XML 1.0 section 2.4).
///
/// What XML cannot carry at all, such as most control characters, becomes U+FFFD: a phrase from a
/// file must not end the stream.
pub fn push_text(text: &str, out: &mut Vec<u8>) {
    push(text, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"), // as it stands it would be read as a line feed
        _ => None,
    });
}

/// Appends a space and an attribute with its value in single quotes (XML 1.0 section 3.1).
///
/// The name has to be one: it is written as it stands.
pub fn push_attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    push_value(value, out);
    out.push(b'\'');
}

/// Appends an attribute's value, or a part of it, without the quotes.
pub fn push_value(value: &str, out: &mut Vec<u8>) {
    push(value, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\'' => Some("&apos;"),
        b'"' => Some("&quot;"),
        // As they stand they would be read as spaces.
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends the text with some of its bytes, all of them ASCII, replaced.
fn push(text: &str, out: &mut Vec<u8>, replacement: impl Fn(u8) -> Option<&'static str>) {
    let bytes = text.as_bytes();
    // Nearly all texts are clean; a pass without branches says so in a few nanoseconds.
    if !bytes.iter().fold(false, |found, byte| found | is_suspect(*byte)) {
        return out.extend_from_slice(bytes);
    }
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let (instead, width) = match replacement(*byte) {
            Some(instead) => (instead, 1),
            None if *byte < b' ' && !super::is_space(*byte) => ("\u{fffd}", 1),
            // U+FFFE and U+FFFF, the only others that XML 1.0 forbids in valid UTF-8.
            None if *byte == 0xef
                && matches!(bytes.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf])) =>
            {
                ("\u{fffd}", 3)
            }
            None => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(instead.as_bytes());
        from = at + width;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Whether a byte may have to be replaced, or begin what has to be.
fn is_suspect(byte: u8) -> bool {
    let quote = (byte == b'\'') | (byte == b'"');
    let markup = (byte == b'<') | (byte == b'>') | (byte == b'&');
    quote | markup | (byte < b' ') | (byte == 0xef)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("valid text in, valid text out")
    }

    #[test]
    fn text_is_escaped_where_a_reader_would_stumble() {
        let cases = [
            ("", ""),
            ("plain äöü €", "plain äöü €"),
            ("a<b>c&d'e\"f", "a&lt;b&gt;c&amp;d'e\"f"),
            ("]]>", "]]&gt;"),
            ("tab\tline\nreturn\r", "tab\tline\nreturn&#13;"),
            ("\u{0}a\u{7}\u{1f}b\u{7f}", "\u{fffd}a\u{fffd}\u{fffd}b\u{7f}"),
            ("\u{fffd}\u{fffe}\u{ffff}\u{10000}", "\u{fffd}\u{fffd}\u{fffd}\u{10000}"),
        ];
        for (text, expected) in cases {
            assert_eq!(written(|out| push_text(text, out)), expected, "{text:?}");
        }
    }

    #[test]
    fn an_attribute_is_escaped_in_its_quotes() {
        let cases = [
            ("", " a=''"),
            ("it's \"<&>\"", " a='it&apos;s &quot;&lt;&amp;&gt;&quot;'"),
            ("\t\n\r\u{1}", " a='&#9;&#10;&#13;\u{fffd}'"),
        ];
        for (value, expected) in cases {
            assert_eq!(written(|out| push_attribute("a", value, out)), expected, "{value:?}");
        }
    }
}
