//! What the machine allows, read from `/proc` and `/sys`.

use std::fs;
use std::path::Path;

use super::cgroup;

/// Facts about a machine. Plain numbers, so that a test or another machine can make one up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: u32,
    /// Bytes of memory, at most what the control group allows.
    pub memory_total: u64,
    /// Bytes of memory that can be had without swapping, at most what the control group leaves.
    pub memory_available: u64,
    /// The soft limit of descriptors of a table. A note only: a start raises it to the hard one.
    pub descriptors_soft: u64,
    /// The hard limit of descriptors of a table.
    pub descriptors_hard: u64,
    /// Open files that the whole machine allows. The kernel lets a process with CAP_SYS_ADMIN pass
    /// it; that is not relied on, for inside a container the capability may only look that way.
    pub file_max: u64,
    /// Open files of the whole machine now.
    pub files_open: u64,
    /// The first port the system gives to connections.
    pub port_low: u16,
    /// The last port the system gives to connections.
    pub port_high: u16,
    /// Ports within that range that are kept for others (`ip_local_reserved_ports`).
    pub reserved_ports: u32,
    /// `tcp_tw_reuse`: 0 off, 1 on, 2 on loopback only.
    pub tcp_tw_reuse: u8,
    /// Most sockets in TIME_WAIT; the kernel forgets those above.
    pub tcp_max_tw_buckets: u64,
    /// Most connections that wait for an accept.
    pub somaxconn: u64,
    /// The table of tracked connections; `None` if the kernel has none.
    pub conntrack: Option<Conntrack>,
    /// Pages of memory for TCP buffers at which the kernel refuses more.
    pub tcp_mem_pages_high: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Most sockets that a user may watch with epoll.
    pub max_user_watches: u64,
    /// Every shard can have a descriptor table of its own. Reading does not try it: assumed.
    pub can_split_tables: bool,
}

/// The kernel's table of tracked connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conntrack {
    /// Most entries.
    pub max: u64,
    /// Entries now. Zero on a machine that talks means that no rule asks for tracking.
    pub count: u64,
}

/// What is assumed of facts that cannot be read: Linux's defaults where it has constants (1 core,
/// 1,024 and 4,096 descriptors, ports 32,768 to 60,999, `tcp_tw_reuse` 2, `somaxconn` 4,096, pages
/// of 4 KiB), and no limit where the default depends on the machine's size.
impl Default for Machine {
    fn default() -> Machine {
        Machine {
            cores: 1,
            memory_total: u64::MAX,
            memory_available: u64::MAX,
            descriptors_soft: 1_024,
            descriptors_hard: 4_096,
            file_max: u64::MAX,
            files_open: 0,
            port_low: 32_768,
            port_high: 60_999,
            reserved_ports: 0,
            tcp_tw_reuse: 2,
            tcp_max_tw_buckets: u64::MAX,
            somaxconn: 4_096,
            conntrack: None,
            tcp_mem_pages_high: u64::MAX,
            page_size: 4_096,
            max_user_watches: u64::MAX,
            can_split_tables: true,
        }
    }
}

impl Machine {
    /// Reads this machine.
    pub fn read() -> Machine {
        Machine::read_from(Path::new("/"))
    }

    /// Reads the machine whose `proc` and `sys` lie under `root`. What is missing or makes no sense
    /// has the value of [`Machine::default`].
    pub fn read_from(root: &Path) -> Machine {
        let mut machine = Machine::default();
        machine.read_process(root);
        machine.read_memory(root);
        machine.read_network(root);
        let sys = |path: &str| numbers(&root.join("proc/sys").join(path));
        if let [open, free, most] = sys("fs/file-nr")[..] {
            machine.files_open = open.saturating_sub(free);
            machine.file_max = most;
        }
        set(&mut machine.max_user_watches, &sys("fs/epoll/max_user_watches"));
        machine
    }

    /// Ports the system can give to the connections of one pair of source address and endpoint.
    pub fn ports(&self) -> u64 {
        let all = (u64::from(self.port_high) + 1).saturating_sub(u64::from(self.port_low));
        all.saturating_sub(u64::from(self.reserved_ports))
    }

