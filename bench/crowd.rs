//! A crowd of bots and the embedded target, each in a process of its own, and what they weigh.

use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use densebots_engine::metrics::Delivery;
use densebots_engine::{Arrival, Endpoint, Load, Phase, Plan, Report, Run, Tier};
use densebots_protocols::xmpp::server::Starttls;
use densebots_scenarios::target::{Speaks, xmpp};
use densebots_scenarios::{Settings, find, serve, serve_xmpp};

use crate::roles::Role;
use crate::traffic::{number, value};
use crate::xmpp::{Stayer, accepting, dialling, tier, tier_word};

/// The scenario of bots that log in to an XMPP service and stay, which is not built in.
pub const STAYER: &str = "xmpp-stayer";
/// Connections of one descriptor table, under a limit of 20,000 and with slack.
const TABLE: usize = 17_600;
/// A listener outlives every bench.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// What a crowd does and for how long.
pub struct Crowd<'a> {
    /// The built-in scenario, or [`STAYER`].
    pub scenario: &'a str,
    /// What links keep of their TLS, if they have it.
    pub tls: Option<Tier>,
    /// How many bots.
    pub bots: usize,
    /// How long they stay once all are in.
    pub hold: Duration,
    /// Arrivals a second.
    pub rate: f64,
}

/// What was measured of a crowd.
pub struct Weighed {
    /// Seconds until everybody was online.
    pub ramp: f64,
    /// The fewest that were online while they stayed.
    pub least: u64,
    /// Links that were lost.
    pub lost: u64,
    /// User-space bytes of a bot, and of a connection at the target: at the beginning of the hold
    /// phase and at its end.
    pub bot: (f64, f64),
    /// As above, of the target.
    pub guest: (f64, f64),
    /// The generator's lag at p99 in the hold phase, in microseconds.
    pub lag_p99: u64,
    /// CPU time of the bots' process and of the target's in the hold phase, as shares of two cores.
    pub busy: (f64, f64),
    /// What the ledger says of the whole run; all zero if it keeps none.
    pub ledger: Ledger,
}

/// How many deliveries of a run are of which class.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// Messages sent.
    pub messages: u64,
    /// Deliveries owed.
    pub expected: u64,
    /// Of those, heard within the limit.
    pub delivered: u64,
    /// Of those, not heard by who had left.
    pub excused: u64,
    /// Of those, not heard by who should have.
    pub missing: u64,
    /// Heard twice, in another order, late, sent back, or not of this run.
    pub amiss: u64,
}

