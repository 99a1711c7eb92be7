//! Bots that log in to an XMPP service and stay, and the TLS of both sides of a bench.

use std::io;
use std::time::Duration;

use densebots_engine::{
    AcceptTls, Arrival, BotId, Close, Command, Ctx, DialTls, Endpoint, Identity, Link,
    Load as PlanLoad, Lost, Names, Phase as RunPhase, Plan, Rng, Role, Run, Scenario, StartError,
    Tier, Tls, Trust, start,
};
use densebots_protocols::xmpp::{Event, Xmpp};
use densebots_scenarios::chat::{self, Chat, Stay, Told};
use densebots_scenarios::{SettingError, Settings};
use rustls::crypto::aws_lc_rs::default_provider;

use crate::machine::processor_time;
use crate::traffic::{Figures, Load, Phase, value, wrong};

/// The first bot of a run of logins: names of all are of one length then.
pub const FIRST_ID: u32 = 100_001;
/// The name of the service, and of its certificate.
pub const DOMAIN: &str = "localhost";

/// Each bot logs in with PLAIN, says that it is there, and stays.
pub struct Stayer {
    chat: Chat,
}

impl Stayer {
    /// Bots as built-in scenarios have them, unless told otherwise.
    pub fn new(plan: &Plan) -> Result<Stayer, SettingError> {
        let settings = Settings::of(&chat::PARAMETERS, [])?;
        Ok(Stayer { chat: Chat::from(&settings, plan)? })
    }

    /// Starts a run of them.
    pub fn start(plan: Plan) -> io::Result<Run> {
        let bots = Stayer::new(&plan).map_err(io::Error::other)?;
        start(bots, plan).map_err(|error: StartError| io::Error::other(error))
    }
}

impl Scenario for Stayer {
    type Session = Xmpp;
    type Bot = Stay;
    type Mail = ();

    fn names(&self) -> Names {
        Names::ops(&chat::OPS)
    }

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Stay {
        Stay::default()
    }

    fn session(&self, id: BotId, stay: &mut Stay, _: Link) -> Xmpp {
        self.chat.session(id, stay)
    }

    fn on_open(&self, stay: &mut Stay, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.opened(stay, ctx);
    }

    fn on_secured(&self, stay: &mut Stay, _: Link, ctx: &mut Ctx<'_, Self>) {
        self.chat.secured(stay, ctx);
    }

    fn on_event(&self, stay: &mut Stay, event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        if self.chat.hear(stay, &event, ctx) == Told::Online {
            ctx.ready();
        }
    }

    fn on_lost(&self, _: &mut Stay, _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        ctx.redial();
    }
}

/// The tier in the words `tls=off`, `tls=dense` or `tls=kept`.
pub fn tier(words: &[String]) -> io::Result<Option<Tier>> {
    match value(words, "tls")? {
        "off" => Ok(None),
        "dense" => Ok(Some(Tier::Dense)),
        "kept" => Ok(Some(Tier::Kept)),
        _ => Err(wrong("tls")),
    }
}

/// What [`tier`] reads.
pub fn tier_word(tier: Option<Tier>) -> &'static str {
    match tier {
        None => "tls=off",
        Some(Tier::Dense) => "tls=dense",
        Some(Tier::Kept) => "tls=kept",
    }
}

/// TLS of a listener with one certificate of P-256 made for it, and that certificate as a word of
/// hexadecimal digits for those that dial.
pub fn accepting(tier: Tier) -> io::Result<(Tls, String)> {
    let made = rcgen::generate_simple_self_signed(vec![DOMAIN.to_owned()]);
    let made = made.map_err(io::Error::other)?;
    let identity = Identity {
        chain: made.cert.pem().into_bytes(),
        key: made.signing_key.serialize_pem().into_bytes(),
    };
    let accept = AcceptTls { identity, peer_roots: Vec::new() };
    let certificate = made.cert.der().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((Tls { tier, accept: Some(accept), ..Tls::default() }, certificate))
}

/// TLS of bots that believe this certificate and check it like any other.
pub fn dialling(tier: Tier, certificate: &str) -> io::Result<Tls> {
    let byte = |at| certificate.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let root: Option<Vec<u8>> = (0..certificate.len()).step_by(2).map(byte).collect();
    let trust = Trust::Roots(vec![root.ok_or_else(|| wrong("certificate"))?]);
    let dial = DialTls { name: DOMAIN.to_owned(), trust, identity: None };
    Ok(Tls { tier, dial: Some(dial), ..Tls::default() })
}

/// Logs all of `load` in with the engine, in this process, on one shard.
pub fn log_in(load: &Load, tls: Option<Tls>) -> io::Result<Figures> {
    let endpoint = |&port: &u16| Endpoint {
        name: port.to_string(),
        address: ([127, 0, 0, 1], port).into(),
        weight: 1,
    };
    let plan = Plan {
        load: PlanLoad::Closed {
            bots: load.connections as u32,
            arrival: Arrival::AtOnce,
            hold: Duration::from_secs(5),
        },
        first_id: FIRST_ID,
        endpoints: load.ports.iter().map(endpoint).collect(),
        sources: (1..=load.sources).map(|last| [127, 0, 0, last].into()).collect(),
        shards: 1,
        close: Close::Rst,
        drain: Duration::from_secs(1),
        tls,
        ..Plan::default()
    };
    // Once a process the library of cryptography gathers entropy, 60 ms long: no part of a login.
    default_provider().secure_random.fill(&mut [0]).map_err(|_| io::Error::other("no entropy"))?;
    let begun = processor_time();
    let run = Stayer::start(plan)?;
    let mut connect = Phase::default();
    while let Some(snapshot) = run.snapshot(Duration::from_secs(30)) {
        if snapshot.phase == RunPhase::Hold {
            connect = Phase {
                count: snapshot.report.bots.peak_online,
                wall: snapshot.report.ramp,
                processor: processor_time() - begun,
            };
            break;
        }
    }
    _ = run.command(Command::Stop);
    let report = run.finish();
    if connect.count != load.connections as u64 {
        return Err(io::Error::other(report.failures().join("; ")));
    }
    Ok(Figures { connect, hold: Phase::default() })
}
