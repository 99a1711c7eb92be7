//! Tables of (machine, demand) -> findings, with exact numbers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::*;

mod reading;
mod sources;
mod wild;

/// The machine on which the figures of the project were measured.
fn measured() -> Machine {
    Machine {
        cores: 2,
        memory_total: 25_276_514_304,
        memory_available: 24_000_000_000,
        descriptors_soft: 20_000,
        descriptors_hard: 20_000,
        file_max: 2_466_170,
        files_open: 700,
        tcp_max_tw_buckets: 131_072,
        conntrack: Some(Conntrack { max: 262_144, count: 0 }),
        tcp_mem_pages_high: 575_802,
        max_user_watches: 5_491_533,
        ..Machine::default()
    }
}

/// `connections` against the embedded target.
fn here(connections: u64) -> Demand {
    let endpoints = vec![to("127.0.0.1:7000")];
    Demand { connections, endpoints, target_here: true, ..Demand::default() }
}

/// `connections` against another machine.
fn there(connections: u64) -> Demand {
    Demand { connections, endpoints: vec![to("10.0.0.5:5222")], ..Demand::default() }
}

fn to(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// What is not fine, in order: level, limit, needed, present, cure.
#[track_caller]
fn check(
    machine: &Machine,
    demand: &Demand,
    expected: &[(Level, &str, u64, u64, &str)],
) -> Preflight {
    let preflight = Preflight::of(machine, demand);
    let found: Vec<_> = preflight
        .findings
        .iter()
        .filter(|finding| finding.level != Level::Fine)
        .map(|f| (f.level, f.limit, f.needed, f.present, f.cure.as_str()))
        .collect();
    assert_eq!(found, expected);
    preflight
}

#[test]
fn a_hundred_thousand_under_a_hard_limit_of_twenty_thousand() {
    let preflight = check(&measured(), &here(100_000), &[]);
    assert_eq!((preflight.shards, preflight.target_shards, preflight.split), (6, 6, true));
    // 100,000 over 6, and 2 for each of 12 shards, and 32.
    assert_eq!(preflight.descriptors, Amount { needed: 16_667 + 56, present: 20_000 });
    assert_eq!(preflight.files, Amount { needed: 200_056, present: 2_465_470 });
    assert_eq!(preflight.sources_needed, 8);
    assert_eq!(preflight.ports, Amount { needed: 100_000, present: 8 * 28_232 });
    let first_and_last = (preflight.sources.first(), preflight.sources.last());
    assert_eq!(first_and_last, (Some(&ip("127.0.0.2")), Some(&ip("127.0.0.9"))));
    assert_eq!(preflight.memory_kernel, 200_000 * 3_900);
    assert_eq!(preflight.memory_user, 200_000 * 192 + (64 << 20));
    assert_eq!(preflight.port_seconds, None);
    assert!(preflight.findings.iter().all(|finding| finding.cure.is_empty()));
}

#[test]
fn one_table_is_enough_for_a_few() {
    let preflight = check(&measured(), &here(8_000), &[]);
    assert_eq!((preflight.shards, preflight.split), (2, false));
    assert_eq!(preflight.descriptors.needed, 16_000 + 8 + 32);
    assert_eq!((preflight.sources_needed, preflight.sources.len()), (1, 0));
    // One more than nine tenths of 20,000 - 40.
    assert!(Preflight::of(&measured(), &here(8_983)).split);
    assert!(!Preflight::of(&measured(), &here(8_982)).split);
}

#[test]
fn a_million_fits_with_the_target_here() {
    let warnings = [
        (
            Level::Warning,
            CONNTRACK,
            1_000_000,
            262_144,
            "sysctl -w net.netfilter.nf_conntrack_max=1200000",
        ),
        (
            Level::Warning,
            SOCKET_BUFFERS,
            2_000_000,
            575_802,
            "sysctl -w net.ipv4.tcp_mem=\"1200000 1800000 2400000\" # 9375 MiB",
        ),
    ];
    let preflight = check(&measured(), &here(1_000_000), &warnings);
    assert_eq!((preflight.shards, preflight.target_shards), (57, 57));
    assert_eq!(preflight.descriptors.needed, 1_000_000_u64.div_ceil(57) + 260);
    assert_eq!(preflight.files, Amount { needed: 2_000_260, present: 2_465_470 });
    assert_eq!(preflight.sources_needed, 71);
    assert_eq!(preflight.sources.len(), 71);
    assert_eq!(preflight.memory_kernel, 7_800_000_000);
    assert!(preflight.refusal().is_none());
}

#[test]
fn five_millions_stop_at_the_files_of_the_machine_first() {
    let preflight = Preflight::of(&measured(), &here(5_000_000));
    let refusals = preflight.findings.iter().filter(|finding| finding.level == Level::Refusal);
    let limits: Vec<_> = refusals.map(|finding| finding.limit).collect();
    assert_eq!(limits, [DESCRIPTORS_OF_THE_MACHINE, EPOLL_WATCHES, MEMORY]);
    let files = preflight.refusal().expect("a refusal");
    assert_eq!(files.needed, 10_000_000 + 2 * 2 * u64::from(preflight.shards) + 32);
    assert_eq!(files.present, 2_465_470);
    assert_eq!(files.cure, "sysctl -w fs.file-max=12003000");
    // With that cured and enough of the rest it fits: the descriptor tables are not the wall.
    let larger = Machine {
        file_max: 12_003_000,
        max_user_watches: 20_000_000,
        memory_available: 64_000_000_000,
        ..measured()
    };
    assert!(Preflight::of(&larger, &here(5_000_000)).refusal().is_none());
}

#[test]
fn conntrack_counts_only_where_it_is_in_use() {
    let conntrack = Some(Conntrack { max: 65_536, count: 5_000 });
    let busy = Machine { conntrack, ..measured() };
    let cure = "sysctl -w net.netfilter.nf_conntrack_max=126000";
    check(&busy, &here(100_000), &[(Level::Refusal, CONNTRACK, 100_000, 60_536, cure)]);
    check(&busy, &here(50_000), &[]);
    let none = Machine { conntrack: None, ..measured() };
    assert_eq!(check(&none, &here(100_000), &[]).conntrack, None);
    // Closed connections stay in the table for two minutes.
    let lifetime = Some(Duration::from_secs(100));
    let preflight = Preflight::of(&busy, &Demand { lifetime, ..here(30_000) });
    assert_eq!(preflight.conntrack, Some(Amount { needed: 30_000 + 300 * 120, present: 60_536 }));
}

#[test]
fn one_source_towards_another_machine() {
    let wide = "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"";
    let more = "--source with 8 addresses of this machine (at least 4)";
    check(&measured(), &there(14_000), &[]);
    check(&measured(), &there(20_000), &[(Level::Warning, SOURCE_PORTS, 20_000, 28_232, wide)]);
    check(&measured(), &there(40_000), &[(Level::Refusal, SOURCE_PORTS, 40_000, 28_232, wide)]);
    let preflight = check(
        &measured(),
        &there(100_000),
        &[(Level::Refusal, SOURCE_PORTS, 100_000, 28_232, more)],
    );
    assert!(preflight.sources.is_empty(), "none can be invented");
    assert_eq!(Preflight::largest(&measured(), &there(0)), 28_232);

    let sources: Vec<_> = (1..=8).map(|last| IpAddr::from([10, 0, 0, last])).collect();
    check(&measured(), &Demand { sources, ..there(100_000) }, &[]);
    let endpoints = (1..=8).map(|last| SocketAddr::from(([10, 0, 1, last], 5222))).collect();
    check(&measured(), &Demand { endpoints, ..there(100_000) }, &[]);
}

#[test]
fn an_endpoint_named_twice_takes_two_shares() {
    let endpoints = vec![to("10.0.0.5:5222"), to("10.0.0.6:5222"), to("10.0.0.5:5222")];
    let preflight = Preflight::of(&measured(), &Demand { endpoints, ..there(30_000) });
    assert_eq!(preflight.ports, Amount { needed: 20_000, present: 28_232 });
}

#[test]
fn given_sources_of_loopback() {
    let sources = vec![ip("127.0.0.1")];
    let demand = Demand { sources, ..here(100_000) };
    let cure = "--source 127.0.0.0/28";
    check(&measured(), &demand, &[(Level::Refusal, SOURCE_PORTS, 100_000, 28_232, cure)]);
    let mut range = Sources::default();
    range.add_range(ip("127.0.0.0"), 28).expect("a range");
    check(&measured(), &Demand { sources: range.iter().collect(), ..demand }, &[]);

    let demand = Demand { sources: vec![ip("127.0.0.9"), ip("10.0.0.1")], ..there(10) };
    let cure = "--source with addresses that reach 10.0.0.5 only";
    check(&measured(), &demand, &[(Level::Refusal, SOURCE_ADDRESSES, 2, 1, cure)]);
}

#[test]
fn ipv6_loopback_has_one_address() {
    let demand = Demand { endpoints: vec![to("[::1]:7000")], ..here(100_000) };
    let cure = "--via 127.0.0.1:7000 (IPv6 loopback has one source)";
    let expected = [(Level::Refusal, SOURCE_PORTS, 100_000, 28_232, cure)];
    let preflight = check(&measured(), &demand, &expected);
    assert_eq!((preflight.sources_needed, preflight.sources.len()), (8, 0));
}

#[test]
fn memory_too_small() {
    let small = Machine { memory_available: 600_000_000, ..measured() };
    let needed = 200_000 * (3_900 + 192) + (64 << 20);
    let cure = "--conns 65000";
    check(&small, &here(100_000), &[(Level::Refusal, MEMORY, needed, 600_000_000, cure)]);
    check(
        &Machine { memory_available: needed, ..measured() },
        &here(100_000),
        &[(Level::Warning, MEMORY, needed, needed, "--conns 89000")],
    );
    assert_eq!(Preflight::largest(&small, &here(0)), 65_113);
}

#[test]
fn time_wait_where_we_close_first() {
    let lifetime = Some(Duration::from_secs(10));
    let short = Demand { lifetime, closes_first: true, arrival_rate: 500.0, ..there(10_000) };
    // 10,000 / 10 s would be 1,000 a second, but only 500 arrive.
    let cure = "--close rst, or sysctl -w net.ipv4.tcp_tw_reuse=1";
    let expected = [(Level::Refusal, TIME_WAIT_PORTS, 10_000 + 500 * 60, 28_232, cure)];
    check(&measured(), &short, &expected);
    let reuse = Machine { tcp_tw_reuse: 1, ..measured() };
    let preflight = check(&reuse, &short, &[]);
    assert_eq!(preflight.port_seconds, Some(Amount { needed: 10_500, present: 28_232 }));
    check(&measured(), &Demand { closes_first: false, ..short.clone() }, &[]);
    // The kernel forgets what is above its own bound.
    let few = Machine { tcp_max_tw_buckets: 1_000, ..measured() };
    assert_eq!(check(&few, &short, &[]).port_seconds.map(|ports| ports.needed), Some(11_000));
    // On loopback sources are taken for these, too.
    let off = Machine { tcp_tw_reuse: 0, ..measured() };
    let endpoints = vec![to("127.0.0.1:5222")];
    let preflight = check(&off, &Demand { endpoints, ..short }, &[]);
    assert_eq!(preflight.sources.len(), 3);
}

#[test]
fn shards_the_user_asked_for() {
    let asked = |shards, connections| Demand { shards: Some(shards), ..there_spread(connections) };
    let expected = [(Level::Refusal, DESCRIPTORS_OF_A_TABLE, 50_036, 20_000, "--shards 6")];
    check(&measured(), &asked(2, 100_000), &expected);
    // It fits, but not with a tenth to spare.
    let expected = [(Level::Warning, DESCRIPTORS_OF_A_TABLE, 19_036, 20_000, "--shards 3")];
    check(&measured(), &asked(2, 38_000), &expected);
    assert_eq!(check(&measured(), &asked(8, 100_000), &[]).shards, 8);
    let unlimited = Machine { descriptors_hard: u64::MAX, ..measured() };
    let expected = [(Level::Refusal, SHARDS, 5_000, 1_024, "--shards 1024")];
    check(&unlimited, &asked(5_000, 10_000), &expected);
}

fn there_spread(connections: u64) -> Demand {
    let endpoints = (1..=100).map(|last| SocketAddr::from(([10, 0, 1, last], 5222))).collect();
    Demand { endpoints, ..there(connections) }
}

#[test]
fn tables_that_no_number_of_shards_makes_large_enough() {
    let cure = "ulimit -Hn 1048576";
    let tiny = Machine { descriptors_hard: 40, ..measured() };
    let preflight = Preflight::of(&tiny, &there_spread(1_000));
    assert_eq!(preflight.refusal().map(|finding| finding.cure.as_str()), Some(cure));
    // Two shards reserve 36 of 40 in each table.
    assert_eq!(Preflight::largest(&tiny, &there_spread(0)), 8);
    let whole = Machine { can_split_tables: false, ..measured() };
    let expected = [(Level::Refusal, DESCRIPTORS_OF_A_TABLE, 100_036, 20_000, cure)];
    assert!(!check(&whole, &there_spread(100_000), &expected).split);
    let raised = Machine { descriptors_hard: 1 << 20, ..whole };
    check(&raised, &there_spread(100_000), &[]);
    let refused = Preflight::of(&raised, &there_spread(1_200_000));
    let cures: Vec<_> = refused.findings.iter().map(|finding| finding.cure.as_str()).collect();
    assert_eq!(cures[0], "--conns 1048000");
}

#[test]
fn a_short_backlog_is_a_warning() {
    let short = Machine { somaxconn: 128, ..measured() };
    let demand = Demand { arrival_rate: 10_000.0, ..here(10_000) };
    let cure = "sysctl -w net.core.somaxconn=2000";
    check(&short, &demand, &[(Level::Warning, BACKLOG, 1_000, 128, cure)]);
    check(&measured(), &demand, &[]);
}

#[test]
fn errors_of_our_own() {
    let name = |code| local_limit(&io::Error::from_raw_os_error(code));
    assert_eq!(name(libc::EMFILE), Some(DESCRIPTORS_OF_A_TABLE));
    assert_eq!(name(libc::ENFILE), Some(DESCRIPTORS_OF_THE_MACHINE));
    assert_eq!(name(libc::EADDRNOTAVAIL), Some(SOURCE_PORTS));
    assert_eq!(name(libc::EADDRINUSE), Some(LOCAL_ADDRESS));
    assert_eq!(name(libc::ENOBUFS), Some(SOCKET_BUFFERS));
    assert_eq!(name(libc::ENOMEM), Some(KERNEL_MEMORY));
    assert_eq!(name(libc::ENOSPC), Some(EPOLL_WATCHES));
    for other in [libc::EAGAIN, libc::ECONNREFUSED, libc::ECONNRESET, libc::ETIMEDOUT] {
        assert_eq!(name(other), None);
    }
    assert_eq!(local_limit(&io::Error::other("not of the system")), None);
}
