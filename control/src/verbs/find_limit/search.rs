//! Which load comes next: pure arithmetic.
//!
//! ```text
//! from --held--> from * step --held--> ... --broken--> between both --> ... --> near enough
//!   |                                        to --held--> no limit found
//!   +--broken--> the limit lies below
//! ```

use crate::args::Step;

/// A search takes no more runs than this: at 0.1 % and small steps it would never end.
pub(super) const RUNS_MAX: u32 = 100;

/// A search for the load that is too much.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) step: Step,
    /// How near both sides have to come, as a share of what holds.
    pub(super) within: f64,
    /// The smallest difference there is.
    pub(super) grain: f64,
    /// The highest load that held below every one that did not.
    pub(super) holds: Option<f64>,
    /// The lowest that did not.
    pub(super) breaks: Option<f64>,
    pub(super) runs: u32,
}

impl Search {
    /// The load of the next run; `None` if the search is over.
    pub(super) fn next(&self) -> Option<f64> {
        if self.runs >= RUNS_MAX {
            return None;
        }
        match (self.holds, self.breaks) {
            (None, None) => Some(self.from),
            (None, Some(_)) => None,
            (Some(holds), None) if holds >= self.to => None,
            (Some(holds), None) => {
                let more = match self.step {
                    Step::Times(times) => holds * times,
                    Step::More(more) => holds + more,
                };
                Some(self.rounded(more).max(holds + self.grain).min(self.to))
            }
            (Some(holds), Some(breaks)) => {
                let middle = self.rounded((holds + breaks) / 2.0);
                let near = breaks - holds <= (holds * self.within).max(self.grain);
                (!near && middle > holds && middle < breaks).then_some(middle)
            }
        }
    }

    /// Notes how a run of this load went.
    pub(super) fn note(&mut self, load: f64, held: bool) {
        self.runs += 1;
        let side = if held { &mut self.holds } else { &mut self.breaks };
        *side = Some(load);
    }

    fn rounded(&self, load: f64) -> f64 {
        (load / self.grain).round() * self.grain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(from: f64, to: f64, step: Step, within: f64) -> Search {
        Search { from, to, step, within, grain: 1.0, holds: None, breaks: None, runs: 0 }
    }

    /// The loads tried when `limit` is the highest that holds.
    fn tried(mut search: Search, limit: f64) -> (Vec<f64>, Search) {
        let mut loads = Vec::new();
        while let Some(load) = search.next() {
            loads.push(load);
            search.note(load, load <= limit);
        }
        (loads, search)
    }

    #[test]
    fn a_load_is_raised_until_it_breaks_and_then_narrowed_down() {
        let (loads, found) = tried(search(100.0, 10_000.0, Step::Times(2.0), 0.05), 570.0);
        assert_eq!(loads, [100.0, 200.0, 400.0, 800.0, 600.0, 500.0, 550.0, 575.0]);
        assert_eq!((found.holds, found.breaks), (Some(550.0), Some(575.0)));
        let (loads, _) = tried(search(1.0, 9.0, Step::More(4.0), 0.01), 6.0);
        assert_eq!(loads, [1.0, 5.0, 9.0, 7.0, 6.0]);
    }

    #[test]
    fn a_search_ends_where_it_may_go_no_further() {
        let (loads, found) = tried(search(100.0, 350.0, Step::Times(2.0), 0.05), 1e9);
        assert_eq!((loads, found.breaks), (vec![100.0, 200.0, 350.0], None));
        let (loads, found) = tried(search(100.0, 350.0, Step::Times(2.0), 0.05), 5.0);
        assert_eq!((loads, found.holds), (vec![100.0], None));
        let (loads, _) = tried(search(1.0, 1e6, Step::More(1.0), 0.05), 1e9);
        assert_eq!(loads.len(), RUNS_MAX as usize);
    }

    proptest::proptest! {
        /// However a target behaves, loads stay within their bounds, and the search ends.
        #[test]
        fn any_search_ends_within_its_bounds(
            from in 1u32..1000,
            wide in 0u32..100_000,
            times in 1.0001f64..10.0,
            within in 0.001f64..1.0,
            held in proptest::collection::vec(proptest::bool::ANY, RUNS_MAX as usize),
        ) {
            let to = f64::from(from + wide);
            let mut own = search(from.into(), to, Step::Times(times), within);
            for held in held {
                let Some(load) = own.next() else { break };
                assert!(load >= f64::from(from) && load <= to, "{load}");
                own.note(load, held);
                if let (Some(holds), Some(breaks)) = (own.holds, own.breaks) {
                    assert!(holds < breaks);
                }
            }
            assert_eq!(own.next(), None);
        }
    }
}
