//! Growth over time: 100,000 bots echo for ten minutes; neither side may weigh more at the end.
//! Long: started by name, `cargo bench --bench soak -- [SECONDS]`.

use std::time::Duration;
use std::{env, io};

use densebots_bench::crowd::{Crowd, play, weigh};
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::roles::role_or;

const BOTS: usize = 100_000;
/// Bytes a bot may seem to grow by: the allocator's noise, not a trend.
const GROWTH_MAX: f64 = 16.0;

fn main() -> io::Result<()> {
    role_or(play);
    let numbers: Vec<u64> = env::args().filter_map(|word| word.parse().ok()).collect();
    let Some(&seconds) = numbers.first() else {
        println!("soak: long; start it with `cargo bench --bench soak -- 600`");
        return Ok(());
    };
    in_own_namespace();
    let hold = Duration::from_secs(seconds);
    let echo = weigh(&Crowd { scenario: "echo", tls: None, bots: BOTS, hold, rate: 10_000.0 })?;
    echo.check("soak.echo", BOTS, f64::INFINITY, f64::INFINITY);
    let grown = (echo.bot.1 - echo.bot.0).max(echo.guest.1 - echo.guest.0);
    println!("soak: grown by {grown:.1} bytes a bot in {seconds} s");
    assert!(grown <= GROWTH_MAX, "grew by {grown:.1} bytes a bot");
    Ok(())
}
