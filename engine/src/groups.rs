//! Groups: bots that hear each other. A group has a home, the shard of its number; membership,
//! order and counts live there and nowhere else.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::dice::mix;
use crate::id::BotId;

/// The number of a group. Any name has one; equal names have the same one on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(u64);

impl GroupId {
    pub(crate) const NONE: GroupId = GroupId(0);

    /// The group of this name (FNV-1a, then spread).
    pub fn named(name: impl AsRef<[u8]>) -> GroupId {
        let hash = name.as_ref().iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        GroupId::spread(hash)
    }

    /// The group of this number. Numbers and names are apart.
    pub fn numbered(number: u64) -> GroupId {
        GroupId::spread(number ^ 0x05EE_D0F9_60C5)
    }

    /// The group of one: what is addressed to this bot alone.
    pub fn of_bot(bot: BotId) -> GroupId {
        GroupId::spread(u64::from(bot.0) ^ 0xB07A_DD4E_5500_0000)
    }

    fn spread(hash: u64) -> GroupId {
        GroupId(mix(hash).max(1))
    }

    /// The shard that orders the group.
    pub(crate) fn home(self, shards: usize) -> usize {
        (self.0 % shards as u64) as usize
    }
}

/// The groups whose home is one shard.
#[derive(Default)]
pub(crate) struct Groups {
    groups: HashMap<GroupId, Group, BuildHasherDefault<AsIs>>,
}

/// The members of one group, by shard, because letters to them travel in one batch a shard.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) keeper: Option<BotId>,
    pub(crate) members: Vec<Members>,
}

pub(crate) struct Members {
    pub(crate) shard: u32,
    pub(crate) bots: Vec<BotId>,
}

/// What became of a join or leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The first member came: the group exists now.
    Founded,
    Changed,
    /// The last member left: the group is gone, and so is its keeper's purpose.
    Dissolved {
        keeper: Option<BotId>,
    },
    /// It was so already.
    Nothing,
}

impl Groups {
    #[cfg(test)]
    fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn get(&self, group: GroupId) -> Option<&Group> {
        self.groups.get(&group)
    }

    pub(crate) fn keep(&mut self, group: GroupId, keeper: BotId) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.keeper = Some(keeper);
        }
    }

    pub(crate) fn join(&mut self, group: GroupId, bot: BotId, shards: usize) -> Change {
        let mut change = Change::Changed;
        let found = self.groups.entry(group).or_insert_with(|| {
            change = Change::Founded;
            Group::default()
        });
        let shard = bot.0 % shards as u32;
        match found.members.iter_mut().find(|members| members.shard == shard) {
            Some(members) if members.bots.contains(&bot) => return Change::Nothing,
            Some(members) => members.bots.push(bot),
            None => found.members.push(Members { shard, bots: vec![bot] }),
        }
        change
    }

    pub(crate) fn leave(&mut self, group: GroupId, bot: BotId, shards: usize) -> Change {
        let Some(found) = self.groups.get_mut(&group) else { return Change::Nothing };
        let shard = bot.0 % shards as u32;
        let Some(at) = found.members.iter().position(|members| members.shard == shard) else {
            return Change::Nothing;
        };
        let bots = &mut found.members[at].bots;
        let Some(place) = bots.iter().position(|&member| member == bot) else {
            return Change::Nothing;
        };
        bots.swap_remove(place);
        if bots.is_empty() {
            found.members.swap_remove(at);
        }
        if found.members.is_empty() {
            let keeper = self.groups.remove(&group).and_then(|group| group.keeper);
            return Change::Dissolved { keeper };
        }
        Change::Changed
    }

    /// All memberships, for checks in simulation: the groups' order says nothing.
    pub(crate) fn memberships(&self) -> impl Iterator<Item = (GroupId, BotId)> + '_ {
        self.groups.iter().flat_map(|(&id, group)| {
            group.members.iter().flat_map(move |m| m.bots.iter().map(move |&bot| (id, bot)))
        })
    }
}

/// A group's number is spread already; hashing it again would only cost time.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| (hash << 8) | u64::from(byte));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A bot's number is not: neighbours differ in few bits.
#[derive(Default)]
pub(crate) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, &byte| mix(hash << 8 | u64::from(byte)));
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = mix(u64::from(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lives_from_its_first_member_to_its_last() {
        let mut groups = Groups::default();
        let room = GroupId::named("room");
        assert_eq!(groups.join(room, BotId(1), 2), Change::Founded);
        assert_eq!(groups.join(room, BotId(1), 2), Change::Nothing);
        assert_eq!(groups.join(room, BotId(2), 2), Change::Changed);
        groups.keep(room, BotId(9));
        assert_eq!(groups.leave(room, BotId(1), 2), Change::Changed);
        assert_eq!(groups.leave(room, BotId(1), 2), Change::Nothing);
        assert_eq!(groups.leave(room, BotId(2), 2), Change::Dissolved { keeper: Some(BotId(9)) });
        assert_eq!((groups.leave(room, BotId(2), 2), groups.len()), (Change::Nothing, 0));
    }

    #[test]
    fn names_and_numbers_are_apart_and_homes_even() {
        assert_eq!(GroupId::named("a"), GroupId::named(b"a"));
        assert_ne!(GroupId::named("1"), GroupId::numbered(1));
        let mut homes = [0; 70];
        for number in 0..70_000 {
            homes[GroupId::numbered(number).home(70)] += 1;
        }
        assert!(homes.iter().all(|&n: &i32| n.abs_diff(1000) < 200), "{homes:?}");
    }
}
