//! What names a message for the ledger, on its way through the service and back.

use std::borrow::Cow;

use densebots_engine::{Entries, MessageId};
use densebots_protocols::xmpp::Stanza;

use crate::{Parameter, SettingError, Settings};

/// How it is asked for.
pub(crate) const PARAMETER: Parameter = Parameter {
    name: "tag",
    default: "id",
    about: "what names a message for the ledger: id, or body for services that keep no ids: \
            \" [run.sender.number]\" behind the text, in hexadecimal",
};

/// Where the name of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// In the stanza's id alone; the body stays what the scenario says.
    Id,
    /// Behind the text as well: `hello [3f9a.1f.2c]`.
    Body,
}

impl Tag {
    pub(crate) fn from(settings: &Settings) -> Result<Tag, SettingError> {
        match settings.text(PARAMETER.name) {
            "id" => Ok(Tag::Id),
            "body" => Ok(Tag::Body),
            _ => Err(settings.fault(PARAMETER.name, "id or body")),
        }
    }

    /// The body of a message with this text.
    pub(crate) fn body(self, text: &str, message: MessageId) -> Cow<'_, str> {
        match self {
            Tag::Id => Cow::Borrowed(text),
            Tag::Body => Cow::Owned(format!("{text} [{}]", message.text().as_str())),
        }
    }

    /// Which message of this run came, if it is one. An error may come without the body: then its
    /// id is all there is.
    pub(crate) fn read(
        self,
        id: Option<&str>,
        message: &Stanza<'_>,
        ledger: &Entries<'_>,
    ) -> Option<MessageId> {
        let by_id = || ledger.read(id.unwrap_or_default().as_bytes());
        match self {
            Tag::Id => by_id(),
            Tag::Body => {
                let body = message.body();
                let named = body.as_deref().and_then(name);
                named.and_then(|name| ledger.read(name.as_bytes())).or_else(by_id)
            }
        }
    }
}

/// What stands in the last brackets of a body, if it ends with them.
fn name(body: &str) -> Option<&str> {
    let inside = body.strip_suffix(']')?;
    let from = inside.rfind(" [")?;
    Some(&inside[from + 2..])
}

#[cfg(test)]
mod tests {
    use densebots_engine::BotId;

    use super::*;

    #[test]
    fn what_is_put_behind_a_text_is_found_there() {
        let message = MessageId { run: 0x3f9a, sender: BotId(31), sequence: 44 };
        assert_eq!(Tag::Id.body("hello", message), "hello");
        assert_eq!(Tag::Body.body("hello", message), "hello [3f9a.1f.2c]");
        for text in ["", "hello", "a ]", "a [b]", "[1.2.3]", "grüß [1.2.3]"] {
            let body = Tag::Body.body(text, message);
            let found = name(&body).and_then(|name| MessageId::read(name.as_bytes()));
            assert_eq!(found, Some(message), "{body}");
        }
        for body in ["", "hello", "hello [", "[1.2.3]", "hello [1.2.3] you"] {
            assert_eq!(name(body), None, "{body}");
        }
    }
}
