//! What bots say to servers, what every server answers, and where servers differ.

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Prosody,
    Ejabberd,
    /// Our embedded target.
    Ours,
}

/// One thing said, and what two users hear then: who says it, and the other.
pub(super) struct Exchange {
    /// In short.
    pub(super) what: &'static str,
    /// Which user says it.
    pub(super) by: usize,
    pub(super) says: &'static str,
    /// What both hear, in no order; each begins with the user who does.
    pub(super) answers: &'static [&'static str],
    /// Who answers otherwise, how, and why that is right too.
    pub(super) differs: &'static [(Who, &'static [&'static str], &'static str)],
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='{home}' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// What the other user says, unheard, before the play begins.
pub(super) const ENTRANCE: [&str; 5] = [
    HEADER,
    "<iq type='set' id='d-r'><query xmlns='jabber:iq:register'>\
     <username>duelb</username><password>secret</password></query></iq>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGR1ZWxiAHNlY3JldA==</auth>",
    HEADER,
    "<iq type='set' id='d-b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
     <resource>r</resource></bind></iq>",
];

/// A server that names itself to whom it has no address for yet.
const NAMED: &str = "it says who answers before there is anybody to answer to";

pub(super) const fn by(by: usize, what: &'static str, says: &'static str) -> Exchange {
    Exchange { what, by, says, answers: &[], differs: &[] }
}

/// From the first header to messages between users.
pub(super) const BEGINNING: &[Exchange] = &[
    Exchange { answers: &["0: features PLAIN register", "0: stream"], ..by(0, "header", HEADER) },
    Exchange {
        answers: &["0: iq result from own d-1 query jabber:iq:register"],
        differs: &[(
            Who::Ejabberd,
            &["0: iq result from home d-1 query jabber:iq:register"],
            NAMED,
        )],
        ..by(
            0,
            "what registration wants",
            "<iq type='get' id='d-1'><query xmlns='jabber:iq:register'/></iq>",
        )
    },
    Exchange {
        answers: &["0: iq result from own d-2"],
        differs: &[(Who::Ejabberd, &["0: iq result from home d-2"], NAMED)],
        ..by(
            0,
            "registration",
            "<iq type='set' id='d-2'><query xmlns='jabber:iq:register'>\
             <username>duela</username><password>secret</password></query></iq>",
        )
    },
    Exchange {
        answers: &["0: iq error from own d-3: cancel conflict"],
        differs: &[(Who::Ejabberd, &["0: iq error from home d-3: cancel conflict"], NAMED)],
        ..by(
            0,
            "registration of a name that is taken",
            "<iq type='set' id='d-3'><query xmlns='jabber:iq:register'>\
             <username>duela</username><password>other</password></query></iq>",
        )
    },
    Exchange {
        answers: &["0: failure not-authorized"],
        ..by(
            0,
            "a wrong password",
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\
             AGR1ZWxhAHdyb25n</auth>",
        )
    },
    Exchange {
        answers: &["0: failure invalid-mechanism"],
        ..by(
            0,
            "an unknown mechanism",
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>",
        )
    },
    Exchange {
        answers: &["0: success"],
        ..by(
            0,
            "the right password",
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>\
             AGR1ZWxhAHNlY3JldA==</auth>",
        )
    },
    Exchange {
        answers: &["0: features bind management", "0: stream"],
        ..by(0, "the second header", HEADER)
    },
    Exchange {
        answers: &["0: iq result from own d-4 bind urn:ietf:params:xml:ns:xmpp-bind duela@home/r"],
        ..by(
            0,
            "binding",
            "<iq type='set' id='d-4'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>r</resource></bind></iq>",
        )
    },
    Exchange {
        answers: &["0: iq result from own d-5 query jabber:iq:roster"],
        ..by(0, "the roster", "<iq type='get' id='d-5'><query xmlns='jabber:iq:roster'/></iq>")
    },
    Exchange { answers: &["0: presence - from own/r"], ..by(0, "presence", "<presence/>") },
    Exchange { answers: &["1: presence - from own/r"], ..by(1, "presence", "<presence/>") },
    Exchange {
        answers: &["0: iq result from home d-6"],
        ..by(
            0,
            "a ping of the server",
            "<iq type='get' id='d-6' to='{home}'><ping xmlns='urn:xmpp:ping'/></iq>",
        )
    },
    Exchange {
        answers: &["0: iq error from home d-7: cancel service-unavailable"],
        ..by(
            0,
            "an unknown question to the server",
            "<iq type='get' id='d-7' to='{home}'><query xmlns='urn:example:unknown'/></iq>",
        )
    },
    Exchange {
        answers: &["0: iq error from own d-8: cancel service-unavailable"],
        ..by(
            0,
            "an unknown order to the own account",
            "<iq type='set' id='d-8'><query xmlns='urn:example:unknown'/></iq>",
        )
    },
    Exchange {
        answers: &["1: message chat from duela@home/r d-9 body 'hello'"],
        ..by(
            0,
            "a message to an account",
            "<message type='chat' id='d-9' to='duelb@{home}'><body>hello</body></message>",
        )
    },
    Exchange {
        answers: &["1: message chat from duela@home/r d-10 body 'hello'"],
        ..by(
            0,
            "a message to a resource",
            "<message type='chat' id='d-10' to='duelb@{home}/r'><body>hello</body></message>",
        )
    },
    Exchange {
        answers: &["0: message error from nobody@home d-11: cancel service-unavailable"],
        ..by(
            0,
            "a message to nobody",
            "<message type='chat' id='d-11' to='nobody@{home}'><body>hello</body></message>",
        )
    },
    Exchange {
        answers: &["0: iq error from duelb@home/gone d-12: cancel service-unavailable"],
        ..by(
            0,
            "a question to a resource that is gone",
            "<iq type='get' id='d-12' to='duelb@{home}/gone'><ping xmlns='urn:xmpp:ping'/></iq>",
        )
    },
];

/// The end.
pub(super) const END: &[Exchange] = &[
    Exchange {
        answers: &["0: enabled, resume true"],
        ..by(0, "stream management", "<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    },
    Exchange {
        answers: &["0: acknowledged 0"],
        ..by(0, "what was heard of it", "<r xmlns='urn:xmpp:sm:3'/>")
    },
    Exchange {
        answers: &["0: end of stream"],
        differs: &[(
            Who::Prosody,
            &["0: acknowledged 0", "0: end of stream"],
            "it acknowledges what it has not told yet",
        )],
        ..by(0, "the end", "</stream:stream>")
    },
];
