//! Mail: what bots tell each other inside the generator, in batches between shards.
//!
//! The promise, checked in simulation:
//! - A letter to a group goes to the group's home, which orders it and sends it to every member but
//!   the sender. All members hear the letters of a group in the same order.
//! - A letter reaches a bot at most once, and only while it lives and, for a letter to a group,
//!   while it is a member. What finds nobody is counted.
//! - Letters of one bot to one address arrive in the order in which they were written.
//! - A letter written while mail is delivered goes out in the next turn.
//! - A shard never waits for a shard. When an outbox is full, its shard stops reading the sockets
//!   of its bots; letters that a bot's own timer makes are dropped and counted.

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::groups::GroupId;
use crate::id::BotId;
use crate::ledger::Notice;

/// What one bot tells others.
#[derive(Clone, Debug)]
pub struct Letter<M> {
    /// Who wrote it.
    pub from: BotId,
    /// The group it was published to; `None` for a letter to named bots or to all.
    pub group: Option<GroupId>,
    /// What it says.
    pub body: M,
}

/// Posts an outbox to one shard may hold before this shard stops reading its sockets. About a
/// tenth of a second of mail at full speed.
pub(crate) const OUTBOX_MAX: usize = 1 << 16;
/// Beyond this, letters that answer letters are dropped too: only mail that multiplies itself
/// gets here, and it would otherwise fill the memory.
pub(crate) const OUTBOX_LIMIT: usize = 16 * OUTBOX_MAX;
/// Batches that may wait in a shard's inbox, for each shard that sends.
pub(crate) const BATCHES_MAX: usize = 4;
/// Empty batches a shard keeps for use again; what it has more than that it leaves to all shards,
/// because who hears more than it writes would otherwise hoard the batches of who writes more.
const SPARES_MAX: usize = 4;
/// Empty batches that wait for any shard, for each shard.
const SHARED_SPARES_MAX: usize = 64;
/// Posts and members a new batch has room for: most turns need no more, and so it never grows.
const BATCH_POSTS: usize = 64;
/// A batch that grew beyond this in a burst is not kept.
const SPARE_POSTS_MAX: usize = 1 << 14;

/// What travels between shards.
pub(crate) enum Post<M> {
    /// To a group's home.
    Join { group: GroupId, bot: BotId },
    /// To a group's home.
    Leave { group: GroupId, bot: BotId },
    /// To a group's home.
    Publish { group: GroupId, from: BotId, body: M },
    /// From the home to members on one shard: the next `members` of the batch's list.
    Members { letter: Letter<M>, members: u32 },
    /// To one bot.
    Bot { letter: Letter<M>, to: BotId },
    /// To every bot of a shard but the sender.
    All { letter: Letter<M> },
}

/// Posts of one turn from one shard to another.
pub(crate) struct Batch<M> {
    pub(crate) posts: Vec<Post<M>>,
    /// The members that the group posts are for, one list behind the other.
    pub(crate) members: Vec<BotId>,
    /// What ledgers tell each other.
    pub(crate) notices: Vec<Notice>,
}

impl<M> Batch<M> {
    fn new() -> Batch<M> {
        Batch { posts: Vec::new(), members: Vec::new(), notices: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.posts.is_empty() && self.notices.is_empty()
    }

    fn capacity(&self) -> usize {
        self.posts.capacity().max(self.members.capacity()).max(self.notices.capacity())
    }
}

/// Counts of mail, since the last sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailCount {
    /// Letters written by bots.
    pub written: u64,
    /// Letters heard by bots.
    pub heard: u64,
    /// Letters whose bot was gone when they came.
    pub gone: u64,
    /// Letters to a group whose bot had left it when they came.
    pub left: u64,
    /// Letters that could not be written because an outbox was full.
    pub dropped: u64,
    /// Turns in which sockets were not read because an outbox was full.
    pub full_turns: u64,
}

impl MailCount {
    pub(crate) fn add(&mut self, other: &MailCount) {
        self.written += other.written;
        self.heard += other.heard;
        self.gone += other.gone;
        self.left += other.left;
        self.dropped += other.dropped;
        self.full_turns += other.full_turns;
    }
}

/// One shard's outboxes and inbox.
pub(crate) struct Office<M> {
    me: usize,
    /// By shard; the one at `me` is for this shard's own bots.
    outboxes: Vec<Batch<M>>,
    doors: Vec<Sender<Batch<M>>>,
    inbox: Receiver<Batch<M>>,
    spares: Vec<Batch<M>>,
    shared_spares: (Sender<Batch<M>>, Receiver<Batch<M>>),
    outbox_max: usize,
    pub(crate) count: MailCount,
}

