//! The last words of bots that fail, as the report shows them.
//!
//! Who will fail nobody knows beforehand, and a memory of its last words is nothing that every bot
//! can have. So a shard has a few places for it. A bot gets one when it dials, if one is free, and
//! gives it to the next once all went well; a bot that fails in its place leaves a transcript.
//!
//! ```text
//!          dials           online, as long as the place is kept
//!   free ---------> taken ---------------------------------------> the next one's that dials
//!    ^                |
//!    +-- link gone ---+-- lost, an op failed, gave up --> transcript, free
//! ```

use std::time::Duration;

use crate::id::BotId;
use crate::links::{Link, Lost};
use crate::metrics::Op;
use crate::time::Time;

/// Bots of one shard whose last words are remembered at a time: 4 KiB each at most.
const PLACES_MAX: usize = 8;
/// Pieces of what was said and heard that are remembered of a bot: the newest.
const PIECES_MAX: usize = 8;
/// Bytes of a piece that are remembered: the first.
const PIECE_BYTES_MAX: usize = 512;
/// Every other place is for what comes after a login, and kept for so long: three times what an op
/// may take. The others turn over with every login that went well, so that one that does not is
/// caught even if it is one of many.
const STAY: Duration = Duration::from_secs(30);
/// Most transcripts of one run: all of them are in each report.
pub const FAILING_MAX: u32 = 100;

/// What a bot said and heard before it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The bot.
    pub bot: BotId,
    /// When it failed.
    pub at: Time,
    /// How.
    pub failure: Failure,
    /// Its last words and what it heard, in order.
    pub pieces: Vec<Piece>,
}

/// How a bot failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It lost its link, or did not get online.
    Lost(Lost),
    /// An op of it failed.
    Failed(Op),
    /// An op of it ran out of time.
    TimedOut(Op),
    /// It ended otherwise than it was meant to, and why.
    GaveUp(&'static str),
}

/// What a bot said in one turn, or one unit that it heard. It begins where a unit does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When.
    pub at: Time,
    /// By the bot; otherwise by the peer.
    pub said: bool,
    /// Its first bytes, inside the transport's encryption if it has one.
    pub bytes: Vec<u8>,
    /// How many it had.
    pub length: usize,
}

/// The places of one shard.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Transcripts that are still wanted.
    wanted: usize,
    places: Vec<Place>,
    /// The place that is looked at first when the next bot dials.
    next: usize,
    /// Who has left a transcript: one is enough of each.
    told: Vec<BotId>,
    /// Transcripts that the conductor has not got yet.
    caught: Vec<Transcript>,
}

#[derive(Debug)]
struct Place {
    /// Whose it is.
    taken: Option<(Link, BotId)>,
    /// Since when that bot is online.
    online: Time,
    pieces: Vec<Piece>,
    /// The piece that gives way to the next, once there are as many as may be.
    oldest: usize,
}

impl Recorder {
    /// For so many transcripts.
    pub(crate) fn new(wanted: u32) -> Recorder {
        Recorder { wanted: wanted as usize, ..Recorder::default() }
    }

    /// A bot dials. Whether it has a place from here on, and who has lost it for that.
    pub(crate) fn seat(&mut self, link: Link, bot: BotId, now: Time) -> (bool, Option<Link>) {
        if self.wanted == 0 || self.told.contains(&bot) {
            return (false, None);
        }
        let Some(at) = self.place(now) else { return (false, None) };
        self.next = (at + 1) % PLACES_MAX;
        let place = &mut self.places[at];
        let before = place.taken.replace((link, bot));
        (place.online, place.oldest) = (Time::NEVER, 0);
        place.pieces.iter_mut().for_each(|piece| piece.length = 0);
        (true, before.map(|(link, _)| link))
    }

    /// A place that is free, or whose bot is well.
    fn place(&mut self, now: Time) -> Option<usize> {
        if self.places.len() < PLACES_MAX {
            let place = Place { taken: None, online: Time::NEVER, pieces: Vec::new(), oldest: 0 };
            self.places.push(place);
            return Some(self.places.len() - 1);
        }
        let order = (0..PLACES_MAX).map(|nth| (self.next + nth) % PLACES_MAX);
        order.into_iter().find(|&at| {
            let Place { taken, online, .. } = &self.places[at];
            let stay = if at % 2 == 0 { Duration::ZERO } else { STAY };
            taken.is_none() || (*online != Time::NEVER && *online + stay <= now)
        })
    }

    /// Something was said or heard on a link that may have a place.
    pub(crate) fn hear(&mut self, link: Link, at: Time, said: bool, bytes: &[u8]) {
        let own = |place: &&mut Place| place.taken.is_some_and(|(own, _)| own == link);
        let Some(place) = self.places.iter_mut().find(own) else { return };
        if bytes.is_empty() {
            return;
        }
        if place.pieces.len() < PIECES_MAX && place.oldest == place.pieces.len() {
            let bytes = Vec::with_capacity(PIECE_BYTES_MAX);
            place.pieces.push(Piece { at, said, bytes, length: 0 });
        }
        let piece = &mut place.pieces[place.oldest];
        place.oldest = (place.oldest + 1) % PIECES_MAX;
        (piece.at, piece.said, piece.length) = (at, said, bytes.len());
        piece.bytes.clear();
        piece.bytes.extend_from_slice(&bytes[..bytes.len().min(PIECE_BYTES_MAX)]);
    }

    /// A bot is online.
    pub(crate) fn online(&mut self, bot: BotId, now: Time) {
        if let Some(place) = self.of(bot) {
            place.online = now;
        }
    }

