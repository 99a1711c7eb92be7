//! What is shared by the whole machine: files, memory, connection tracking, buffers, watches.

use super::{Amount, BACKLOG, CONNTRACK, DESCRIPTORS_OF_THE_MACHINE, Demand, EPOLL_WATCHES};
use super::{Finding, Level, MEMORY, Machine, SOCKET_BUFFERS, fewer_connections};

/// Files of a shard (poll, waker), and files of the process besides.
const FILES_PER_SHARD: u64 = 2;
const FILES_FIXED: u64 = 32;
/// How long conntrack remembers a closed connection: nf_conntrack_tcp_timeout_time_wait.
const CONNTRACK_SECONDS: u64 = 120;
/// How long the embedded target may be busy elsewhere between two rounds of accepting; connects
/// that arrive meanwhile wait in the backlog.
const ACCEPT_GAP_SECONDS: f64 = 0.1;

/// Needs and supplies of the machine as a whole.
pub(super) struct Capacity {
    pub(super) files: Amount,
    pub(super) memory_user: u64,
    pub(super) memory_kernel: u64,
    pub(super) conntrack: Option<Amount>,
    pub(super) tcp_mem: Amount,
    watches: Amount,
    backlog: Option<Amount>,
}

impl Capacity {
    /// `shards`: of the bots and the embedded target together.
    pub(super) fn of(machine: &Machine, demand: &Demand, shards: u32) -> Capacity {
        let (shards, sockets) = (u64::from(shards), demand.sockets());
        // Both ends of a connection that stays on this machine are one tracked connection.
        let tracked =
            demand.connections.saturating_add(demand.churn().saturating_mul(CONNTRACK_SECONDS));
        Capacity {
            files: Amount {
                needed: sockets.saturating_add(FILES_PER_SHARD * shards + FILES_FIXED),
                present: machine.file_max.saturating_sub(machine.files_open),
            },
            memory_user: demand
                .user_bytes_per_bot
                .saturating_mul(sockets)
                .saturating_add(demand.base_bytes.saturating_mul(demand.ends())),
            memory_kernel: demand.bytes_per_connection_kernel.saturating_mul(sockets),
            conntrack: machine.conntrack.map(|table| Amount {
                needed: tracked,
                present: table.max.saturating_sub(table.count),
            }),
            tcp_mem: Amount { needed: sockets, present: machine.tcp_mem_pages_high },
            watches: Amount {
                needed: sockets.saturating_add(shards),
                present: machine.max_user_watches,
            },
            backlog: demand.target_here.then(|| Amount {
                needed: (demand.arrival_rate * ACCEPT_GAP_SECONDS).ceil() as u64,
                present: machine.somaxconn,
            }),
        }
    }

    pub(super) fn findings(&self, machine: &Machine, demand: &Demand) -> Vec<Finding> {
        let mut findings = vec![
            self.files_finding(machine),
            self.memory_finding(machine, demand),
            self.watches.finding(self.watches.level(), EPOLL_WATCHES, "watches", || {
                format!("sysctl -w fs.epoll.max_user_watches={}", roomy(self.watches.needed))
            }),
            self.buffers_finding(machine),
        ];
        if let (Some(amount), Some(table)) = (self.conntrack, machine.conntrack) {
            // A table that counts nothing has no rule that fills it: then even a small one holds
            // millions, and a rule that comes later is only possible.
            let level = if table.count == 0 { unless_refused(amount) } else { amount.level() };
            let wanted = roomy(amount.needed.saturating_add(table.count));
            findings.push(amount.finding(level, CONNTRACK, "entries", || {
                format!("sysctl -w net.netfilter.nf_conntrack_max={wanted}")
            }));
        }
        if let Some(amount) = self.backlog {
            // The kernel retries a connect that found no place after a second: slow, not lost.
            findings.push(amount.finding(unless_refused(amount), BACKLOG, "connects", || {
                format!("sysctl -w net.core.somaxconn={}", roomy(amount.needed))
            }));
        }
        findings
    }

    fn files_finding(&self, machine: &Machine) -> Finding {
        let wanted = roomy(self.files.needed.saturating_add(machine.files_open));
        self.files.finding(self.files.level(), DESCRIPTORS_OF_THE_MACHINE, "files", || {
            format!("sysctl -w fs.file-max={wanted}")
        })
    }

    fn memory_finding(&self, machine: &Machine, demand: &Demand) -> Finding {
        let amount = Amount {
            needed: self.memory_user.saturating_add(self.memory_kernel),
            present: machine.memory_available,
        };
        let level = amount.level();
        amount.finding(level, MEMORY, "bytes", || {
            let each = demand.user_bytes_per_bot.saturating_add(demand.bytes_per_connection_kernel);
            let base = demand.base_bytes.saturating_mul(demand.ends());
            // What only just fits would not cure a warning.
            let usable = if level == Level::Warning { amount.tight() } else { amount.present };
            let free = usable.saturating_sub(base);
            fewer_connections(free / each.saturating_mul(demand.ends()).max(1))
        })
    }

    /// An idle socket holds no page of buffers: this warns of the moment when all talk at once.
    fn buffers_finding(&self, machine: &Machine) -> Finding {
        let level = unless_refused(self.tcp_mem);
        self.tcp_mem.finding(level, SOCKET_BUFFERS, "pages", || {
            let high = roomy(self.tcp_mem.needed);
            let [low, pressure] = [high / 2, high / 4 * 3];
            let bytes = high.saturating_mul(machine.page_size) >> 20;
            format!("sysctl -w net.ipv4.tcp_mem=\"{low} {pressure} {high}\" # {bytes} MiB")
        })
    }
}

/// A limit that is not certain to be met: what would be refused is a warning, and tight is fine.
fn unless_refused(amount: Amount) -> Level {
    if amount.level() == Level::Refusal { Level::Warning } else { Level::Fine }
}

/// The value to set a limit to: a fifth more than is needed, in whole thousands. A limit set to
/// just what is needed would be a warning again.
fn roomy(needed: u64) -> u64 {
    needed.saturating_add(needed / 5).div_ceil(1_000).saturating_mul(1_000)
}
