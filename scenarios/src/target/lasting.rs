//! Streams whose stanzas are counted, and that may outlive their links (XEP-0198).
//!
//! A user stays with the bot that accepted its first link, in whatever rooms that bot is. Who
//! accepts a later link, on whatever shard, is a wire to it and nothing else, so nobody has to
//! learn that the user came back:
//!
//! ```text
//!   link -- stanza --> wire -- letter --> guest -- letter --> wire --> link
//! ```
//! Letters from one bot to another keep their order, so counts of stanzas fit at both ends.

use densebots_engine::{BotId, Ctx, Link};
use densebots_protocols::xmpp::server::Managed;

use super::parcel::{Mail, Parcel};
use super::xmpp::XmppTarget;

/// What is kept of a stream.
pub(super) struct Lasting {
    pub(super) managed: Managed,
    /// What who wants to go on with it has to know.
    pub(super) secret: u64,
    pub(super) wire: Wire,
    /// It cannot go on, for this reason.
    fault: Option<&'static str>,
}

/// Where a user is to be heard.
///
/// ```text
///   enable --> Own ---lost----> Lost ---too long--> (gone)
///               |  \             | ^
///               |   \    resumed | | lost
///               |    \           v |
///               +-----resumed-> Other --resumed--> Other
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// At the bot's own link.
    Own(Link),
    /// At another bot's.
    Other(BotId),
    /// Nowhere, and gone for good when the bot wakes.
    Lost,
}

impl Lasting {
    pub(super) fn new(managed: Managed, secret: u64, link: Link) -> Lasting {
        Lasting { managed, secret, wire: Wire::Own(link), fault: None }
    }

    /// Says stanzas to the user, now or when it is back.
    pub(super) fn say(&mut self, append: impl FnOnce(&mut Vec<u8>), ctx: &mut Ctx<'_, XmppTarget>) {
        if self.fault.is_some() {
            return;
        }
        let mut bytes = Vec::new();
        append(&mut bytes);
        self.fault = self.managed.sent(0, &mut bytes).err();
        if self.fault.is_none() {
            self.pass_on(bytes, ctx);
        }
    }

    /// Tells the user how many of its stanzas have come.
    pub(super) fn acknowledge(&mut self, ctx: &mut Ctx<'_, XmppTarget>) {
        let mut bytes = Vec::new();
        self.managed.acknowledge(&mut bytes);
        self.pass_on(bytes, ctx);
    }

    /// Hears how many stanzas have come to the user.
    pub(super) fn acknowledged(&mut self, count: u32) {
        self.fault = self.fault.or(self.managed.acknowledged(count).err());
    }

    /// Why it cannot go on.
    pub(super) fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    fn pass_on(&mut self, bytes: Vec<u8>, ctx: &mut Ctx<'_, XmppTarget>) {
        match self.wire {
            Wire::Own(link) => {
                ctx.send_on(link, |_, out| out.extend_from_slice(&bytes));
            }
            Wire::Other(wire) => {
                if !ctx.send_to(wire, Mail::ToWire(Parcel::whole(bytes))) {
                    self.fault = Some("resource-constraint"); // from here on counts do not fit
                }
            }
            Wire::Lost => {}
        }
    }

    /// Ends the stream for a reason.
    pub(super) fn end(&self, condition: &'static str, ctx: &mut Ctx<'_, XmppTarget>) {
        match self.wire {
            Wire::Own(link) => {
                ctx.send_on(link, |session, out| session.fail(condition, out));
                ctx.close(link);
            }
            Wire::Other(wire) => _ = ctx.send_to(wire, Mail::Unwired(condition)),
            Wire::Lost => {}
        }
    }
}