    /// A bot has failed. If it has a place, and anything was said, that is a transcript.
    pub(crate) fn fail(&mut self, bot: BotId, at: Time, failure: Failure) {
        let Some(place) = self.of(bot) else { return };
        place.taken = None;
        let (newer, older) = place.pieces.split_at(place.oldest);
        let pieces: Vec<Piece> =
            older.iter().chain(newer).filter(|piece| piece.length > 0).cloned().collect();
        if pieces.is_empty() {
            return;
        }
        self.caught.push(Transcript { bot, at, failure, pieces });
        self.told.push(bot);
        self.wanted -= 1;
        if self.wanted == 0 {
            self.places = Vec::new();
        }
    }

    fn of(&mut self, bot: BotId) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.taken.is_some_and(|(_, own)| own == bot))
    }

    /// A link is gone: its place is free.
    pub(crate) fn forget(&mut self, link: Link) {
        let own = |place: &&mut Place| place.taken.is_some_and(|(own, _)| own == link);
        if let Some(place) = self.places.iter_mut().find(own) {
            place.taken = None;
        }
    }

    /// The transcripts since the last call.
    pub(crate) fn caught(&mut self) -> impl Iterator<Item = Transcript> {
        self.caught.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::Cause;

    fn link(key: u32) -> Link {
        Link { key, generation: 1 }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    const GAVE_UP: Failure = Failure::GaveUp("enough");

    /// Lets a bot dial over the link of its number.
    fn dial(recorder: &mut Recorder, bot: u32, now: Time) -> (bool, Option<Link>) {
        recorder.seat(link(bot), BotId(bot), now)
    }

    #[test]
    fn the_newest_pieces_are_left_in_order_and_cut() {
        let mut recorder = Recorder::new(1);
        assert_eq!(dial(&mut recorder, 7, at(0)), (true, None));
        for nth in 0..11_u8 {
            recorder.hear(link(7), at(nth.into()), nth % 2 == 0, &[nth; 600]);
        }
        recorder.hear(link(8), at(12), true, b"somebody else");
        let lost = Failure::Lost(Lost::new(Cause::Closed, "the peer ended the stream"));
        recorder.fail(BotId(7), at(12), lost);
        let caught: Vec<Transcript> = recorder.caught().collect();
        let [Transcript { bot: BotId(7), failure, pieces, .. }] = &caught[..] else {
            panic!("{caught:?}")
        };
        assert_eq!(*failure, lost);
        let said: Vec<_> = pieces.iter().map(|piece| (piece.bytes[0], piece.said)).collect();
        assert_eq!(said, (3..11).map(|nth| (nth, nth % 2 == 0)).collect::<Vec<_>>());
        assert!(pieces.iter().all(|piece| (piece.bytes.len(), piece.length) == (512, 600)));
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_wanted_or_all_is_told() {
        let mut recorder = Recorder::new(0);
        assert_eq!(dial(&mut recorder, 1, at(0)), (false, None));
        assert!(recorder.places.is_empty());
        let mut recorder = Recorder::new(1);
        for bot in [1, 2] {
            dial(&mut recorder, bot, at(0));
            recorder.hear(link(bot), at(0), true, b"hello");
            recorder.fail(BotId(bot), at(1), GAVE_UP);
        }
        assert_eq!(recorder.caught().map(|told| told.bot).collect::<Vec<_>>(), [BotId(1)]);
        assert!(recorder.places.is_empty());
        assert_eq!(dial(&mut recorder, 3, at(2)), (false, None));
    }

    #[test]
    fn who_failed_in_silence_leaves_its_place_and_no_transcript() {
        let mut recorder = Recorder::new(5);
        dial(&mut recorder, 1, at(0));
        recorder.fail(BotId(1), at(1), GAVE_UP);
        assert_eq!(recorder.caught().count(), 0);
        // What the next one in that place says is all that it leaves.
        for bot in 2..=9 {
            assert_eq!(dial(&mut recorder, bot, at(2)), (true, None));
        }
        recorder.hear(link(9), at(3), true, b"hello");
        recorder.fail(BotId(9), at(3), GAVE_UP);
        assert_eq!(recorder.caught().map(|told| told.pieces.len()).sum::<usize>(), 1);
        assert_eq!(dial(&mut recorder, 9, at(4)), (false, None), "one of each is enough");
    }

    #[test]
    fn bots_that_are_well_give_their_places_to_the_next() {
        let mut recorder = Recorder::new(5);
        for bot in 0..8 {
            assert_eq!(dial(&mut recorder, bot, at(0)), (true, None));
        }
        assert_eq!(dial(&mut recorder, 8, at(0)), (false, None), "all are taken");
        (0..8).for_each(|bot| recorder.online(BotId(bot), at(1)));
        let ousted = |recorder: &mut Recorder, bot, seconds| dial(recorder, bot, at(seconds)).1;
        let soon: Vec<_> = (10..14).map(|bot| ousted(&mut recorder, bot, 1)).collect();
        assert_eq!(soon, [0, 2, 4, 6].map(|bot| Some(link(bot))));
        assert_eq!(dial(&mut recorder, 14, at(1)), (false, None), "these stay for a while");
        let later: Vec<_> = (20..24).map(|bot| ousted(&mut recorder, bot, 31)).collect();
        assert_eq!(later, [7, 1, 3, 5].map(|bot| Some(link(bot))));
        recorder.forget(link(21));
        assert_eq!(dial(&mut recorder, 30, at(31)), (true, None), "its link is gone");
    }
}
