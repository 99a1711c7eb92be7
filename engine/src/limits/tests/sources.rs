use super::{ip, to};
use crate::limits::{SOURCES_MAX, SourceError, SourceSpread, Sources, source_for};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

fn range(first: &str, prefix_len: u8) -> Result<Vec<IpAddr>, SourceError> {
    let mut sources = Sources::default();
    sources.add_range(ip(first), prefix_len)?;
    Ok(sources.iter().collect())
}

#[test]
fn ranges() {
    assert_eq!(range("10.0.0.7", 32), Ok(vec![ip("10.0.0.7")]));
    assert_eq!(range("10.0.0.7", 31), Ok(vec![ip("10.0.0.6"), ip("10.0.0.7")]));
    assert_eq!(range("10.0.0.7", 30), Ok(vec![ip("10.0.0.5"), ip("10.0.0.6")]));
    assert_eq!(range("127.0.0.0", 28).map(|all| all.len()), Ok(14));
    assert_eq!(range("127.255.0.0", 16).map(|all| all.len()), Ok(65_534));
    assert_eq!(range("fd00::5", 128), Ok(vec![ip("fd00::5")]));
    assert_eq!(range("fd00::5", 127), Ok(vec![ip("fd00::4"), ip("fd00::5")]));
    assert_eq!(range("fd00::5", 126), Ok(["fd00::5", "fd00::6", "fd00::7"].map(ip).to_vec()));
    for (first, prefix_len) in [("10.0.0.0", 15), ("10.0.0.0", 0), ("fd00::", 64), ("::", 0)] {
        assert_eq!(range(first, prefix_len), Err(SourceError::TooMany));
    }
    let long = SourceError::PrefixTooLong { prefix_len: 33, bits: 32 };
    assert_eq!(range("10.0.0.0", 33), Err(long));
    assert_eq!(long.to_string(), "/33 is longer than an address of 32 bits");
}

#[test]
fn ranges_together_are_bounded_and_hold_each_address_once() {
    let mut sources = Sources::default();
    sources.add_range(ip("10.0.0.0"), 16).expect("within the bound");
    sources.add_range(ip("10.0.0.0"), 24).expect("all of them are there already");
    assert_eq!(sources.len(), 65_534);
    assert_eq!(sources.add_range(ip("10.1.0.0"), 24), Err(SourceError::TooMany));
    assert_eq!(sources.len(), 65_534, "an error adds nothing");
    sources.add_range(ip("fd00::"), 127).expect("two more");
    assert_eq!(sources.len(), SOURCES_MAX);
}

#[test]
fn a_dial_gets_a_source_of_its_family() {
    let sources: Sources = ["10.0.0.2", "fd00::1", "10.0.0.1"].map(ip).into_iter().collect();
    let pick = |n, endpoint| source_for(n, &sources, &to(endpoint));
    assert_eq!(pick(0, "10.0.0.9:1"), Some(ip("10.0.0.1")));
    assert_eq!(pick(1, "10.0.0.9:1"), Some(ip("10.0.0.2")));
    assert_eq!(pick(2, "10.0.0.9:1"), Some(ip("10.0.0.1")));
    assert_eq!(pick(u64::MAX, "[fd00::9]:1"), Some(ip("fd00::1")));
    assert_eq!(source_for(7, &Sources::default(), &to("10.0.0.9:1")), None);
    let loopback: Sources = [ip("127.0.0.2")].into_iter().collect();
    assert_eq!(source_for(0, &loopback, &to("127.0.0.1:1")), Some(ip("127.0.0.2")));
    assert_eq!(source_for(0, &loopback, &to("10.0.0.9:1")), None);
    assert_eq!(source_for(0, &loopback, &to("[::1]:1")), None);
}

/// Four endpoints in turn and eight sources: a single counter would give each endpoint two.
#[test]
fn every_endpoint_sees_every_source_equally() {
    let sources: Sources = (1..=8).map(|last| IpAddr::from([10, 0, 0, last])).collect();
    let mut spread = SourceSpread::new(Arc::new(sources), 4, u64::MAX - 3);
    let mut dials = HashMap::new();
    for n in 0..320 {
        let endpoint = n % 4;
        let from = spread.pick(endpoint, &to("10.0.1.1:1")).expect("a source");
        *dials.entry((endpoint, from)).or_insert(0) += 1;
    }
    assert_eq!(dials.len(), 32);
    assert!(dials.values().all(|count| *count == 10));
    assert_eq!(spread.pick(4, &to("10.0.1.1:1")), None);
}
