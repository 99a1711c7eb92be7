//! A terminal that a test looks at and types on, with a shell on it as people have one.

use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use pty_process::Size;
use pty_process::blocking::{self, Pty};
use rustix::process::{Signal, kill_process_group};
use rustix::termios::{LocalModes, Termios, tcgetattr};

use crate::stage::{PROGRAM, pid, unheard};

/// Runs the program, says how it ended, and keeps the terminal open until a key is pressed: with
/// the end of its session a terminal gets its first modes back, whoever has changed them.
const SHELL: &str = r#"trap : INT; "$@"; echo "ended with $?"; read -r key"#;
/// The view draws every second. A terminal that is silent for so long will not say what is waited
/// for.
const SILENCE: Duration = Duration::from_secs(20);

/// The program on a terminal of its own.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    shell: Child,
    said: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Everything that was written to it.
    pub(crate) bytes: Vec<u8>,
    before: Termios,
}

impl Terminal {
    /// Starts the program with these words; `tune` has the last word on its environment.
    pub(crate) fn of(words: &str, rows: u16, columns: u16, tune: fn(&mut Command)) -> Terminal {
        let (pty, pts) = blocking::open().expect("a terminal");
        pty.resize(Size::new(rows, columns)).expect("it takes a size");
        let before = tcgetattr(&pty).expect("it has modes");
        let mut command = Command::new("sh");
        command.args(["-c", SHELL, "sh", PROGRAM]).args(words.split_whitespace());
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        unheard(&mut command);
        tune(&mut command);
        let shell = blocking::Command::from(command).spawn(pts).expect("the shell starts");
        let pty = Arc::new(pty);
        let (tell, said) = channel();
        let reader = pty.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error is how the other side is told to be closed.
            while let Ok(length) = (&*reader).read(&mut bytes) {
                if length == 0 || tell.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let screen = vt100::Parser::new(
            rows.try_into().expect("rows"),
            columns.try_into().expect("columns"),
            0,
        );
        Terminal { pty, shell, said, screen, bytes: Vec::new(), before }
    }

    /// What stands on it, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.screen.screen().contents().lines().map(str::to_owned).collect()
    }

    /// Looks at it until it satisfies `wanted`.
    pub(crate) fn until(&mut self, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            let lines = self.lines();
            if wanted(&lines) {
                return lines;
            }
            let Ok(bytes) = self.said.recv_timeout(SILENCE) else {
                panic!("nothing more comes, and what is wanted is not in:\n{}", lines.join("\n"));
            };
            self.screen.process(&bytes);
            self.bytes.extend(bytes);
        }
    }

    /// Looks at it until a line has all of these parts.
    pub(crate) fn shows(&mut self, parts: &[&str]) -> Vec<String> {
        self.until(|lines| lines.iter().any(|line| parts.iter().all(|part| line.contains(part))))
    }

    /// Presses keys.
    pub(crate) fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("it takes keys");
    }

    fn modes(&self) -> Termios {
        tcgetattr(&*self.pty).expect("it has modes")
    }

    /// Keys go to the program one by one and unseen, and no cursor blinks in the picture.
    pub(crate) fn is_taken(&self) -> bool {
        let modes = self.modes().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
            && self.screen.screen().hide_cursor()
    }

    /// Waits for this exit code; the terminal has to be as it was before.
    pub(crate) fn ends_with(&mut self, code: i32) -> Vec<String> {
        let lines = self.shows(&[&format!("ended with {code}")]);
        let (before, after) = (&self.before, self.modes());
        assert_eq!(after.local_modes, before.local_modes);
        assert_eq!(after.input_modes, before.input_modes);
        assert_eq!(after.output_modes, before.output_modes);
        assert_eq!(after.control_modes, before.control_modes);
        assert_eq!(format!("{:?}", after.special_codes), format!("{:?}", before.special_codes));
        let screen = self.screen.screen();
        assert!(!screen.hide_cursor(), "the cursor is gone");
        assert!(!screen.bold() && !screen.dim(), "colours are left switched on");
        lines
    }

    /// Whether it was told to change colours or weights (SGR).
    pub(crate) fn was_coloured(&self) -> bool {
        self.bytes.split(|&byte| byte == b'\x1b').skip(1).any(|after| {
            let end = after.iter().position(u8::is_ascii_alphabetic);
            after.first() == Some(&b'[') && end.is_some_and(|end| after[end] == b'm')
        })
    }
}

/// The program is in the group of its shell, which alone would leave it behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill_process_group(pid(self.shell.id()), Signal::KILL);
        let _ = self.shell.wait();
    }
}
