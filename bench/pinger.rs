//! Users that log in to an XMPP service, ping it some times, stay for a while and leave: what the
//! engine and Tsung both do in `bench/tsung.rs`.
//!
//! ```text
//!   login, presence --> settle --> ping --answer--> pace --> ping ... --> rest --> leave
//!                  \--> (no pings) ---------------- stay ----------------------/
//! ```

use std::fmt::{self, Display};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use densebots_engine::{
    Arrival, BotId, Ctx, Endpoint, Link, Load, Lost, Names, Op, Plan, Report, Rng, Role, Scenario,
    start,
};
use densebots_protocols::xmpp::{Event, Xmpp};
use densebots_scenarios::Settings;
use densebots_scenarios::chat::{self, Chat, Stay, Told};

use crate::traffic::{number, value};

/// The name of the role that runs them on the engine.
pub const ROLE: &str = "pinger";

/// So many users and what each of them does.
#[derive(Clone, Debug, PartialEq)]
pub struct Users {
    /// How many.
    pub count: usize,
    /// How many come a second.
    pub rate: f64,
    /// Pings of each.
    pub pings: u32,
    /// How long each is online.
    pub stay: Duration,
    /// The service: its name.
    pub domain: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Users {
    /// From an answer to the next ping.
    pub const PACE: Duration = Duration::from_millis(100);

    /// From the presence to the first ping: until then all have come.
    pub fn settle(&self) -> Duration {
        Duration::from_secs_f64(self.count as f64 / self.rate).mul_f64(1.2)
    }

    /// What is left of the stay after the last answer.
    pub fn rest(&self) -> Duration {
        self.stay.saturating_sub(self.settle() + Self::PACE * self.pings)
    }

    fn parse(words: &[String]) -> io::Result<Users> {
        Ok(Users {
            count: number(words, "users")?,
            rate: number(words, "rate")?,
            pings: number(words, "pings")?,
            stay: Duration::from_millis(number(words, "stay_ms")?),
            domain: value(words, "domain")?.to_owned(),
            port: number(words, "port")?,
        })
    }
}

impl Display for Users {
    /// The words of the role.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Users { count, rate, pings, stay, domain, port } = self;
        write!(f, "users={count} rate={rate} pings={pings} stay_ms={} ", stay.as_millis())?;
        write!(f, "domain={domain} port={port}")
    }
}

/// Snapshots come every second.
const SECONDS_MAX: Duration = Duration::from_secs(60);
/// The last op of [`Pinger`]; those of the login stand before it.
const PING: Op = Op(chat::OWN);

/// What all bots share.
struct Pinger {
    chat: Chat,
    users: Users,
}

/// One bot.
#[derive(Default)]
struct Bot {
    stay: Stay,
    /// Pings it has sent.
    sent: u32,
}

impl Scenario for Pinger {
    type Session = Xmpp;
    type Bot = Bot;
    type Mail = ();

    fn names(&self) -> Names {
        let mut names = Names::ops(&chat::OPS);
        names.ops.push("pinger.ping".to_owned());
        names
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Bot {
        Bot::default()
    }

    fn session(&self, id: BotId, bot: &mut Bot, _: Link) -> Xmpp {
        self.chat.session(id, &mut bot.stay)
    }

    fn on_open(&self, bot: &mut Bot, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(&mut bot.stay, ctx);
    }

    fn on_event(&self, bot: &mut Bot, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match (self.chat.hear(&mut bot.stay, &event, ctx), event) {
            (Told::Online, _) => {
                ctx.ready();
                let talks = self.users.pings > 0;
                ctx.wake_in(if talks { self.users.settle() } else { self.users.stay });
            }
            (Told::Other, Event::Iq(_)) => {
                ctx.end(PING);
                let more = bot.sent < self.users.pings;
                ctx.wake_in(if more { Users::PACE } else { self.users.rest() });
            }
            _ => {}
        }
    }

    fn on_wake(&self, bot: &mut Bot, ctx: &mut Ctx<'_, Self>) {
        if bot.sent == self.users.pings {
            return ctx.quit();
        }
        bot.sent += 1;
        ctx.begin(PING);
        ctx.send(|session, out| session.ping("", "ping", out));
    }

    fn on_lost(&self, _: &mut Bot, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        ctx.redial();
    }
}

/// Runs them once on the engine, in this process, on one shard.
///
/// An error if not every one of them logged in once and had all its pings answered.
pub fn run(words: &[String]) -> io::Result<()> {
    let users = Users::parse(words)?;
    let address = (Ipv4Addr::LOCALHOST, users.port).into();
    let plan = Plan {
        load: Load::Closed {
            bots: users.count as u32,
            arrival: Arrival::Constant(users.rate),
            hold: 2 * users.stay, // those who leave end the run before
        },
        first_id: 1,
        endpoints: vec![Endpoint { name: users.port.to_string(), address, weight: 1 }],
        shards: 1,
        ..Plan::default()
    };
    let settings = Settings::of(&chat::PARAMETERS, [("domain", &*users.domain)]);
    let settings = settings.map_err(io::Error::other)?;
    let chat = Chat::from(&settings, &plan).map_err(io::Error::other)?;
    let expected = (users.count as u64, users.count as u64 * u64::from(users.pings));
    let run = start(Pinger { chat, users }, plan).map_err(io::Error::other)?;
    while run.snapshot(SECONDS_MAX).is_some() {} // what nobody takes piles up
    let report = run.finish();
    let seen = (answered(&report, chat::LOGIN), answered(&report, PING));
    if seen == expected && report.total.losses.is_empty() {
        return Ok(());
    }
    let losses = &report.total.losses;
    Err(io::Error::other(format!("logins and pings {seen:?}, not {expected:?}; {losses:?}")))
}

fn answered(report: &Report, op: Op) -> u64 {
    report.total.ops[usize::from(op.0)].ok
}