/// How much mail may wait. A simulation makes it tight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailRoom {
    /// See [`BATCHES_MAX`].
    pub(crate) batches: usize,
    /// See [`OUTBOX_MAX`]; sixteen times as many are the [`OUTBOX_LIMIT`].
    pub(crate) outbox: usize,
}

impl Default for MailRoom {
    fn default() -> MailRoom {
        MailRoom { batches: BATCHES_MAX, outbox: OUTBOX_MAX }
    }
}

/// The doors and the inbox of every shard.
pub(crate) fn offices<M>(shards: usize, room: MailRoom) -> Vec<Office<M>> {
    let (doors, inboxes): (Vec<_>, Vec<_>) =
        (0..shards).map(|_| crossbeam_channel::bounded(room.batches * shards)).unzip();
    let shared_spares = crossbeam_channel::bounded(SHARED_SPARES_MAX * shards);
    let office = |(me, inbox)| Office {
        me,
        outboxes: (0..shards).map(|_| Batch::new()).collect(),
        doors: doors.clone(),
        inbox,
        spares: Vec::with_capacity(SPARES_MAX),
        shared_spares: shared_spares.clone(),
        outbox_max: room.outbox,
        count: MailCount::default(),
    };
    inboxes.into_iter().enumerate().map(office).collect()
}

impl<M> Office<M> {
    pub(crate) fn shards(&self) -> usize {
        self.outboxes.len()
    }

    /// Puts a post into the outbox to `shard`.
    pub(crate) fn post(&mut self, shard: usize, post: Post<M>) {
        self.outboxes[shard].posts.push(post);
    }

    /// Puts what a ledger tells into the outbox to `shard`.
    pub(crate) fn note(&mut self, shard: usize, notice: Notice) {
        self.outboxes[shard].notices.push(notice);
    }

    /// Puts a letter to members of a group into the outbox to `shard`.
    pub(crate) fn post_to_members(&mut self, shard: usize, letter: Letter<M>, to: &[BotId]) {
        let outbox = &mut self.outboxes[shard];
        let before = outbox.members.len();
        outbox.members.extend(to.iter().filter(|&&member| member != letter.from));
        let members = (outbox.members.len() - before) as u32;
        if members > 0 {
            outbox.posts.push(Post::Members { letter, members });
        }
    }

    /// Whether a letter to `shard` may be written; counts it either way.
    pub(crate) fn admit(&mut self, shard: usize, by_timer: bool) -> bool {
        let times = if by_timer { 1 } else { OUTBOX_LIMIT / OUTBOX_MAX };
        let most = self.outbox_max * times;
        let free = self.outboxes[shard].posts.len() < most;
        if free {
            self.count.written += 1;
        } else {
            self.count.dropped += 1;
        }
        free
    }

    /// An outbox is full: the sockets have to wait.
    pub(crate) fn full(&self) -> bool {
        let long = |outbox: &Batch<M>| outbox.posts.len().max(outbox.notices.len());
        self.outboxes.iter().any(|outbox| long(outbox) >= self.outbox_max)
    }

    /// The next batch: from this shard itself first, then from the others.
    pub(crate) fn receive(&mut self, own: &mut bool) -> Option<Batch<M>> {
        if std::mem::take(own) && !self.outboxes[self.me].is_empty() {
            let spare = self.spare();
            return Some(std::mem::replace(&mut self.outboxes[self.me], spare));
        }
        self.inbox.try_recv().ok()
    }

    /// Whether mail of this shard to itself waits for the next turn.
    pub(crate) fn own_waits(&self) -> bool {
        !self.outboxes[self.me].is_empty()
    }

    /// Whether anything at all waits: in the inbox or in an outbox.
    pub(crate) fn idle(&self) -> bool {
        self.inbox.is_empty() && self.outboxes.iter().all(Batch::is_empty)
    }

    /// Takes back a batch that was delivered.
    pub(crate) fn recycle(&mut self, mut batch: Batch<M>) {
        if batch.capacity() > SPARE_POSTS_MAX {
            return;
        }
        batch.posts.clear();
        batch.members.clear();
        batch.notices.clear();
        if self.spares.len() < SPARES_MAX {
            self.spares.push(batch);
        } else {
            let _ = self.shared_spares.0.try_send(batch);
        }
    }

    fn spare(&mut self) -> Batch<M> {
        let own = self.spares.pop();
        own.or_else(|| self.shared_spares.1.try_recv().ok()).unwrap_or_else(|| Batch {
            posts: Vec::with_capacity(BATCH_POSTS),
            members: Vec::with_capacity(BATCH_POSTS),
            notices: Vec::new(),
        })
    }

