//! Descriptor tables: how many shards it takes, and whether each needs a table of its own.

use super::{Amount, DESCRIPTORS_OF_A_TABLE, Demand, Finding, Level, Machine, SHARDS};
use super::{BOT_IDS, CONNECTIONS_MAX, fewer_connections};

/// Most shards of one engine. Each is a thread with two slabs and a poll; more of them than this
/// cost more in switches and fixed memory than the descriptors they add are worth.
pub(super) const SHARDS_MAX: u64 = 1_024;
/// Descriptors every table holds for each shard of the process: its poll and its waker are made
/// before the split.
const PER_SHARD: u64 = 2;
/// Descriptors of everything else: standard streams, listeners, the report, the HTTP door.
const FIXED: u64 = 32;
/// What an administrator can raise the hard limit to without touching `fs.nr_open`.
const NR_OPEN: u64 = 1 << 20;

/// The descriptor tables of a run.
pub(super) struct Tables {
    pub(super) shards: u32,
    pub(super) split: bool,
    pub(super) amount: Amount,
    ends: u64,
    roomy: bool,
}

impl Tables {
    pub(super) fn of(machine: &Machine, demand: &Demand) -> Tables {
        let asked = demand.shards.map(|shards| u64::from(shards).max(1));
        let shards = asked.unwrap_or_else(|| enough(machine.descriptors_hard, machine, demand));
        Tables::with(machine.descriptors_hard, shards, machine, demand)
    }

    fn with(hard: u64, shards: u64, machine: &Machine, demand: &Demand) -> Tables {
        let ends = demand.ends();
        let reserve = reserve(shards, ends);
        let room = slack(hard.saturating_sub(reserve));
        let split = machine.can_split_tables && demand.sockets() > room;
        let sockets = if split { demand.connections.div_ceil(shards) } else { demand.sockets() };
        Tables {
            // At most u32::MAX: asked as one, or bounded by SHARDS_MAX.
            shards: u32::try_from(shards).unwrap_or(u32::MAX),
            split,
            amount: Amount { needed: sockets.saturating_add(reserve), present: hard },
            ends,
            roomy: sockets <= room,
        }
    }

    /// Shards of the bots and of the embedded target together.
    pub(super) fn total(&self) -> u32 {
        self.shards.saturating_mul(self.ends as u32)
    }

    fn level(&self) -> Level {
        match self.amount.needed <= self.amount.present {
            true if self.roomy => Level::Fine,
            true => Level::Warning,
            false => Level::Refusal,
        }
    }

    /// Whether the tables hold the sockets.
    pub(super) fn finding(&self, machine: &Machine, demand: &Demand) -> Finding {
        self.amount.finding(self.level(), DESCRIPTORS_OF_A_TABLE, "descriptors", || {
            let hard = machine.descriptors_hard;
            let fits = |hard| {
                let shards = enough(hard, machine, demand);
                let tables = Tables::with(hard, shards, machine, demand);
                (tables.level() == Level::Fine).then_some(shards)
            };
            match fits(hard) {
                Some(shards) => format!("--shards {shards}"),
                None if hard < NR_OPEN && fits(NR_OPEN).is_some() => {
                    format!("ulimit -Hn {NR_OPEN}")
                }
                None => fewer(machine, demand, self.level()),
            }
        })
    }

    /// Bounds of the engine itself, where they are exceeded.
    pub(super) fn bounds(&self, demand: &Demand) -> Vec<Finding> {
        let shards = Amount { needed: self.shards.into(), present: SHARDS_MAX };
        let ids = Amount { needed: demand.connections, present: CONNECTIONS_MAX };
        let mut over = Vec::new();
        if shards.needed > shards.present {
            let cure = || format!("--shards {SHARDS_MAX}");
            over.push(shards.finding(Level::Refusal, SHARDS, "shards", cure));
        }
        if ids.needed > ids.present {
            let cure = || fewer_connections(CONNECTIONS_MAX);
            over.push(ids.finding(Level::Refusal, BOT_IDS, "bots", cure));
        }
        over
    }
}

/// Descriptors of a table that no bot can have. The shards of the target count like those of bots.
fn reserve(shards: u64, ends: u64) -> u64 {
    PER_SHARD * shards * ends + FIXED
}

/// Nine tenths: SO_REUSEPORT hashes unevenly, and closed sockets leave late.
fn slack(descriptors: u64) -> u64 {
    descriptors - descriptors.div_ceil(10)
}

/// The number of shards above which the reserve of a further one takes away more than its table
/// brings: a quarter of what a table has, over what a shard reserves in each.
fn worthwhile(hard: u64, ends: u64) -> u64 {
    (hard.saturating_sub(FIXED) / (2 * PER_SHARD * ends)).clamp(1, SHARDS_MAX)
}

/// The smallest number of shards, from one a core on, whose tables hold the demand with slack; the
/// most that is worthwhile if none does.
fn enough(hard: u64, machine: &Machine, demand: &Demand) -> u64 {
    let ends = demand.ends();
    let most = worthwhile(hard, ends);
    let first = u64::from(machine.cores).min(demand.connections).clamp(1, most);
    let holds = |shards: &u64| {
        let room = slack(hard.saturating_sub(reserve(*shards, ends)));
        let tables = if machine.can_split_tables { *shards } else { 1 };
        let held = if machine.can_split_tables { demand.connections } else { demand.sockets() };
        room.saturating_mul(tables) >= held
    };
    if !machine.can_split_tables {
        return first;
    }
    (first..=most).find(holds).unwrap_or(most)
}

/// The cure where no number of shards holds the demand: as many connections as the best one holds,
/// with slack if a warning is to be cured.
fn fewer(machine: &Machine, demand: &Demand, level: Level) -> String {
    let (hard, ends) = (machine.descriptors_hard, demand.ends());
    let room = |shards| {
        let room = hard.saturating_sub(reserve(shards, ends));
        if level == Level::Warning { slack(room) } else { room }
    };
    if !machine.can_split_tables {
        let shards = demand.shards.unwrap_or(machine.cores).max(1).into();
        return fewer_connections(room(shards) / ends);
    }
    let best = worthwhile(hard, ends);
    let cure = fewer_connections(room(best).saturating_mul(best));
    match demand.shards {
        Some(asked) if u64::from(asked) != best && room(best) > 0 => {
            format!("{cure} --shards {best}")
        }
        _ => cure,
    }
}
