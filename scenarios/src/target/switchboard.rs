//! Where users are: one table a shard, each with a part of all accounts, kept by the bots that
//! listen.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use densebots_engine::{BotId, Ctx};

use super::parcel::{Mail, Routed};
use super::roster::Rosters;
use super::xmpp::XmppTarget;

/// Users by account. An account has one resource, as a rule: the others lie apart.
#[derive(Default)]
pub(super) struct Switchboard {
    users: HashMap<u64, Seat>,
    more: HashMap<u64, Vec<Seat>>,
    /// Those that have not said that they are there, or that they are not any more: connected, but
    /// not available (RFC 6121 section 4).
    quiet: HashSet<BotId>,
    rosters: Rosters,
}

#[derive(Clone, Copy)]
struct Seat {
    bot: BotId,
    resource: u32,
}

const _: () = assert!(size_of::<(u64, Seat)>() <= 16);

/// The numbers of the account and of the resource in an address; none for a bare one.
pub(super) fn numbers(address: &str) -> (u64, Option<u32>) {
    let (bare, resource) = match address.split_once('/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (address, None),
    };
    // FNV-1a: the tables know their users, who do not choose addresses to collide.
    let append = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let start = 0xCBF2_9CE4_8422_2325;
    // The case of an account's name says nothing, that of a resource does.
    let account = bare.bytes().map(|byte| byte.to_ascii_lowercase()).fold(start, append);
    (account, resource.map(|resource| resource.bytes().fold(start, append) as u32))
}

impl Switchboard {
    pub(super) fn hear(
        &mut self,
        from: BotId,
        mail: &Mail,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        match mail {
            Mail::Here { account, resource } => {
                self.quiet.insert(from);
                if let Some(before) = self.seat(*account, Seat { bot: from, resource: *resource }) {
                    self.quiet.remove(&before);
                    ctx.send_to(before, Mail::Replaced);
                }
            }
            Mail::Gone { account, resource } => {
                let seat = Seat { bot: from, resource: *resource };
                self.quiet.remove(&from);
                let last = self.unseat(*account, seat);
                if last {
                    self.rosters.tells(*account, None, None, target, ctx);
                }
            }
            Mail::Route(routed) => self.route(from, routed, ctx),
            Mail::Resume(claim) | Mail::Abandon(claim) => {
                let more = self.more.get(&claim.account).into_iter().flatten();
                let mut seats = self.users.get(&claim.account).into_iter().chain(more);
                if seats.any(|seat| seat.bot == claim.guest) {
                    ctx.send_to(claim.guest, mail.clone());
                } else {
                    ctx.send_to(claim.wire, Mail::NotResumed);
                }
            }
            Mail::Says(word) => {
                let seat = self.seats(numbers(&word.from).0).next().map(|seat| seat.bot);
                self.rosters.says(word, seat, target, ctx);
            }
            Mail::Heard(word) => {
                let seat = self.available(numbers(&word.to).0).next();
                self.rosters.hears(word, seat, target, ctx);
            }
            Mail::Tells { account, presence } => {
                let known = self.seats(*account).any(|seat| seat.bot == from);
                let came = presence.is_some() && self.quiet.remove(&from);
                if presence.is_none() && known {
                    self.quiet.insert(from);
                }
                let came = came.then_some(from);
                self.rosters.tells(*account, presence.as_ref(), came, target, ctx);
            }
            Mail::Probe { account, asker } => self.rosters.probed(*account, *asker, ctx),
            Mail::Roster { account, question } => {
                self.rosters.answer(*account, from, question, ctx);
            }
            _ => {}
        }
    }

    /// Where the users of an account are.
    fn seats(&self, account: u64) -> impl Iterator<Item = &Seat> {
        self.users.get(&account).into_iter().chain(self.more.get(&account).into_iter().flatten())
    }

    /// Those of them that have said that they are there.
    fn available(&self, account: u64) -> impl Iterator<Item = BotId> {
        let seats = self.seats(account).map(|seat| seat.bot);
        seats.filter(|bot| !self.quiet.contains(bot))
    }

    /// Answers who had the same address before.
    fn seat(&mut self, account: u64, seat: Seat) -> Option<BotId> {
        let Some(first) = self.users.get_mut(&account) else {
            self.users.insert(account, seat);
            return None;
        };
        let more = self.more.get_mut(&account).into_iter().flatten();
        let same = std::iter::once(&mut *first).chain(more).find(|s| s.resource == seat.resource);
        if let Some(same) = same {
            let before = std::mem::replace(&mut same.bot, seat.bot);
            return Some(before).filter(|before| *before != seat.bot);
        }
        self.more.entry(account).or_default().push(seat);
        None
    }

    /// Answers whether that was the last one of the account.
    fn unseat(&mut self, account: u64, seat: Seat) -> bool {
        let is = |other: &Seat| other.bot == seat.bot && other.resource == seat.resource;
        let more = self.more.get_mut(&account);
        if self.users.get(&account).is_some_and(is) {
            match more.and_then(Vec::pop) {
                Some(next) => _ = self.users.insert(account, next),
                None => _ = self.users.remove(&account),
            }
        } else if let Some(more) = more {
            more.retain(|other| !is(other));
        }
        if self.more.get(&account).is_some_and(Vec::is_empty) {
            self.more.remove(&account);
        }
        !self.users.contains_key(&account)
    }

    /// To the resource, or to any of the account's; a presence to all that are available (RFC 6121
    /// section 8.5).
    fn route(&self, from: BotId, routed: &Arc<Routed>, ctx: &mut Ctx<'_, XmppTarget>) {
        let (account, resource) = numbers(&routed.to);
        if resource.is_none() && routed.parcel.is_presence() {
            let available = self.available(account);
            return available.for_each(|bot| {
                ctx.send_to(bot, Mail::ToOne(routed.parcel.clone()));
            });
        }
        let is = |seat: &&Seat| resource.is_none_or(|resource| seat.resource == resource);
        match self.seats(account).find(is) {
            Some(seat) => ctx.send_to(seat.bot, Mail::ToOne(routed.parcel.clone())),
            None => ctx.send_to(from, Mail::Nobody(routed.clone())),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_taken_over_and_given_back() {
        let mut board = Switchboard::default();
        let seat = |bot, resource| Seat { bot: BotId(bot), resource };
        assert_eq!(board.seat(7, seat(1, 1)), None);
        assert_eq!(board.seat(7, seat(2, 2)), None);
        assert_eq!(board.seat(7, seat(3, 2)), Some(BotId(2)));
        board.unseat(7, seat(2, 2)); // whose place is taken has nothing to give back
        board.unseat(7, seat(1, 1));
        assert_eq!(board.users.get(&7).map(|seat| seat.bot), Some(BotId(3)));
        board.unseat(7, seat(3, 2));
        assert!(board.users.is_empty() && board.more.is_empty());
    }

    #[test]
    fn an_address_has_its_numbers() {
        let (account, resource) = numbers("a@b/c/d");
        assert_eq!((account, None), numbers("a@b"));
        assert_eq!(resource, numbers("x/c/d").1);
        assert_ne!(resource, numbers("a@b/c").1);
    }
}
