//! Logins with PLAIN over TLS 1.3, the certificate verified, beside the sum of what they are made
//! of: logins without TLS and handshakes in a bare loop. Both kinds of logins are at the embedded
//! target; over TLS they begin with STARTTLS, which is a stream more. The ratio is of logins a CPU
//! second of the side that dials.
//!
//! `cargo bench --bench logins_tls [-- PAIRS [LOGINS]]`

use std::{env, io};

use densebots_bench::crowd::{self, STAYER};
use densebots_bench::handshakes::Handshakes;
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{Role, role_or};
use densebots_bench::traffic::{Figures, Load, Mode, value};
use densebots_bench::xmpp::{dialling, log_in, tier, tier_word};
use densebots_engine::Tier;

const LOGINS: usize = 3_000;
/// What an engine may cost beside the sum.
const RATIO_MIN: f64 = 0.85;

fn main() -> io::Result<()> {
    role_or(|name, words| match name {
        "logins-tls" => {
            let tls = tier(words)?.map(|tier| dialling(tier, value(words, "certificate")?));
            let figures = log_in(&Load::parse(words)?, tls.transpose()?)?;
            println!("{figures}");
            Ok(())
        }
        name => crowd::play(name, words),
    });
    in_own_namespace();
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(9);
    let logins = numbers.get(1).copied().unwrap_or(LOGINS);
    let handshakes = Handshakes::new()?;
    let sum = || -> io::Result<f64> {
        let each = 1.0 / rate(logins, None)? + handshakes.each(logins)?;
        Ok(1.0 / each)
    };
    let ours = || rate(logins, Some(Tier::Dense)).expect("logins over TLS");
    let name = "logins.tls";
    let sum = || sum().expect("logins and handshakes");
    pairs(name, count, ours, sum).wanted(name, RATIO_MIN);
    Ok(())
}

/// Logins a CPU second at the embedded target.
fn rate(logins: usize, tls: Option<Tier>) -> io::Result<f64> {
    let tls = tier_word(tls);
    let words = format!("scenario={STAYER} bots={logins} {tls}");
    let mut target = Role::start("crowd-target", &words, None)?;
    let at = target.line()?;
    let at: Vec<String> = at.split_whitespace().map(str::to_owned).collect();
    let ports = value(&at, "ports")?.split(',').map(str::parse).collect::<Result<Vec<u16>, _>>();
    let ports = ports.map_err(io::Error::other)?;
    let load = Load { mode: Mode::ConnectOnly, ..Load::new(logins, 1, &ports) };
    let words = format!("{load} {tls} certificate={}", value(&at, "certificate")?);
    let figures = Figures::parse(&Role::start("logins-tls", &words, None)?.line()?)?;
    assert_eq!(figures.connect.count, logins as u64, "logins are missing");
    Ok(figures.connect.per_processor_second())
}
