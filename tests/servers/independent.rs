//! Somebody else's XMPP library: slixmpp, pinned in a Python environment that tests/run makes.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Server, missing, own};

/// Where tests/run says that Python is.
const PYTHON: &str = "TESTS_PYTHON";
/// Seconds for everything that one login of it is asked to do.
const WITHIN: u32 = 20;

/// A login by `independent.py`, which lists what it can be asked for.
pub struct Independent {
    command: Command,
    /// Kept until it ends: the password lies in it.
    _folder: tempfile::TempDir,
}

impl Independent {
    /// At a server; see [`Independent::of`].
    pub fn at(server: &Server, user: &str, password: &str) -> Option<Independent> {
        let jid = format!("{user}@{}", server.domain);
        Independent::of(&jid, password, server.plain(), &server.ca_file)
    }

    /// By a bare address, at whoever listens there, over STARTTLS unless
    /// [`direct_tls`](Independent::direct_tls) or [`plain`](Independent::plain) says otherwise;
    /// the certificate is checked. `None` if the library is not installed and not demanded.
    pub fn of(jid: &str, password: &str, at: SocketAddr, ca_file: &Path) -> Option<Independent> {
        let python = python()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let secret = folder.path().join("password");
        fs::write(&secret, password).expect("the folder is ours");
        let mut command = Command::new("timeout"); // it bounds itself; this bounds Python
        command
            .args(["--kill-after=1", &(WITHIN + 10).to_string()])
            .arg(python)
            .arg(own("independent.py"))
            .args(["--jid", jid])
            .arg("--password-file")
            .arg(secret)
            .args(["--address", &at.to_string()])
            .arg("--ca-file")
            .arg(ca_file)
            .args(["--within", &WITHIN.to_string()])
            .stdin(Stdio::null());
        Some(Independent { command, _folder: folder })
    }

    /// Over TLS from the first byte.
    pub fn direct_tls(self, server: &Server) -> Independent {
        let address = server.direct_tls().to_string();
        self.asked("--tls", "direct").asked("--address", &address)
    }

    /// Without TLS.
    pub fn plain(self) -> Independent {
        self.asked("--tls", "off")
    }

    /// One more argument of the script: `--room`, `--say`, `--to`, `--send`, `--hear`,
    /// `--mechanism`, `--nick`.
    pub fn asked(mut self, flag: &str, value: &str) -> Independent {
        self.command.args([flag, value]);
        self
    }

    /// Runs to its end; what it saw, in order. The last is `done` or `failed`.
    ///
    /// # Panics
    /// If it says neither.
    pub fn saw(mut self) -> Vec<Value> {
        let told = self.command.output().expect("Python runs");
        let (out, err) =
            (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        let saw: Result<Vec<Value>, _> = out.lines().map(serde_json::from_str).collect();
        let saw = saw.unwrap_or_else(|error| panic!("{error}\n{out}\n{err}"));
        let last = saw.last().and_then(|last| last["saw"].as_str());
        assert!(matches!(last, Some("done" | "failed")), "it broke off\n{out}\n{err}");
        saw
    }
}

/// The Python that has the library.
fn python() -> Option<PathBuf> {
    let told = std::env::var_os(PYTHON).map(PathBuf::from);
    let usual = || own("../../target/python/bin/python");
    let python = told.unwrap_or_else(usual);
    if Path::new(&python).is_file() {
        return Some(python);
    }
    missing(&format!("{} (with slixmpp)", python.display()));
    None
}
