//! The bare server with rooms: it lets everybody log in and join, and reflects what is said in a
//! room to all who joined it. It reads no stanza but for the address that each begins with.

use std::collections::HashMap;
use std::io;

use crate::bare_server::{Conns, Speech};
use crate::replay::ANSWERS;

/// Who is in which room. What comes in one read has to be one stanza, but for the first presence
/// before a join.
#[derive(Clone, Debug, Default)]
pub struct Reflector {
    /// The connections of each room by its address.
    rooms: HashMap<Box<[u8]>, Vec<usize>>,
    /// What is being reflected.
    out: Vec<u8>,
}

/// Nick and addressee in all that is reflected, as long as real ones; nobody looks at them.
const BETWEEN: &[u8] = b"/bot100001' to='bot100001@localhost/run0-100001";
/// A stanza up to the address it is for.
const MESSAGE: &[u8] = b"<message to='";
const JOIN: &[u8] = b"<presence to='";
const PRESENCE: &[u8] = b"<presence/>";

impl Speech for Reflector {
    fn say(&mut self, conns: &Conns, place: usize, nth: usize, heard: &[u8]) -> io::Result<()> {
        if let Some(answer) = ANSWERS.get(nth) {
            return conns.write(place, answer);
        }
        let stanza = heard.strip_prefix(PRESENCE).unwrap_or(heard);
        if let Some(message) = stanza.strip_prefix(MESSAGE) {
            let (room, rest) = cut(message)?;
            self.out.clear();
            for part in [b"<message from='", room, BETWEEN, rest] {
                self.out.extend_from_slice(part);
            }
            let members = self.rooms.get(room).map_or(&[][..], Vec::as_slice);
            // The speaker comes last: what it says next finds the others' sockets read, as a
            // pause would. Who is gone hears nothing.
            for &member in members.iter().filter(|&&member| member != place) {
                conns.write(member, &self.out).or_else(unless_gone)?;
            }
            conns.write(place, &self.out)
        } else if let Some(join) = stanza.strip_prefix(JOIN) {
            let (address, _) = cut(join)?;
            let room = address.split(|&byte| byte == b'/').next().unwrap_or_default();
            self.rooms.entry(room.into()).or_default().push(place);
            let parts = [b"<presence from='", address, b"' to='bot100001@localhost'/>"];
            conns.write(place, &parts.concat())
        } else if stanza.is_empty() {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

/// What stands before the next apostrophe, and the rest with it.
fn cut(text: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'\'');
    Ok(text.split_at(end.ok_or(io::ErrorKind::InvalidData)?))
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(()),
        _ => Err(error),
    }
}
