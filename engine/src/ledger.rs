//! The ledger: who should have heard what, and did. It knows no protocol; each shard keeps its own.
//!
//! A message carries its [`MessageId`] through the service. Its sender's shard announces it to all
//! shards; a shard puts it on record with one bit for each of its bots that owes it. Receipts clear
//! bits; what is left when the time is over is missing, excused or unresolved.
//!
//! ```text
//!                  announced                        all bits cleared
//!   (sent) ------------------------> open ---------------------------------> heard by all
//!     |                               |  ^                                        |
//!     | heard before it is announced  |  | receipts that waited                   |
//!     +----------> waits -------------+--+                                        |
//!                    |                | limit over: missing, excused, unresolved  |
//!                    | limit over     | bounced                                   | limit over
//!                    v                v                                           v
//!                  late             gone <----------------------------------------+
//! ```
//!
//! The rule that makes it exact, whatever way shards and the mail between them take turns: nobody
//! orders membership against messages but the clock that all shards share. A bot owes a message if
//! its presence in the room was confirmed before the message was sent and it had not asked to leave
//! by then. Both moments travel with what they are about, so it does not matter what arrives first:
//! - a shard remembers a stay for some time after it was left, for announcements under way;
//! - a receipt that comes before the announcement waits for it;
//! - a record stays until its limit even when all have heard it (here the design's "goes at once"
//!   gave way): only so can a duplicate be told from what comes late and from what a bot hears that
//!   came in just behind the message. About 76 bytes a message for the time of the limit.
//!
//! It holds as long as mail between shards takes less than the limit itself; what takes longer is
//! counted as a limit of the generator. Classes, by the moment of the receipt:
//! - **delivered**: the first receipt within the limit, by a bot that owes it; **reordered** too if
//!   that bot had heard a later message of the same sender in the same room before;
//! - **duplicated**: one more of these; **unowed**: within the limit, but the bot did not owe it;
//! - **late**: after the limit. A bot that has not been in the room for as long as the limit cannot
//!   tell, and one that has left is owed nothing: for these that is unowed as well;
//! - **missing** at the limit, or **excused** if by then the bot had asked to leave, had ended, or
//!   had lost its link and not got the stream back. A stream that is resumed owes everything; a
//!   fresh login begins a new stay, and what the old one did not hear is excused;
//! - **bounced**: the service sent it back, and nobody who has not heard it owes it any more. A
//!   bounce that its shards hear of after the limit is too late;
//! - **unresolved**: the run ended within the limit.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::time::Duration;

use crate::groups::{GroupId, Mixed};
use crate::id::BotId;
use crate::metrics::{Delivery, Meter};
use crate::time::Time;

mod early;
mod entries;
mod flights;
mod message;
mod outgoing;
mod receipts;
mod stays;
mod terms;

use early::{Early, Receipt};
pub use entries::Entries;
use flights::{Flights, More, Record};
pub use message::{MessageId, MessageText};
use outgoing::Outgoing;
use stays::{NONE, Stays};
pub use terms::Terms;

/// Messages a shard has on record, about 80 MB. At 10,000 messages a second and a limit of 10 s
/// a tenth of that is used. The oldest give way, unresolved, and that is counted.
const RECORDS_MAX: usize = 1 << 20;

/// How long a shard waits for more to tell: nothing is in a hurry, and to wake another shard for
/// each message costs more than all that the ledger does about it.
const TELL_EVERY: Duration = Duration::from_millis(20);
/// It does not wait for more than this.
const NOTICES_MAX: usize = 1 << 12;

/// What shards tell each other of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notice {
    /// To every shard that may have receivers.
    Sent(Announcement),
    /// To the same.
    Bounced { sender: BotId, sequence: u32 },
    /// Back to the sender's shard, once, unless that is the only one.
    Heard(Heard),
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    room: GroupId,
    sender: BotId,
    sequence: u32,
    due: Time,
    sent: Time,
}

/// What became of a message on one shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    sequence: u32,
    owing: u32,
    /// When the last of them heard it.
    last: Time,
    /// Somebody never did; somebody did not have to.
    missed: bool,
    excused: bool,
}

impl Heard {
    fn by_nobody(sequence: u32) -> Heard {
        Heard { sequence, owing: 0, last: Time::ZERO, missed: false, excused: false }
    }

