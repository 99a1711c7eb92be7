//! What the machine as a whole went through, read once a second.

use std::path::Path;

/// Counters of the machine; two readings make a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// Ticks of all CPUs, and those the hypervisor took.
    ticks: u64,
    stolen: u64,
    /// Connections dropped because a listener's queue was full.
    pub(crate) overflows: u64,
    /// Kernel memory in slabs: sockets, files, polls.
    pub(crate) kernel_bytes: u64,
}

impl Pulse {
    pub(crate) fn read() -> Pulse {
        Pulse::read_from(Path::new("/proc"))
    }

    fn read_from(proc: &Path) -> Pulse {
        let text = |name: &str| std::fs::read_to_string(proc.join(name)).unwrap_or_default();
        let stat = text("stat");
        let cpu: Vec<u64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .filter_map(|number| number.parse().ok())
            .collect();
        Pulse {
            ticks: cpu.iter().take(8).sum(),
            stolen: cpu.get(7).copied().unwrap_or(0),
            overflows: column(&text("net/netstat"), "TcpExt:", "ListenOverflows"),
            kernel_bytes: 1024 * line(&text("meminfo"), "Slab:"),
        }
    }

    /// The share of CPU time that was stolen since an earlier reading.
    pub(crate) fn steal_since(&self, before: &Pulse) -> f64 {
        let ticks = self.ticks.saturating_sub(before.ticks);
        let stolen = self.stolen.saturating_sub(before.stolen);
        if ticks == 0 { 0.0 } else { stolen as f64 / ticks as f64 }
    }
}

/// The number behind a name at the beginning of a line.
fn line(text: &str, name: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A number from a pair of lines, one with the names and one with the numbers.
fn column(text: &str, table: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with(table));
    let (Some(names), Some(numbers)) = (lines.next(), lines.next()) else { return 0 };
    let at = names.split_whitespace().position(|known| known == name);
    at.and_then(|at| numbers.split_whitespace().nth(at)?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name_and_missing_ones_are_zero() {
        let netstat = "TcpExt: Other ListenOverflows\nTcpExt: 1 23\nIpExt: X\nIpExt: 9\n";
        assert_eq!(column(netstat, "TcpExt:", "ListenOverflows"), 23);
        assert_eq!(column(netstat, "TcpExt:", "None"), 0);
        assert_eq!(line("MemFree: 1 kB\nSlab:   77 kB\n", "Slab:"), 77);
        assert_eq!(Pulse::read_from(Path::new("/nowhere")), Pulse::default());
    }

    #[test]
    fn steal_is_a_share_of_the_ticks_between_two_readings() {
        let before = Pulse { ticks: 100, stolen: 10, ..Pulse::default() };
        let after = Pulse { ticks: 300, stolen: 60, ..Pulse::default() };
        assert_eq!(after.steal_since(&before), 0.25);
        assert_eq!(before.steal_since(&before), 0.0);
    }
}
