//! Messages of 64 bytes there and back: the engine beside the limit program, both against the bare
//! server with as many threads. The ratio is of messages a second of the client's CPU time.
//!
//! `cargo bench --bench pingpong [-- PAIRS [CONNECTIONS THREADS]]`

use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::ours;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{BareServer, Role, limit, role_or};
use densebots_bench::traffic::{Figures, Load};

/// Connections and threads on both sides; 100,000 need six under a limit of 20,000 descriptors.
const SIZES: [(usize, usize); 3] = [(1_000, 1), (10_000, 1), (100_000, 6)];
/// What an engine may cost beside the bare program.
const RATIO_MIN: f64 = 0.9;

fn main() -> io::Result<()> {
    role_or(|_, words| ours::run(&Load::parse(words)?).map(|figures| println!("{figures}")));
    in_own_namespace();
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let count = numbers.first().copied().unwrap_or(9);
    let sizes = match numbers[..] {
        [_, connections, threads] => vec![(connections, threads)],
        _ => SIZES.to_vec(),
    };
    for (connections, threads) in sizes {
        let name = format!("pingpong.{connections}");
        let measure = |engine| rate(connections, threads, engine).expect("both programs run");
        pairs(&name, count, || measure(true), || measure(false)).wanted(&name, RATIO_MIN);
    }
    Ok(())
}

/// Messages a second of the client's CPU time.
fn rate(connections: usize, threads: usize, engine: bool) -> io::Result<f64> {
    let server = BareServer::start(threads, connections, None)?;
    // Time for each connection to get a few turns.
    let hold = Duration::from_millis(1200 + connections as u64 / 35);
    let load = Load { hold, ..Load::new(connections, threads, &server.ports) };
    let figures = if engine {
        Figures::parse(&Role::start(ours::ROLE, &load.to_string(), None)?.line()?)?
    } else {
        limit(&load, None)?
    };
    assert_eq!(figures.connect.count, connections as u64, "connections are missing");
    Ok(figures.hold.per_processor_second())
}
