//! A million idle bots on one machine, the embedded target beside them, held for a minute.
//! Long: started by name, `cargo bench --bench million -- [SECONDS]`.

use std::time::Duration;
use std::{env, io};

use densebots_bench::crowd::{Crowd, play, weigh};
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::roles::role_or;

const BOTS: usize = 1_000_000;
/// Bytes of user space a bot may weigh at this number.
const BUDGET: f64 = 192.0;
/// Everybody has to be online within so many seconds.
const RAMP_MAX: f64 = 45.0;

fn main() -> io::Result<()> {
    role_or(play);
    let numbers: Vec<u64> = env::args().filter_map(|word| word.parse().ok()).collect();
    let Some(&seconds) = numbers.first() else {
        println!("million: long; start it with `cargo bench --bench million -- 60`");
        return Ok(());
    };
    in_own_namespace();
    let hold = Duration::from_secs(seconds);
    let idle = weigh(&Crowd { scenario: "idle", tls: None, bots: BOTS, hold, rate: 50_000.0 })?;
    idle.check("million.idle", BOTS, BUDGET, BUDGET);
    assert!(idle.ramp <= RAMP_MAX, "{:.1} s until all were online", idle.ramp);
    Ok(())
}
