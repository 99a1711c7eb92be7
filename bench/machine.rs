//! System calls of the bare programs that `rustix` has not, and the rules of descriptor tables.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use std::{io, mem, ops};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Descriptors of a table that are not connections: standard streams, poll, timer, listener, slack.
const RESERVED: usize = 64;

/// Makes room for this thread's part of `connections`, which `threads` threads share evenly.
///
/// Raises the soft limit of descriptors to the hard one. Where that is too low for all in one
/// table, the thread gets a table of its own, in which nothing but the standard streams is open.
pub fn make_room(connections: usize, threads: usize) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let room = maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let room = room.saturating_sub(RESERVED).max(1);
    if connections <= room {
        return Ok(());
    }
    if connections.div_ceil(threads.max(1)) > room {
        return Err(io::Error::other(format!(
            "{connections} connections need {} threads: each has room for {room}",
            connections.div_ceil(room)
        )));
    }
    // SAFETY: the descriptors are closed in a copy of the table that belongs to this thread alone,
    // and the callers do this before the thread opens anything or is handed anything open.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE as i32) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets `bind` to a source address leave the choice of the port to `connect`, which knows the
/// target and so may use a port once per target.
pub fn bind_address_no_port(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, and `on` outlives the call.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor that becomes readable once, after `limit`.
pub fn timer(limit: Duration) -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let limit = limit.max(Duration::from_nanos(1)); // zero would disarm it
    let it_value = Timespec::try_from(limit).map_err(io::Error::other)?;
    let once = Itimerspec { it_interval: Timespec::default(), it_value };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    Ok(timer)
}

/// Processor time of whole processes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessorTime {
    /// In its own code.
    pub user: Duration,
    /// In the kernel on its behalf.
    pub system: Duration,
}

impl ProcessorTime {
    /// User and system together, in seconds.
    pub fn seconds(self) -> f64 {
        (self.user + self.system).as_secs_f64()
    }
}

impl ops::Sub for ProcessorTime {
    type Output = ProcessorTime;

    /// The kernel splits the exact sum by samples, so that one part may even shrink: never below 0.
    fn sub(self, earlier: ProcessorTime) -> ProcessorTime {
        ProcessorTime {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// Processor time used so far by all threads of this process.
pub fn processor_time() -> ProcessorTime {
    usage(libc::RUSAGE_SELF)
}

/// Processor time of the processes this one has started and seen end, and of all those that they
/// have.
pub fn processor_time_of_ended() -> ProcessorTime {
    usage(libc::RUSAGE_CHILDREN)
}

fn usage(whose: libc::c_int) -> ProcessorTime {
    // SAFETY: `rusage` is plain numbers, for which zeros are valid, and the call only fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(whose, &raw mut usage);
        usage
    };
    let duration = |part: libc::timeval| {
        Duration::new(part.tv_sec as u64, 0) + Duration::from_micros(part.tv_usec as u64)
    };
    ProcessorTime { user: duration(usage.ru_utime), system: duration(usage.ru_stime) }
}

/// Keeps this thread, and those it will start, on one core.
pub fn pin(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}
