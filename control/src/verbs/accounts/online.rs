//! Accounts made and removed at a service that runs (XEP-0077), at a given rate.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::slice::from_ref;
use std::time::Duration;

use anyhow::Result;
use densebots_engine::plan::Tls;
use densebots_engine::{Arrival, Backoff, Command, Endpoint, Load, Plan, Report, Run, Snapshot};
use densebots_scenarios::Builtin;
use densebots_scenarios::register::{self, Purpose, Tally};

use super::Population;
use crate::args::OnlineFlags;
use crate::ending::{Ending, usage};
use crate::meant::{self, Aimed};
use crate::paint::Paint;
use crate::remedy;
use crate::secure::{self, KeyLog};
use crate::service::Service;
use crate::signals::Signals;
use crate::units::{grouped, micros, per_second, several, span};

/// Accounts a second, unless told: what a server writes to its disk beside its other work.
const RATE: f64 = 50.0;
/// Accounts that may be under way at once, however slow the service is.
const CONNECTING: u32 = 256;
/// Attempts of one account that may fail before it is given up.
const RETRIES: u32 = 3;
/// No list takes longer. It ends as soon as nothing is left to do.
const LASTING: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often signals are looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// How often it is told how far it is, in seconds.
const TOLD_EVERY: f64 = 5.0;
/// Parameters of a login that say whose it is, which the flags of this verb do.
const WHOSE: [(&str, &str); 3] =
    [("names", "--account-name"), ("accounts", "--accounts"), ("password-file", "--password-file")];

/// What is to become of accounts, and where.
pub(super) struct Wanted {
    purpose: Purpose,
    flag: &'static str,
    target: String,
}

/// What the flags ask for: nothing, if accounts are only to be written.
pub(super) fn wanted(flags: &OnlineFlags) -> Result<Option<Wanted>> {
    let (purpose, flag, target) = match (&flags.register, &flags.unregister) {
        (Some(target), _) => (Purpose::Make, "--register", target),
        (None, Some(target)) => (Purpose::Remove, "--unregister", target),
        (None, None) => {
            let idle = [
                ("--rate", flags.rate.is_some()),
                ("--via", !flags.via.is_empty()),
                ("--tls", flags.secure.tls.is_some()),
                ("--set", !flags.set.set.is_empty()),
            ];
            return match idle.iter().find(|(_, given)| *given) {
                None => Ok(None),
                Some((flag, _)) => Err(usage(format!(
                    "{flag}: give --register or --unregister too; without them a list is written"
                ))),
            };
        }
    };
    Ok(Some(Wanted { purpose, flag, target: target.clone() }))
}

/// Makes or removes them, and says what came of it.
pub(super) fn settle(
    wanted: &Wanted,
    population: &Population,
    flags: &OnlineFlags,
) -> Result<Ending> {
    let signals = Signals::watch()?;
    let login = logins();
    let service = Service::of(from_ref(&wanted.target), &flags.via, wanted.flag, login)?;
    let Aimed { settings, endpoints, way, tls, here } =
        meant::aim(login.into(), &service, &flags.allow, &flags.secure, &flags.set.set)?;
    for (name, flag) in WHOSE {
        let usual = login.parameters.iter().find(|own| own.name == name);
        if usual.is_some_and(|usual| settings.text(name) != usual.default) {
            return Err(usage(format!("--set {name}: give {flag}")));
        }
    }
    let rate = flags.rate.unwrap_or(RATE);
    let at = endpoints.first().map_or_else(String::new, |endpoint| endpoint.name.clone());
    let mut plan = plan(population, rate, endpoints, tls, here);
    plan.check().map_err(|error| usage(error.to_string()))?;
    let ready = register::prepare(wanted.purpose, population.accounts.clone(), &settings, &plan)
        .map_err(|error| meant::fault_of_setting(&error))?;
    let paint = Paint::on(&io::stderr());
    if !flags.quiet {
        let doing = match wanted.purpose {
            Purpose::Make => "making",
            Purpose::Remove => "removing",
        };
        let what = several(population.count.into(), "account");
        let told = secure::told(way, plan.tls.as_ref());
        say(&paint.strong(&format!("{doing} {what} at {at}, {}; {told}", per_second(rate))));
    }
    let key_log = KeyLog::of(&flags.secure, plan.tls.as_mut())?;
    let run = ready.start(plan, None)?;
    let asked = follow(&run, &signals, population.count, flags.quiet);
    let report = run.finish();
    if let Some(why) = key_log.and_then(KeyLog::close) {
        say(&paint.doubt(&why));
    }
    crate::tell(&summary(&report, wanted.purpose, population.count, Paint::on(&io::stdout())));
    Ok(ending(&report, asked, population.count))
}

