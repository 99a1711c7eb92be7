//! Ids to slab keys.

use crate::links::NONE;

/// Ids to slab keys: pages that exist only while somebody lives on them, so that a run which
/// replaces its bots for weeks does not grow.
#[derive(Default)]
pub(super) struct Ids {
    pages: Vec<Option<Box<Page>>>,
}

struct Page {
    keys: [u32; PAGE],
    used: u32,
}

const PAGE: usize = 512;

impl Ids {
    pub(super) fn find(&self, at: u32) -> Option<u32> {
        let page = self.pages.get(at as usize / PAGE)?.as_ref()?;
        let key = page.keys[at as usize % PAGE];
        (key != NONE).then_some(key)
    }

    pub(super) fn set(&mut self, at: u32, key: u32) {
        let number = at as usize / PAGE;
        if number >= self.pages.len() {
            self.pages.resize_with(number + 1, || None);
        }
        let page = self.pages[number]
            .get_or_insert_with(|| Box::new(Page { keys: [NONE; PAGE], used: 0 }));
        debug_assert_eq!(page.keys[at as usize % PAGE], NONE, "an id is used once");
        page.keys[at as usize % PAGE] = key;
        page.used += 1;
    }

    pub(super) fn clear(&mut self, at: u32) {
        let Some(slot) = self.pages.get_mut(at as usize / PAGE) else { return };
        let Some(page) = slot else { return };
        page.keys[at as usize % PAGE] = NONE;
        page.used -= 1;
        if page.used == 0 {
            *slot = None;
        }
    }
}
