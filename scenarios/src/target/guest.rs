//! What the target knows of one user: an address, and the rooms it is in.

use std::sync::Arc;

use densebots_engine::{BotId, GroupId};

use super::lasting::{Lasting, Wire};
use super::parcel::{Entry, Parcel};

/// One accepted connection.
#[derive(Default)]
pub(super) struct Guest {
    /// The full address, once it has one.
    pub(super) address: Option<Box<str>>,
    place: Option<Place>,
    /// What most guests do not have.
    more: Option<Box<More>>,
}

// A hundred thousand of them lie in a slab.
const _: () = assert!(size_of::<Guest>() <= 40);

#[derive(Default)]
struct More {
    /// Rooms beyond the first.
    places: Vec<Place>,
    /// Rooms it wants to be in.
    entries: Vec<(GroupId, Arc<Entry>)>,
    held: Option<Held>,
    lasting: Option<Box<Lasting>>,
}

/// A message that a meddling target holds back.
pub(super) struct Held {
    pub(super) parcel: Arc<Parcel>,
    /// It goes out behind the next one.
    pub(super) swapped: bool,
}

/// A room that a guest is in, or on its way into or out of.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) group: GroupId,
    pub(super) keeper: BotId,
    pub(super) state: Presence,
}

/// How far it is.
///
/// ```text
///   join --> Waiting --welcome--> Asking --entered--> Inside --unavailable--> Leaving
///               ^                    |                   | kicked, over           | left
///               |                    v refused           v                        v
///               |                  (gone) <--------------+------------------------+
///               +------------------------- wants in again ------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// In the group, and nothing heard of its keeper yet.
    Waiting,
    /// The keeper has been asked.
    Asking,
    /// An occupant.
    Inside,
    /// It has said that it leaves.
    Leaving,
}

impl Guest {
    pub(super) fn place(&mut self, group: GroupId) -> Option<&mut Place> {
        let more = self.more.iter_mut().flat_map(|more| &mut more.places);
        self.place.iter_mut().chain(more).find(|place| place.group == group)
    }

    pub(super) fn is_inside(&mut self, group: GroupId) -> bool {
        self.place(group)
            .is_some_and(|place| matches!(place.state, Presence::Inside | Presence::Leaving))
    }

    pub(super) fn add(&mut self, place: Place) {
        match &mut self.place {
            None => self.place = Some(place),
            Some(_) => self.more.get_or_insert_default().places.push(place),
        }
    }

    pub(super) fn remove(&mut self, group: GroupId) {
        if self.place.take_if(|place| place.group == group).is_none()
            && let Some(more) = &mut self.more
        {
            more.places.retain(|place| place.group != group);
        }
        self.tidy();
    }

    /// The wish to be in a room takes the place of an earlier one.
    pub(super) fn want(&mut self, group: GroupId, entry: Arc<Entry>) {
        let entries = &mut self.more.get_or_insert_default().entries;
        entries.retain(|(wanted, _)| *wanted != group);
        entries.push((group, entry));
    }

    pub(super) fn take_want(&mut self, group: GroupId) -> Option<Arc<Entry>> {
        let entries = &mut self.more.as_mut()?.entries;
        let at = entries.iter().position(|(wanted, _)| *wanted == group)?;
        let (_, entry) = entries.swap_remove(at);
        self.tidy();
        Some(entry)
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.more.get_or_insert_default().held = Some(held);
    }

    pub(super) fn holds(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.held.is_some())
    }

    /// What is held, if it goes out behind the next one, or whatever it is.
    pub(super) fn release(&mut self, whatever: bool) -> Option<Arc<Parcel>> {
        let held = self.more.as_mut()?.held.take_if(|held| whatever || held.swapped)?;
        self.tidy();
        Some(held.parcel)
    }

    /// Its stanzas are counted from now on.
    pub(super) fn last(&mut self, lasting: Lasting) {
        self.more.get_or_insert_default().lasting = Some(Box::new(lasting));
    }

    /// The counts of its stanzas, if it wants any.
    pub(super) fn lasting(&mut self) -> Option<&mut Lasting> {
        self.more.as_mut()?.lasting.as_deref_mut()
    }

    /// They are of no more use.
    pub(super) fn take_lasting(&mut self) -> Option<Box<Lasting>> {
        self.more.as_mut()?.lasting.take()
    }

    /// Whether its link is lost and it may come back.
    pub(super) fn is_away(&self) -> bool {
        let lasting = self.more.as_ref().and_then(|more| more.lasting.as_ref());
        lasting.is_some_and(|lasting| lasting.wire == Wire::Lost)
    }

    /// Idle owns nothing.
    fn tidy(&mut self) {
        self.more.take_if(|more| {
            let More { places, entries, held, lasting } = &**more;
            let nothing = places.is_empty() && entries.is_empty();
            nothing && held.is_none() && lasting.is_none()
        });
    }
}
