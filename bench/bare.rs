//! Checks the measure itself: the limit program against the bare server, nothing of ours between.
//!
//! `cargo bench --bench bare -- ROUNDS [CONNECTIONS THREADS]` prints connects a second of the
//! clock and messages a second of the limit program's processor time; without CONNECTIONS for
//! 1,000, 10,000 and 100,000 of them.

use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::pairs::Spread;
use densebots_bench::roles::{BareServer, limit, role};
use densebots_bench::traffic::{Figures, Load};

/// Connections and threads on both sides; 100,000 need six under a limit of 20,000 descriptors.
const SIZES: [(usize, usize); 3] = [(1_000, 1), (10_000, 1), (100_000, 6)];

fn main() -> io::Result<()> {
    role();
    let numbers: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let Some(&rounds) = numbers.first() else {
        println!("bare: a check of the measure; start it with `cargo bench --bench bare -- 3`");
        return Ok(());
    };
    in_own_namespace();
    let sizes = if let [_, connections, threads] = numbers[..] {
        vec![(connections, threads)]
    } else {
        SIZES.to_vec()
    };
    for (connections, threads) in sizes {
        let figures = (0..rounds).map(|_| measure(connections, threads));
        let figures = figures.collect::<io::Result<Vec<_>>>()?;
        let spread = |of: fn(&Figures) -> f64| Spread::of(figures.iter().map(of).collect());
        println!("{connections} connections, {threads} threads a side, {rounds} rounds");
        println!("  connects a second: {}", spread(|f| f.connect.per_second()));
        println!("  connects a CPU second: {}", spread(|f| f.connect.per_processor_second()));
        println!("  messages a second: {}", spread(|f| f.hold.per_second()));
        println!("  messages a CPU second: {}", spread(|f| f.hold.per_processor_second()));
    }
    Ok(())
}

fn measure(connections: usize, threads: usize) -> io::Result<Figures> {
    let server = BareServer::start(threads, connections, None)?;
    // Time for each connection to get a few turns even while others use the machine.
    let hold = Duration::from_secs(3 + connections as u64 / 20_000);
    let figures = limit(&Load { hold, ..Load::new(connections, threads, &server.ports) }, None)?;
    assert_eq!(figures.connect.count, connections as u64, "connections are missing");
    assert!(figures.hold.count > 0, "no message came back");
    Ok(figures)
}