    /// Enters what became of a message, due and sent at these moments, on all shards together.
    /// Like an op that timed out, one that somebody never heard ranks at the limit. Of one that
    /// was excused nobody knows when it would have been heard.
    fn enter(&self, [due, sent]: [Time; 2], late: Duration, delivery: &mut Delivery) {
        if self.missed {
            delivery.heard_by_all(self.owing, late + sent.since(due));
        } else if !self.excused && self.owing > 0 {
            delivery.heard_by_all(self.owing, self.last.since(due));
        }
    }
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug)]
enum To {
    Room(GroupId),
    Bot(BotId),
}

/// One shard's ledger. Owns nothing until a bot makes its first entry.
pub(crate) struct Ledger {
    me: usize,
    terms: Terms,
    stays: Stays,
    /// By sending shard.
    flights: Vec<Flights>,
    more: More,
    /// By sender: the number of its last record.
    latest: HashMap<u32, u32, BuildHasherDefault<Mixed>>,
    early: Early,
    /// Receipts taken out of `early`, while they are accounted.
    taken: Vec<(Receipt, bool)>,
    outgoing: Outgoing,
    /// For other shards, when there are enough of them or the first has waited.
    notices: Vec<(usize, Notice)>,
    /// How long they may still wait.
    telling: Time,
    /// Deliveries that are open.
    open: u64,
    /// When the next thing expires.
    next: Time,
    /// From here on leaving is no excuse: the run ends.
    ends: Time,
    /// The bots are asked to leave when nothing is open any more, or by then.
    parting: Option<Time>,
}

impl Ledger {
    pub(crate) fn new(me: usize, shards: usize, terms: Terms) -> Ledger {
        Ledger {
            me,
            terms,
            stays: Stays::default(),
            flights: (0..shards).map(|_| Flights::default()).collect(),
            more: More::default(),
            latest: HashMap::default(),
            early: Early::default(),
            taken: Vec::new(),
            outgoing: Outgoing::default(),
            notices: Vec::new(),
            telling: Time::NEVER,
            open: 0,
            next: Time::NEVER,
            ends: Time::NEVER,
            parting: None,
        }
    }

    /// How long stays are remembered: as long as a message may be on record whose announcement
    /// took as long as it may.
    fn kept(&self) -> Duration {
        2 * self.terms.late
    }

    fn wait_for(&mut self, moment: Time) {
        self.next = self.next.min(moment);
    }

    // What bots tell of themselves.

    fn entered(&mut self, bot: u32, room: GroupId, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        meter.delivery.kept = true;
        self.stays.enter(bot, room);
    }

    fn left(&mut self, bot: u32, room: GroupId, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        self.stays.leave(bot, room, now);
        self.wait_for(self.stays.next(self.kept()));
    }

    /// The bot's last open link was lost.
    pub(crate) fn lost(&mut self, bot: u32, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        self.stays.set_away(bot, true);
    }

    fn resumed(&mut self, bot: u32, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        self.stays.set_away(bot, false);
    }

    /// The bot has ended.
    pub(crate) fn ended(&mut self, bot: u32, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        self.stays.forget_bot(bot, now);
        self.wait_for(self.stays.next(self.kept()));
    }

    /// A bot sends a message: to a room with bots on any shard, or to one bot.
    fn sent(&mut self, sender: BotId, to: To, at: [Time; 2], meter: &mut Meter) -> MessageId {
        let [due, sent] = at;
        self.expire(sent, meter);
        meter.delivery.kept = true;
        meter.delivery.messages += 1;
        let shards = self.flights.len();
        let (room, receivers) = match to {
            To::Room(room) => (room, 0..shards),
            To::Bot(bot) => {
                let shard = bot.0 as usize % shards;
                (GroupId::of_bot(bot), shard..shard + 1)
            }
        };
        let sequence = match shards {
            1 => self.outgoing.skip(),
            _ => self.outgoing.push(due, sent, receivers.len() as u16),
        };
        let announcement = Announcement { room, sender, sequence, due, sent };
        for shard in receivers {
            self.tell(shard, Notice::Sent(announcement), sent, meter);
        }
        MessageId { run: self.terms.run, sender, sequence }
    }

