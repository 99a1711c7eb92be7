//! The engine beside Tsung 1.7, both against the same Prosody: how many times as much Tsung needs
//! of memory for a user who is online, of CPU for a login, and of CPU for a message.
//! Long: started by name, `cargo bench --bench tsung -- PAIRS`; needs tsung, erlang and prosody.
//!
//! Both do the traffic of `pinger.rs`: users log in with PLAIN and say that they are there, ping
//! the service (XEP-0199) or not, and leave. A pair is three runs of each in turn: few users, many
//! users, and few users who ping. All runs take as long, and every figure is a difference of two,
//! so that nothing fixed is in it: the start of the program, its buffers, its look at the clock.
//!
//! ```text
//! memory of a user   (many online - few online) / (many - few); anonymous memory
//! CPU of a login     (many - few) / (many - few); with its connecting and its leaving
//! CPU of a message   (few who ping - few) / pings; a ping is sent and its answer is heard
//! ```
//!
//! Tsung's own way is left to it, with two favours: all in one virtual machine, and no threads
//! that spin while they wait, which would be counted as CPU (`+sbwt none`). Where there are two
//! cores the server has one and the programs have the other.
#![allow(clippy::disallowed_methods)] // a bench reads the real clock

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use densebots_bench::machine::{make_room, pin};
use densebots_bench::pairs::ratio;
use densebots_bench::pinger::{self, Users};
use densebots_bench::roles::role_or;
use densebots_bench::watch::{Seen, watch};
use densebots_tests::servers::{Make, Server};

const FEW: usize = 400;
const MANY: usize = 2_000;
/// Logins a second: with so many online Prosody can do about 350.
const RATE: f64 = 250.0;
/// Pings of each of the few who ping: 4,000 a second together, of 9,000 that Prosody can do.
const PINGS: u32 = 100;
/// From the first login to the last leaving, in seconds: all are online at once for four of them.
const RUN: f64 = 20.0;
/// Requests of a login (`peers/tsung.xml`): two streams, SASL, a resource, the presence.
const LOGIN_REQUESTS: usize = 5;
/// Name, unit, and how many times as much as the engine Tsung should need at least.
const WANTED: [(&str, &str, f64); 3] = [
    ("tsung.memory", "bytes a user", 50.0),
    ("tsung.login", "µs of CPU a login", 5.0),
    ("tsung.message", "µs of CPU a ping", 4.0),
];

/// The folder of this package.
const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> io::Result<()> {
    role_or(|_, words| pinger::run(words));
    let Some(count) = env::args().find_map(|word| word.parse::<usize>().ok()) else {
        println!("tsung: long; start it with `cargo bench --bench tsung -- 5`");
        return Ok(());
    };
    for (program, package) in [("tsung", "tsung"), ("epmd", "erlang-base"), ("prosody", "prosody")]
    {
        if !installed(program) {
            println!("tsung: {program} is missing: `apt-get install {package}` and try again");
            return Ok(());
        }
    }
    let version = Command::new("tsung").arg("-v").output()?.stdout;
    println!("beside {}", String::from_utf8_lossy(&version).trim());
    make_room(MANY, 1)?;
    // The server on one core and whoever drives it on the other, so that neither pays for the
    // other's wandering. What is started inherits the core.
    let apart = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    if apart {
        pin(1)?;
    }
    let Some(server) = Server::start(Make::Prosody) else { return Ok(()) };
    if apart {
        pin(0)?;
    }
    let names: Vec<String> = (1..=MANY).map(|number| format!("bot{number}")).collect();
    server.register(names.iter().map(|name| (name.as_str(), name.as_str())));
    let mut tsung = Tsung::new()?;
    let mut pairs: [Vec<(f64, f64)>; 3] = Default::default();
    for nth in 1..=count {
        let (theirs, ours) = pair(&mut tsung, &server)?;
        println!("  pair {nth}: Tsung {theirs:.1?}, engine {ours:.1?}");
        for (pairs, pair) in pairs.iter_mut().zip(theirs.into_iter().zip(ours)) {
            pairs.push(pair);
        }
    }
    for ((name, unit, wanted), pairs) in WANTED.into_iter().zip(pairs) {
        let ratio = ratio(name, pairs);
        println!("  {name}: {unit}, Tsung's beside the engine's");
        ratio.wanted(name, wanted);
    }
    Ok(())
}

/// One run of each kind by each program, in turn; the figures in the order of [`WANTED`].
fn pair(tsung: &mut Tsung, server: &Server) -> io::Result<([f64; 3], [f64; 3])> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for (count, pings) in [(FEW, 0), (MANY, 0), (FEW, PINGS)] {
        let stay = Duration::from_secs_f64(RUN - count as f64 / RATE);
        let (domain, port) = (server.domain.clone(), server.plain_port);
        let users = Users { count, rate: RATE, pings, stay, domain, port };
        theirs.push(tsung.run(&users)?);
        ours.push(engine(&users)?);
    }
    Ok((figures(&theirs), figures(&ours)))
}

fn figures(seen: &[Seen]) -> [f64; 3] {
    let weight = |nth: usize| seen[nth].weight as f64;
    let micros = |nth: usize| seen[nth].processor.seconds() * 1e6;
    let more = (MANY - FEW) as f64;
    [
        (weight(1) - weight(0)) / more,
        (micros(1) - micros(0)) / more,
        (micros(2) - micros(0)) / (FEW as f64 * f64::from(PINGS)),
    ]
}

