//! Runs the program, never for longer than a test may take.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program itself.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_densebots");
/// No run of these tests takes longer; one that does is killed, and the test fails.
const LONGEST: Duration = Duration::from_secs(100);

/// The program, with nothing of this environment that it would listen to.
pub(crate) fn program(words: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    unheard(&mut command);
    command
}

/// Takes out of the environment what the program would listen to.
pub(crate) fn unheard(command: &mut Command) {
    let own = std::env::vars_os().map(|(name, _)| name);
    for name in own.filter(|name| name.to_string_lossy().starts_with("DENSEBOTS_")) {
        command.env_remove(name);
    }
}

/// `serve`, for as long as the test runs.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The hash of its certificate, if it has one.
    pub(crate) pin: String,
    /// Kept open, so that it can go on speaking.
    said: Option<ChildStderr>,
}

impl Served {
    /// Ends it; what it has said on standard error, to its last word.
    pub(crate) fn end(mut self) -> String {
        kill_process(pid(self.child.id()), Signal::TERM).expect("it runs");
        let mut text = String::new();
        if let Some(said) = &mut self.said {
            let _ = said.read_to_string(&mut text);
        }
        let ended = self.child.wait().expect("it has ended");
        assert!(ended.success(), "{ended}: {text}");
        text
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn served(words: &str) -> Served {
    let mut child =
        program(&format!("serve {words} --listen 127.0.0.1:0")).spawn().expect("it starts");
    let said = child.stderr.take();
    let (mut pin, mut address) = (String::new(), None);
    let lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    for line in lines.map_while(Result::ok) {
        if let Some(hash) = line.strip_prefix("certificate ") {
            hash.clone_into(&mut pin);
        }
        address = line.strip_prefix("listening on ").map(str::to_owned);
        if address.is_some() {
            break;
        }
    }
    let Some(address) = address else {
        let ended = child.wait().expect("it has ended");
        panic!("`serve {words}` ended before it listened: {ended}");
    };
    Served { child, address: address.parse().expect("an address"), pin, said }
}

/// What a run came to.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Fails with everything that was said if the exit code is another.
    pub(crate) fn with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }
}

/// Runs to the end.
pub(crate) fn run(words: &str) -> Ended {
    Running::of(program(words)).end()
}

/// Runs to the end with a report; returns that too.
pub(crate) fn report(words: &str) -> (Ended, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("report.json");
    let mut command = program(words);
    command.arg("--report").arg(&path);
    let ended = Running::of(command).end();
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{error}: {}", ended.err));
    (ended, serde_json::from_slice(&text).expect("the report is JSON"))
}

/// The program, running.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStderr>,
    heard: String,
    out: Option<JoinHandle<String>>,
    _alive: Sender<()>,
}

impl Running {
    pub(crate) fn of(mut command: Command) -> Running {
        let mut child = command.spawn().expect("the program starts");
        let (alive, watched) = channel::<()>();
        let pid = pid(child.id());
        thread::spawn(move || {
            if watched.recv_timeout(LONGEST) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let lines = BufReader::new(child.stderr.take().expect("standard error is piped"));
        let out = child.stdout.take().map(|mut out| {
            thread::spawn(move || {
                let mut text = String::new();
                let _ = out.read_to_string(&mut text);
                text
            })
        });
        Running { child, lines, heard: String::new(), out, _alive: alive }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input, if that is a pipe.
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("standard input is piped");
        writeln!(input, "{line}").expect("it listens");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(self.id()), signal).expect("it runs");
    }

    /// Reads standard error until a line satisfies `wanted`.
    pub(crate) fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("readable");
            assert!(read > 0, "it ended before that was said: {}", self.heard);
            self.heard.push_str(&line);
            if wanted(&line) {
                return line;
            }
        }
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let _ = self.lines.read_to_string(&mut self.heard);
        let status = self.child.wait().expect("it ends");
        let out = self.out.take().map(|out| out.join().expect("readable")).unwrap_or_default();
        Ended { code: status.code(), out, err: std::mem::take(&mut self.heard) }
    }
}

/// A test that fails leaves nothing behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn pid(id: u32) -> Pid {
    Pid::from_raw(id as i32).expect("not zero")
}
