//! Machines and demands nobody has seen: no panic, no overflow, no contradiction.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::limits::{CONNECTIONS_MAX, Conntrack, Demand, Level, Machine, Preflight, Sources};

/// Mostly sizes that occur, sometimes the ends of the range.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..200_000_u64,
        4 => 0..20_000_000_u64,
        2 => any::<u64>(),
        1 => Just(0),
        1 => Just(u64::MAX),
    ]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (1..9_u8).prop_map(|last| IpAddr::from([127, 0, 0, last])),
        (1..9_u8).prop_map(|last| IpAddr::from([10, 0, 0, last])),
        Just(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
        (1..9_u16).prop_map(|last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last])),
        Just(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    ]
}

fn machines() -> impl Strategy<Value = Machine> {
    let ports = (any::<u16>(), any::<u16>(), prop_oneof![0..100_u32, any::<u32>()], 0..4_u8);
    let tracked = proptest::option::of((size(), size()));
    let table = prop_oneof![0..100_u64, size()];
    let cores = prop_oneof![1..256_u32, any::<u32>()];
    let rest = (vec(size(), 7), any::<bool>());
    (cores, table, ports, tracked, rest).prop_map(|(cores, table, ports, tracked, rest)| {
        let (port_low, port_high, reserved_ports, tcp_tw_reuse) = ports;
        let (sizes, can_split_tables) = rest;
        Machine {
            cores,
            memory_available: sizes[0].saturating_mul(10_000),
            descriptors_hard: table,
            file_max: sizes[1],
            files_open: sizes[2] / 100,
            port_low,
            port_high,
            reserved_ports,
            tcp_tw_reuse,
            tcp_max_tw_buckets: sizes[3],
            somaxconn: sizes[4],
            conntrack: tracked.map(|(max, count)| Conntrack { max, count }),
            tcp_mem_pages_high: sizes[5],
            page_size: sizes[5],
            max_user_watches: sizes[6],
            can_split_tables,
            ..Machine::default()
        }
    })
}

fn demands() -> impl Strategy<Value = Demand> {
    let endpoint = (address(), 1..4_u16).prop_map(SocketAddr::from);
    let ways = (vec(endpoint, 0..6), vec(address(), 0..4));
    let shards = proptest::option::of(prop_oneof![0..2_000_u32, any::<u32>()]);
    let lifetime = proptest::option::of(prop_oneof![0..600_u64, any::<u64>()]);
    let rate = prop_oneof![0.0..50_000.0_f64, any::<f64>()];
    let bytes = (0..10_000_u64, prop_oneof![0..10_000_u64, any::<u64>()], size());
    let flags = (any::<bool>(), any::<bool>());
    (size(), ways, shards, lifetime, rate, bytes, flags).prop_map(
        |(connections, (endpoints, sources), shards, lifetime, arrival_rate, bytes, flags)| {
            Demand {
                connections,
                shards,
                endpoints,
                sources,
                arrival_rate,
                lifetime: lifetime.map(Duration::from_secs),
                closes_first: flags.0,
                user_bytes_per_bot: bytes.0,
                target_here: flags.1,
                bytes_per_connection_kernel: bytes.1,
                base_bytes: bytes.2,
            }
        },
    )
}

/// Does what a cure says; `None` if it is for a person to do.
fn cured(machine: &Machine, demand: &Demand, cure: &str) -> Option<(Machine, Demand)> {
    let (mut machine, mut demand) = (machine.clone(), demand.clone());
    let value = |start: &str| cure.strip_prefix(start)?.parse::<u64>().ok();
    if let Some(count) = value("--conns ") {
        assert!(count < demand.connections, "{cure} for {}", demand.connections);
        demand.connections = count;
    } else if let Some(count) = value("--shards ") {
        demand.shards = u32::try_from(count).ok();
    } else if let Some(count) = value("ulimit -Hn ") {
        (machine.descriptors_hard, demand.shards) = (count, None);
    } else if let Some(count) = value("sysctl -w fs.file-max=") {
        machine.file_max = count;
    } else if let Some(count) = value("sysctl -w fs.epoll.max_user_watches=") {
        machine.max_user_watches = count;
    } else if let Some(count) = value("sysctl -w net.netfilter.nf_conntrack_max=") {
        machine.conntrack.as_mut()?.max = count;
    } else if let Some(count) = value("sysctl -w net.core.somaxconn=") {
        machine.somaxconn = count;
    } else if let Some(scope) = value("sysctl -w net.ipv4.tcp_tw_reuse=") {
        machine.tcp_tw_reuse = scope as u8;
    } else if cure.starts_with("sysctl -w net.ipv4.ip_local_port_range=") {
        (machine.port_low, machine.port_high) = (1_024, 65_535);
    } else if let Some(prefix_len) = value("--source 127.0.0.0/") {
        let mut sources = Sources::default();
        sources.add_range(IpAddr::from([127, 0, 0, 0]), prefix_len as u8).expect("a range");
        demand.sources = sources.iter().collect();
    } else {
        return None;
    }
    Some((machine, demand))
}

fn passes(machine: &Machine, demand: &Demand, connections: u64) -> bool {
    let demand = Demand { connections, ..demand.clone() };
    Preflight::of(machine, &demand).refusal().is_none()
}

/// A case that fails is to become a row of a table, not a file beside the sources.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn findings_are_in_order_and_what_is_not_fine_has_a_cure(
        machine in machines(),
        demand in demands(),
    ) {
        let preflight = Preflight::of(&machine, &demand);
        prop_assert!(preflight.shards >= 1);
        prop_assert!(preflight.findings.is_sorted_by(|a, b| a.level >= b.level));
        for finding in &preflight.findings {
            prop_assert_eq!(finding.level == Level::Fine, finding.cure.is_empty());
            let refused = finding.level == Level::Refusal;
            prop_assert!(!refused || finding.needed > finding.present, "{:?}", finding);
            prop_assert!(finding.level != Level::Fine || finding.needed <= finding.present);
        }
    }

    /// With several endpoints the cure is that of the worst, and the next one may need another.
    #[test]
    fn a_cure_cures(machine in machines(), mut demand in demands()) {
        demand.endpoints.truncate(1);
        for finding in Preflight::of(&machine, &demand).findings {
            // Near the end of the numbers there is nothing left to raise a limit to.
            let sane = finding.needed < 1 << 60 && machine.files_open < 1 << 60
                && machine.conntrack.is_none_or(|table| table.count < 1 << 60);
            let Some((machine, demand)) = cured(&machine, &demand, &finding.cure) else { continue };
            let after = Preflight::of(&machine, &demand).findings;
            let after = after.into_iter().find(|other| other.limit == finding.limit);
            let level = after.map_or(Level::Fine, |after| after.level);
            prop_assert!(!sane || level < finding.level, "{:?}", finding);
        }
    }

    #[test]
    fn the_largest_is_where_it_begins_to_be_refused(
        machine in machines(),
        demand in demands(),
        part in 0.0..1.0_f64,
    ) {
        let largest = Preflight::largest(&machine, &demand);
        prop_assert!(largest <= CONNECTIONS_MAX);
        if largest > 0 {
            prop_assert!(passes(&machine, &demand, largest));
            prop_assert!(passes(&machine, &demand, (largest as f64 * part) as u64));
        }
        prop_assert!(!passes(&machine, &demand, largest + 1));
        let above = (CONNECTIONS_MAX - largest) as f64 * part;
        prop_assert!(!passes(&machine, &demand, largest + 1 + above as u64));
    }
}
