//! A load generator seen from outside, the same for every one: what it used of the processor from
//! its start to its end, and what it weighed with everybody online.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::machine::{ProcessorTime, processor_time_of_ended};

/// What was seen of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Of the generator and all that it started and waited for, from its start to its end.
    pub processor: ProcessorTime,
    /// Anonymous memory of it and all its descendants with every connection open, in bytes.
    pub weight: u64,
}

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// No run of a bench takes longer.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Runs a generator to its end, which makes so many connections to a port of 127.0.0.1 and has
/// them all so long after the first one, when it is weighed.
///
/// An error if it fails, does not end, or does not have all of them then. Nothing else that this
/// process has started may end meanwhile: its processor time would be counted.
pub fn watch(
    command: &mut Command,
    port: u16,
    connections: usize,
    after: Duration,
) -> io::Result<Seen> {
    let before = processor_time_of_ended();
    // Roles end with their standard input: it is held open until the end.
    let child = command.stdin(Stdio::piped()).spawn()?;
    let mut generator = Generator(child);
    let begun = Instant::now();
    let (mut first, mut weighed) = (None, None);
    let status = loop {
        if let Some(status) = generator.0.try_wait()? {
            break status;
        }
        if begun.elapsed() > RUN_MAX {
            return Err(io::Error::other(format!("{command:?} does not end")));
        }
        let count = established(port)?;
        if count > 0 && first.is_none() {
            first = Some(Instant::now());
        }
        if weighed.is_none() && first.is_some_and(|first| first.elapsed() >= after) {
            weighed = Some((count, weight_of(generator.0.id())?));
        }
        thread::sleep(LOOK_EVERY);
    };
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    let (count, weight) = weighed.unwrap_or_default();
    if count < connections {
        let had = format!("{command:?} had {count} of {connections} connections");
        return Err(io::Error::other(had));
    }
    Ok(Seen { processor: processor_time_of_ended() - before, weight })
}

/// Ends with this value at the latest.
struct Generator(Child);

impl Drop for Generator {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        }
        _ = self.0.wait();
    }
}

/// Connections to a port of 127.0.0.1, counted at the end that dialled.
fn established(port: u16) -> io::Result<usize> {
    Ok(connections_to(port, &fs::read_to_string("/proc/net/tcp")?))
}

/// In lines of `/proc/net/tcp` (proc(5)): number, own address, the other's, state (1: established).
fn connections_to(port: u16, table: &str) -> usize {
    let other = format!("0100007F:{port:04X}");
    let lines = table.lines().map(|line| line.split_whitespace().skip(2));
    lines.filter(|words| words.clone().take(2).eq([other.as_str(), "01"])).count()
}

/// Anonymous resident memory of a process and all its descendants, in bytes.
fn weight_of(root: u32) -> io::Result<u64> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // Whoever has ended meanwhile weighs nothing.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        parents.extend(parent(&stat).map(|parent| (id, parent)));
    }
    let mut family = vec![root];
    let mut nth = 0;
    while let Some(&one) = family.get(nth) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(id, _)| id));
        nth += 1;
    }
    let status = |id| fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    Ok(family.into_iter().map(|id| anonymous(&status(id))).sum())
}

/// The parent in a line of `/proc/ID/stat`: behind the name, which may hold anything, and a state.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn anonymous(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map_or(0, |kibibytes: u64| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn files_of_proc_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
             0: 0100007F:1466 00000000:0000 0A 00000000\n\
             1: 0100007F:9C40 0100007F:1466 01 00000000\n\
             2: 0100007F:1466 0100007F:9C40 01 00000000\n\
             3: 0100007F:9C41 0100007F:1466 06 00000000\n";
        assert_eq!(connections_to(5222, table), 1);
        assert_eq!(parent("7 (a) b) S 3 7 7"), Some(3));
        assert_eq!(anonymous("VmRSS:\t 9 kB\nRssAnon:\t   12 kB\nRssFile:\t 1 kB\n"), 12 * 1024);
    }

    #[test]
    fn whoever_fails_or_never_connects_is_an_error() {
        let shell = |line: &str| watch(Command::new("sh").args(["-c", line]), 9, 1, Duration::ZERO);
        assert!(shell("exit 3").unwrap_err().to_string().contains("exit status: 3"));
        assert!(shell("true").unwrap_err().to_string().contains("had 0 of 1"));
    }

    #[test]
    fn what_was_used_and_weighed_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let held = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 2";
        // A shell below a shell: what it used and weighs counts too.
        let seen = watch(
            Command::new("sh").args(["-c", &format!("sh -c '{work}'; true")]),
            port,
            1,
            Duration::from_secs(1),
        );
        drop(held);
        let seen = seen.unwrap();
        assert!(seen.processor.seconds() > 0.01 && seen.processor.seconds() < 2.0, "{seen:?}");
        assert!(seen.weight > 50_000 && seen.weight < 10_000_000, "{seen:?}");
    }
}
