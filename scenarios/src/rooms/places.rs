//! Which user is in which rooms, and who makes them: amoc's formula, in whole numbers.
//!
//! Users come in buckets of `users`; all of a bucket are in the same `rooms` rooms. Each user
//! begins with another of them, so that the rooms of a bucket fill evenly, and each room is made
//! by one who begins with it or comes to it next.

/// How many rooms a user is in, and how many users a room has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) rooms: u64,
    pub(super) users: u64,
}

impl Places {
    /// The rooms of a user, both counted from 0, in the order in which it joins them.
    pub(super) fn rooms_of(self, user: u64) -> impl Iterator<Item = u64> {
        let Places { rooms, users } = self;
        let first =
            if rooms > users { (user * rooms).div_ceil(users) } else { user * rooms / users };
        let bucket = first / rooms * rooms;
        (0..rooms).map(move |nth| bucket + (first - bucket + nth) % rooms)
    }

    /// The user who makes a room.
    pub(super) fn creator_of(self, room: u64) -> u64 {
        let Places { rooms, users } = self;
        if rooms > users { room * users / rooms } else { (room * users).div_ceil(rooms) }
    }

    /// The users of a room.
    pub(super) fn users_of(self, room: u64) -> std::ops::Range<u64> {
        let bucket = room / self.rooms;
        bucket * self.users..(bucket + 1) * self.users
    }

    /// How many rooms there are for so many users.
    pub(super) fn count(self, users: u64) -> u64 {
        users.div_ceil(self.users) * self.rooms
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_example_of_amoc_comes_out() {
        let places = Places { rooms: 3, users: 2 };
        let of = |user| places.rooms_of(user).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2)], [vec![0, 1, 2], vec![2, 0, 1], vec![3, 4, 5]]);
        assert_eq!([0, 1, 2, 3].map(|room| places.creator_of(room)), [0, 0, 1, 2]);
        assert_eq!(places.count(6), 9);
    }

    #[test]
    fn each_room_has_its_users_and_one_of_them_makes_it() {
        for (rooms, users) in [(1, 1), (10, 20), (20, 10), (3, 2), (2, 3), (7, 5), (5, 7), (1, 9)] {
            let places = Places { rooms, users };
            let mut inside = BTreeMap::<u64, Vec<u64>>::new();
            for user in 0..users * 3 {
                let mut own: Vec<_> = places.rooms_of(user).collect();
                own.iter().for_each(|&room| inside.entry(room).or_default().push(user));
                own.sort_unstable();
                own.dedup();
                assert_eq!(own.len(), rooms as usize, "{places:?}");
            }
            assert_eq!(inside.len() as u64, places.count(users * 3), "{places:?}");
            for (room, inside) in inside {
                assert_eq!(inside, places.users_of(room).collect::<Vec<_>>(), "{places:?}");
                assert!(inside.contains(&places.creator_of(room)), "{places:?}, room {room}");
            }
        }
    }

    #[test]
    fn the_work_of_making_rooms_is_shared() {
        for (rooms, users) in [(10, 20), (20, 10), (7, 5), (5, 7)] {
            let places = Places { rooms, users };
            for user in 0..users {
                let made = places.rooms_of(user).filter(|&room| places.creator_of(room) == user);
                let (least, most) = (rooms / users, rooms.div_ceil(users));
                let made = made.count() as u64;
                assert!((least..=most).contains(&made), "{places:?}: user {user} makes {made}");
            }
        }
    }
}
