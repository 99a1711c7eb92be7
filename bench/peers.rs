//! The engine beside what others use: a pool of asyncio workers in Python, one a connection, both
//! against the bare server. The ratio is of messages a second of the client's CPU time.
//! Long: started by name, `cargo bench --bench peers -- PAIRS`; needs python3.

use std::process::Command;
use std::time::Duration;
use std::{env, io};

use densebots_bench::namespace::in_own_namespace;
use densebots_bench::ours;
use densebots_bench::pairs::pairs;
use densebots_bench::roles::{BareServer, Role, role_or};
use densebots_bench::traffic::{Figures, Load};

const POOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pool.py");

fn main() -> io::Result<()> {
    role_or(|_, words| ours::run(&Load::parse(words)?).map(|figures| println!("{figures}")));
    let Some(count) = env::args().find_map(|word| word.parse().ok()) else {
        println!("peers: long; start it with `cargo bench --bench peers -- 9`");
        return Ok(());
    };
    in_own_namespace();
    for connections in [1_000, 10_000] {
        let rate = |engine| rate(connections, engine).expect("both programs run");
        pairs(&format!("peers.asyncio.{connections}"), count, || rate(true), || rate(false));
    }
    Ok(())
}

fn rate(connections: usize, engine: bool) -> io::Result<f64> {
    let server = BareServer::start(1, connections, None)?;
    let load = Load { hold: Duration::from_secs(3), ..Load::new(connections, 1, &server.ports) };
    let figures = if engine {
        Role::start(ours::ROLE, &load.to_string(), None)?.line()?
    } else {
        let mut pool = Command::new("python3");
        let out = pool.arg(POOL).args(load.to_string().split_whitespace()).output()?;
        if !out.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned()));
        }
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let figures = Figures::parse(&figures)?;
    assert_eq!(figures.connect.count, connections as u64, "connections are missing");
    Ok(figures.hold.per_processor_second())
}
