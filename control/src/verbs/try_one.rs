//! `densebots try`: one bot against a target, every byte of both sides shown.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::slice::from_ref;
use std::time::Duration;

use anyhow::Result;
use densebots_engine::limits::Demand;
use densebots_engine::{Arrival, Backoff, Command, Endpoint, Load, Plan, Report};
use densebots_scenarios::{Builtin, Traffic};

use crate::args::TryFlags;
use crate::ending::Ending;
use crate::meant::Aimed;
use crate::paint::Paint;
use crate::remedy;
use crate::scenario_file::Chosen;
use crate::secure::{self, KeyLog};
use crate::service::Service;
use crate::signals::Signals;
use crate::trace::{readable, trace};
use crate::units::{micros, size};
use crate::{clock, meant, names};

/// How long the target may take to accept.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it is given to speak first.
const GREETING: Duration = Duration::from_millis(300);
/// How often signals are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How long an op may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A bot that speaks every ten seconds would show nothing in three.
const PACE: &str = "500ms";

/// Tries.
pub(crate) fn try_one(flags: &TryFlags) -> Result<Ending> {
    let signals = Signals::watch()?;
    let named = names::scenario(flags.scenario.as_deref(), from_ref(&flags.target));
    let chosen = meant::scenario(named)?;
    let scenario = chosen.scenario;
    let via: Vec<String> = flags.via.iter().cloned().collect();
    let service = Service::of(from_ref(&flags.target), &via, "TARGET", scenario)?;
    let Aimed { settings, mut endpoints, way, tls, .. } =
        meant::aim(chosen, &service, &flags.allow, &flags.secure, &paced(chosen, flags))?;
    let traffic =
        (scenario.traffic)(&settings, 1).map_err(|error| meant::fault_of_setting(&error))?;
    let endpoint = endpoints.swap_remove(0);
    let address = endpoint.address;
    let name = endpoint.name.clone();
    let mut plan = Plan { tls, ..plan(endpoint, flags.hold) };
    let ready =
        (scenario.prepare)(&settings, &plan).map_err(|error| meant::fault_of_setting(&error))?;
    let paint = Paint::on(&io::stdout());
    let told = secure::told(way, plan.tls.as_ref());
    crate::tell(&format!("{} against {name}, {told}\n", scenario.name));
    if !greeted(address) {
        crate::tell(&format!("\n{}\n", paint.bad("failed: nobody got online")));
        return Ok(Ending::NobodyOnline);
    }
    let (observer, lines) = trace(vec![1], scenario.target, paint);
    let key_log = KeyLog::of(&flags.secure, plan.tls.as_mut())?;
    let run = ready.start(plan, Some(observer))?;
    let mut stage = Stage { shown: 0, hidden: 0 };
    let mut asked = false;
    while !run.ended() {
        while run.snapshot(Duration::ZERO).is_some() {}
        if let Ok(line) = lines.recv_timeout(GLANCE) {
            stage.show(&line);
        }
        if signals.asked() {
            let _ = run.command(Command::Stop);
            asked = true;
        }
    }
    // The observer ends with the run, and the channel with the observer.
    lines.iter().for_each(|line| stage.show(&line));
    let report = run.finish();
    crate::tell(&stage.rest());
    if let Some(why) = key_log.and_then(KeyLog::close) {
        crate::tell(&format!("{}\n", paint.doubt(&why)));
    }
    crate::tell(&summary(&report, scenario, traffic, paint));
    Ok(match () {
        () if asked => Ending::Interrupted,
        () if report.bots.peak_online == 0 => Ending::NobodyOnline,
        () if !report.passed() => Ending::Failed,
        () => Ending::Passed,
    })
}

