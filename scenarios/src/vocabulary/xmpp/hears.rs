//! What users make of stanzas: which action they answer, what the ledger is told, what trees hear.

use std::borrow::Cow;

use densebots_engine::{Ctx, GroupId, Scenario};
use densebots_protocols::xmpp::{Kind, STATUS_CREATED, STATUS_SELF, Stanza, Xmpp};

use super::{ANSWERED, CREATED, HEARD, JOINED, LEFT, Place, REFUSED, THROWN_OUT, UNKEPT, Users};
use crate::refusals;
use crate::template::Heard;
use crate::vocabulary::{Answer, Key, Standing, Told};

const BODY: usize = 0;
const FROM: usize = 1;
const ROOM: usize = 2;
const NICK: usize = 3;

/// A question was answered. A refused ping is a sign of life, and everything else has failed.
pub(super) fn answer<'e>(iq: &Stanza<'_>) -> Told<'e> {
    let id = iq.id().unwrap_or_default();
    let ping = iq.payload().is_some_and(|payload| payload.name() == "ping");
    let answer = Answer { key: Key::of(ANSWERED, &*id), ok: ping || iq.kind() == Kind::Result };
    Told { answer: Some(answer), ..Told::default() }
}

impl Users {
    pub(super) fn presence<'e, S>(
        &self,
        place: &mut Place,
        presence: Stanza<'e>,
        wanted: Option<u8>,
        ctx: &mut Ctx<'_, S>,
    ) -> Told<'e>
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        let from = presence.from().unwrap_or_default();
        let room = from.split('/').next().unwrap_or_default();
        let kind = presence.kind();
        let answered = |key, ok| Some(Answer { key: Key::of(key, room), ok });
        let answer = match (kind, presence.muc()) {
            (Kind::Error, _) => {
                let condition = refusals::condition(&presence);
                ctx.count(refusals::counter(REFUSED, condition), 1);
                answered(JOINED, false)
            }
            (Kind::Available, Some(muc)) if muc.says(STATUS_SELF) => {
                if muc.says(STATUS_CREATED) {
                    ctx.count(CREATED, 1);
                    ctx.send(|session, out| session.create_room(room, "create", None, out));
                }
                let group = GroupId::named(room);
                place.entered(group);
                ctx.ledger().entered(group);
                answered(JOINED, true)
            }
            // The end of a room is told to each occupant alone, and not marked (XEP-0045 10.9).
            (Kind::Unavailable, Some(muc)) if muc.says(STATUS_SELF) || muc.destroyed() => {
                let group = GroupId::named(room);
                // Who asked to leave has left already.
                if place.left(group) {
                    ctx.count(THROWN_OUT, 1);
                    ctx.ledger().left(group);
                }
                answered(LEFT, true)
            }
            _ => None,
        };
        let heard = wanted.map(|_| {
            let mut heard = Heard { event: 1, ..Heard::default() };
            let kind = match kind {
                Kind::Available => "available",
                Kind::Unavailable => "unavailable",
                Kind::Error => "error",
                _ => "subscription",
            };
            heard.fields[0] = from.clone();
            heard.fields[1] = Cow::Borrowed(kind);
            heard
        });
        Told { standing: Standing::Same, answer, heard }
    }

    pub(super) fn message<'e, S>(
        &self,
        place: &mut Place,
        message: Stanza<'e>,
        wanted: Option<u8>,
        ctx: &mut Ctx<'_, S>,
    ) -> Told<'e>
    where
        S: Scenario<Session = Xmpp, Mail = u32>,
    {
        let [id, kind, from] = message.element().attributes(["id", "type", "from"]);
        let id = id.unwrap_or_default();
        let known = ctx.ledger().read(id.as_bytes());
        let own = known.filter(|known| known.sender == ctx.id);
        let answered = |ok| own.map(|own| Answer { key: Key::numbered(HEARD, own.sequence), ok });
        let kind = kind.unwrap_or_default();
        if kind == "error" {
            ctx.count(refusals::counter(REFUSED, refusals::condition(&message)), 1);
            if let Some(own) = own {
                ctx.ledger().bounced(own);
            }
            return Told { answer: answered(false), ..Told::default() };
        }
        // What was said before the bot came is history, but not what a resumed stream owes.
        if !place.resumed && message.delay().is_some() {
            ctx.ledger().history();
            return Told::default();
        }
        let from = from.unwrap_or_default();
        let room = from.split('/').next().unwrap_or_default();
        let in_room = kind == "groupchat";
        let mut answer = None;
        match known {
            Some(known) if in_room => {
                ctx.ledger().heard(GroupId::named(room), known);
                answer = answered(true);
            }
            Some(known) => {
                let own = GroupId::of_bot(ctx.id);
                ctx.ledger().heard(own, known);
                ctx.send_to(known.sender, known.sequence);
            }
            None if in_room && self.is_own(&from, ctx) && message.body().is_some() => {
                ctx.ledger().ids_not_kept(GroupId::named(room));
            }
            None if id == UNKEPT => {}
            None if message.body().is_some() => ctx.ledger().foreign(),
            None => {}
        }
        let heard = wanted.and_then(|wanted| fields(&message, from, in_room, wanted));
        Told { standing: Standing::Same, answer, heard }
    }

    /// Whether an occupant has the bot's own nick.
    fn is_own<S: Scenario>(&self, occupant: &str, ctx: &Ctx<'_, S>) -> bool {
        occupant.split_once('/').is_some_and(|(_, nick)| nick == self.chat.name(ctx.id))
    }
}

/// What trees hear of a message; `None` if it says nothing.
fn fields<'e>(
    message: &Stanza<'e>,
    from: Cow<'e, str>,
    in_room: bool,
    wanted: u8,
) -> Option<Heard<'e>> {
    let mut heard = Heard::default();
    let wants = |field: usize| wanted & (1 << field) != 0;
    heard.fields[BODY] = message.body()?;
    if in_room && (wants(ROOM) || wants(NICK)) {
        let cut = from.find('/').unwrap_or(from.len());
        let part = |from: &Cow<'e, str>, range: std::ops::Range<usize>| match from {
            Cow::Borrowed(from) => Cow::Borrowed(&from[range]),
            Cow::Owned(from) => Cow::Owned(from[range].to_owned()),
        };
        heard.fields[ROOM] = part(&from, 0..cut);
        heard.fields[NICK] = part(&from, (cut + 1).min(from.len())..from.len());
    }
    heard.fields[FROM] = from;
    Some(heard)
}
