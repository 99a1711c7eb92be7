//! Logins with PLAIN: the engine beside a limit program that says the same bytes, both against a
//! bare server that answers them. The ratio is of logins a CPU second, connecting included.
//!
//! `cargo bench --bench logins [-- PAIRS [LOGINS]]`

use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{BareServer, Role, replay, role_or};
use densebots_bench::traffic::{Figures, Load, Mode};
use densebots_bench::xmpp::log_in;

/// As many as fit one table of descriptors under a limit of 20,000.
const LOGINS: usize = 15_000;
/// What an engine may cost beside the bare program.
const RATIO_MIN: f64 = 0.8;

fn main() -> io::Result<()> {
    role_or(|_, words| log_in(&Load::parse(words)?, None).map(|figures| println!("{figures}")));
    in_own_namespace();
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(9);
    let logins = numbers.get(1).copied().unwrap_or(LOGINS);
    let measure = |engine| rate(logins, engine).expect("both programs run");
    let name = "logins.plain";
    pairs(name, count, || measure(true), || measure(false)).wanted(name, RATIO_MIN);
    Ok(())
}

fn rate(logins: usize, engine: bool) -> io::Result<f64> {
    let server = BareServer::of_logins(logins)?;
    let load = Load { mode: Mode::ConnectOnly, ..Load::new(logins, 1, &server.ports) };
    let figures = if engine {
        Figures::parse(&Role::start("logins", &load.to_string(), None)?.line()?)?
    } else {
        replay(&load)?
    };
    assert_eq!(figures.connect.count, logins as u64, "logins are missing");
    Ok(figures.connect.per_processor_second())
}