    fn read_process(&mut self, root: &Path) {
        let limits = text(&root.join("proc/self/limits"));
        if let Some(line) = limits.lines().find_map(|line| line.strip_prefix("Max open files")) {
            let limit = |word: &str| match word {
                "unlimited" => Some(u64::MAX),
                _ => word.parse().ok(),
            };
            let mut words = line.split_whitespace().map(limit);
            if let (Some(Some(soft)), Some(Some(hard))) = (words.next(), words.next()) {
                (self.descriptors_soft, self.descriptors_hard) = (soft, hard);
            }
        }
        let status = text(&root.join("proc/self/status"));
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        if let Some(cores) = allowed.map(|list| count_in(list, 0, u16::MAX)).filter(|n| *n > 0) {
            self.cores = cores;
        }
        self.cores = self.cores.min(cgroup::cores(root).unwrap_or(u32::MAX));
        if let Some(size) = page_size(&root.join("proc/self/auxv")) {
            self.page_size = size;
        }
    }

    fn read_memory(&mut self, root: &Path) {
        let table = text(&root.join("proc/meminfo"));
        let bytes = |name: &str| {
            let line = table.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib.saturating_mul(1_024))
        };
        self.memory_total = bytes("MemTotal:").unwrap_or(self.memory_total);
        self.memory_available = bytes("MemAvailable:").unwrap_or(self.memory_total);
        if let Some((limit, left)) = cgroup::memory(root) {
            self.memory_total = self.memory_total.min(limit);
            self.memory_available = self.memory_available.min(left);
        }
    }

    fn read_network(&mut self, root: &Path) {
        let net = root.join("proc/sys/net");
        let read = |path: &str| numbers(&net.join(path));
        if let [low, high] = read("ipv4/ip_local_port_range")[..]
            && let (Ok(low), Ok(high)) = (u16::try_from(low), u16::try_from(high))
        {
            (self.port_low, self.port_high) = (low, high);
        }
        let reserved = text(&net.join("ipv4/ip_local_reserved_ports"));
        self.reserved_ports = count_in(&reserved, self.port_low, self.port_high);
        if let [reuse @ 0..=2] = read("ipv4/tcp_tw_reuse")[..] {
            self.tcp_tw_reuse = reuse as u8;
        }
        set(&mut self.tcp_max_tw_buckets, &read("ipv4/tcp_max_tw_buckets"));
        set(&mut self.somaxconn, &read("core/somaxconn"));
        if let [_, _, high] = read("ipv4/tcp_mem")[..] {
            self.tcp_mem_pages_high = high;
        }
        if let [max] = read("netfilter/nf_conntrack_max")[..] {
            let count = read("netfilter/nf_conntrack_count").first().copied().unwrap_or(0);
            self.conntrack = Some(Conntrack { max, count });
        }
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The numbers of a file; none at all if one of its words is no number.
fn numbers(path: &Path) -> Vec<u64> {
    let words = text(path);
    words.split_whitespace().map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

fn set(fact: &mut u64, read: &[u64]) {
    if let [value] = read {
        *fact = *value;
    }
}

/// How many numbers from `low` to `high` a list like `0-3,7` names. The kernel writes such lists
/// sorted and without overlap.
fn count_in(list: &str, low: u16, high: u16) -> u32 {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let (first, last) = (u32::from(first.max(low)), u32::from(last.min(high)));
        Some((last + 1).saturating_sub(first))
    });
    ranges.fold(0, u32::saturating_add)
}

/// AT_PAGESZ of the auxiliary vector: pairs of native words.
fn page_size(path: &Path) -> Option<u64> {
    const AT_PAGESZ: usize = 6;
    const WORD: usize = size_of::<usize>();
    let bytes = fs::read(path).ok()?;
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    let mut pairs = bytes.chunks_exact(2 * WORD);
    let pair = pairs.find(|pair| word(&pair[..WORD]) == Some(AT_PAGESZ))?;
    word(&pair[WORD..]).map(|size| size as u64).filter(|size| size.is_power_of_two())
}
