//! The file of `--tls-key-log`: one line a secret, written beside the run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use densebots_engine::plan::Tls;

use crate::args::SecureFlags;
use crate::ending::usage;

/// Lines that may wait for the disk: five for each of thousands of handshakes at once. What finds
/// no room is counted by the engine.
const LINES_MAX: usize = 65_536;

/// A key log that is being written.
pub(crate) struct KeyLog {
    lines: SyncSender<String>,
    writer: JoinHandle<Option<String>>,
}

impl KeyLog {
    /// The key log that the flags ask for, with connections told to write to it.
    pub(crate) fn of(flags: &SecureFlags, tls: Option<&mut Tls>) -> Result<Option<KeyLog>> {
        let log = flags.tls_key_log.as_deref().map(KeyLog::open).transpose()?;
        if let Some(tls) = tls {
            tls.key_log = log.as_ref().map(KeyLog::lines);
        }
        Ok(log)
    }

    /// Opens the file, behind what it has. Nobody else may read it: it opens every connection.
    fn open(path: &Path) -> Result<KeyLog> {
        let fault = |why: String| usage(format!("--tls-key-log {}: {why}", path.display()));
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| fault(error.to_string()))?;
        let (lines, written) = sync_channel::<String>(LINES_MAX);
        let write = move || {
            let mut failed = None;
            for mut line in written {
                line.push('\n');
                if let Err(error) = put(&mut file, &line)
                    && failed.is_none()
                {
                    failed = Some(error.to_string());
                }
            }
            failed
        };
        let writer = thread::Builder::new().name("key log".to_owned()).spawn(write);
        Ok(KeyLog { lines, writer: writer.map_err(|error| fault(error.to_string()))? })
    }

    /// Where lines go.
    fn lines(&self) -> SyncSender<String> {
        self.lines.clone()
    }

    /// Waits until everything is written, when nobody else can add to it; says what was not.
    pub(crate) fn close(self) -> Option<String> {
        drop(self.lines);
        let failed = self.writer.join().unwrap_or_else(|_| Some("its writer is gone".to_owned()));
        failed.map(|why| format!("the key log is not whole: {why}"))
    }
}

/// One line in one write: other tools read along.
fn put(file: &mut File, line: &str) -> std::io::Result<()> {
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn lines_are_added_and_nobody_else_reads_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("keys");
        for round in 0..2 {
            let log = KeyLog::open(&path).expect("a new file");
            log.lines().send(format!("CLIENT_RANDOM {round} ff")).expect("there is room");
            assert_eq!(log.close(), None);
        }
        let text = std::fs::read_to_string(&path).expect("is there");
        assert_eq!(text, "CLIENT_RANDOM 0 ff\nCLIENT_RANDOM 1 ff\n");
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(KeyLog::open(folder.path()).is_err(), "a folder is no file");
    }
}
