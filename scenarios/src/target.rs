//! The embedded target: a server on the same engine, whose accepted connections are bots too.
//!
//! It is a load target, not a product. One bot a shard listens; everything else is accepted.

use std::net::SocketAddr;
use std::sync::Arc;

use densebots_engine::{BotId, Ctx, GroupId, Letter, Link, Lost, Plan, Rng, Role, Scenario};
use densebots_protocols::line::{Framing, Line};

mod guest;
mod lasting;
mod parcel;
mod people;
mod room;
mod roster;
mod switchboard;
pub mod xmpp;

pub use parcel::{Claim, Entry, Mail, Parcel, Routed, Wired, Word};
pub use people::Admission;

/// The longest line a room takes.
const LINE_MAX: u32 = 4096;

/// What the target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Every byte comes back as it came.
    Echo,
    /// Lines. `/join NAME` enters a room, answered by `/joined NAME`, and leaves the one before;
    /// any other line goes to everybody in the room, the speaker included; outside a room it comes
    /// back.
    Rooms,
    /// XMPP: users, rooms and what one says to the other ([`xmpp`]).
    Xmpp,
}

impl Speaks {
    /// All of them, by the name on the command line.
    pub const ALL: [(&'static str, Speaks); 3] =
        [("echo", Speaks::Echo), ("line", Speaks::Rooms), ("xmpp", Speaks::Xmpp)];
}

/// The target of bytes and lines.
pub struct Target {
    /// Every byte comes back; otherwise there are rooms.
    echoes: bool,
    /// Where the listening bots listen, in the order of their ids.
    listen: Vec<SocketAddr>,
    first_id: u32,
}

/// One connection, or a listener.
pub struct Guest {
    room: Option<GroupId>,
}

impl Target {
    /// A target that listens on the endpoints of its plan, one bot each, and echoes or has rooms.
    pub fn new(echoes: bool, plan: &Plan) -> Target {
        let listen = plan.endpoints.iter().map(|endpoint| endpoint.address).collect();
        Target { echoes, listen, first_id: plan.first_id }
    }
}

impl Scenario for Target {
    type Session = Line;
    type Bot = Guest;
    type Mail = Arc<[u8]>;

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Guest {
        Guest { room: None }
    }

    fn session(&self, _: BotId, _: &mut Guest, _: Link) -> Line {
        Line::new(if self.echoes { Framing::chunks() } else { Framing::lines(LINE_MAX) })
    }

    fn on_start(&self, _: &mut Guest, role: Role, ctx: &mut Ctx<'_, Self>) {
        if role == Role::Planned {
            let nth = (ctx.id.0 - self.first_id) as usize;
            match self.listen.get(nth) {
                Some(&at) => {
                    ctx.listen(at);
                    ctx.ready();
                }
                None => ctx.give_up("more listening bots than addresses to listen on"),
            }
        }
    }

    fn on_event(&self, guest: &mut Guest, said: &[u8], ctx: &mut Ctx<'_, Self>) {
        if self.echoes {
            ctx.send(|_, out| out.extend_from_slice(said));
        } else if let Some(name) = said.strip_prefix(b"/join ") {
            enter(guest, name, ctx);
        } else {
            speak(guest, said, ctx);
        }
    }

    fn on_mail(&self, _: &mut Guest, letter: &Letter<Arc<[u8]>>, ctx: &mut Ctx<'_, Self>) {
        say(&letter.body, ctx);
    }

    fn on_lost(&self, _: &mut Guest, _: Link, _: &Lost, _: &mut Ctx<'_, Self>) {}
}

fn enter(guest: &mut Guest, name: &[u8], ctx: &mut Ctx<'_, Target>) {
    let room = GroupId::named(name);
    if let Some(before) = guest.room.replace(room).filter(|&before| before != room) {
        ctx.leave(before);
    }
    ctx.join(room);
    ctx.send(|_, out| {
        out.extend_from_slice(b"/joined ");
        out.extend_from_slice(name);
        out.push(b'\n');
    });
}

fn speak(guest: &mut Guest, said: &[u8], ctx: &mut Ctx<'_, Target>) {
    say(said, ctx);
    if let Some(room) = guest.room {
        ctx.publish(room, said.into());
    }
}

fn say(said: &[u8], ctx: &mut Ctx<'_, Target>) {
    ctx.send(|_, out| {
        out.extend_from_slice(said);
        out.push(b'\n');
    });
}
