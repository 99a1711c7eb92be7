//! What all XMPP scenarios share: whom a bot logs in as, and how long each phase of that takes.
//!
//! ```text
//!   byte stream up -> stream -> tls -> stream -> sasl -> stream -> bind -> online -> presence
//!   |-------------------------------- xmpp.login ----------------------------|
//! ```
//! Each phase is an op of its own; which of them there are depends on the service. TLS that begins
//! with the connection is the first of them. Deriving a key is an op beside `sasl`.

use std::sync::Arc;

use densebots_engine::{BotId, Ctx, Link, Op, Plan, Scenario, Work};
use densebots_protocols::xmpp::sasl::prepared;
use densebots_protocols::xmpp::{
    Account, Event, Identity, Kind, Management, Phase, Resumption, Service, Stanza, Xmpp,
};

use crate::accounts::Accounts;
use crate::elsewhere::{self, Causes, HOPS_MAX};
use crate::{Parameter, SettingError, Settings};

mod made;
mod room;
mod wanted;
pub(crate) use made::{Made, Making, PARAMETERS as MAKING};
pub(crate) use room::{ROOMS_MAX, Room, TRIES_MAX, UNLOCKING};
pub use wanted::is_domain;

/// What can be set in every XMPP scenario.
pub const PARAMETERS: [Parameter; 9] = [
    Parameter {
        name: "domain",
        default: "localhost",
        about: "the service that bots log in to; --target says it too",
    },
    Parameter {
        name: "names",
        default: "bot{id}",
        about: "names of accounts by the bot's id: {id}, or {id:06} with zeros",
    },
    Parameter {
        name: "accounts",
        default: "",
        about: "a CSV file name,password in place of names; each account is used once",
    },
    Parameter {
        name: "password-file",
        default: "",
        about: "a file with the password of all, or a pattern like names; without it, the name",
    },
    Parameter {
        name: "mechanism",
        default: "PLAIN",
        about: "PLAIN, ANONYMOUS, EXTERNAL, SCRAM-SHA-256 and the like, or strongest",
    },
    Parameter {
        name: "starttls",
        default: "required",
        about: "with --tls: required, or optional if a service without it will do",
    },
    Parameter {
        name: "management",
        default: "off",
        about: "stream management: off, acknowledge or resume (XEP-0198)",
    },
    Parameter {
        name: "resource",
        default: "",
        about: "what resources begin with; without it, a mark of this run",
    },
    Parameter {
        name: "muc",
        default: "",
        about: "the service of rooms; without it, conference. and the domain",
    },
];

/// These parameters and those of a scenario's own.
pub(crate) const fn with<const OWN: usize, const ALL: usize>(
    own: [Parameter; OWN],
) -> [Parameter; ALL] {
    assert!(PARAMETERS.len() + OWN == ALL, "as many as there are");
    let mut all = [PARAMETERS[0]; ALL];
    let mut nth = 0;
    while nth < ALL {
        all[nth] = if nth < OWN { own[nth] } else { PARAMETERS[nth - OWN] };
        nth += 1;
    }
    all
}

/// From the byte stream to the address.
pub const LOGIN: Op = Op(0);
const STREAM: Op = Op(1);
const TLS: Op = Op(2);
const SASL: Op = Op(3);
const BIND: Op = Op(4);
const MANAGEMENT: Op = Op(5);
/// From the first presence until the service tells it back.
pub const PRESENCE: Op = Op(6);
/// From when a login needs a key until that is derived; beside [`SASL`], a part of it.
const PBKDF2: Op = Op(7);
/// The names of these ops.
pub const OPS: [&str; 8] = [
    "xmpp.login",
    "xmpp.stream",
    "xmpp.tls",
    "xmpp.sasl",
    "xmpp.bind",
    "xmpp.management",
    "xmpp.presence",
    "xmpp.pbkdf2",
];
/// The first op that a scenario can have of its own.
pub const OWN: u16 = OPS.len() as u16;

