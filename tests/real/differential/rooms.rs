//! What bots say to rooms, from the first join to the end of the room.

use super::script::{Exchange, Who, by};

/// In one room.
pub(super) const ROOMS: &[Exchange] = &[
    Exchange {
        answers: &[
            "0: message groupchat from duel@muc subject ''",
            "0: presence - from duel@muc/a [110, 201] owner moderator",
        ],
        ..by(
            0,
            "the first join",
            "<presence to='duel@{muc}/a'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>",
        )
    },
    Exchange {
        answers: &["0: iq result from duel@muc d-13"],
        ..by(
            0,
            "an instant room",
            "<iq type='set' id='d-13' to='duel@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>",
        )
    },
    Exchange {
        answers: &["1: presence error from duel@muc/a: cancel conflict"],
        ..by(
            1,
            "a nick that is taken",
            "<presence to='duel@{muc}/a'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence - from duel@muc/b [] none participant",
            "1: message groupchat from duel@muc subject ''",
            "1: presence - from duel@muc/a [] owner moderator",
            "1: presence - from duel@muc/b [110] none participant",
        ],
        ..by(
            1,
            "the second join",
            "<presence to='duel@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: message groupchat from duel@muc/b d-14 body 'hi'",
            "1: message groupchat from duel@muc/b d-14 body 'hi'",
        ],
        ..by(
            1,
            "a phrase",
            "<message type='groupchat' id='d-14' to='duel@{muc}'><body>hi</body></message>",
        )
    },
    Exchange {
        answers: &[
            "0: message groupchat from duel@muc/a d-15 subject 'arms'",
            "1: message groupchat from duel@muc/a d-15 subject 'arms'",
        ],
        differs: &[(
            Who::Prosody,
            &[
                "0: message groupchat from duel@muc/a subject 'arms'",
                "1: message groupchat from duel@muc/a subject 'arms'",
            ],
            "it tells a subject in words of its own",
        )],
        ..by(
            0,
            "a subject",
            "<message type='groupchat' id='d-15' to='duel@{muc}'><subject>arms</subject></message>",
        )
    },
    Exchange {
        answers: &["0: message chat from duel@muc/b d-16 [] body 'psst'"],
        differs: &[(
            Who::Ours,
            &["0: message chat from duel@muc/b d-16 body 'psst'"],
            "it does not mark what comes through a room (XEP-0045 section 7.5)",
        )],
        ..by(
            1,
            "a word to one occupant",
            "<message type='chat' id='d-16' to='duel@{muc}/a'><body>psst</body></message>",
        )
    },
    Exchange {
        answers: &["1: presence error from duel@muc/a: cancel conflict"],
        ..by(1, "a change to a nick that is taken", "<presence to='duel@{muc}/a'/>")
    },
    Exchange {
        answers: &["1: iq error from duel@muc d-17: auth forbidden"],
        ..by(
            1,
            "an order that takes an owner",
            "<iq type='set' id='d-17' to='duel@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from duel@muc/b [] none none",
            "1: presence unavailable from duel@muc/b [110] none none",
        ],
        ..by(1, "leave", "<presence type='unavailable' to='duel@{muc}/b'/>")
    },
    Exchange {
        answers: &["1: message error from duel@muc d-18: modify not-acceptable"],
        differs: &[(
            Who::Prosody,
            &["1: message error from duel@muc d-18: cancel not-acceptable"],
            "it asks for no change of the message: the room is to be joined",
        )],
        ..by(
            1,
            "a phrase from outside",
            "<message type='groupchat' id='d-18' to='duel@{muc}'><body>hi</body></message>",
        )
    },
    Exchange {
        answers: &[
            "0: presence - from duel@muc/b [] none participant",
            "1: message groupchat from duel@muc/a subject 'arms'",
            "1: message groupchat from duel@muc/b d-14 body 'hi' delayed",
            "1: presence - from duel@muc/a [] owner moderator",
            "1: presence - from duel@muc/b [110] none participant",
        ],
        differs: &[
            (
                Who::Prosody,
                &[
                    "0: presence - from duel@muc/b [] none participant",
                    "1: presence - from duel@muc/a [] owner moderator",
                    "1: presence - from duel@muc/b [110] none participant",
                    "1: message groupchat from duel@muc/b d-14 body 'hi' delayed",
                    "1: message groupchat from duel@muc/a subject 'arms' delayed",
                ],
                "it says since when the subject is what it is",
            ),
            (
                Who::Ours,
                &[
                    "0: presence - from duel@muc/b [] none participant",
                    "1: presence - from duel@muc/a [] owner moderator",
                    "1: presence - from duel@muc/b [110] none participant",
                    "1: message groupchat from duel@muc/b d-14 body 'hi' delayed",
                    "1: message groupchat from duel@muc/a d-15 subject 'arms'",
                ],
                "its subjects keep their ids",
            ),
        ],
        ..by(
            1,
            "a join with history",
            "<presence to='duel@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='5'/></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from duel@muc/b [307] none none",
            "0: iq result from duel@muc d-19",
            "1: presence unavailable from duel@muc/b [110, 307] none none",
        ],
        ..by(
            0,
            "a kick",
            "<iq type='set' id='d-19' to='duel@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#admin'>\
             <item nick='b' role='none'/></query></iq>",
        )
    },
    Exchange {
        answers: &[
            "0: iq result from duel@muc d-20",
            "0: presence unavailable from duel@muc/a [] none none",
        ],
        differs: &[
            (
                Who::Prosody,
                &[
                    "0: iq result from duel@muc d-20",
                    "0: presence unavailable from duel@muc/a [110] owner none",
                ],
                "who owned the room owns it to the end, and hears that this is its own presence",
            ),
            (
                Who::Ejabberd,
                &[
                    "0: iq result from duel@muc d-20",
                    "0: presence unavailable from duel@muc",
                    "0: presence unavailable from duel@muc/a [] none none",
                ],
                "the room itself says that it is gone, too",
            ),
        ],
        ..by(
            0,
            "the end of a room",
            "<iq type='set' id='d-20' to='duel@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>",
        )
    },
];
