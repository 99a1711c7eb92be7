//! A crowd of bots and the embedded target, each in a process of its own, and what they weigh.

use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use densebots_engine::{Arrival, Endpoint, Load, Phase, Plan, Report};
use densebots_scenarios::{Settings, find, serve};

use crate::roles::Role;
use crate::traffic::{number, value};

/// Connections of one descriptor table, under a limit of 20,000 and with slack.
const TABLE: usize = 17_600;
/// A listener outlives every bench.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// What a crowd does and for how long.
pub struct Crowd<'a> {
    /// The built-in scenario.
    pub scenario: &'a str,
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
    /// Both processes' CPU time in the hold phase, as a share of two cores.
    pub busy: f64,
}

/// Plays the roles of a crowd in this process.
pub fn play(name: &str, words: &[String]) -> io::Result<()> {
    match name {
        "crowd-target" => target(number(words, "bots")?),
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
fn target(bots: usize) -> io::Result<()> {
    let shards = shards(bots);
    let plan = Plan {
        endpoints: vec![endpoint(([127, 0, 0, 1], 0).into()); shards],
        load: Load::Closed { bots: shards as u32, arrival: Arrival::AtOnce, hold: LONG },
        capacity: bots as u32,
        shards,
        split_tables: shards > 1,
        ..Plan::default()
    };
    let (told, listening) = mpsc::channel();
    let run = serve(densebots_scenarios::target::Speaks::Echo, plan, move |at| {
        let _ = told.send(at.port().to_string());
    })
    .map_err(io::Error::other)?;
    let ports: Vec<String> = listening.iter().take(shards).collect();
    println!("ports={}", ports.join(","));
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
    let builtin = find(value(words, "scenario")?).ok_or_else(|| io::Error::other("scenario"))?;
    let settings = Settings::of(builtin.parameters, []).map_err(io::Error::other)?;
    let shards = shards(count);
    let rate: f64 = value(words, "rate")?.parse().map_err(io::Error::other)?;
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
        ..Plan::default()
    };
    let run = (builtin.start)(&settings, plan, None).map_err(io::Error::other)?;
    while let Some(snapshot) = run.snapshot(Duration::from_secs(60)) {
        if snapshot.phase == Phase::Hold {
            println!("{}", weight(&snapshot.report));
        }
    }
    println!("end=1 {}", weight(&run.finish()));
    Ok(())
}

fn weight(report: &Report) -> String {
    let lost: u64 =
        report.total.losses.iter().filter(|loss| loss.lost.opened).map(|loss| loss.count).sum();
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
    let mut target = Role::start("crowd-target", &format!("bots={}", crowd.bots), None)?;
    let ports = target.line()?;
    let Crowd { scenario, bots: count, hold, rate } = crowd;
    let words = format!(
        "scenario={scenario} bots={count} hold={} rate={rate} {}",
        hold.as_secs(),
        ports.trim()
    );
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
    let cpu = |(bots, guest): &(String, String)| {
        Ok::<_, io::Error>(field(bots, "cpu")? + field(guest, "cpu")?)
    };
    Ok(Weighed {
        ramp: field(&end, "ramp")?,
        least: field(&end, "least")? as u64,
        lost: field(&end, "lost")? as u64,
        bot: (per_bot(&first.0)?, per_bot(&last.0)?),
        guest: (per_guest(&first.1)?, per_guest(&last.1)?),
        lag_p99: field(&last.0, "lag")? as u64,
        busy: (cpu(&last)? - cpu(&first)?) / hold.as_secs_f64() / 2.0,
    })
}

impl Weighed {
    /// Prints everything, and fails unless the whole crowd stayed.
    pub fn check(&self, name: &str, bots: usize, bytes: f64) {
        println!(
            "{name}: {bots} online within {:.1} s, at least {} held, {} lost; user bytes a bot \
             {:.1} to {:.1}, at the target {:.1} to {:.1}; lag p99 {} µs; {:.0} % of two cores",
            self.ramp,
            self.least,
            self.lost,
            self.bot.0,
            self.bot.1,
            self.guest.0,
            self.guest.1,
            self.lag_p99,
            100.0 * self.busy
        );
        assert_eq!((self.least, self.lost), (bots as u64, 0), "{name}: bots are missing");
        let most = self.bot.1.max(self.guest.1);
        assert!(most <= bytes, "{name}: {most:.1} bytes of user space, budget {bytes}");
    }
}
