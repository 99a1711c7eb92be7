//! Step 6: mail from this shard and the others, a bounded number of letters a turn.

use std::sync::atomic::Ordering;

use super::{DELIVER_MAX, Delivery, Shard};
use crate::bots::{Kind, Role};
use crate::ctx::Outcome;
use crate::groups::{Change, GroupId};
use crate::id::BotId;
use crate::mail::{Batch, Letter, Post};
use crate::net::Net;
use crate::planted::Bug;
use crate::scenario::Scenario;

impl<S: Scenario, N: Net> Shard<S, N> {
    pub(super) fn deliver(&mut self) {
        // From here on another shard's mail wakes this one again.
        self.peers[self.me].told.store(false, Ordering::Release);
        let mut budget = DELIVER_MAX;
        let mut own = true;
        while budget > 0 {
            let mut delivery = match self.delivery.take() {
                Some(delivery) => delivery,
                None => match self.desk.office.receive(&mut own) {
                    Some(mut batch) => {
                        self.read_notices(&mut batch, &mut budget);
                        Delivery { batch, post: 0, members_from: 0, heard: 0 }
                    }
                    None => return,
                },
            };
            if budget > 0 {
                self.go_on(&mut delivery, &mut budget);
            }
            if delivery.post < delivery.batch.posts.len() {
                self.delivery = Some(delivery);
            } else {
                self.desk.office.recycle(delivery.batch);
            }
        }
    }

    /// What other shards' ledgers have to tell comes before the letters.
    pub(super) fn read_notices(&mut self, batch: &mut Batch<S::Mail>, budget: &mut usize) {
        *budget = budget.saturating_sub(batch.notices.len());
        for notice in batch.notices.drain(..) {
            self.desk.ledger.take_in(&notice, self.now, &mut self.desk.meter);
        }
    }

    /// Delivers on from where the delivery stands, as far as the budget goes.
    fn go_on(&mut self, delivery: &mut Delivery<S::Mail>, budget: &mut usize) {
        let Batch { posts, members, .. } = &delivery.batch;
        while let Some(post) = posts.get(delivery.post) {
            let everybody = match post {
                Post::Members { letter, members: count } => {
                    let count = *count as usize;
                    let all = &members[delivery.members_from..delivery.members_from + count];
                    let now = &all[delivery.heard..count.min(delivery.heard + *budget)];
                    now.iter().for_each(|&member| self.hand_to_member(member, letter));
                    delivery.heard += now.len();
                    *budget -= now.len();
                    let everybody = delivery.heard == count;
                    delivery.members_from += if everybody { count } else { 0 };
                    everybody
                }
                Post::All { letter } => {
                    let end = self.bots.keys_end() as usize;
                    let until = end.min(delivery.heard + *budget);
                    (delivery.heard..until).for_each(|key| self.hand_to_any(key as u32, letter));
                    *budget -= until - delivery.heard;
                    delivery.heard = until;
                    until == end
                }
                Post::Bot { letter, to } => {
                    *budget -= 1;
                    match self.bots.key(*to) {
                        Some(key) => self.hand(key, letter),
                        None => self.desk.meter.mail.gone += 1,
                    }
                    true
                }
                Post::Join { group, bot } => {
                    *budget -= 1;
                    self.join(*group, *bot);
                    true
                }
                Post::Leave { group, bot } => {
                    *budget -= 1;
                    self.leave(*group, *bot);
                    true
                }
                Post::Publish { group, from, body } => {
                    *budget -= 1;
                    self.distribute(*group, *from, body);
                    true
                }
            };
            if everybody {
                delivery.post += 1;
                delivery.heard = 0;
            }
            if *budget == 0 {
                return;
            }
        }
    }

    fn hand_to_member(&mut self, member: BotId, letter: &Letter<S::Mail>) {
        let mut key = self.bots.key(member);
        if key.is_none() && self.desk.plan.has(Bug::LetterToDead) {
            key = self.bots.keys().next(); // whoever lies in a slot of the slab
        }
        let Some(key) = key else {
            self.desk.meter.mail.gone += 1;
            return;
        };
        let member = letter.group.is_some_and(|group| self.bots.core(key).is_in(group));
        if member || self.desk.plan.has(Bug::LetterToDead) {
            self.hand(key, letter);
        } else {
            self.desk.meter.mail.left += 1;
        }
    }

    fn hand_to_any(&mut self, key: u32, letter: &Letter<S::Mail>) {
        if self.bots.contains(key) {
            let core = self.bots.core(key);
            if core.id != letter.from && core.kind != Kind::Keeper {
                self.hand(key, letter);
            }
        }
    }

    fn hand(&mut self, key: u32, letter: &Letter<S::Mail>) {
        self.desk.meter.mail.heard += 1;
        self.call(key, None, self.now, |scenario, bot, ctx| scenario.on_mail(bot, letter, ctx));
        self.settle(key);
    }

    /// At home: a letter to a group is ordered here and goes to every shard with members.
    fn distribute(&mut self, group: GroupId, from: BotId, body: &S::Mail) {
        let Some(found) = self.groups.get(group) else { return };
        for members in &found.members {
            let letter = Letter { from, group: Some(group), body: body.clone() };
            self.desk.office.post_to_members(members.shard as usize, letter, &members.bots);
        }
    }

    fn join(&mut self, group: GroupId, bot: BotId) {
        let change = self.groups.join(group, bot, self.shards);
        if change == Change::Founded && self.scenario.keeps(group) {
            let id = self.bots.accepted_id(self.me);
            let role = Role::Keeper { group };
            let key = self.create(id, role);
            self.groups.keep(group, id);
            self.begin_run(key, role, self.now);
        }
        if change != Change::Nothing {
            self.tell_keeper(group, bot, true);
        }
    }

    fn leave(&mut self, group: GroupId, bot: BotId) {
        match self.groups.leave(group, bot, self.shards) {
            Change::Dissolved { keeper: Some(keeper) } => {
                if let Some(key) = self.bots.key(keeper) {
                    self.member_changed(key, bot, false);
                }
                if let Some(key) = self.bots.key(keeper) {
                    self.end(key, Outcome::Done, false);
                }
            }
            Change::Changed => self.tell_keeper(group, bot, false),
            _ => {}
        }
    }

    fn tell_keeper(&mut self, group: GroupId, member: BotId, joined: bool) {
        let keeper = self.groups.get(group).and_then(|group| group.keeper);
        if let Some(key) = keeper.and_then(|keeper| self.bots.key(keeper)) {
            self.member_changed(key, member, joined);
        }
    }

    fn member_changed(&mut self, keeper: u32, member: BotId, joined: bool) {
        self.call(keeper, None, self.now, |scenario, bot, ctx| {
            scenario.on_member(bot, member, joined, ctx);
        });
        self.settle(keeper);
    }
}
