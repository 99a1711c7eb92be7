//! The system calls that no safe crate offers, and what `/proc` says about threads and memory.
//!
//! The one file of the engine with unsafe code. Everything here is one call or one read; what to
//! do with the answers is decided elsewhere.
#![allow(unsafe_code)]
#![allow(dead_code, reason = "the shard threads and the preflight are its users")]

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::UnshareFlags;
use rustix::time::{ClockId, clock_gettime};

/// Raises the soft limit of open descriptors to the hard one and answers with (soft, hard) as they
/// are now. The limit counts per descriptor table (see [`split_descriptor_table`]).
pub(crate) fn raise_descriptor_limit() -> io::Result<(u64, u64)> {
    let found = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: found.maximum, maximum: found.maximum })?;
    let raised = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    Ok((number(raised.current), number(raised.maximum)))
}

/// Gives the calling thread a descriptor table of its own that holds `keep` and nothing else.
///
/// The limit of open descriptors then counts for this thread alone. Everything outside `keep` is
/// closed in the new table, because a socket lives until its last copy is closed: a copy left here
/// would keep connections of other threads open, and in their polls, for ever.
///
/// What the caller promises, since a wrong number is another object's descriptor sooner or later:
/// * whatever this thread uses or drops from now on is in `keep` (that includes the wakers of other
///   threads: the thread that drops the last handle closes the number in its own table);
/// * `keep` has 0, 1 and 2, or a stray print ends up in the first sockets opened here;
/// * no descriptor made after the split leaves the thread, and none made elsewhere comes in.
///
/// After an error the table may be split with copies left in it; the thread is not to be used.
pub(crate) fn split_descriptor_table(keep: &[RawFd]) -> io::Result<()> {
    // Containers commonly filter `unshare` as a whole, though this flag needs no privilege.
    unshare_table().or_else(|_| unshare_table_by_range())?;
    close_all_but(keep)
}

fn unshare_table() -> io::Result<()> {
    // SAFETY: the new table is a copy, so every number this thread knows stays valid. That numbers
    // of different tables are not mixed from here on is the promise at `split_descriptor_table`.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }?;
    Ok(())
}

/// The same split as a side effect of closing a range that is always empty.
fn unshare_table_by_range() -> io::Result<()> {
    close_range(u32::MAX, u32::MAX, libc::CLOSE_RANGE_UNSHARE)
}

/// Closes the gaps between the kept numbers; a call a gap, however many descriptors are open.
fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).collect();
    keep.sort_unstable();
    let mut first = 0;
    for kept in keep {
        if first < kept {
            close_range(first, kept - 1, 0)?;
        }
        first = kept + 1; // no overflow: `kept` was an `i32`
    }
    close_range(first, u32::MAX, 0)
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the arguments are plain numbers. That nobody owns the descriptors that get closed is
    // the promise at `split_descriptor_table`.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Closes a descriptor number in the calling thread's table.
///
/// For a thread that handed an object to another one, which has split its table since: the object
/// lives on there, and only this table's copy of its descriptor goes. Nothing in this table may
/// own the number any more.
pub(crate) fn release_copy(fd: RawFd) {
    if fd >= 0 {
        // SAFETY: the owner of the number lives in another table, as promised above.
        unsafe { rustix::io::close(fd) };
    }
}

/// Lets `connect` choose the port of a socket that is bound to an address with port 0.
///
/// A port chosen by `bind` is taken for every peer, one chosen by `connect` only for this one, so
/// that each pair of source address and target has the whole range. IPv6 sockets take the same
/// option.
pub(crate) fn bind_without_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the pointer and the length are those of a live `c_int`, which is what the option
    // takes; the kernel only reads it.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the coming close of a socket send a reset: nothing unsent is delivered and no TIME_WAIT
/// is left behind.
pub(crate) fn reset_on_close(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?)
}

/// CPU time that the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

/// CPU time that all our threads have used, user and system, those that ended included.
pub(crate) fn total_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// How the scheduler treated one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunDelay {
    /// Time on a core.
    pub(crate) ran: Duration,
    /// Time ready to run, without a core.
    pub(crate) waited: Duration,
}

/// The scheduler's account of the thread that opened it; any thread may read it.
#[derive(Debug)]
pub(crate) struct SchedStat(File);

impl SchedStat {
    /// Opens the account of the calling thread; it stays open, so that reading is one system call.
    pub(crate) fn open() -> io::Result<SchedStat> {
        File::open("/proc/thread-self/schedstat").map(SchedStat)
    }

