//! The name of a message, and how it travels.

use crate::id::BotId;

/// Which message of which bot in which run. It travels with the message, in a stanza's id say, as
/// `run.sender.sequence` in lower-case hexadecimal without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The run, as the plan's [`Terms`](super::Terms) say.
    pub run: u32,
    /// Who sent it.
    pub sender: BotId,
    /// Counts up with every message of the sender; numbers may be left out.
    pub sequence: u32,
}

impl MessageId {
    /// No written form is longer: three numbers of eight digits and two dots.
    pub const TEXT_MAX: usize = 26;

    /// Appends the written form.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text().as_str().as_bytes());
    }

    /// The written form, without a place on the heap.
    pub fn text(self) -> MessageText {
        let mut text = MessageText { bytes: [0; Self::TEXT_MAX], length: 0 };
        for (nth, number) in [self.run, self.sender.0, self.sequence].into_iter().enumerate() {
            if nth > 0 {
                text.push(b'.');
            }
            let digits = (32 - number.leading_zeros()).div_ceil(4).max(1);
            for digit in (0..digits).rev() {
                text.push(DIGITS[(number >> (4 * digit)) as usize & 15]);
            }
        }
        text
    }

    /// Reads the written form; `None` for anything that [`MessageId::write`] does not write.
    pub fn read(text: &[u8]) -> Option<MessageId> {
        if text.len() > Self::TEXT_MAX {
            return None;
        }
        let mut numbers = text.split(|&byte| byte == b'.').map(read_number);
        let (run, sender, sequence) = (numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(MessageId { run, sender: BotId(sender), sequence })
    }
}

/// The written form of a [`MessageId`].
#[derive(Clone, Copy)]
pub struct MessageText {
    bytes: [u8; MessageId::TEXT_MAX],
    length: u8,
}

impl MessageText {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("digits and dots")
    }

    fn push(&mut self, byte: u8) {
        self.bytes[usize::from(self.length)] = byte;
        self.length += 1;
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn read_number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 || (text.len() > 1 && text[0] == b'0') {
        return None;
    }
    text.iter().try_fold(0, |number: u32, &byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for (run, sender, sequence) in [(0, 1, 0), (0x3F9A, 500, 42), (u32::MAX, u32::MAX, 1)] {
            let id = MessageId { run, sender: BotId(sender), sequence };
            let mut text = Vec::new();
            id.write(&mut text);
            assert!(text.len() <= MessageId::TEXT_MAX);
            assert_eq!(MessageId::read(&text), Some(id), "{}", String::from_utf8_lossy(&text));
        }
        let foreign =
            ["", ".", "..", "1.2", "1.2.3.4", "1.2.", "01.2.3", "1.A.3", "1.2.3 ", "é.1.2"];
        for text in foreign.into_iter().chain(["123456789.1.1", "1.-2.3", "ffffffff1.0.0"]) {
            assert_eq!(MessageId::read(text.as_bytes()), None, "{text:?}");
        }
    }
}
