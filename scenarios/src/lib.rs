//! What bots do: the built-in scenarios, and the embedded target they run against.
//!
//! [`echo`] is the smallest whole bot: copy that file to write your own. [`BUILTIN`] is the table
//! from which a program picks a scenario by name; it is the only place where scenarios lose their
//! types.
//!
//! Scenarios without Rust: [`mod@file`] reads them, [`tree`] compiles and plays what bots do, over
//! the actions and events that a [`vocabulary`] offers of its protocol.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::time::Duration;

use densebots_engine::{
    Arrival, Endpoint, Life, Load, Names, Plan, Run, Scenario, StartError, start, start_observed,
};

pub mod accounts;
pub mod chat;
pub mod echo;
pub mod echobot;
mod elsewhere;
pub mod file;
pub mod idle;
pub mod jumper;
pub mod login_storm;
pub mod one_to_one;
mod phrases;
pub mod presence;
mod refusals;
pub mod register;
pub mod rooms;
mod settings;
pub mod spelling;
mod tag;
pub mod talk;
pub mod target;
mod template;
mod thrown;
pub mod tree;
pub mod units;
pub mod vocabulary;
pub mod xmpp_idle;

pub use settings::{Parameter, SettingError, Settings, duration_of};

/// A built-in scenario.
pub struct Builtin {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// What the embedded target has to speak for it.
    pub target: target::Speaks,
    /// The traffic of one online bot, in a run of so many bots.
    pub traffic: fn(&Settings, u64) -> Result<Traffic, SettingError>,
    /// User-space bytes of one bot, as measured.
    pub bytes_per_bot: u64,
    /// The parameter that says how long bots pause, if it may be stretched for a target on the
    /// same machine.
    pub pause: Option<&'static str>,
    /// Reads all parameters, and the files that they name, for a plan. Nothing has started yet.
    pub prepare: fn(&Settings, &Plan) -> Result<Ready, SettingError>,
}

impl Builtin {
    /// Prepares it and starts it at once.
    pub fn start(
        &self,
        settings: &Settings,
        plan: Plan,
        observer: Option<Observer>,
    ) -> Result<Run, BeginError> {
        Ok((self.prepare)(settings, &plan)?.start(plan, observer)?)
    }
}

/// A scenario whose parameters are good.
pub struct Ready {
    names: Names,
    start: Box<Start>,
}

type Start = dyn FnOnce(Plan, Option<Observer>) -> Result<Run, StartError>;

impl Ready {
    fn of<S: Scenario>(scenario: S) -> Ready {
        let names = scenario.names();
        Ready { names, start: Box::new(|plan, observer| begin(scenario, plan, observer)) }
    }

    /// What it measures.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Starts it by the plan that it was prepared for; only where to dial and whom to believe may
    /// have become known since. The observer, if there is one, runs on a thread of its own.
    pub fn start(self, plan: Plan, observer: Option<Observer>) -> Result<Run, StartError> {
        (self.start)(plan, observer)
    }
}

/// Hears what happens in the lives of bots, whatever their scenario.
pub type Observer = Box<dyn FnMut(Life<()>) + Send>;

fn begin<S: Scenario>(
    scenario: S,
    plan: Plan,
    observer: Option<Observer>,
) -> Result<Run, StartError> {
    match observer {
        Some(mut observer) => {
            start_observed(scenario, plan, move |life| observer(life.without_state()))
        }
        None => start(scenario, plan),
    }
}

/// The traffic of one online bot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Messages a second that it sends.
    pub sends: f64,
    /// Messages a second that it should hear.
    pub hears: f64,
    /// Bytes of one message.
    pub bytes: u64,
}