    /// Totals since the thread began.
    pub(crate) fn read(&self) -> io::Result<RunDelay> {
        let mut text = [0; 64]; // three numbers of at most 20 digits, two spaces, a line end
        let length = self.0.read_at(&mut text, 0)?;
        let mut numbers = str::from_utf8(&text[..length])
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map_while(|number| number.parse().ok().map(Duration::from_nanos));
        match (numbers.next(), numbers.next()) {
            (Some(ran), Some(waited)) => Ok(RunDelay { ran, waited }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "schedstat holds no two numbers")),
        }
    }
}

/// Bytes of anonymous memory that are resident: heap, stacks and tables, without the program's own
/// pages. Its growth over the number of bots is what a bot costs.
pub(crate) fn resident_bytes() -> io::Result<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status")?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "status has no RssAnon"))
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::os::fd::{AsFd, IntoRawFd};
    use std::thread;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (soft, hard) = raise_descriptor_limit().unwrap();
        assert_eq!(soft, hard);
        assert!(hard > 0);
    }

    #[test]
    fn a_bound_socket_has_no_port_yet() {
        for (domain, address) in [
            (Domain::IPV4, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            (Domain::IPV6, SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
        ] {
            let socket = Socket::new(domain, Type::STREAM, None).unwrap();
            bind_without_port(socket.as_fd()).unwrap();
            socket.bind(&address.into()).unwrap();
            assert_eq!(socket.local_addr().unwrap().as_socket(), Some(address));
        }
    }

    #[test]
    fn a_wrong_descriptor_is_an_error() {
        let file = File::open("/proc/self/status").unwrap();
        assert!(bind_without_port(file.as_fd()).is_err());
        assert!(reset_on_close(file.as_fd()).is_err());
    }

    #[test]
    fn cpu_time_goes_up_by_working() {
        let (thread, total) = (thread_cpu(), total_cpu());
        while thread_cpu() < thread + Duration::from_millis(2) {}
        assert!(total_cpu() >= total + Duration::from_millis(1));
    }

    #[test]
    fn the_scheduler_counts_the_thread_that_opened() {
        let account = SchedStat::open().unwrap();
        let before = account.read().unwrap();
        let start = thread_cpu();
        // The scheduler books at its ticks, so the account may be behind the clock by one.
        while account.read().unwrap().ran <= before.ran {
            assert!(thread_cpu() < start + Duration::from_secs(5), "the account stands still");
        }
        assert!(account.read().unwrap().waited >= before.waited);
    }

    #[test]
    fn resident_memory_is_found() {
        assert!(resident_bytes().unwrap() > 4096);
        assert_eq!(resident_in("VmRSS:\t 9 kB\nRssAnon:\t    1234 kB\nX: 1\n"), Some(1234 * 1024));
        for broken in ["", "RssAnon:", "RssAnon: x kB", "RssAnon: 18446744073709551615 kB"] {
            assert_eq!(resident_in(broken), None, "{broken}");
        }
    }

    /// What is open in the calling thread's table, without the listing's own descriptor.
    fn open_descriptors() -> Vec<RawFd> {
        let listing = std::fs::read_dir("/proc/thread-self/fd").unwrap();
        let mut open: Vec<RawFd> = listing
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        open.sort_unstable();
        // The listing got the lowest free number and is closed by now.
        open.retain(|&fd| std::fs::metadata(format!("/proc/thread-self/fd/{fd}")).is_ok());
        open
    }

    #[test]
    fn a_split_table_holds_what_was_kept() {
        let splits: [fn() -> io::Result<()>; 2] = [unshare_table, unshare_table_by_range];
        for split in splits {
            let mine = File::open("/proc/self/status").unwrap();
            let kept = File::open("/proc/self/status").unwrap().into_raw_fd();
            thread::spawn(move || {
                split().unwrap();
                close_all_but(&[kept, 2, 0, kept, -1, 1]).unwrap();
                assert_eq!(open_descriptors(), [0, 1, 2, kept]);
                release_copy(kept);
                release_copy(-1);
                assert_eq!(open_descriptors(), [0, 1, 2]);
            })
            .join()
            .unwrap();
            assert!(mine.metadata().is_ok(), "the split closed a descriptor of this thread");
            release_copy(kept);
        }
    }

    #[test]
    fn a_split_with_nothing_kept_closes_everything() {
        thread::spawn(|| {
            split_descriptor_table(&[]).unwrap();
            assert_eq!(open_descriptors(), []);
        })
        .join()
        .unwrap();
    }
}
