//! The content of an element, cut into text, CDATA sections and elements.

use memchr::{memchr, memmem};

use super::{Frame, Framer};

/// The content of an element, cut. Ends at what cannot be cut.
#[derive(Clone, Debug)]
pub(super) struct Pieces<'a> {
    pub(super) rest: &'a str,
}

pub(super) enum Piece<'a> {
    /// Character data, with its references.
    Text(&'a str),
    /// The inside of a CDATA section.
    Characters(&'a str),
    /// A child from its `<` to its last `>`.
    Element(&'a str),
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let less = memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
        if less > 0 {
            let (text, behind) = rest.split_at(less);
            self.rest = behind;
            return Some(Piece::Text(text));
        }
        if let Some(section) = rest.strip_prefix("<![CDATA[") {
            let end = memmem::find(section.as_bytes(), b"]]>")?;
            self.rest = &section[end + 3..];
            return Some(Piece::Characters(&section[..end]));
        }
        let Ok(Frame::Stanza(end)) = Framer::between_elements().scan(rest.as_bytes()) else {
            return None;
        };
        let (element, behind) = rest.split_at(end);
        self.rest = behind;
        Some(Piece::Element(element))
    }
}
