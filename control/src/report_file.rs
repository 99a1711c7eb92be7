//! The report on disk: looked at before the start, rewritten whole, never half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::ending::usage;

/// Where the report goes, and whether it got there.
pub(crate) struct Keeper {
    path: PathBuf,
    /// Written in place: a device or a pipe cannot be replaced by a rename.
    in_place: bool,
    /// Why the last write failed.
    failed: Option<String>,
}

impl Keeper {
    /// Looks whether a file can be written there at all. A full disk may have room again by the
    /// end, so it is told and the run goes on; a path that cannot be written is a fault.
    pub(crate) fn check(path: &Path) -> anyhow::Result<Keeper> {
        let fault = |error: io::Error| usage(format!("--report {}: {error}", path.display()));
        let in_place = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(usage(format!("--report {}: is a directory", path.display())));
            }
            Ok(found) => !found.is_file(),
            Err(_) => false,
        };
        let mut keeper = Keeper { path: path.to_owned(), in_place, failed: None };
        let mut file = keeper.open().map_err(fault)?;
        let tried = file.write_all(b"\n").and_then(|()| file.sync_all().or_else(unsyncable));
        drop(file);
        if !in_place {
            let _ = fs::remove_file(keeper.beside());
        }
        if let Err(error) = tried {
            keeper.failed = Some(error.to_string());
        }
        Ok(keeper)
    }

    /// Why the last write failed, if it did.
    pub(crate) fn failed(&self) -> Option<String> {
        self.failed.as_ref().map(|why| format!("--report {}: {why}", self.path.display()))
    }

    /// Replaces the report. A reader sees the old one or the new one.
    pub(crate) fn write(&mut self, report: &impl Serialize) {
        self.failed = self.replace(report).err().map(|error| error.to_string());
    }

    fn replace(&self, report: &impl Serialize) -> io::Result<()> {
        let written = self.open().and_then(|file| {
            let mut out = BufWriter::new(file);
            serde_json::to_writer_pretty(&mut out, report)?;
            out.write_all(b"\n")?;
            out.into_inner().map_err(|error| error.into_error())?.sync_all().or_else(unsyncable)
        });
        if self.in_place {
            return written;
        }
        let done = written.and_then(|()| fs::rename(self.beside(), &self.path));
        if done.is_err() {
            let _ = fs::remove_file(self.beside());
        }
        done
    }

    fn open(&self) -> io::Result<File> {
        if self.in_place {
            return OpenOptions::new().write(true).open(&self.path);
        }
        File::create(self.beside())
    }

    /// The file that takes the report's place once it is whole, in the same directory.
    fn beside(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}.part", std::process::id()));
        name.into()
    }
}

/// A pipe or a device need not know how to sync.
fn unsyncable(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        _ => Err(error),
    }
}
