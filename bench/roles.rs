//! Parts that a bench plays in processes of their own.
//!
//! The workspace has one binary, and CPU can be told apart only by process, so a bench starts
//! itself again as `BENCH --role NAME key=value ...`. A role talks over its standard streams: its
//! results are lines of `key=value` on standard output, and when standard input ends it ends too.

use std::io::{self, BufRead as _, BufReader};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::{env, thread};

use crate::bare_server::{Answers, Speech};
use crate::reflector::Reflector;
use crate::traffic::{Figures, Load, number, value};
use crate::{bare_server, limit, machine, replay};

/// If this process was started to play a role, plays it and exits. To be called first in `main`.
pub fn role() {
    role_or(|name, _| Err(io::Error::other(format!("there is no role {name}"))));
}

/// Like [`role`], with `other` for the roles of one bench alone: it gets the name and the words.
pub fn role_or(other: impl FnOnce(&str, &[String]) -> io::Result<()>) {
    let mut words = env::args().skip(1);
    if words.next().as_deref() != Some("--role") {
        return;
    }
    let name = words.next().unwrap_or_default();
    if let Err(error) = play(&name, &words.collect::<Vec<_>>(), other) {
        eprintln!("{name}: {error}");
        process::exit(1);
    }
    process::exit(0);
}

fn play(
    name: &str,
    words: &[String],
    other: impl FnOnce(&str, &[String]) -> io::Result<()>,
) -> io::Result<()> {
    if value(words, "core").is_ok() {
        machine::pin(number(words, "core")?)?;
    }
    match name {
        ECHOES => return serve(words, &Answers(&[])),
        LOGS_IN => return serve(words, &Answers(&replay::ANSWERS)),
        REFLECTS => return serve(words, &Reflector::default()),
        _ => {}
    }
    // Not scoped: it waits for as long as the process lives.
    thread::spawn(|| {
        _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(1);
    });
    match name {
        "limit" => println!("{}", limit::run(&Load::parse(words)?)?),
        "replay" => println!("{}", replay::run(&Load::parse(words)?)?),
        name => other(name, words)?,
    }
    Ok(())
}

fn serve(words: &[String], speech: &impl Speech) -> io::Result<()> {
    bare_server::run(number(words, "threads")?, number(words, "connections")?, speech)
}

/// A role in a process of its own, which ends with this value at the latest.
#[derive(Debug)]
pub struct Role {
    name: String,
    process: Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Role {
    /// Starts this executable again as `name`; `words` are separated by spaces. With `core`, all
    /// its threads run there.
    pub fn start(name: &str, words: &str, core: Option<usize>) -> io::Result<Role> {
        let mut process = Command::new(env::current_exe()?)
            .args(["--role", name])
            .args(words.split_whitespace())
            .args(core.map(|core| format!("core={core}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = process.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        Ok(Role { name: name.to_owned(), process, lines: Some(BufReader::new(lines)) })
    }

    /// Waits for the next line it prints. An error if it ended instead.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let lines = self.lines.as_mut().ok_or_else(|| io::Error::other("lines were taken"))?;
        match lines.read_line(&mut line)? {
            0 => Err(io::Error::other(format!("role {} ended without a line", self.name))),
            _ => Ok(line),
        }
    }

    /// The lines still to come, for a thread that reads them while this one does not.
    ///
    /// # Panics
    ///
    /// If they were taken before.
    pub fn take_lines(&mut self) -> BufReader<ChildStdout> {
        self.lines.take().expect("lines are taken once")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Role {
    /// Ends its standard input, so it ends itself, and waits for that.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}

/// Runs the limit program once in a process of its own.
pub fn limit(load: &Load, core: Option<usize>) -> io::Result<Figures> {
    Figures::parse(&Role::start("limit", &load.to_string(), core)?.line()?)
}

/// Runs the limit program of logins once in a process of its own.
pub fn replay(load: &Load) -> io::Result<Figures> {
    Figures::parse(&Role::start("replay", &load.to_string(), None)?.line()?)
}

/// The bare server that echoes.
const ECHOES: &str = "bare-server";
/// The bare server that lets everybody log in.
const LOGS_IN: &str = "bare-logins";
/// As above, and it has rooms.
const REFLECTS: &str = "bare-rooms";

/// The bare server in a process of its own, for as long as this value lives.
#[derive(Debug)]
pub struct BareServer {
    /// Its ports on 127.0.0.1, one a thread.
    pub ports: Vec<u16>,
    /// Where it runs.
    pub role: Role,
}

impl BareServer {
    /// Starts it with room for `connections`, spread evenly over the ports of `threads` threads.
    pub fn start(
        threads: usize,
        connections: usize,
        core: Option<usize>,
    ) -> io::Result<BareServer> {
        Self::of(ECHOES, threads, connections, core)
    }

    /// As above, and it answers as a server does to logins ([`replay::ANSWERS`]).
    pub fn of_logins(connections: usize) -> io::Result<BareServer> {
        Self::of(LOGS_IN, 1, connections, None)
    }

    /// As above, and who has joined a room hears what is said there ([`Reflector`]).
    pub fn of_rooms(connections: usize) -> io::Result<BareServer> {
        Self::of(REFLECTS, 1, connections, None)
    }

    fn of(
        role: &str,
        threads: usize,
        connections: usize,
        core: Option<usize>,
    ) -> io::Result<BareServer> {
        let words = format!("threads={threads} connections={connections}");
        let mut role = Role::start(role, &words, core)?;
        let line = role.line()?;
        let ports = line.trim().strip_prefix("ports=").unwrap_or_default().split(',');
        let ports = ports.map(|port| port.parse().map_err(io::Error::other));
        Ok(BareServer { ports: ports.collect::<io::Result<_>>()?, role })
    }
}
