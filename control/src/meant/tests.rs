//! What is typed, what is meant by it, and which flag a fault names.

use std::time::Duration;

use densebots_engine::Arrival;

use super::load::{ARRIVE, ARRIVE_GENTLE};
use super::*;
use crate::args::{Typed, Verb};

fn meant(words: &str) -> Result<Meant, String> {
    let words = std::iter::once("densebots").chain(words.split_whitespace());
    let typed = Typed::read(words.map(Into::into).collect()).map_err(|e| e.to_string())?;
    let Verb::Run(flags) = typed.verb else { return Err("not a run".to_owned()) };
    Meant::of(&flags).map_err(|error| error.to_string())
}

fn fault(words: &str) -> String {
    meant(words).err().unwrap_or_else(|| panic!("`{words}` was accepted"))
}

#[test]
fn flags_become_a_plan() {
    let run = meant("--conns 2k --ramp 4s --for 5s --close rst --seed 7").expect("is valid");
    let hold = Duration::from_secs(5);
    let arrival = Arrival::Ramp(Duration::from_secs(4));
    assert_eq!(run.plan.load, Load::Closed { bots: 2_000, arrival, hold });
    assert_eq!((run.plan.close, run.plan.seed, run.embedded), (Close::Rst, 7, true));
    assert_eq!(run.scenario.name, "jumper");
    let run = meant("run idle --conns 700k").expect("is valid");
    assert_eq!(arrival_rate(&run.plan.load), 20_000.0);
    let run = meant("run idle --ids 50001..50010").expect("is valid");
    assert_eq!((run.plan.first_id, run.plan.load.bots_max()), (50_001, 10));
    let run = meant("--open 100/s --for 10s --bots 50").expect("is valid");
    assert_eq!((run.plan.load.bots_max(), run.plan.load.live_max()), (1000, 50));
}

#[test]
fn a_target_that_is_not_loopback_is_treated_gently_and_only_if_allowed() {
    assert!(fault("--target line://192.0.2.1:7000").contains("--allow 192.0.2.1"));
    let run = meant("--target line://192.0.2.1:7000 --allow 192.0.2.0/24").expect("allowed");
    assert!(run.plan.breaker);
    assert_eq!(arrival_rate(&run.plan.load), ARRIVE_GENTLE);
    let run = meant("--target line://127.0.0.1:7000=2").expect("loopback");
    assert!(!run.plan.breaker);
    assert_eq!(run.plan.endpoints[0].weight, 2);
    assert_eq!(arrival_rate(&run.plan.load), ARRIVE);
}

#[test]
fn faults_name_the_flag() {
    for (words, named) in [
        ("--conns 0", "--bots"),
        ("--arrive 5/s --ramp 2s", "--ramp"),
        ("--open 5/s --arrive 5/s", "--arrive"),
        ("--ids 5..1", "--ids"),
        ("--ids 1..5 --conns 3", "--bots"),
        ("--via 127.0.0.1:1", "--target"),
        ("--target 127.0.0.1", "--target"),
        ("--source x", "--source"),
        ("--shards 0", "--shards"),
        ("--set pace", "--set"),
        ("run echo --set pcae=1s", "did you mean `pace`"),
        ("run echo --set pace=soon", "pace"),
        ("run ehco", "did you mean `echo`"),
        ("run ./file.yaml", "file"),
        ("--retry-first 1m", "--retry-cap"),
        ("--connect-timeout 0s", "--connect-timeout"),
        ("--conns 3000M", "--bots"),
        ("--conns 9G", "--bots"),
        ("--connecting 0", "--connecting"),
    ] {
        let said = fault(words);
        assert!(said.contains(named), "`{words}` said: {said}");
    }
}
