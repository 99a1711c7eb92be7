//! The process of a server, its last lines, and its end.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::own;

/// No server takes longer to start, even on a machine that is busy building.
const START_MAX: Duration = Duration::from_secs(60);
/// Lines of a log that are kept for who asks what happened.
const LINES_MAX: usize = 200;

/// A server under the eyes of `keep`.
pub(super) struct Kept {
    keeper: Child,
    /// Open as long as the server is to live.
    life: Option<ChildStdin>,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Kept {
    /// Starts `command` and waits until each of the texts in `ready` was written by it.
    pub(super) fn start(name: &str, folder: &Path, command: &Command, ready: &[String]) -> Kept {
        let mut keeper = Command::new(own("keep"));
        keeper.arg(folder).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            keeper.env(name, value.unwrap_or_default());
        }
        keeper.current_dir(folder).process_group(0); // it outlives a killed group, to clear up
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = keeper.spawn().expect("bash runs the script");
        let life = keeper.stdin.take();
        let lines = Arc::default();
        let (said, heard) = channel();
        listen(keeper.stdout.take().expect("is piped"), Arc::clone(&lines), ready, said.clone());
        listen(keeper.stderr.take().expect("is piped"), Arc::clone(&lines), ready, said);
        let kept = Kept { keeper, life, lines };
        if let Err(why) = wait(&heard, ready.len()) {
            panic!("{name} did not start ({why:?}); it said:\n{}", kept.log());
        }
        kept
    }

    /// Its last lines.
    pub(super) fn log(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect()
    }

    /// Ends it in good order. `keep` bounds how long that takes.
    pub(super) fn stop(mut self) {
        if let Some(mut life) = self.life.take() {
            let _ = life.write_all(b"stop\n");
            let _ = self.keeper.wait();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.keeper.wait();
    }
}

/// Reads to the end, so that the server never waits for us; says which of `ready` came by.
fn listen(
    from: impl Read + Send + 'static,
    lines: Arc<Mutex<VecDeque<String>>>,
    ready: &[String],
    said: Sender<usize>,
) {
    let ready = ready.to_vec();
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            for (nth, _) in ready.iter().enumerate().filter(|(_, ready)| text.contains(*ready)) {
                let _ = said.send(nth);
            }
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.extend([text]);
            if lines.len() > LINES_MAX {
                lines.pop_front();
            }
            drop(lines);
            line.clear();
        }
    });
}

/// Waits until each of so many texts was heard; an error if the server ended before, or is silent.
fn wait(heard: &Receiver<usize>, texts: usize) -> Result<(), RecvTimeoutError> {
    let mut missing: Vec<usize> = (0..texts).collect();
    while !missing.is_empty() {
        let nth = heard.recv_timeout(START_MAX)?;
        missing.retain(|other| *other != nth);
    }
    Ok(())
}
