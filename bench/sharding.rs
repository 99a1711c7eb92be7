//! What a second shard costs: messages a second of CPU time with one shard and with two, 10,000
//! connections, the same bare server. The ratio is of two shards to one.
//!
//! `cargo bench --bench sharding [-- PAIRS]`

use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::ours;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{BareServer, Role, role_or};
use densebots_bench::traffic::{Figures, Load};

const CONNECTIONS: usize = 10_000;
/// A message may cost a tenth more with two shards.
const RATIO_MIN: f64 = 0.91;

fn main() -> io::Result<()> {
    role_or(|_, words| ours::run(&Load::parse(words)?).map(|figures| println!("{figures}")));
    in_own_namespace();
    let count = env::args().find_map(|word| word.parse().ok()).unwrap_or(9);
    let rate = |shards| rate(shards).expect("the engine runs");
    let name = "sharding.messages";
    pairs(name, count, || rate(2), || rate(1)).wanted(name, RATIO_MIN);
    Ok(())
}

fn rate(shards: usize) -> io::Result<f64> {
    let server = BareServer::start(1, CONNECTIONS, None)?;
    let hold = Duration::from_millis(1500);
    let load = Load { hold, ..Load::new(CONNECTIONS, shards, &server.ports) };
    let figures = Figures::parse(&Role::start(ours::ROLE, &load.to_string(), None)?.line()?)?;
    assert_eq!(figures.connect.count, CONNECTIONS as u64, "connections are missing");
    Ok(figures.hold.per_processor_second())
}
