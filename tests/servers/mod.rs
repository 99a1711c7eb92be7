//! Real servers for tests: Prosody and ejabberd from Debian's packages, on loopback, each in a
//! folder of its own, for as long as the tests live.
//!
//! ```text
//! prosody(), ejabberd()   one of each for a whole test binary, started when first asked for
//! Server::start(Make)     one of one's own, to restart or to break
//! Independent             somebody else's XMPP library, to chat with our bots
//! ```
//!
//! Prosody is ready about 0.4 s after it was asked for and takes 17 MB, ejabberd 3 s and 110 MB.
//!
//! A server is the child of the script `keep`, which ends it when this process ends, however that
//! happens: it sees its standard input close. What is not installed is skipped, loudly; with
//! `TESTS_DEMAND_SERVERS=1` in the environment it is a failure.

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

mod certificate;
mod ejabberd;
mod independent;
mod kept;
mod prosody;
mod register;

pub use independent::Independent;

use kept::Kept;

/// The variable that turns what is missing from a note into a failure.
pub const DEMAND: &str = "TESTS_DEMAND_SERVERS";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Prosody 0.12 or later.
    Prosody,
    /// ejabberd 23 or later.
    Ejabberd,
}

impl Make {
    /// Both.
    pub const ALL: [Make; 2] = [Make::Prosody, Make::Ejabberd];

    /// Its name in lower case, as its package calls it.
    pub fn name(self) -> &'static str {
        match self {
            Make::Prosody => "prosody",
            Make::Ejabberd => "ejabberd",
        }
    }

    /// The SASL mechanisms it offers before TLS and after it, as far as we speak them.
    pub fn mechanisms(self) -> &'static [&'static str] {
        match self {
            Make::Prosody => &["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"],
            Make::Ejabberd => &["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        }
    }
}

/// A server that runs.
///
/// It demands no encryption, so that every way in can be tried, lets anybody register, and its
/// limits are out of the way.
pub struct Server {
    /// Which one.
    pub make: Make,
    /// The service: `prosody.test`.
    pub domain: String,
    /// A second service, where one logs in with SASL ANONYMOUS.
    pub anonymous: String,
    /// Rooms (XEP-0045), made by whoever comes first.
    pub muc: String,
    /// A service that lets nobody make a room.
    pub closed_muc: String,
    /// The port on 127.0.0.1 that begins in plain text and offers STARTTLS.
    pub plain_port: u16,
    /// The port on 127.0.0.1 that begins with TLS (XEP-0368).
    pub direct_tls_port: u16,
    /// The certificate to trust; made at the start, like the server's own.
    pub ca_pem: String,
    /// The same in a file.
    pub ca_file: PathBuf,
    folder: PathBuf,
    kept: Mutex<Option<Kept>>,
}

/// The Prosody of this test binary; `None` if it is not installed and not demanded.
pub fn prosody() -> Option<&'static Server> {
    static PROSODY: OnceLock<Option<Server>> = OnceLock::new();
    PROSODY.get_or_init(|| Server::start(Make::Prosody)).as_ref()
}

/// The ejabberd of this test binary; `None` if it is not installed and not demanded.
pub fn ejabberd() -> Option<&'static Server> {
    static EJABBERD: OnceLock<Option<Server>> = OnceLock::new();
    EJABBERD.get_or_init(|| Server::start(Make::Ejabberd)).as_ref()
}

/// The one of this make; see [`prosody`] and [`ejabberd`].
pub fn shared(make: Make) -> Option<&'static Server> {
    match make {
        Make::Prosody => prosody(),
        Make::Ejabberd => ejabberd(),
    }
}

