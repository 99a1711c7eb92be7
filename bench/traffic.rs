//! What traffic a program is asked to make and what it says it made: one line of `key=value` each
//! way between a bench and the programs it runs in processes of their own.

use std::fmt::{self, Display};
use std::io;
use std::str::FromStr;
use std::time::Duration;

use crate::machine::ProcessorTime;

/// What connections do once all are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: the run ends there.
    ConnectOnly,
    /// Each has one message in flight at all times.
    PingPong,
    /// They stay open and silent.
    Idle,
}

/// The traffic to make. Connection `i` goes to the port `i mod ports` of 127.0.0.1 and, if there
/// is more than one source, comes from 127.0.0.`1 + (i / ports) mod sources`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// How many in all.
    pub connections: usize,
    /// Threads that share them, each with a poll of its own.
    pub threads: usize,
    /// Where the server listens.
    pub ports: Vec<u16>,
    /// Source addresses; 1 leaves the choice to the kernel.
    pub sources: u8,
    /// Bytes of a message, at most [`SIZE_MAX`].
    pub size: usize,
    /// What happens once all are connected.
    pub mode: Mode,
    /// For how long that happens.
    pub hold: Duration,
}

/// The largest message: more might not fit a socket's buffers at once.
pub const SIZE_MAX: usize = 16 * 1024;

impl Load {
    /// Ping-pong of 64-byte messages from four source addresses for three seconds.
    pub fn new(connections: usize, threads: usize, ports: &[u16]) -> Load {
        let (ports, hold) = (ports.to_vec(), Duration::from_secs(3));
        Load { connections, threads, ports, sources: 4, size: 64, mode: Mode::PingPong, hold }
    }

    /// Reads what [`Load`] displays.
    pub fn parse(words: &[String]) -> io::Result<Load> {
        let ports = value(words, "ports")?.split(',').map(str::parse).collect::<Result<_, _>>();
        let load = Load {
            connections: number(words, "connections")?,
            threads: number(words, "threads")?,
            ports: ports.map_err(|_| wrong("ports"))?,
            sources: number(words, "sources")?,
            size: number(words, "size")?,
            mode: match value(words, "mode")? {
                "connect-only" => Mode::ConnectOnly,
                "pingpong" => Mode::PingPong,
                "idle" => Mode::Idle,
                _ => return Err(wrong("mode")),
            },
            hold: seconds(words, "seconds")?,
        };
        match load {
            Load { threads: 0, .. } => Err(wrong("threads")),
            Load { size, .. } if !(1..=SIZE_MAX).contains(&size) => Err(wrong("size")),
            load => Ok(load),
        }
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let mode = match self.mode {
            Mode::ConnectOnly => "connect-only",
            Mode::PingPong => "pingpong",
            Mode::Idle => "idle",
        };
        write!(f, "connections={} threads={} ", self.connections, self.threads)?;
        write!(f, "ports={} sources={} ", ports.join(","), self.sources)?;
        write!(f, "size={} mode={mode} seconds={}", self.size, self.hold.as_secs_f64())
    }
}

/// What one phase of a run did and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phase {
    /// Connections opened, or messages that came back.
    pub count: u64,
    /// How long it took.
    pub wall: Duration,
    /// What the whole process used meanwhile.
    pub processor: ProcessorTime,
}

impl Phase {
    /// Counted things per second of the clock.
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.wall.as_secs_f64()
    }

    /// Counted things per second of processor time, user and system together.
    pub fn per_processor_second(&self) -> f64 {
        self.count as f64 / self.processor.seconds()
    }
}

/// What a whole run did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// From the first attempt until all were online; counts connections.
    pub connect: Phase,
    /// From then on; counts messages. All zero where the run ended with the connecting.
    pub hold: Phase,
}

impl Figures {
    /// Reads what [`Figures`] displays.
    pub fn parse(line: &str) -> io::Result<Figures> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let phase = |count: &str, name: &str| -> io::Result<Phase> {
            Ok(Phase {
                count: number(&words, count)?,
                wall: seconds(&words, &format!("{name}_wall"))?,
                processor: ProcessorTime {
                    user: seconds(&words, &format!("{name}_user"))?,
                    system: seconds(&words, &format!("{name}_system"))?,
                },
            })
        };
        Ok(Figures { connect: phase("connections", "connect")?, hold: phase("messages", "hold")? })
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = [("connections", "connect", self.connect), (" messages", "hold", self.hold)];
        phases.into_iter().try_for_each(|(count, name, phase)| {
            let (user, system) = (phase.processor.user, phase.processor.system);
            write!(f, "{count}={} {name}_wall={}", phase.count, phase.wall.as_secs_f64())?;
            write!(f, " {name}_user={}", user.as_secs_f64())?;
            write!(f, " {name}_system={}", system.as_secs_f64())
        })
    }
}

/// The value of `key=value` among `words`.
pub fn value<'a>(words: &'a [String], key: &str) -> io::Result<&'a str> {
    let mut pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs.find(|pair| pair.0 == key).map(|pair| pair.1).ok_or_else(|| wrong(key))
}

/// The value of `key=number` among `words`.
pub fn number<N: FromStr>(words: &[String], key: &str) -> io::Result<N> {
    value(words, key)?.parse().map_err(|_| wrong(key))
}

fn seconds(words: &[String], key: &str) -> io::Result<Duration> {
    Duration::try_from_secs_f64(number(words, key)?).map_err(|_| wrong(key))
}

pub(crate) fn wrong(key: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{key}=... is missing or wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn load_survives_the_line() {
        for mode in [Mode::ConnectOnly, Mode::PingPong, Mode::Idle] {
            let load = Load { mode, ..Load::new(100_000, 6, &[1, 65535]) };
            assert_eq!(Load::parse(&words(&load.to_string())).unwrap(), load);
        }
    }

    #[test]
    fn bad_load_names_the_key() {
        let good = Load::new(10, 2, &[80]).to_string();
        for (from, to, key) in [
            ("threads=2", "threads=0", "threads"),
            ("threads=2", "", "threads"),
            ("size=64", "size=0", "size"),
            ("size=64", "size=70000", "size"),
            ("ports=80", "ports=80,x", "ports"),
            ("ports=80", "ports=", "ports"),
            ("mode=pingpong", "mode=shout", "mode"),
            ("seconds=3", "seconds=-3", "seconds"),
            ("sources=4", "sources=256", "sources"),
        ] {
            assert!(good.contains(from), "{good}");
            let error = Load::parse(&words(&good.replace(from, to))).unwrap_err();
            assert!(error.to_string().starts_with(key), "{to}: {error}");
        }
    }

    #[test]
    fn figures_survive_the_line() {
        let time = |n| Duration::from_micros(n);
        let processor = ProcessorTime { user: time(1_234_567), system: time(89) };
        let connect = Phase { count: 100_000, wall: time(5_000_001), processor };
        let figures = Figures { connect, hold: Phase { count: 7, ..connect } };
        assert_eq!(Figures::parse(&figures.to_string()).unwrap(), figures);
        assert!(Figures::parse("connections=1").is_err());
    }
}
