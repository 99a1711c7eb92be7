//! Which of a level's 256 slots hold something.

/// A set of slot indices that finds the next one, going round, in at most five words.
#[derive(Default)]
pub(super) struct Occupancy([u64; 4]);

impl Occupancy {
    pub(super) fn insert(&mut self, index: u8) {
        self.0[usize::from(index >> 6)] |= 1 << (index & 63);
    }

    pub(super) fn remove(&mut self, index: u8) {
        self.0[usize::from(index >> 6)] &= !(1 << (index & 63));
    }

    pub(super) fn contains(&self, index: u8) -> bool {
        self.0[usize::from(index >> 6)] >> (index & 63) & 1 == 1
    }

    /// How many steps up from `index`, 255 being followed by 0, the first occupied slot is.
    pub(super) fn first_from(&self, index: u8) -> Option<u8> {
        let word = usize::from(index >> 6);
        let bit = u32::from(index & 63);
        let here = self.0[word] >> bit;
        if here != 0 {
            return Some(here.trailing_zeros() as u8);
        }
        // The last round looks at the first word again: what is left of it lies below `bit`.
        (1..=4).find_map(|step| {
            let bits = self.0[(word + step) % 4];
            (bits != 0).then(|| (step as u32 * 64 - bit + bits.trailing_zeros()) as u8)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_walk_finds() {
        for gap in [1, 3, 63, 64, 65, 127, 200, 256] {
            let mut occupied = Occupancy::default();
            assert_eq!(occupied.first_from(7), None);
            let members = (5..256).step_by(gap).map(|index| index as u8);
            members.clone().for_each(|index| occupied.insert(index));
            for from in 0..=255u8 {
                let walked = (0..=255).find(|&away| occupied.contains(from.wrapping_add(away)));
                assert_eq!(occupied.first_from(from), walked, "gap {gap} from {from}");
            }
            members.for_each(|index| occupied.remove(index));
            assert_eq!(occupied.first_from(5), None);
        }
    }
}
