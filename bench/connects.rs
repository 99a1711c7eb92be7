//! 100,000 connects under a limit of 20,000 descriptors a table: the engine beside the limit
//! program, both against the bare server with as many threads. The ratio is of connects a second.
//!
//! `cargo bench --bench connects [-- PAIRS [CONNECTIONS THREADS]]`

use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::ours;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{BareServer, Role, limit, role_or};
use densebots_bench::traffic::{Figures, Load, Mode};

/// How fast the engine is to be beside the bare program.
const RATIO_MIN: f64 = 0.8;

fn main() -> io::Result<()> {
    role_or(|_, words| ours::run(&Load::parse(words)?).map(|figures| println!("{figures}")));
    in_own_namespace();
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(9);
    let (connections, threads) = match numbers[..] {
        [_, connections, threads] => (connections, threads),
        _ => (100_000, 6),
    };
    let measure = |engine| rate(connections, threads, engine).expect("both programs run");
    let name = format!("connects.{connections}");
    pairs(&name, count, || measure(true), || measure(false)).wanted(&name, RATIO_MIN);
    Ok(())
}

fn rate(connections: usize, threads: usize, engine: bool) -> io::Result<f64> {
    let server = BareServer::start(threads, connections, None)?;
    let (mode, hold) = (Mode::ConnectOnly, Duration::from_secs(1));
    let load = Load { mode, hold, ..Load::new(connections, threads, &server.ports) };
    let figures = if engine {
        Figures::parse(&Role::start(ours::ROLE, &load.to_string(), None)?.line()?)?
    } else {
        limit(&load, None)?
    };
    assert_eq!(figures.connect.count, connections as u64, "connections are missing");
    Ok(figures.connect.per_second())
}
