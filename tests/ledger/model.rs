//! The plain-list model: everything that bots did and heard, and what follows from it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use densebots_engine::metrics::ROOM_SIZES;
use densebots_engine::{BotId, GroupId, MessageId, Report, Time};

#[derive(Clone, Debug)]
pub struct Message {
    pub id: MessageId,
    pub room: GroupId,
    pub sent: Time,
    pub bounced: Option<Time>,
}

#[derive(Clone, Debug)]
pub struct Stay {
    pub bot: BotId,
    pub room: GroupId,
    pub entered: Time,
    pub left: Time,
    /// It was left because the run ended.
    pub at_end: bool,
    /// From a loss to the resumption, or for good.
    pub away: Vec<(Time, Time)>,
}

#[derive(Clone, Debug)]
pub struct Receipt {
    pub bot: BotId,
    pub room: GroupId,
    pub id: MessageId,
    pub at: Time,
    /// How many stays of any bot had begun by then.
    pub stays: usize,
}

#[derive(Default)]
pub struct Book {
    pub late: Duration,
    pub shards: usize,
    /// Shards that get no turns, from when and until when.
    pub stalls: Vec<(usize, Time, Time)>,
    pub messages: Vec<Message>,
    pub stays: Vec<Stay>,
    pub receipts: Vec<Receipt>,
    pub foreign: u64,
    pub history: u64,
    /// When the first bot of each shard was asked to leave because the run ends.
    pub ends: BTreeMap<usize, Time>,
    /// The run ends in the midst of it: whether all have heard a message may be told too late.
    pub hasty: bool,
}

/// Counts by class.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    pub messages: u64,
    pub expected: u64,
    pub delivered: u64,
    pub missing: u64,
    pub excused: u64,
    pub bounced: u64,
    pub unresolved: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub late: u64,
    pub unowed: u64,
    pub history: u64,
    pub foreign: u64,
    pub heard_by_all: [u64; ROOM_SIZES.len()],
    pub open: u64,
}

impl Sum {
    pub fn of(report: &Report) -> Sum {
        let own = &report.total.delivery;
        Sum {
            messages: own.messages,
            expected: own.expected,
            delivered: own.delivered,
            missing: own.missing,
            excused: own.excused,
            bounced: own.bounced,
            unresolved: own.unresolved,
            duplicated: own.duplicated,
            reordered: own.reordered,
            late: own.late,
            unowed: own.unowed,
            history: own.history,
            foreign: own.foreign,
            heard_by_all: std::array::from_fn(|size| own.last[size].count()),
            open: own.open(),
        }
    }

    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("messages", self.messages),
            ("expected", self.expected),
            ("delivered", self.delivered),
            ("missing", self.missing),
            ("excused", self.excused),
            ("bounced", self.bounced),
            ("unresolved", self.unresolved),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("late", self.late),
            ("unowed", self.unowed),
            ("history", self.history),
            ("foreign", self.foreign),
            ("heard by 1-2", self.heard_by_all[0]),
            ("heard by 3-9", self.heard_by_all[1]),
            ("heard by 10-49", self.heard_by_all[2]),
            ("heard by 50 and more", self.heard_by_all[3]),
            ("open", self.open),
        ]
    }
}

impl Book {
    fn open_stays(&mut self, bot: BotId) -> impl Iterator<Item = &mut Stay> {
        self.stays.iter_mut().filter(move |stay| stay.bot == bot && stay.left == Time::NEVER)
    }

    pub fn entered(&mut self, bot: BotId, room: GroupId, now: Time) {
        if let Some(stay) = self.open_stays(bot).find(|stay| stay.room == room) {
            if stay.away.last().is_none_or(|away| away.1 != Time::NEVER) {
                return;
            }
            stay.left = now;
        }
        self.stays.push(Stay {
            bot,
            room,
            entered: now,
            left: Time::NEVER,
            at_end: false,
            away: Vec::new(),
        });
    }

    pub fn left(&mut self, bot: BotId, room: Option<GroupId>, now: Time) {
        let at_end = self.ends.contains_key(&(bot.0 as usize % self.shards));
        let stays = self.open_stays(bot).filter(|stay| room.is_none_or(|room| room == stay.room));
        stays.for_each(|stay| (stay.left, stay.at_end) = (now, at_end));
    }

    pub fn lost(&mut self, bot: BotId, now: Time) {
        for stay in self.open_stays(bot) {
            if stay.away.last().is_none_or(|away| away.1 != Time::NEVER) {
                stay.away.push((now, Time::NEVER));
            }
        }
    }

