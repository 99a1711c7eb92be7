use std::fs;
use std::path::{Path, PathBuf};

use crate::limits::{Conntrack, Machine};

/// A made-up `/proc` and `/sys`, removed when dropped.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Tree {
        let unique = format!("densebots-limits-{}-{name}", std::process::id());
        let tree = Tree(std::env::temp_dir().join(unique));
        for (path, text) in files {
            tree.write(path, text.as_bytes());
        }
        tree
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max processes             96365                96365                processes
Max open files            1024                 20000                files
";

const WHOLE: &[(&str, &str)] = &[
    ("proc/self/limits", LIMITS),
    ("proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,6,8-9\n"),
    ("proc/meminfo", "MemTotal:       24684096 kB\nMemFree: 1 kB\nMemAvailable:   24199320 kB\n"),
    ("proc/sys/fs/file-nr", "713\t0\t2466193\n"),
    ("proc/sys/fs/epoll/max_user_watches", "5491533\n"),
    ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ("proc/sys/net/ipv4/ip_local_reserved_ports", "22,40000-40009,50000,60990-61010\n"),
    ("proc/sys/net/ipv4/tcp_tw_reuse", "1\n"),
    ("proc/sys/net/ipv4/tcp_max_tw_buckets", "131072\n"),
    ("proc/sys/net/ipv4/tcp_mem", "287901\t383869\t575802\n"),
    ("proc/sys/net/core/somaxconn", "128\n"),
    ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
    ("proc/sys/net/netfilter/nf_conntrack_count", "17\n"),
];

fn whole() -> Machine {
    Machine {
        cores: 7,
        memory_total: 24_684_096 << 10,
        memory_available: 24_199_320 << 10,
        descriptors_soft: 1_024,
        descriptors_hard: 20_000,
        file_max: 2_466_193,
        files_open: 713,
        port_low: 32_768,
        port_high: 60_999,
        reserved_ports: 10 + 1 + 10,
        tcp_tw_reuse: 1,
        tcp_max_tw_buckets: 131_072,
        somaxconn: 128,
        conntrack: Some(Conntrack { max: 262_144, count: 17 }),
        tcp_mem_pages_high: 575_802,
        page_size: 4_096,
        max_user_watches: 5_491_533,
        can_split_tables: true,
    }
}

#[test]
fn a_whole_machine() {
    let tree = Tree::new("whole", WHOLE);
    let mut machine = whole();
    assert_eq!(Machine::read_from(&tree.0), machine);
    assert_eq!(machine.ports(), 28_232 - 21);
    let pages = [33_usize, 1, 6, 65_536, 0, 0].map(usize::to_ne_bytes).concat();
    tree.write("proc/self/auxv", &pages);
    machine.page_size = 65_536;
    assert_eq!(Machine::read_from(&tree.0), machine);
}

#[test]
fn nothing_to_read_and_nonsense_are_the_defaults() {
    assert_eq!(Machine::read_from(Path::new("/nowhere/at/all")), Machine::default());
    let paths = WHOLE.iter().map(|(path, _)| *path).chain(["proc/self/cgroup", "proc/self/auxv"]);
    for (index, nonsense) in
        ["", "x y z", "-1", "99999999999999999999999", "Max open files"].into_iter().enumerate()
    {
        let files: Vec<_> = paths.clone().map(|path| (path, nonsense)).collect();
        let tree = Tree::new(&format!("nonsense-{index}"), &files);
        assert_eq!(Machine::read_from(&tree.0), Machine::default(), "{nonsense:?}");
    }
}

#[test]
fn a_group_of_version_two_limits_memory_and_cores() {
    let tree = Tree::new("v2", WHOLE);
    tree.write("proc/self/cgroup", b"0::/a/b\n");
    tree.write("sys/fs/cgroup/a/b/memory.max", b"max\n");
    tree.write("sys/fs/cgroup/a/memory.max", b"1000000\n");
    tree.write("sys/fs/cgroup/a/memory.current", b"700000\n");
    tree.write("sys/fs/cgroup/a/memory.stat", b"anon 1\nfile 9\ninactive_file 200000\n");
    tree.write("sys/fs/cgroup/memory.max", b"900000\n");
    tree.write("sys/fs/cgroup/memory.current", b"100000\n");
    tree.write("sys/fs/cgroup/a/b/cpu.max", b"max 100000\n");
    tree.write("sys/fs/cgroup/a/cpu.max", b"250000 100000\n");
    let read = Machine::read_from(&tree.0);
    assert_eq!((read.memory_total, read.memory_available), (900_000, 500_000));
    assert_eq!(read.cores, 3);
}

#[test]
fn a_group_of_version_one_and_one_whose_path_is_the_hosts() {
    let tree = Tree::new("v1", WHOLE);
    tree.write("proc/self/cgroup", b"9:cpu,cpuacct:/host/x\n4:memory:/host/x\n0::/\n");
    tree.write("sys/fs/cgroup/memory/memory.limit_in_bytes", b"1000000\n");
    tree.write("sys/fs/cgroup/memory/memory.usage_in_bytes", b"700000\n");
    tree.write("sys/fs/cgroup/memory/memory.stat", b"inactive_file 1\ntotal_inactive_file 50000\n");
    tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", b"100000\n");
    tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", b"100000\n");
    let read = Machine::read_from(&tree.0);
    assert_eq!((read.memory_total, read.memory_available, read.cores), (1_000_000, 350_000, 1));

    tree.write("proc/self/cgroup", b"4:memory:/../../y\n");
    assert_eq!(Machine::read_from(&tree.0).memory_total, 1_000_000);
    // No limit, as version one writes it, and no quota.
    tree.write("sys/fs/cgroup/memory/memory.limit_in_bytes", b"9223372036854771712\n");
    tree.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", b"-1\n");
    assert_eq!(Machine::read_from(&tree.0), whole());
}

/// The only test that looks at the real machine: whatever it is, it makes sense.
#[test]
fn this_machine() {
    let machine = Machine::read();
    assert!(machine.cores >= 1 && machine.page_size.is_power_of_two());
    assert!(machine.memory_available > 0 && machine.memory_total >= machine.memory_available);
    assert!(machine.descriptors_soft <= machine.descriptors_hard);
    assert!(machine.files_open > 0 && machine.ports() > 0);
}
