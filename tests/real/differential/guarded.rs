//! A room that asks for a password, and what it tells of the time before somebody came.

use super::script::{Exchange, Who, by};

const FIRST: &str = "<presence to='keep@{muc}/a'><x xmlns='http://jabber.org/protocol/muc'/>\
    </presence>";
const LEAVE: &str = "<presence type='unavailable' to='keep@{muc}/b'/>";

/// In another room, from its first occupant on.
pub(super) const GUARDED: &[Exchange] = &[
    Exchange {
        answers: &[
            "0: message groupchat from keep@muc subject ''",
            "0: presence - from keep@muc/a [110, 201] owner moderator",
        ],
        ..by(0, "a room that will want a password", FIRST)
    },
    Exchange {
        answers: &[
            "0: presence - from keep@muc/b [] none participant",
            "1: message groupchat from keep@muc subject ''",
            "1: presence - from keep@muc/a [] owner moderator",
            "1: presence - from keep@muc/b [110] none participant",
        ],
        differs: &[(
            Who::Prosody,
            &["1: presence error from keep@muc/b: cancel item-not-found"],
            "a new room waits for its owner (XEP-0045 section 10.1.1)",
        )],
        ..by(
            1,
            "a join before the owner has said what the room is like",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from keep@muc/b [] none none",
            "1: presence unavailable from keep@muc/b [110] none none",
        ],
        differs: &[(Who::Prosody, &[], "who is not in the room cannot leave it")],
        ..by(1, "leave", LEAVE)
    },
    Exchange {
        answers: &["0: iq result from keep@muc d-21 query http://jabber.org/protocol/muc#owner"],
        ..by(
            0,
            "what there is to be configured",
            "<iq type='get' id='d-21' to='keep@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'/></iq>",
        )
    },
    Exchange {
        answers: &["0: iq result from keep@muc d-22", "0: message groupchat from keep@muc [104]"],
        ..by(
            0,
            "a password",
            "<iq type='set' id='d-22' to='keep@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/muc#roomconfig</value></field>\
             <field var='muc#roomconfig_passwordprotectedroom'><value>1</value></field>\
             <field var='muc#roomconfig_roomsecret'><value>sesame</value></field>\
             </x></query></iq>",
        )
    },
    Exchange {
        answers: &["1: presence error from keep@muc/b: auth not-authorized"],
        ..by(
            1,
            "a join without the password",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
        )
    },
    Exchange {
        answers: &["1: presence error from keep@muc/b: auth not-authorized"],
        ..by(
            1,
            "a join with another password",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <password>barley</password></x></presence>",
        )
    },
    Exchange {
        answers: &["0: message groupchat from keep@muc/a d-23 body 'one'"],
        ..by(
            0,
            "a phrase nobody else hears",
            "<message type='groupchat' id='d-23' to='keep@{muc}'><body>one</body></message>",
        )
    },
    Exchange {
        answers: &["0: message groupchat from keep@muc/a d-24 body 'two'"],
        ..by(
            0,
            "another one",
            "<message type='groupchat' id='d-24' to='keep@{muc}'><body>two</body></message>",
        )
    },
    Exchange {
        answers: &[
            "0: presence - from keep@muc/b [] none participant",
            "1: message groupchat from keep@muc subject ''",
            "1: message groupchat from keep@muc/a d-23 body 'one' delayed",
            "1: message groupchat from keep@muc/a d-24 body 'two' delayed",
            "1: presence - from keep@muc/a [] owner moderator",
            "1: presence - from keep@muc/b [110] none participant",
        ],
        ..by(
            1,
            "a join with the password, and with all that was said",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <password>sesame</password></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from keep@muc/b [] none none",
            "1: presence unavailable from keep@muc/b [110] none none",
        ],
        ..by(1, "leave", LEAVE)
    },
    Exchange {
        answers: &[
            "0: presence - from keep@muc/b [] none participant",
            "1: message groupchat from keep@muc subject ''",
            "1: message groupchat from keep@muc/a d-24 body 'two' delayed",
            "1: presence - from keep@muc/a [] owner moderator",
            "1: presence - from keep@muc/b [110] none participant",
        ],
        ..by(
            1,
            "a join with the last message",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='1'/><password>sesame</password></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from keep@muc/b [] none none",
            "1: presence unavailable from keep@muc/b [110] none none",
        ],
        ..by(1, "leave", LEAVE)
    },
    Exchange {
        answers: &[
            "0: presence - from keep@muc/b [] none participant",
            "1: message groupchat from keep@muc subject ''",
            "1: presence - from keep@muc/a [] owner moderator",
            "1: presence - from keep@muc/b [110] none participant",
        ],
        ..by(
            1,
            "a join without history, counted in characters",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxchars='0'/><password>sesame</password></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: iq result from keep@muc d-25",
            "0: message groupchat from keep@muc [104]",
            "1: message groupchat from keep@muc [104]",
        ],
        ..by(
            0,
            "no password any more",
            "<iq type='set' id='d-25' to='keep@{muc}'>\
             <query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/muc#roomconfig</value></field>\
             <field var='muc#roomconfig_passwordprotectedroom'><value>0</value></field>\
             <field var='muc#roomconfig_roomsecret'><value/></field>\
             </x></query></iq>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from keep@muc/b [] none none",
            "1: presence unavailable from keep@muc/b [110] none none",
        ],
        ..by(1, "leave", LEAVE)
    },
    Exchange {
        answers: &[
            "0: presence - from keep@muc/b [] none participant",
            "1: message groupchat from keep@muc subject ''",
            "1: presence - from keep@muc/a [] owner moderator",
            "1: presence - from keep@muc/b [110] none participant",
        ],
        ..by(
            1,
            "a join without a password where none is wanted",
            "<presence to='keep@{muc}/b'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>",
        )
    },
    Exchange {
        answers: &[
            "0: presence unavailable from keep@muc/a [110] owner none",
            "1: presence unavailable from keep@muc/a [] owner none",
        ],
        ..by(0, "the owner leaves", "<presence type='unavailable' to='keep@{muc}/a'/>")
    },
];