/// What was set, and a pace at which there is something to see.
fn paced(chosen: Chosen, flags: &TryFlags) -> Vec<String> {
    // Whoever wrote a file has set its pace as it should be.
    let parameters = chosen.scenario.parameters.iter().filter(|_| chosen.file.is_none());
    let own = |name: &str| parameters.clone().any(|parameter| parameter.name == name);
    let mut set: Vec<String> = ["pace", "pause"]
        .into_iter()
        .filter(|name| {
            own(name)
                && std::env::var_os(format!("DENSEBOTS_VAR_{}", name.to_uppercase())).is_none()
        })
        .map(|name| format!("{name}={PACE}"))
        .collect();
    set.extend_from_slice(&flags.set.set);
    set
}

fn plan(endpoint: Endpoint, hold: Duration) -> Plan {
    Plan {
        endpoints: vec![endpoint],
        trace: vec![1],
        shards: 1,
        load: Load::Closed { bots: 1, arrival: Arrival::AtOnce, hold },
        connect_timeout: CONNECT,
        request_timeout: PATIENCE,
        reconnect: Backoff { give_up: Some(2), ..Backoff::default() },
        drain: PATIENCE,
        ..Plan::default()
    }
}

/// Connects once by itself: how long that takes, and whether the target speaks first. False if it
/// cannot be reached.
fn greeted(address: SocketAddr) -> bool {
    let began = clock::now();
    let mut target = match TcpStream::connect_timeout(&address, CONNECT) {
        Ok(target) => target,
        Err(error) => {
            crate::tell(&format!("cannot connect: {error}\n"));
            return false;
        }
    };
    let took = micros(began.elapsed().as_micros() as u64);
    let mut greeting = [0; 1024];
    let heard = target.set_read_timeout(Some(GREETING)).and_then(|()| target.read(&mut greeting));
    let offer = match heard {
        Ok(0) => "closes at once".to_owned(),
        Ok(used) => format!("speaks first: {}", readable(&greeting[..used])),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            "waits to be spoken to".to_owned()
        }
        Err(error) => format!("breaks off: {error}"),
    };
    crate::tell(&format!("connected in {took}; the target {offer}\n\n"));
    true
}

/// Shows what happens, up to a bound.
struct Stage {
    shown: usize,
    hidden: usize,
}

impl Stage {
    /// More lines than this are only counted.
    const SHOWN_MAX: usize = 500;

    fn show(&mut self, line: &str) {
        if self.shown < Stage::SHOWN_MAX {
            self.shown += 1;
            let _ = writeln!(io::stdout(), "{line}");
        } else {
            self.hidden += 1;
        }
    }

    fn rest(&self) -> String {
        match self.hidden {
            0 => String::new(),
            more => format!("... and {more} more\n"),
        }
    }
}

fn summary(report: &Report, scenario: &Builtin, traffic: Traffic, paint: Paint) -> String {
    let mut text = String::from("\n");
    for (name, op) in report.names.ops.iter().zip(&report.total.ops) {
        let longest = if op.latency.count() > 0 { micros(op.latency.max()) } else { "-".into() };
        let _ = writeln!(
            text,
            "{name}: {} begun, {} ok, {} failed, {} timed out, {} without an answer, \
             longest {longest}",
            op.begun, op.ok, op.failed, op.timed_out, op.cut,
        );
    }
    for loss in &report.total.losses {
        let (cause, lost) = (loss.lost.cause, loss.lost);
        let (what, blame, help) = (lost.condition, cause.blame(), remedy::told(lost.condition));
        let line = format!("lost: {} ({what}), by the {blame}{help}", cause.name());
        let _ = writeln!(text, "{}", paint.bad(&line));
    }
    let kernel = Demand::default().bytes_per_connection_kernel;
    let _ = writeln!(
        text,
        "cost per bot: about {} user and {} kernel memory, {:.1} messages/s out and {:.1}/s in, \
         {} B each",
        size(scenario.bytes_per_bot),
        size(kernel),
        traffic.sends,
        traffic.hears,
        traffic.bytes,
    );
    let verdict = match report.failures() {
        none if none.is_empty() => paint.good("passed"),
        some => paint.bad(&format!("failed: {}", some.join("; "))),
    };
    let _ = writeln!(text, "{verdict}");
    text
}