/// A built-in scenario could not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// A parameter is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The run could not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Every built-in scenario, in the order of the list a user sees.
pub const BUILTIN: &[Builtin] = &[
    Builtin {
        name: "echo",
        about: "each bot sends a line at its pace and waits for its echo",
        parameters: echo::PARAMETERS,
        target: target::Speaks::Echo,
        traffic: |settings, _| Ok(echo::Echo::from(settings)?.traffic()),
        bytes_per_bot: 200,
        pause: None,
        prepare: |settings, _| Ok(Ready::of(echo::Echo::from(settings)?)),
    },
    Builtin {
        name: "idle",
        about: "each bot connects and stays connected",
        parameters: &[],
        target: target::Speaks::Echo,
        traffic: |_, _| Ok(Traffic::default()),
        bytes_per_bot: 192,
        pause: None,
        prepare: |_, _| Ok(Ready::of(idle::Idle)),
    },
    Builtin {
        name: "talk",
        about: "groups of ten on a line server pass a token by mail; who has it speaks",
        parameters: talk::PARAMETERS,
        target: target::Speaks::Rooms,
        traffic: |settings, _| Ok(talk::Talk::from(settings)?.traffic()),
        bytes_per_bot: 250,
        pause: None,
        prepare: |settings, _| Ok(Ready::of(talk::Talk::from(settings)?)),
    },
    Builtin {
        name: "jumper",
        about: "chat bots that join a random room, say some phrases there, and jump to another",
        parameters: &jumper::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: jumper::Jumper::traffic,
        bytes_per_bot: 320,
        pause: Some("pause"),
        prepare: |settings, plan| Ok(Ready::of(jumper::Jumper::from(settings, plan)?)),
    },
    Builtin {
        name: "rooms",
        about: "chat bots that are in several rooms at once and speak in each at a pace",
        parameters: &rooms::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: rooms::Rooms::traffic,
        bytes_per_bot: 1500,
        pause: None,
        prepare: |settings, plan| Ok(Ready::of(rooms::Rooms::from(settings, plan)?)),
    },
    Builtin {
        name: "one-to-one",
        about: "chat bots that write to their neighbours by id, one after another",
        parameters: &one_to_one::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: |settings, _| one_to_one::OneToOne::traffic(settings),
        bytes_per_bot: 320,
        pause: None,
        prepare: |settings, plan| Ok(Ready::of(one_to_one::OneToOne::from(settings, plan)?)),
    },
    Builtin {
        name: "presence",
        about: "chat bots that hear each other's presence, and change their own at a pace",
        parameters: &presence::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: |settings, _| presence::Presence::traffic(settings),
        bytes_per_bot: 700,
        pause: None,
        prepare: |settings, plan| Ok(Ready::of(presence::Presence::from(settings, plan)?)),
    },
    Builtin {
        name: "echobot",
        about: "chat bots that answer every message to them alone with its own words",
        parameters: &chat::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: |_, _| Ok(Traffic::default()),
        bytes_per_bot: 280,
        pause: None,
        prepare: |settings, plan| Ok(Ready::of(echobot::Echobot::from(settings, plan)?)),
    },
    Builtin {
        name: "login-storm",
        about: "users that log in, leave, and come again",
        parameters: &login_storm::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: |_, _| Ok(Traffic::default()),
        bytes_per_bot: 280,
        pause: None,
        prepare: |settings, plan| {
            let storm = login_storm::LoginStorm::from(settings, plan)?;
            let names = storm.names();
            let start = Box::new(|plan, observer| {
                let plan = storm.plan(plan);
                begin(storm, plan, observer)
            });
            Ok(Ready { names, start })
        },
    },
    Builtin {
        name: "xmpp-idle",
        about: "users that log in and stay silent",
        parameters: &chat::PARAMETERS,
        target: target::Speaks::Xmpp,
        traffic: |_, _| Ok(Traffic::default()),
        bytes_per_bot: 256,
        pause: None,
        prepare: |settings, plan| Ok(Ready::of(xmpp_idle::XmppIdle::from(settings, plan)?)),
    },
];

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|builtin| builtin.name == name)
}

/// Starts the embedded target: listeners on the plan's endpoints, one a shard. `listening` is told
/// each address as it comes up, on a thread of its own.
pub fn serve(
    speaks: target::Speaks,
    plan: Plan,
    mut listening: impl FnMut(SocketAddr) + Send + 'static,
) -> Result<Run, StartError> {
    match speaks {
        target::Speaks::Echo | target::Speaks::Rooms => {
            let target = target::Target::new(speaks == target::Speaks::Echo, &plan);
            start_observed(target, plan, move |life| {
                if let Life::Listening(_, at) = life {
                    listening(at);
                }
            })
        }
        target::Speaks::Xmpp => serve_xmpp(&target::xmpp::Service::default(), plan, listening),
    }
}

/// Starts the embedded XMPP target as [`serve`] does, with a service of one's own.
pub fn serve_xmpp(
    service: &target::xmpp::Service,
    plan: Plan,
    mut listening: impl FnMut(SocketAddr) + Send + 'static,
) -> Result<Run, StartError> {
    let target = target::xmpp::XmppTarget::new(service, &plan);
    start_observed(target, plan, move |life| {
        if let Life::Listening(_, at) = life {
            listening(at);
        }
    })
}

/// Starts the embedded target on free ports of 127.0.0.1 in this process, one a shard, and says
/// where it listens. It serves until the run is dropped or stopped, a day at most.
pub fn serve_here(
    speaks: target::Speaks,
    shards: usize,
) -> Result<(Run, Vec<Endpoint>), StartError> {
    let endpoint = |(nth, address): (usize, SocketAddr)| Endpoint {
        name: format!("embedded {nth}"),
        address,
        weight: 1,
    };
    let anywhere = vec![SocketAddr::from(([127, 0, 0, 1], 0)); shards];
    let plan = Plan {
        endpoints: anywhere.into_iter().enumerate().map(endpoint).collect(),
        shards,
        load: Load::Closed {
            bots: shards as u32,
            arrival: Arrival::AtOnce,
            hold: Duration::from_secs(24 * 3600),
        },
        ..Plan::default()
    };
    let (told, listening) = std::sync::mpsc::channel();
    let run = serve(speaks, plan, move |at| _ = told.send(at))?;
    let mut endpoints = Vec::new();
    for shard in 0..shards {
        match listening.recv_timeout(LISTEN_MAX) {
            Ok(at) => endpoints.push(endpoint((shard, at))),
            Err(_) => {
                let error = std::io::Error::other("no port of 127.0.0.1 to listen on");
                return Err(StartError::Shard { shard, error });
            }
        }
    }
    Ok((run, endpoints))
}

/// Listening takes no time; what takes this long will not come.
const LISTEN_MAX: Duration = Duration::from_secs(10);

/// How long bots of a paced scenario spread their first messages over.
fn first_pause(pace: Duration, fraction: f64) -> Duration {
    pace.mul_f64(fraction)
}
