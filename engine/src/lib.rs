//! The engine of densebots: sockets, time, shards, groups, mail and honest counts.
#![deny(unsafe_code)]

mod bots;
mod conduct;
mod ctx;
mod dice;
mod flush;
mod groups;
mod id;
pub mod limits;
mod links;
mod mail;
pub mod metrics;
pub mod net;
pub mod plan;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod rehearse;
mod report;
mod run;
mod scenario;
mod shard;
mod sys;
pub mod time;
pub mod timers;

pub use bots::Role;
pub use conduct::{Command, CommandError};
pub use ctx::{Ctx, Outcome};
pub use dice::{Rng, THINK_MAX, Think};
pub use groups::GroupId;
pub use id::BotId;
pub use limits::Preflight;
pub use links::{Cause, Link, Lost};
pub use mail::{Inbox, Letter, MailCount};
pub use metrics::{Counter, Gauge, Names, Op, Value};
pub use plan::{Arrival, Backoff, Close, Endpoint, Load, Plan, PlanError, Repeat};
pub use rehearse::{Answer, Broken, Engine, Rehearsal};
pub use report::{
    BotsReport, Generator, LIMITED_SHARE, Limited, POPULATION_SHARE, Panic, Phase, Report, Snapshot,
};
pub use run::{Run, StartError, start, start_observed};
pub use scenario::Scenario;
pub use shard::Life;
pub use time::Time;