    pub fn resumed(&mut self, bot: BotId, now: Time) {
        for stay in self.open_stays(bot) {
            if let Some(away) = stay.away.last_mut().filter(|away| away.1 == Time::NEVER) {
                away.1 = now;
            }
        }
    }

    pub fn heard(&mut self, bot: BotId, room: GroupId, id: MessageId, at: Time) {
        let stays = self.stays.len();
        self.receipts.push(Receipt { bot, room, id, at, stays });
    }

    /// What everything comes to.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum {
            messages: self.messages.len() as u64,
            history: self.history,
            foreign: self.foreign,
            ..Sum::default()
        };
        let by_id: BTreeMap<MessageId, &Message> =
            self.messages.iter().map(|message| (message.id, message)).collect();
        let mut heard = HashSet::new();
        let mut before = BTreeMap::<(BotId, GroupId, BotId), u32>::new();
        for receipt in &self.receipts {
            let highest = before.entry((receipt.bot, receipt.room, receipt.id.sender));
            let highest = highest.or_insert(0);
            let overtaken = *highest > receipt.id.sequence + 1;
            *highest = (*highest).max(receipt.id.sequence + 1);
            self.enter(receipt, by_id[&receipt.id], overtaken, &mut heard, &mut sum);
        }
        for message in &self.messages {
            self.close(message, &heard, &mut sum);
        }
        sum
    }

    /// The first moment from `at` on at which the shard gets a turn.
    fn turn_after(&self, shard: usize, at: Time) -> Time {
        let over = |at: Time| {
            let stalls = self.stalls.iter().filter(|stall| stall.0 == shard);
            stalls.filter(|stall| stall.1 <= at && at < stall.2).map(|stall| stall.2).max()
        };
        std::iter::successors(Some(at), |&at| over(at)).last().unwrap_or(at)
    }

    fn covers(stay: &Stay, message: &Message) -> bool {
        stay.room == message.room && stay.entered < message.sent && message.sent <= stay.left
    }

    fn enter(
        &self,
        receipt: &Receipt,
        message: &Message,
        overtaken: bool,
        heard: &mut HashSet<(usize, MessageId)>,
        sum: &mut Sum,
    ) {
        let own = |(_, stay): &(usize, &Stay)| stay.bot == receipt.bot && stay.room == receipt.room;
        let stays = self.stays[..receipt.stays].iter().enumerate().filter(own);
        let newest =
            stays.clone().next_back().filter(|(_, stay)| stay.left + self.late >= receipt.at);
        let Some((_, newest)) = newest else {
            sum.unowed += 1;
            return;
        };
        if receipt.at > message.sent + self.late {
            let there = receipt.at <= newest.left || newest.at_end;
            let long = receipt.at.since(newest.entered) > self.late;
            *if there && long { &mut sum.late } else { &mut sum.unowed } += 1;
            return;
        }
        match stays.rev().find(|(_, stay)| Self::covers(stay, message)) {
            None => sum.unowed += 1,
            Some((stay, _)) if heard.insert((stay, message.id)) => {
                sum.delivered += 1;
                sum.reordered += u64::from(overtaken);
            }
            Some(_) => sum.duplicated += 1,
        }
    }

    fn close(&self, message: &Message, heard: &HashSet<(usize, MessageId)>, sum: &mut Sum) {
        let deadline = message.sent + self.late;
        let (mut owing, mut missed, mut unknown) = (0, false, false);
        let stays = self.stays.iter().enumerate();
        for (nth, stay) in stays.filter(|(_, stay)| Self::covers(stay, message)) {
            owing += 1;
            sum.expected += 1;
            if heard.contains(&(nth, message.id)) {
                continue;
            }
            let shard = stay.bot.0 as usize % self.shards;
            let ends = self.ends.get(&shard).copied().unwrap_or(Time::NEVER);
            // A shard that hears of a bounce after the limit has closed its record.
            let bounced = message.bounced.is_some_and(|at| self.turn_after(shard, at) <= deadline);
            let away = stay.away.iter().any(|&(from, until)| from <= deadline && deadline < until);
            let left = stay.left <= deadline && !stay.at_end;
            let class = match (bounced, away || left, deadline > ends) {
                (true, ..) => &mut sum.bounced,
                (_, true, _) => &mut sum.excused,
                (.., true) => &mut sum.unresolved,
                _ => &mut sum.missing,
            };
            *class += 1;
            let lost = !bounced && !away && !left && deadline <= ends;
            missed |= lost;
            unknown |= !lost;
        }
        if owing > 0 && (missed || !unknown) && !self.hasty {
            let size = ROOM_SIZES.iter().position(|&(_, most)| owing <= most).unwrap_or(0);
            sum.heard_by_all[size] += 1;
        }
    }
}