/// From the first connection to the weighing: whatever grows with time has grown as much in every
/// run, and even the many are all online.
fn all_in() -> Duration {
    Duration::from_secs_f64(MANY as f64 / RATE + 2.5)
}

/// Runs the engine once in a process of its own.
fn engine(users: &Users) -> io::Result<Seen> {
    let mut role = Command::new(env::current_exe()?);
    role.args(["--role", pinger::ROLE]).args(users.to_string().split_whitespace());
    watch(&mut role, users.port, users.count, all_in())
}

/// Tsung, and the name server of Erlang that it needs, on a port of its own.
struct Tsung {
    folder: PathBuf,
    epmd: Child,
    epmd_port: u16,
    runs: usize,
}

impl Tsung {
    /// No name server takes longer to listen.
    const START_MAX: Duration = Duration::from_secs(5);

    fn new() -> io::Result<Tsung> {
        let folder = tempfile::tempdir()?.keep(); // the script `keep` removes it
        let epmd_port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // It ends when this process does, however that happens.
        let epmd = Command::new(Path::new(HERE).join("../tests/servers/keep"))
            .arg(&folder)
            .arg("epmd")
            .env("ERL_EPMD_PORT", epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .stdin(Stdio::piped())
            .spawn()?;
        let tsung = Tsung { folder, epmd, epmd_port, runs: 0 };
        let begun = Instant::now();
        while let Err(error) = tsung.names() {
            if begun.elapsed() > Self::START_MAX {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(tsung)
    }

    /// Asks the name server for the names it knows, as a sign of life.
    fn names(&self) -> io::Result<()> {
        let mut link = TcpStream::connect(("127.0.0.1", self.epmd_port))?;
        link.write_all(&[0, 1, b'n'])?; // NAMES_REQ of the distribution protocol of Erlang
        io::copy(&mut link, &mut io::sink()).map(|_| ())
    }

    /// Runs it once. An error if not every user came, or not every request was answered.
    fn run(&mut self, users: &Users) -> io::Result<Seen> {
        self.runs += 1;
        let folder = self.folder.join(format!("run{}", self.runs));
        let scenario = self.folder.join("tsung.xml");
        fs::create_dir(&folder)?;
        fs::write(&scenario, written(users)?)?;
        let mut tsung = Command::new("timeout");
        tsung.args(["100", "tsung", "-n", "-I", "127.0.0.1", "-f"]).arg(&scenario);
        tsung.arg("-l").arg(&folder).arg("start");
        tsung.env("HOME", &self.folder).env("ERL_EPMD_PORT", self.epmd_port.to_string());
        tsung.env("ERL_FLAGS", "-start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none");
        let said = self.folder.join("said");
        let file = fs::File::create(&said)?;
        tsung.stdout(file.try_clone()?).stderr(file);
        let seen = watch(&mut tsung, users.port, users.count, all_in()).map_err(|error| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            io::Error::other(format!("{error}; it said:\n{said}"))
        })?;
        let log = log(&folder)?;
        let wanted = users.count * (LOGIN_REQUESTS + users.pings as usize);
        let answered = counted(&log, "request");
        if answered != Some(wanted) {
            let said = format!("Tsung had {answered:?} requests answered of {wanted}:\n{log}");
            return Err(io::Error::other(said));
        }
        Ok(seen)
    }
}

impl Drop for Tsung {
    fn drop(&mut self) {
        drop(self.epmd.stdin.take());
        _ = self.epmd.wait();
    }
}

/// The scenario of these users as Tsung reads it.
fn written(users: &Users) -> io::Result<String> {
    let think = |pause: Duration| format!("<thinktime value=\"{}\"/>", pause.as_secs_f64());
    let ping = "<request><jabber type=\"raw\" ack=\"local\" data=\"&lt;iq type='get' id='ping'\
                &gt;&lt;ping xmlns='urn:xmpp:ping'/&gt;&lt;/iq&gt;\"/></request>";
    let talk = if users.pings == 0 {
        think(users.stay)
    } else {
        let (settle, pace, rest) = (think(users.settle()), think(Users::PACE), think(users.rest()));
        let pings = users.pings;
        format!("{settle}<for from=\"1\" to=\"{pings}\" var=\"nth\">{ping}{pace}</for>{rest}")
    };
    let mut text = fs::read_to_string(Path::new(HERE).join("peers/tsung.xml"))?;
    for (word, value) in [
        ("{users}", users.count.to_string()),
        ("{rate}", users.rate.to_string()),
        ("{port}", users.port.to_string()),
        ("{domain}", users.domain.clone()),
        ("{talk}", talk),
    ] {
        text = text.replace(word, &value);
    }
    Ok(text)
}

/// What Tsung counted, in a folder that is named by the time.
fn log(folder: &Path) -> io::Result<String> {
    let named = fs::read_dir(folder)?.next().ok_or(io::ErrorKind::NotFound)??;
    fs::read_to_string(named.path().join("tsung.log"))
}

/// How many of a kind a log counts: `stats: NAME NEW ... BEFORE` in its last line about it.
fn counted(log: &str, name: &str) -> Option<usize> {
    let lines = log.lines().rev().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut lines = lines.filter(|words| words.get(1) == Some(&name));
    let words = lines.next()?;
    Some(words.get(2)?.parse::<usize>().ok()? + words.last()?.parse::<usize>().ok()?)
}

fn installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