/// Plays the roles of a crowd in this process.
pub fn play(name: &str, words: &[String]) -> io::Result<()> {
    match name {
        "crowd-target" => target(words),
        "crowd-bots" => bots(words),
        name => Err(io::Error::other(format!("there is no role {name}"))),
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { name: address.to_string(), address, weight: 1 }
}

fn shards(bots: usize) -> usize {
    bots.div_ceil(TABLE)
}

/// Serves until its standard input ends; each line there is answered with a weight.
fn target(words: &[String]) -> io::Result<()> {
    let bots: usize = number(words, "bots")?;
    let shards = shards(bots);
    let secured = tier(words)?.map(accepting).transpose()?;
    let (tls, certificate) = secured.unzip();
    let plan = Plan {
        endpoints: vec![endpoint(([127, 0, 0, 1], 0).into()); shards],
        load: Load::Closed { bots: shards as u32, arrival: Arrival::AtOnce, hold: LONG },
        capacity: bots as u32,
        shards,
        split_tables: shards > 1,
        tls,
        ..Plan::default()
    };
    let (told, listening) = mpsc::channel();
    let listens = move |at: SocketAddr| _ = told.send(at.port().to_string());
    let scenario = value(words, "scenario")?;
    let xmpp_too = find(scenario).is_some_and(|built_in| built_in.target == Speaks::Xmpp);
    let run = if scenario == STAYER || xmpp_too {
        let starttls = if plan.tls.is_some() { Starttls::Required } else { Starttls::Off };
        serve_xmpp(&xmpp::Service { starttls, ..xmpp::Service::default() }, plan, listens)
    } else {
        serve(Speaks::Echo, plan, listens)
    };
    let run = run.map_err(io::Error::other)?;
    let ports: Vec<String> = listening.iter().take(shards).collect();
    println!("ports={} certificate={}", ports.join(","), certificate.unwrap_or_default());
    while let Some(snapshot) = run.snapshot(LONG) {
        let (second, generator) = (&snapshot.second, &snapshot.report.generator);
        println!(
            "grown={} accepted={} cpu={}",
            generator.rss_bytes.saturating_sub(generator.base_bytes),
            second.accepted,
            generator.cpu.as_secs_f64()
        );
    }
    Ok(())
}

/// Runs the bots; prints a line each second of the hold phase, and a last one.
fn bots(words: &[String]) -> io::Result<()> {
    let ports = value(words, "ports")?.split(',').filter_map(|port| port.parse::<u16>().ok());
    let count: usize = number(words, "bots")?;
    let shards = shards(count);
    let rate: f64 = value(words, "rate")?.parse().map_err(io::Error::other)?;
    let certificate = value(words, "certificate")?;
    let tls = tier(words)?.map(|tier| dialling(tier, certificate));
    let plan = Plan {
        endpoints: ports.map(|port| endpoint(([127, 0, 0, 1], port).into())).collect(),
        sources: (1..=8).map(|last| [127, 0, 0, last].into()).collect(),
        load: Load::Closed {
            bots: count as u32,
            arrival: Arrival::Constant(rate),
            hold: Duration::from_secs(number(words, "hold")?),
        },
        shards,
        split_tables: shards > 1,
        tls: tls.transpose()?,
        ..Plan::default()
    };
    let run = begin(value(words, "scenario")?, plan)?;
    while let Some(snapshot) = run.snapshot(Duration::from_secs(60)) {
        if snapshot.phase == Phase::Hold {
            println!("{}", weight(&snapshot.report));
        }
    }
    let report = run.finish();
    report.failures().iter().for_each(|why| eprintln!("the crowd: {why}"));
    for loss in &report.total.losses {
        eprintln!("the crowd: {} times {:?}", loss.count, loss.lost);
    }
    println!("end=1 {} {}", weight(&report), ledger(&report.total.delivery));
    Ok(())
}

fn ledger(own: &Delivery) -> String {
    let amiss = [own.duplicated, own.reordered, own.late, own.bounced, own.foreign, own.ids_lost];
    format!(
        "messages={} expected={} delivered={} excused={} missing={} amiss={}",
        own.messages,
        own.expected,
        own.delivered,
        own.excused,
        own.missing,
        amiss.iter().sum::<u64>()
    )
}

fn begin(scenario: &str, plan: Plan) -> io::Result<Run> {
    if scenario == STAYER {
        return Stayer::start(plan);
    }
    let builtin = find(scenario).ok_or_else(|| io::Error::other("scenario"))?;
    let settings = Settings::of(builtin.parameters, []).map_err(io::Error::other)?;
    builtin.start(&settings, plan, None).map_err(io::Error::other)
}

fn weight(report: &Report) -> String {
    let lost: u64 =
        report.total.losses.iter().filter(|loss| loss.lost.online).map(|loss| loss.count).sum();
    format!(
        "ramp={} least={} lost={lost} grown={} lag={} cpu={}",
        report.ramp.as_secs_f64(),
        report.bots.min_online,
        report.generator.rss_bytes.saturating_sub(report.generator.base_bytes),
        report.measured.lag.at(0.99),
        report.generator.cpu.as_secs_f64(),
    )
}

/// Runs a crowd once.
pub fn weigh(crowd: &Crowd<'_>) -> io::Result<Weighed> {
    let Crowd { scenario, tls, bots: count, hold, rate } = crowd;
    let words = format!("scenario={scenario} bots={count} {}", tier_word(*tls));
    let mut target = Role::start("crowd-target", &words, None)?;
    let words = format!("{words} hold={} rate={rate} {}", hold.as_secs(), target.line()?.trim());
    let mut bots = Role::start("crowd-bots", &words, None)?;
    // The target's lines pile up in its pipe; a thread keeps the newest.
    let (told, guests) = mpsc::channel();
    let lines = target.take_lines();
    std::thread::spawn(move || {
        lines.lines().map_while(Result::ok).try_for_each(|line| told.send(line))
    });
    let field = |line: &str, name: &str| -> io::Result<f64> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        value(&words, name)?.parse().map_err(io::Error::other)
    };
    let (mut first, mut last) = (None, None);
    let end = loop {
        let line = bots.line()?;
        if line.starts_with("end=1") {
            break line;
        }
        let guest = guests.try_iter().last().unwrap_or_default();
        if !guest.is_empty() {
            first.get_or_insert((line.clone(), guest.clone()));
            last = Some((line, guest));
        }
    };
    let nothing = || io::Error::other(format!("no second of hold was seen: {}", end.trim()));
    let (first, last) = (first.ok_or_else(nothing)?, last.ok_or_else(nothing)?);
    let per_bot = |line: &str| Ok::<_, io::Error>(field(line, "grown")? / *count as f64);
    let per_guest =
        |line: &str| Ok::<_, io::Error>(field(line, "grown")? / field(line, "accepted")?);
    let busy = |first: &str, last: &str| -> io::Result<f64> {
        Ok((field(last, "cpu")? - field(first, "cpu")?) / hold.as_secs_f64() / 2.0)
    };
    let count_of = |name: &str| field(&end, name).map(|number| number as u64);
    Ok(Weighed {
        ramp: field(&end, "ramp")?,
        least: field(&end, "least")? as u64,
        lost: field(&end, "lost")? as u64,
        bot: (per_bot(&first.0)?, per_bot(&last.0)?),
        guest: (per_guest(&first.1)?, per_guest(&last.1)?),
        lag_p99: field(&last.0, "lag")? as u64,
        busy: (busy(&first.0, &last.0)?, busy(&first.1, &last.1)?),
        ledger: Ledger {
            messages: count_of("messages")?,
            expected: count_of("expected")?,
            delivered: count_of("delivered")?,
            excused: count_of("excused")?,
            missing: count_of("missing")?,
            amiss: count_of("amiss")?,
        },
    })
}

impl Weighed {
    /// Prints everything, and fails unless the whole crowd stayed and weighs at most so many bytes
    /// a bot, and a guest of the target.
    pub fn check(&self, name: &str, bots: usize, bot_max: f64, guest_max: f64) {
        println!(
            "{name}: {bots} online within {:.1} s, at least {} held, {} lost; user bytes a bot \
             {:.1} to {:.1}, at the target {:.1} to {:.1}; lag p99 {} µs; \
             {:.0} % of two cores, and the target {:.0} %",
            self.ramp,
            self.least,
            self.lost,
            self.bot.0,
            self.bot.1,
            self.guest.0,
            self.guest.1,
            self.lag_p99,
            100.0 * self.busy.0,
            100.0 * self.busy.1
        );
        assert_eq!((self.least, self.lost), (bots as u64, 0), "{name}: bots are missing");
        for (whose, bytes, budget) in
            [("a bot", self.bot.1, bot_max), ("at the target", self.guest.1, guest_max)]
        {
            assert!(bytes <= budget, "{name}: {bytes:.1} user bytes {whose}, budget {budget}");
        }
    }
}
