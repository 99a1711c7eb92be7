//! A hundred thousand jumpers logged in and talking on the embedded target, each side in its own
//! process: plain, and over dense TLS. Nobody is lost, and the ledger is complete. Both sides take
//! most of two cores while bots log in: where others use them too, what is said comes too late.
//!
//! Long: started by name, `cargo bench --bench jumpers -- BOTS`.

use std::time::Duration;
use std::{env, io};

use densebots_bench::crowd::{Crowd, Ledger, play, weigh};
use densebots_bench::namespace::in_own_namespace;
use densebots_bench::roles::role_or;
use densebots_engine::Tier;

/// How long they talk once all are in.
const HOLD: Duration = Duration::from_secs(20);
/// Logins a second: what two cores that do both sides can do while those who are in talk already.
const PLAIN_RATE: f64 = 3_000.0;
const TLS_RATE: f64 = 800.0;

fn main() -> io::Result<()> {
    role_or(play);
    let Some(bots) = env::args().find_map(|word| word.parse().ok()) else {
        println!("jumpers: long; start it with `cargo bench --bench jumpers -- 100000`");
        return Ok(());
    };
    in_own_namespace();
    for (name, tls, rate) in
        [("jumpers.plain", None, PLAIN_RATE), ("jumpers.dense", Some(Tier::Dense), TLS_RATE)]
    {
        let weighed = weigh(&Crowd { scenario: "jumper", tls, bots, hold: HOLD, rate })?;
        weighed.check(name, bots, f64::INFINITY, f64::INFINITY);
        let Ledger { messages, expected, delivered, excused, missing, amiss } = weighed.ledger;
        println!(
            "{name}: {messages} messages, {expected} deliveries owed, {delivered} heard, \
             {excused} excused, {missing} missing, {amiss} amiss"
        );
        assert!(messages as usize > bots, "{name}: they hardly talk");
        assert_eq!((missing, amiss), (0, 0), "{name}");
        // Excused is who had asked to leave before the service told it.
        assert_eq!(expected, delivered + excused, "{name}");
    }
    Ok(())
}
