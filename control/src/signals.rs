//! Signals, as flags that are looked at.
//!
//! No pipe to oneself: a signal may be taken by a shard's thread, whose descriptor table is its
//! own, so that the number of a pipe would there be some bot's socket.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The wish to end that SIGINT and SIGTERM say.
#[derive(Clone)]
pub(crate) struct Signals {
    asked: Arc<AtomicBool>,
}

impl Signals {
    /// From now on SIGINT and SIGTERM are noted, and SIGHUP is ignored.
    pub(crate) fn watch() -> io::Result<Signals> {
        let asked = Arc::new(AtomicBool::new(false));
        flag::register(SIGINT, asked.clone())?;
        flag::register(SIGTERM, asked.clone())?;
        flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
        Ok(Signals { asked })
    }

    /// Whether somebody asked since the last look.
    pub(crate) fn asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed)
    }
}
