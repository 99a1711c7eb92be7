//! What an idle bot weighs: 100,000 of them and the embedded target, each in its own process. Then
//! the same number as they are by default, echoing every ten seconds: lag, and how busy both are.
//!
//! `cargo bench --bench density` asserts the budget of 256 bytes a bot on either side.

use std::io;
use std::time::Duration;

use densebots_bench::crowd::{Crowd, play, weigh};
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::roles::role_or;

const BOTS: usize = 100_000;
/// Bytes of user space a bot may weigh at this number.
const BUDGET: f64 = 256.0;
/// Turns that have something due may run so late at p99, in microseconds.
const LAG_P99_MAX: u64 = 3_000;

fn main() -> io::Result<()> {
    role_or(play);
    in_own_namespace();
    let hold = Duration::from_secs(5);
    let idle = weigh(&Crowd { scenario: "idle", tls: None, bots: BOTS, hold, rate: 20_000.0 })?;
    idle.check("density.idle", BOTS, BUDGET, BUDGET);
    let hold = Duration::from_secs(20);
    let echo = weigh(&Crowd { scenario: "echo", tls: None, bots: BOTS, hold, rate: 10_000.0 })?;
    echo.check("density.echo", BOTS, f64::INFINITY, f64::INFINITY);
    let ratio = LAG_P99_MAX as f64 / echo.lag_p99.max(1) as f64;
    println!("ratio lag.budget {ratio:.3} {ratio:.3} {ratio:.3}");
    assert!(ratio >= 1.0, "lag p99 {} µs is over {LAG_P99_MAX} µs", echo.lag_p99);
    Ok(())
}