    fn bounced(&mut self, sender: BotId, sequence: u32, now: Time, meter: &mut Meter) {
        self.expire(now, meter);
        for shard in 0..self.flights.len() {
            self.tell(shard, Notice::Bounced { sender, sequence }, now, meter);
        }
    }

    fn tell(&mut self, shard: usize, notice: Notice, now: Time, meter: &mut Meter) {
        if shard == self.me {
            self.take_in(&notice, now, meter);
        } else {
            self.notices.push((shard, notice));
            self.telling = self.telling.min(now + TELL_EVERY);
        }
    }

    // What shards tell each other.

    /// What is to be told to other shards now; everything if `all`.
    pub(crate) fn notices(
        &mut self,
        now: Time,
        all: bool,
    ) -> impl Iterator<Item = (usize, Notice)> + use<'_> {
        let ripe = all || self.telling <= now || self.notices.len() >= NOTICES_MAX;
        if ripe {
            self.telling = Time::NEVER;
        }
        self.notices.drain(..if ripe { self.notices.len() } else { 0 })
    }

    /// When the next notices are to be told.
    pub(crate) fn next_notices(&self) -> Time {
        self.telling
    }

    /// Whether nothing waits to be told.
    pub(crate) fn is_told(&self) -> bool {
        self.notices.is_empty()
    }

    pub(crate) fn take_in(&mut self, notice: &Notice, now: Time, meter: &mut Meter) {
        match *notice {
            Notice::Sent(announcement) => {
                self.expire(now, meter);
                self.announced(&announcement, now, meter);
            }
            Notice::Bounced { sender, sequence } => {
                self.expire(now, meter);
                self.sent_back(sender, sequence, now, meter);
            }
            Notice::Heard(heard) => {
                self.outgoing.answered(heard, self.terms.late, &mut meter.delivery);
            }
        }
    }

    fn announced(&mut self, message: &Announcement, now: Time, meter: &mut Meter) {
        let Announcement { room, sender, sequence, due, sent } = *message;
        let deadline = sent + self.terms.late;
        if deadline < now {
            meter.limit("messages announced to a shard after their limit");
        }
        let Some(places) = self.stays.places(room) else {
            return self.answer(sender.0, Heard::by_nobody(sequence), [due, sent], now, meter);
        };
        let mut record = Record::new(room, (sender.0, sequence), due, sent);
        for (place, &stay) in places.iter().enumerate() {
            if stay != NONE && self.stays.at(stay).covers(sent) {
                record.owe(place as u32, &mut self.more);
            }
        }
        let (owing, shards) = (record.open, self.flights.len());
        meter.delivery.expected += u64::from(owing);
        self.open += u64::from(owing);
        self.wait_for(deadline);
        let ring = sender.0 as usize % shards;
        if self.flights[ring].records.len() >= RECORDS_MAX / shards {
            meter.limit("messages in the ledger");
            self.close_first(ring, now, true, meter);
        }
        let number = self.flights[ring].next();
        let before = self.latest.insert(sender.0, number);
        record.back = before.map_or(0, |before| number.wrapping_sub(before));
        self.flights[ring].push(record);
        let place = self.flights[ring].records.len() - 1;
        if owing == 0 {
            self.answer(sender.0, Heard::by_nobody(sequence), [due, sent], now, meter);
        }
        if !self.early.is_empty() {
            let mut taken = std::mem::take(&mut self.taken);
            self.early.take(sender.0, sequence, &mut taken);
            for (receipt, overtaken) in taken.drain(..) {
                self.account((ring, place), &receipt, overtaken, now, meter);
            }
            self.taken = taken;
        }
    }

    fn sent_back(&mut self, sender: BotId, sequence: u32, now: Time, meter: &mut Meter) {
        let shards = self.flights.len();
        let flights = &mut self.flights[sender.0 as usize % shards];
        let Some(at) = flights.find(sender.0, sequence) else { return };
        let record = &mut flights.records[at];
        let unheard = record.forgive(&mut self.more);
        if unheard > 0 {
            self.open -= u64::from(unheard);
            meter.delivery.bounced += u64::from(unheard);
            let owing = record.owing(&self.more) + unheard;
            let heard = Heard { owing, excused: true, ..Heard::by_nobody(sequence) };
            let moments = [record.due, record.sent];
            self.answer(sender.0, heard, moments, now, meter);
        }
    }
}