fn plan(
    population: &Population,
    rate: f64,
    endpoints: Vec<Endpoint>,
    tls: Option<Tls>,
    here: bool,
) -> Plan {
    let (bots, arrival) = (population.count, Arrival::Constant(rate));
    Plan {
        first_id: population.first,
        load: Load::Closed { bots, arrival, hold: LASTING },
        endpoints,
        shards: 1,
        connecting_max: CONNECTING,
        reconnect: Backoff { give_up: Some(RETRIES), ..Backoff::default() },
        tls,
        breaker: !here,
        ..Plan::default()
    }
}

/// A scenario that logs in and does nothing else: its parameters are those of a login.
fn logins() -> &'static Builtin {
    densebots_scenarios::find("xmpp-idle").expect("it is built in")
}

/// Until all is done; whether somebody asked for the end.
fn follow(run: &Run, signals: &Signals, count: u32, quiet: bool) -> bool {
    let (mut asked, mut next) = (false, TOLD_EVERY);
    while !run.ended() {
        let snapshot = run.snapshot(GLANCE);
        if signals.asked() {
            let _ = run.command(if asked { Command::Stop } else { Command::Drain });
            asked = true;
        }
        if let Some(snapshot) = snapshot.filter(|now| !quiet && now.at.seconds() >= next) {
            next += TOLD_EVERY;
            say(&progress(&snapshot, count));
        }
    }
    asked
}

fn progress(now: &Snapshot, count: u32) -> String {
    let done = grouped(Tally::of(&now.report).done());
    let failed = grouped(now.second.population.failed);
    format!(
        "{:>6}   {done} of {} done, {failed} failed",
        span(now.report.duration),
        grouped(count.into())
    )
}

/// Whoever closed standard error has heard enough.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Why not all accounts are as they should be; empty if they are.
fn faults(report: &Report, count: u32) -> Vec<String> {
    let mut why = Vec::new();
    let done = Tally::of(report).done();
    if let Some(panic) = &report.panic {
        why.push(format!("bot {} panicked", panic.bot));
    }
    if done < count.into() {
        why.push(format!("{} of {} done", grouped(done), several(count.into(), "account")));
    }
    why.extend(report.ended_by.clone());
    why
}

fn summary(report: &Report, purpose: Purpose, count: u32, paint: Paint) -> String {
    let tally = Tally::of(report);
    let why = faults(report, count);
    let mut text = match why.is_empty() {
        true => format!("{}\n\n", paint.good("passed")),
        false => format!("{}\n\n", paint.bad(&format!("failed: {}", why.join("; ")))),
    };
    let mut row = |label: &str, what: String| _ = writeln!(text, "{label:<9}{what}");
    match purpose {
        Purpose::Make => {
            row("made", grouped(tally.made));
            row("there", format!("{} already", grouped(tally.there)));
        }
        Purpose::Remove => row("removed", grouped(tally.removed)),
    }
    for (condition, refusals) in &tally.refused {
        row("refused", format!("{} {condition}", grouped(*refusals)));
    }
    for loss in &report.total.losses {
        let (cause, condition) = (loss.lost.cause, loss.lost.condition);
        let example = loss.example;
        let count = grouped(loss.count);
        row(
            "lost",
            format!(
                "{count} {}: {condition}, by the {}, such as bot {example}{}",
                cause.name(),
                cause.blame(),
                remedy::told(condition),
            ),
        );
        if condition == GONE_OR_ANOTHER && purpose == Purpose::Remove {
            row("", "(gone already, or its password is another)".to_owned());
        }
    }
    if let Some(op) = report.total.ops.iter().find(|op| op.ok > 0) {
        let latency = &op.latency;
        row(
            "answers",
            format!(
                "half of them within {}, all within {}",
                micros(latency.at(0.5)),
                micros(latency.max())
            ),
        );
    }
    row("took", span(report.duration));
    text
}

/// What a service says of a login with an account that is not there, and of a wrong password.
const GONE_OR_ANOTHER: &str = "a login failure: not-authorized";

fn ending(report: &Report, asked: bool, count: u32) -> Ending {
    let tally = Tally::of(report);
    let answered = tally.done() > 0 || !tally.refused.is_empty();
    if report.panic.is_some() {
        Ending::Unexpected
    } else if asked {
        Ending::Interrupted
    } else if !answered {
        Ending::NobodyOnline
    } else if tally.done() < count.into() || report.ended_by.is_some() {
        Ending::Failed
    } else {
        Ending::Passed
    }
}