    /// Sends what is in the outboxes, one attempt a shard; calls `wake` for each that got mail.
    /// A full inbox over there leaves the batch here for the next turn.
    pub(crate) fn dispatch(&mut self, mut wake: impl FnMut(usize)) -> bool {
        let mut held = false;
        for shard in 0..self.outboxes.len() {
            if shard == self.me || self.outboxes[shard].is_empty() {
                continue;
            }
            let spare = self.spare();
            let batch = std::mem::replace(&mut self.outboxes[shard], spare);
            match self.doors[shard].try_send(batch) {
                Ok(()) => wake(shard),
                Err(TrySendError::Full(batch)) => {
                    let spare = std::mem::replace(&mut self.outboxes[shard], batch);
                    self.recycle(spare);
                    held = true;
                }
                // That shard has ended: its bots are gone.
                Err(TrySendError::Disconnected(batch)) => {
                    self.count.gone += batch.posts.len() as u64;
                    self.recycle(batch);
                }
            }
        }
        held
    }
}

/// Unread letters of one bot, for scenarios that receive selectively: letters stay until a filter
/// takes them. Keep it in the bot's state; it costs memory only while letters wait.
#[derive(Clone, Debug)]
pub struct Inbox<M> {
    letters: Vec<Letter<M>>,
    most: usize,
}

impl<M: Clone> Inbox<M> {
    /// An inbox that holds at most so many letters; the oldest give way.
    pub fn holding(most: usize) -> Inbox<M> {
        Inbox { letters: Vec::new(), most: most.max(1) }
    }

    /// Keeps a letter. Returns the oldest one if it had to give way.
    pub fn put(&mut self, letter: &Letter<M>) -> Option<Letter<M>> {
        let oldest = (self.letters.len() >= self.most).then(|| self.letters.remove(0));
        self.letters.push(letter.clone());
        oldest
    }

    /// Takes out every letter the filter accepts, oldest first.
    pub fn take(&mut self, accept: impl Fn(&Letter<M>) -> bool) -> Vec<Letter<M>> {
        let (taken, kept) = std::mem::take(&mut self.letters).into_iter().partition(accept);
        self.letters = kept;
        taken
    }

    /// Takes out every letter from one of these bots, oldest first.
    pub fn take_from(&mut self, senders: &[BotId]) -> Vec<Letter<M>> {
        self.take(|letter| senders.contains(&letter.from))
    }

    /// Whether a letter waits that the filter accepts.
    pub fn has(&self, accept: impl Fn(&Letter<M>) -> bool) -> bool {
        self.letters.iter().any(accept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter<M>(from: u32, body: M) -> Letter<M> {
        Letter { from: BotId(from), group: None, body }
    }

    fn bodies(letters: &[Letter<char>]) -> String {
        letters.iter().map(|letter| letter.body).collect()
    }

    #[test]
    fn an_inbox_keeps_what_no_filter_took() {
        let mut inbox = Inbox::holding(3);
        for (from, body) in [(1, 'a'), (2, 'b'), (1, 'c')] {
            assert!(inbox.put(&letter(from, body)).is_none());
        }
        assert_eq!(bodies(&inbox.take_from(&[BotId(1)])), "ac");
        assert!(inbox.has(|l| l.body == 'b') && !inbox.has(|l| l.body == 'a'));
        assert_eq!(bodies(&inbox.take(|_| true)), "b");
    }

    #[test]
    fn a_full_inbox_gives_up_its_oldest_letter() {
        let mut inbox = Inbox::holding(1);
        inbox.put(&letter(1, 'a'));
        assert_eq!(inbox.put(&letter(1, 'b')).map(|l| l.body), Some('a'));
        assert_eq!(bodies(&inbox.take(|_| true)), "b");
    }

    #[test]
    fn a_full_door_keeps_the_batch_and_loses_nothing() {
        let mut offices = offices::<u32>(2, MailRoom::default());
        let (mut to, mut from) = (offices.pop().expect("two"), offices.pop().expect("two"));
        let mut sent = 0;
        loop {
            from.post(1, Post::All { letter: letter(0, sent) });
            sent += 1;
            if from.dispatch(|_| {}) {
                break;
            }
        }
        from.post(1, Post::All { letter: letter(0, sent) });
        let mut got = Vec::new();
        while got.len() <= sent as usize {
            while let Some(batch) = to.receive(&mut false) {
                got.extend(batch.posts.iter().map(|post| match post {
                    Post::All { letter } => letter.body,
                    _ => unreachable!("only these were posted"),
                }));
            }
            from.dispatch(|_| {});
        }
        assert_eq!(got, (0..=sent).collect::<Vec<_>>());
    }
}
