//! Listens in between: passes bytes on between a bot and a target, and tells what it passed.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;

/// Things told that may wait to be shown; a target that floods waits for the screen.
const TOLD_MAX: usize = 64;
/// Bytes passed on at once.
const CHUNK: usize = 4096;
/// Bytes of a chunk that are shown.
const SHOWN_MAX: usize = 200;

/// A tap in front of a target.
pub(super) struct Tap {
    /// Where the bot dials.
    pub(super) address: SocketAddr,
    told: Receiver<Told>,
}

/// Something that happened, and when.
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) said: Said,
}

/// What happened.
pub(super) enum Said {
    Opened,
    Bot(Vec<u8>),
    Target(Vec<u8>),
    Ended(&'static str),
    Broken(String),
}

impl Tap {
    /// Opens a tap. Its threads end with the connections, at the latest with the program.
    pub(super) fn open(target: SocketAddr) -> io::Result<Tap> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (tell, told) = sync_channel(TOLD_MAX);
        thread::Builder::new().name("tap".to_owned()).spawn(move || {
            for bot in listener.incoming().flatten() {
                if let Err(error) = join(bot, target, &tell) {
                    say(&tell, Said::Broken(format!("no connection to the target: {error}")));
                }
            }
        })?;
        Ok(Tap { address, told })
    }

    /// The next thing, if one comes in time.
    pub(super) fn told(&self, patience: Duration) -> Option<Told> {
        self.told.recv_timeout(patience).ok()
    }
}

fn join(bot: TcpStream, target: SocketAddr, tell: &SyncSender<Told>) -> io::Result<()> {
    let target = TcpStream::connect(target)?;
    (bot.set_nodelay(true)?, target.set_nodelay(true)?);
    say(tell, Said::Opened);
    let (from_bot, to_target, forth) = (bot.try_clone()?, target.try_clone()?, tell.clone());
    let back = tell.clone();
    thread::Builder::new()
        .spawn(move || pass(from_bot, to_target, &forth, "the bot", Said::Bot))?;
    thread::Builder::new().spawn(move || pass(target, bot, &back, "the target", Said::Target))?;
    Ok(())
}

/// Passes on one direction until it ends.
fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    tell: &SyncSender<Told>,
    who: &'static str,
    said: fn(Vec<u8>) -> Said,
) {
    let mut chunk = [0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => {
                say(tell, Said::Ended(who));
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(used) => {
                say(tell, said(chunk[..used].to_vec()));
                if to.write_all(&chunk[..used]).is_err() {
                    return; // the other direction tells how it ended
                }
            }
            Err(error) => {
                say(tell, Said::Broken(format!("{who} broke off: {error}")));
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

fn say(tell: &SyncSender<Told>, said: Said) {
    let _ = tell.send(Told { at: clock::now(), said });
}

/// Bytes as text, what is not readable escaped, what is long cut with its length.
pub(super) fn readable(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
    let text = format!("\"{}\"", shown.escape_ascii());
    match bytes.len() - shown.len() {
        0 => text,
        _ => format!("{text}... ({} bytes)", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable_whatever_they_are() {
        assert_eq!(readable(b"hi\r\n"), r#""hi\r\n""#);
        assert_eq!(readable(&[0, 0x1b, 0xff]), r#""\x00\x1b\xff""#);
        assert!(readable(&[b'a'; 300]).ends_with("aaa\"... (300 bytes)"));
    }
}