impl Server {
    /// Starts one; it stops when it is dropped, or when this process ends. `None` if it is not
    /// installed and not demanded.
    ///
    /// # Panics
    /// If it is missing and demanded, or does not start; with its last lines.
    pub fn start(make: Make) -> Option<Server> {
        let needed = match make {
            Make::Prosody => prosody::NEEDED,
            Make::Ejabberd => ejabberd::NEEDED,
        };
        for program in needed.iter().chain(&["openssl"]) {
            if !installed(program) {
                missing(&format!("{program} (for {})", make.name()));
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a temporary folder").keep(); // `keep` removes it
        let domain = format!("{}.test", make.name());
        certificate::make(&folder, &domain);
        let ca_file = folder.join("ca.pem");
        let [plain_port, direct_tls_port] = free_ports();
        let server = Server {
            make,
            anonymous: format!("anonymous.{domain}"),
            muc: format!("muc.{domain}"),
            closed_muc: format!("muc.anonymous.{domain}"),
            domain,
            plain_port,
            direct_tls_port,
            ca_pem: fs::read_to_string(&ca_file).expect("it was just made"),
            ca_file,
            folder,
            kept: Mutex::new(None),
        };
        server.begin(&mut server.lock());
        Some(server)
    }

    /// The address that begins in plain text.
    pub fn plain(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.plain_port).into()
    }

    /// The address that begins with TLS.
    pub fn direct_tls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.direct_tls_port).into()
    }

    /// Makes accounts, each a name and a password (XEP-0077).
    ///
    /// # Panics
    /// If one is refused, for example because it exists.
    pub fn register<'a>(&self, accounts: impl IntoIterator<Item = (&'a str, &'a str)>) {
        register::register(self, accounts);
    }

    /// A certificate for the account with this bare address, and its key, both PEM.
    pub fn certify(&self, address: &str) -> (String, String) {
        certificate::of_user(&self.folder, address)
    }

    /// Stops it in good order; accounts and ports stay as they are.
    pub fn stop(&self) {
        if let Some(kept) = self.lock().take() {
            kept.stop();
        }
    }

    /// Stops it in good order if it runs, and starts it again on the same ports.
    pub fn restart(&self) {
        let mut kept = self.lock();
        if let Some(kept) = kept.take() {
            kept.stop();
        }
        self.begin(&mut kept);
    }

    /// The last lines it wrote.
    pub fn log(&self) -> String {
        self.lock().as_ref().map(Kept::log).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        // A test that failed while it held the server leaves it as usable as it was.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, kept: &mut Option<Kept>) {
        let (command, ready) = match self.make {
            Make::Prosody => prosody::command(self),
            Make::Ejabberd => ejabberd::command(self),
        };
        *kept = Some(Kept::start(self.make.name(), &self.folder, &command, &ready));
    }
}

/// Where the files of this module lie.
fn own(file: &str) -> PathBuf {
    // The module is also part of the tests of other members, all beside this folder's parent.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("members lie in the root");
    root.join("tests/servers").join(file)
}

/// Whether there is such a program. Debian keeps those of administrators off the path of others.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).collect::<Vec<_>>();
    folders.push("/usr/sbin".into());
    folders.iter().any(|folder| folder.join(program).is_file())
}

/// Says what is skipped, even if the test passes and its output is swallowed.
///
/// # Panics
/// If everything is demanded.
fn missing(what: &str) {
    let demanded = std::env::var_os(DEMAND).is_some_and(|value| value != "0");
    assert!(!demanded, "{what} is missing, and {DEMAND} demands it: tests/run installs it");
    let _ = writeln!(io::stderr(), "SKIPPED: {what} is missing: tests/run installs it");
}

/// Two ports that nobody listens on.
///
/// They are below the range from which the system takes the ports of outgoing connections, or
/// else, while a server restarts, a bot that dials it might be given the server's own.
fn free_ports() -> [u16; 2] {
    const RANGE: std::ops::Range<u16> = 20_000..32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % u32::from(RANGE.end - RANGE.start)) as u16;
    let port = || {
        let tried = (0..RANGE.end - RANGE.start).find_map(|_| {
            let step = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7));
            let port = RANGE.start + step % (RANGE.end - RANGE.start);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|held| (port, held))
        });
        tried.expect("a free port on 127.0.0.1")
    };
    let (first, second) = (port(), port()); // both held until both are known
    [first.0, second.0]
}

/// Runs a program to its end.
///
/// # Panics
/// If it fails; with what it said.
fn must(command: &mut Command) {
    let told = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{command:?}: {}\n{said}", told.status);
}
