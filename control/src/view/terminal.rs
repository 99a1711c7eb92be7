//! The terminal: keys without waiting for a line, and everything back as it was at the end, also
//! after a panic.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, Once};

use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

/// The terminal as it was before; taken by whoever puts it back.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Keys, one by one, as long as this lives.
pub(crate) struct Keys {
    pressed: Receiver<u8>,
}

impl Keys {
    /// Listens to keys; `None` where nobody can press any, or where pressing them is for another
    /// process (a job in the background would be stopped).
    pub(crate) fn listen() -> Option<Keys> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        if termios::tcgetpgrp(&stdin).ok()? != rustix::process::getpgrp() {
            return None;
        }
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        // Signals stay: Ctrl-C is to work as everywhere.
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        *BEFORE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(before);
        HOOK.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                usual(panic);
            }));
        });
        termios::tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        if draws() {
            let _ = io::stderr().write_all(b"\x1b[?25l");
        }
        let (tell, pressed) = channel();
        let read = move || {
            let mut key = [0];
            while matches!(io::stdin().read(&mut key), Ok(1)) && tell.send(key[0]).is_ok() {}
        };
        // It may wait for a key for ever; it ends with the program.
        std::thread::Builder::new().name("keys".to_owned()).spawn(read).ok()?;
        Some(Keys { pressed })
    }

    /// The next key, if one was pressed.
    pub(crate) fn pressed(&self) -> Option<char> {
        self.pressed.try_recv().ok().map(char::from)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal back as it was, once.
fn restore() {
    let before = BEFORE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(before) = before {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &before);
        if draws() {
            let _ = io::stderr().write_all(b"\x1b[?25h");
        }
    }
}

/// Whether standard error is a terminal that knows how to draw over what stands there.
pub(crate) fn draws() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// Columns and rows of the terminal that standard error is; 80 and 24 if it will not say.
pub(crate) fn size() -> (usize, usize) {
    match termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// How wide a line on standard error may be: a file takes any.
pub(crate) fn columns() -> usize {
    if io::stderr().is_terminal() { size().0 } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use pty_process::blocking;

    use super::*;

    /// Set for the process that panics: this test once more, on a terminal of its own.
    const PANICS: &str = "TEST_PANICS_ON_ITS_TERMINAL";
    /// The modes before and after. The shell outlives the test: with the end of its session a
    /// terminal gets its first modes back, whoever has changed them.
    const SHELL: &str = r#"stty -g; "$0" "$@"; echo; stty -g"#;

    #[test]
    fn a_panic_of_any_thread_gives_the_terminal_back() {
        if std::env::var_os(PANICS).is_some() {
            return panic_while_listening();
        }
        let (mut terminal, shown) = blocking::open().expect("a terminal");
        let mut command = Command::new("sh");
        let own = std::env::current_exe().expect("this test has a path");
        let name = concat!(module_path!(), "::a_panic_of_any_thread_gives_the_terminal_back");
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        command.args(["-c", SHELL]).arg(own).args(["--exact", name, "--nocapture"]);
        let command = blocking::Command::from(command).env(PANICS, "1").env("TERM", "xterm");
        let mut shell = command.spawn(shown).expect("the shell starts");
        let (mut text, mut bytes) = (String::new(), [0; 4096]);
        // An error is how the other side is told to be closed.
        while let Ok(length @ 1..) = terminal.read(&mut bytes) {
            text.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        shell.wait().expect("it ends");
        let order = ["\x1b[?25l", "keys are taken", "\x1b[?25h", "no more turns", "all is over"];
        let places = order.map(|part| text.find(part));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {text}");
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.first(), lines.last(), "{text}");
    }

    fn panic_while_listening() {
        let keys = Keys::listen().expect("a terminal");
        let modes = termios::tcgetattr(io::stdin()).expect("it has modes").local_modes;
        assert!(!modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
        eprintln!("keys are taken");
        let shard = thread::spawn(|| panic!("no more turns"));
        assert!(shard.join().is_err());
        std::mem::forget(keys); // what puts the terminal back is the hook alone
        eprintln!("all is over");
    }
}
