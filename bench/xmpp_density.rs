//! What an idle XMPP bot weighs once it has logged in, and its connection at the embedded target,
//! each side in its own process: plain and over dense TLS at 100,000, over kept TLS at 10,000.
//!
//! `cargo bench --bench xmpp_density [-- BOTS]` asserts the budgets of the bots; what the target
//! holds, with its addresses and switchboards, is printed beside it.

use std::time::Duration;
use std::{env, io};

use densebots_bench::crowd::{Crowd, STAYER, play, weigh};
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::roles::role_or;
use densebots_engine::Tier;

const BOTS: usize = 100_000;
/// With a connection of rustls each, ten times fewer weigh as much.
const KEPT: usize = 10_000;
/// Bytes of user space a bot may weigh.
const PLAIN_MAX: f64 = 320.0;
const DENSE_MAX: f64 = 448.0;
const KEPT_MAX: f64 = 4_600.0;
/// Logins a second: what two cores that do both sides can do, with a margin for their neighbours.
const PLAIN_RATE: f64 = 5_000.0;
const TLS_RATE: f64 = 1_500.0;

fn main() -> io::Result<()> {
    role_or(play);
    in_own_namespace();
    let bots = env::args().find_map(|word| word.parse().ok()).unwrap_or(BOTS);
    for (name, bots, tls, rate, budget) in [
        ("xmpp_density.plain", bots, None, PLAIN_RATE, PLAIN_MAX),
        ("xmpp_density.dense", bots, Some(Tier::Dense), TLS_RATE, DENSE_MAX),
        ("xmpp_density.kept", bots.min(KEPT), Some(Tier::Kept), TLS_RATE, KEPT_MAX),
    ] {
        let hold = Duration::from_secs(5);
        let crowd = Crowd { scenario: STAYER, tls, bots, hold, rate };
        weigh(&crowd)?.check(name, bots, budget, f64::INFINITY);
    }
    Ok(())
}
