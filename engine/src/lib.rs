//! The engine of densebots: very many stateful bots on few threads, and honest counts.
//!
//! In scope: sockets, time, shards, groups and mail, load plans, counts, the limits of the machine,
//! simulation. Out of scope: what bots do ([`Scenario`]), what they speak
//! ([`Session`](densebots_protocols::Session)), how people are told.
//!
//! A run is a [`Scenario`] and a [`Plan`]. Each shard is one thread that owns its bots and turns:
//!
//! 1. **wait** for sockets, wakers or the next due time; the only wait
//! 2. **obey** orders from the conductor
//! 3. **launch** bots whose arrival is due, and attempts to connect that have a place
//! 4. **serve** links that are ready: the session reads, the bot hears
//! 5. **wake** bots whose timer is due
//! 6. **deliver** mail from this shard and the others, a bounded number of letters
//! 7. **flush**: one write a link, one batch a shard, one sample a second
//!
//! Two bots that need no network: one asks, the other answers.
//!
//! ```
//! use densebots_engine::{
//!     Arrival, BotId, Ctx, Letter, Link, Load, Names, Op, Plan, Rng, Role, Scenario, start,
//! };
//! use densebots_protocols::line::{Framing, Line};
//!
//! struct Chat;
//! const ASK: Op = Op(0);
//!
//! impl Scenario for Chat {
//!     type Session = Line;
//!     type Bot = ();
//!     type Mail = &'static str;
//!
//!     fn names(&self) -> Names {
//!         Names::ops(&["chat.ask"])
//!     }
//!     fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}
//!     fn session(&self, _: BotId, _: &mut (), _: Link) -> Line {
//!         Line::new(Framing::lines(80))
//!     }
//!     fn on_start(&self, _: &mut (), _: Role, ctx: &mut Ctx<'_, Self>) {
//!         ctx.ready();
//!         if ctx.id == BotId(2) {
//!             ctx.begin(ASK);
//!             ctx.send_to(BotId(1), "are you there?");
//!         }
//!     }
//!     fn on_event(&self, _: &mut (), _: &[u8], _: &mut Ctx<'_, Self>) {}
//!     fn on_mail(&self, _: &mut (), letter: &Letter<&'static str>, ctx: &mut Ctx<'_, Self>) {
//!         if ctx.end(ASK).is_none() {
//!             ctx.send_to(letter.from, "yes");
//!         }
//!         ctx.quit();
//!     }
//! }
//!
//! let load = Load::Closed { bots: 2, arrival: Arrival::AtOnce, hold: Default::default() };
//! let report = start(Chat, Plan { load, shards: 2, ..Plan::default() })?.finish();
//! assert_eq!(report.bots.population.done, 2);
//! assert_eq!(report.total.ops[0].ok, 1);
//! # Ok::<(), densebots_engine::StartError>(())
//! ```
#![deny(unsafe_code)]

mod bots;
mod conduct;
mod ctx;
mod derive;
mod dice;
mod flush;
mod groups;
mod id;
mod ledger;
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
mod transcript;
mod transport;

pub use bots::Role;
pub use conduct::{Command, CommandError};
pub use ctx::{Ctx, Outcome};
pub use dice::{Rng, THINK_MAX, Think};
pub use groups::GroupId;
pub use id::BotId;
pub use ledger::{Entries, MessageId, MessageText, Terms};
pub use limits::Preflight;
pub use links::{Cause, Link, Lost};
pub use mail::{Inbox, Letter, MailCount};
pub use metrics::{Counter, Gauge, Names, Op, Value};
pub use plan::{
    AcceptTls, Arrival, Backoff, Close, DialTls, Endpoint, Identity, Load, Plan, PlanError, Repeat,
    Resume, Tier, Tls, Trust, Versions,
};
pub use rehearse::{Answer, Broken, Engine, Rehearsal};
pub use report::{
    BotsReport, EXCUSED_SHARE, EndpointReport, Generator, LIMITED_SHARE, Limited, POPULATION_SHARE,
    Panic, Phase, Report, Snapshot,
};
pub use run::{Run, StartError, start, start_observed};
pub use scenario::{Scenario, Work};
pub use shard::Life;
pub use time::Time;
pub use transcript::{FAILING_MAX, Failure, Piece, Transcript};
#[cfg(feature = "fuzzed")]
pub use transport::RecordLayer;
