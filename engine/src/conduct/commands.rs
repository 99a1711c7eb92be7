//! What a person or another machine may say to a run, and what follows from it.

use super::Conductor;
use crate::plan::{BOTS_MAX, Pace};
use crate::report::Phase;
use crate::shard::Order;
use crate::time::Time;

/// What a person or another machine may say to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// So many more bots, with the ids after the highest ever given, at the present rate.
    Add(u32),
    /// Bots with these ids, first and last; all must be above the highest ever given.
    AddIds(u32, u32),
    /// So many bots end: the highest ids of each shard. Gently they finish what they began; by
    /// force their links are reset.
    Remove {
        /// How many.
        bots: u32,
        /// With resets, at once.
        force: bool,
    },
    /// Bots that have not come yet come at this rate, a second.
    Rate(f64),
    /// No bot comes until `Resume`; those that are in go on.
    Pause,
    /// Bots come again.
    Resume,
    /// The run ends; bots finish what they began.
    Drain,
    /// The same, for this reason.
    Abort(String),
    /// The run ends now, with resets.
    Stop,
}

/// Why a command was not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The run drains or has ended.
    #[error("the run is ending")]
    Ending,
    /// The ids are taken, out of order or out of range.
    #[error("ids {first} to {last}: must go up and lie above {highest}, the highest ever given")]
    Ids {
        /// As asked for.
        first: u32,
        /// As asked for.
        last: u32,
        /// The highest id given so far.
        highest: u32,
    },
    /// No room was planned for more bots.
    #[error("no room for {asked} more bots: {room} are left; start with a larger --capacity")]
    Capacity {
        /// Bots asked for.
        asked: u32,
        /// Bots there is room for.
        room: u64,
    },
    /// Not a rate.
    #[error("a rate of {0} a second; it must be above 0")]
    Rate(String),
}

impl Conductor {
    /// Follows a command. A removal answers later, under the ticket returned.
    pub(crate) fn command(
        &mut self,
        command: &Command,
        now: Time,
    ) -> Result<Option<u64>, CommandError> {
        let ending = matches!(self.phase, Phase::Drain | Phase::Ended);
        match command {
            Command::Stop => {
                self.end_by("stopped".to_owned());
                // No drain before it: a shard that took the two orders in two turns would let its
                // bots part in peace first.
                if !ending {
                    self.begin_end(now);
                }
                self.stop();
            }
            Command::Drain | Command::Abort(_) if ending => {}
            Command::Drain => {
                self.end_by("drained before its time".to_owned());
                self.drain(now);
            }
            Command::Abort(why) => {
                self.end_by(why.clone());
                self.drain(now);
            }
            _ if ending => return Err(CommandError::Ending),
            &Command::Add(bots) => {
                let last = self.next_id.saturating_add(bots).saturating_sub(1);
                self.add(self.next_id, last, now)?;
            }
            &Command::AddIds(first, last) => self.add(first, last, now)?,
            &Command::Remove { bots, force } => {
                return Ok(Some(self.begin_removal(bots as usize, force)));
            }
            &Command::Rate(rate) if rate.is_finite() && rate > 0.0 => {
                self.pace = Pace::Rate(rate);
                self.repace(now);
            }
            Command::Rate(rate) => return Err(CommandError::Rate(rate.to_string())),
            Command::Pause | Command::Resume => {
                self.paused = *command == Command::Pause;
                self.repace(now);
            }
        }
        Ok(None)
    }

    fn repace(&mut self, at: Time) {
        let pace = if self.paused { Pace::Rate(0.0) } else { self.pace };
        self.settled.fill(false);
        self.all(Order::Repace { at, pace });
    }

    fn add(&mut self, first: u32, last: u32, now: Time) -> Result<(), CommandError> {
        if first > last || first < self.next_id || last >= BOTS_MAX {
            return Err(CommandError::Ids { first, last, highest: self.next_id - 1 });
        }
        let count = last - first + 1;
        let population = self.population();
        let living = self.given - population.done - population.failed;
        let room = u64::from(self.plan.load.live_max()) + u64::from(self.plan.capacity);
        if living + u64::from(count) > room {
            let room = room.saturating_sub(living);
            return Err(CommandError::Capacity { asked: count, room });
        }
        if self.target > 0 {
            self.target += u64::from(count);
            self.report.bots.target = self.target;
        }
        let pace = if self.paused { Pace::Rate(0.0) } else { self.pace };
        self.launch(first, count, pace, now);
        Ok(())
    }
}