/// These ops and those of a scenario's own.
pub(crate) fn ops<const N: usize>(own: [&'static str; N]) -> Vec<&'static str> {
    OPS.into_iter().chain(own).collect()
}

/// Bytes that resources begin with: 1,023 they can have (RFC 7622, section 3.4), the id takes 11.
const MARK_BYTES_MAX: usize = 1012;

/// What all bots share of their logins.
pub struct Chat {
    service: Arc<Service>,
    accounts: Accounts,
    who: Who,
    /// Where bots were sent and could not go.
    causes: Causes,
    /// The service of the rooms.
    pub muc: String,
    /// Begins resources and what else has to differ between runs.
    mark: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Account,
    Nobody,
    Certificate,
}

/// How far the login of one bot has come, and what it needs to go on after a loss.
#[derive(Default)]
pub struct Stay {
    /// The op in flight beside [`LOGIN`].
    phase: Option<Op>,
    /// How often in a row the service has sent the bot elsewhere.
    hops: u8,
    resumption: Option<Box<Resumption>>,
}

impl Stay {
    /// Whether the next session can go on where the last one was lost.
    pub fn resumes(&self) -> bool {
        self.resumption.is_some()
    }

    /// Takes from a lost session what the next one needs to go on.
    pub fn salvage(&mut self, mut session: Xmpp) {
        self.resumption = session.take_resumption().map(Box::new);
    }
}

/// What an event means for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is over: the bot has an address and has said that it is there.
    Online,
    /// The stream that was lost goes on, and with it all that the bot was in.
    Resumed,
    /// The login goes on.
    Along,
    /// It is none of the login's.
    Other,
}

impl Chat {
    /// From what was set.
    pub fn from(settings: &Settings, plan: &Plan) -> Result<Chat, SettingError> {
        Chat::of(wanted::accounts(settings, plan)?, settings, plan)
    }

    /// From what was set, with these accounts in place of those that were.
    pub fn of(accounts: Accounts, settings: &Settings, plan: &Plan) -> Result<Chat, SettingError> {
        let domain = settings.text("domain");
        let muc = match settings.text("muc") {
            "" => format!("conference.{domain}"),
            muc => muc.to_owned(),
        };
        for (name, text) in [("domain", domain), ("muc", &muc)] {
            if !is_domain(text) {
                return Err(settings.fault(name, "a domain such as example.org"));
            }
        }
        let (mechanism, who) = wanted::mechanism(settings)?;
        let management = match settings.text("management") {
            "off" => Management::Off,
            "acknowledge" => Management::Acknowledge,
            "resume" => Management::Resume,
            _ => return Err(settings.fault("management", "off, acknowledge or resume")),
        };
        let tls = wanted::tls(settings, plan)?;
        Ok(Chat {
            service: Arc::new(Service { tls, mechanism, management, ..Service::new(domain) }),
            accounts,
            who,
            causes: Causes::default(),
            muc,
            mark: match settings.text("resource") {
                "" => format!("run{:x}", plan.ledger.run),
                mark if mark.len() <= MARK_BYTES_MAX && prepared(mark).is_ok() => mark.to_owned(),
                _ => return Err(settings.fault("resource", "text that a resource can begin with")),
            },
        })
    }

    /// The domain that bots log in to.
    pub fn domain(&self) -> &str {
        &self.service.domain
    }

    /// The name of a bot's account, which also does as its nick.
    pub fn name(&self, id: BotId) -> String {
        let account = self.accounts.of(id.0);
        account.map_or_else(|| format!("bot{id}"), |account| account.name)
    }

    /// Whether bots log in with a name and a password.
    pub fn has_accounts(&self) -> bool {
        self.who == Who::Account
    }

    /// The bot of this run that an address is of, if it is one: by its resource.
    pub(crate) fn bot_at(&self, address: &str) -> Option<BotId> {
        let (account, resource) = address.split_once('/')?;
        let id = BotId(resource.strip_prefix(&self.mark)?.strip_prefix('-')?.parse().ok()?);
        let (name, domain) = account.split_once('@')?;
        (domain == self.domain() && name == self.name(id).to_lowercase()).then_some(id)
    }

    /// A session that logs a bot in, or goes on where the one before was lost.
    pub fn session(&self, id: BotId, stay: &mut Stay) -> Xmpp {
        stay.phase = None;
        match stay.resumption.take() {
            Some(resumption) => Xmpp::resuming(self.account(id), *resumption),
            None => Xmpp::new(self.account(id)),
        }
    }

    /// Whom a bot logs in as.
    pub fn account(&self, id: BotId) -> Account {
        let identity = match (self.who, self.accounts.of(id.0)) {
            (Who::Nobody, _) => Identity::nobody(),
            (Who::Certificate, account) => {
                let name = account.map(|account| format!("{}@{}", account.name, self.domain()));
                Identity::certificate(&name.unwrap_or_default()).unwrap_or(Identity::nobody())
            }
            (Who::Account, account) => account
                .and_then(|account| Identity::password(&account.name, &account.password).ok())
                .unwrap_or(Identity::nobody()),
        };
        let resource = format!("{}-{id}", self.mark).into();
        Account { service: self.service.clone(), identity, resource }
    }

    /// The byte stream is up: the login begins, unless it began with TLS.
    pub fn opened<S: Scenario>(&self, stay: &mut Stay, ctx: &mut Ctx<'_, S>) {
        if stay.phase.is_none() {
            ctx.begin(LOGIN);
            enter(stay, Some(STREAM), ctx);
        }
    }

    /// The engine does something for the login. TLS that begins with the connection is the first
    /// phase.
    pub fn works<S: Scenario>(&self, stay: &mut Stay, work: Work, ctx: &mut Ctx<'_, S>) {
        match work {
            Work::Handshake if stay.phase.is_none() => {
                ctx.begin(LOGIN);
                enter(stay, Some(TLS), ctx);
            }
            Work::Handshake => {}
            Work::Derivation => ctx.begin(PBKDF2),
            Work::Derived => _ = ctx.end(PBKDF2),
        }
    }

    /// The byte stream is up over TLS.
    pub fn secured<S: Scenario>(&self, stay: &mut Stay, ctx: &mut Ctx<'_, S>) {
        if stay.phase == Some(TLS) {
            enter(stay, Some(STREAM), ctx);
        }
    }

    /// Times the login by what the session tells, and says that the bot is there when it is over.
    pub fn hear<S: Scenario<Session = Xmpp>>(
        &self,
        stay: &mut Stay,
        event: &Event<'_>,
        ctx: &mut Ctx<'_, S>,
    ) -> Told {
        match event {
            Event::Login(phase) => {
                enter(stay, Some(op_of(*phase)), ctx);
                Told::Along
            }
            Event::Online { address } => {
                enter(stay, None, ctx);
                stay.hops = 0;
                ctx.end(LOGIN);
                if address.is_none() {
                    return Told::Resumed;
                }
                ctx.begin(PRESENCE);
                ctx.send(|session, out| session.presence(out));
                Told::Online
            }
            Event::Presence(presence)
                if ctx.in_flight(PRESENCE) && self.is_own(presence, ctx.id) =>
            {
                ctx.end(PRESENCE);
                Told::Along
            }
            Event::StreamError(error) => {
                if let (Some(host), Some(link)) = (error.other_host(), ctx.link) {
                    self.sent_to(&host, link, stay, ctx);
                }
                Told::Other
            }
            _ => Told::Other,
        }
    }

    /// The service sends the bot elsewhere, and ends the stream: the next dial goes there, or the
    /// loss names the place.
    fn sent_to<S: Scenario>(&self, host: &str, link: Link, stay: &mut Stay, ctx: &mut Ctx<'_, S>) {
        stay.hops += 1;
        match elsewhere::place(host, &ctx.plan().endpoints) {
            Some(at) if stay.hops <= HOPS_MAX => ctx.detour(at),
            place => {
                stay.hops = 0; // the next dial begins anew
                ctx.lose(
                    link,
                    match place {
                        Some(_) => "sent from host to host without end (see-other-host)",
                        None => self.causes.of(host),
                    },
                );
            }
        }
    }

    /// Whether it comes from the bot's own address.
    fn is_own(&self, presence: &Stanza<'_>, id: BotId) -> bool {
        let from = presence.from().unwrap_or_default();
        let resource = from.rsplit_once('/').map_or("", |(_, resource)| resource);
        presence.kind() == Kind::Available
            && resource.strip_prefix(&self.mark).and_then(|rest| rest.strip_prefix('-'))
                == Some(id.to_string().as_str())
    }
}

/// The op in flight has succeeded, another one begins.
fn enter<S: Scenario>(stay: &mut Stay, next: Option<Op>, ctx: &mut Ctx<'_, S>) {
    if let Some(op) = stay.phase.take() {
        ctx.end(op);
    }
    if let Some(op) = next {
        ctx.begin(op);
    }
    stay.phase = next;
}

fn op_of(phase: Phase) -> Op {
    match phase {
        Phase::Stream => STREAM,
        Phase::Tls => TLS,
        Phase::Sasl | Phase::Register => SASL,
        Phase::Bind | Phase::Session => BIND,
        Phase::Management | Phase::Resume => MANAGEMENT,
    }
}
