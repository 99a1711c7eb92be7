//! The dense record layer by itself, for the fuzz target `record`: no link, no handshake.

use super::{Dense, words};

/// One connection after its handshake.
pub struct RecordLayer(Dense);

impl RecordLayer {
    /// From the keys of a handshake of TLS 1.3; `None` if the suite is not one of ours.
    pub fn new(secrets: rustls::ExtractedSecrets, accepted: bool) -> Option<RecordLayer> {
        Dense::new(secrets, accepted).map(RecordLayer)
    }

    /// Opens the whole records at the beginning of `cipher`, in place, and appends what they say.
    ///
    /// Answers how many bytes they were, and whether the peer said that nothing follows; or what
    /// was wrong, in the words of the report.
    pub fn open(
        &mut self,
        cipher: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<(usize, bool), &'static str> {
        let opened = self.0.open(cipher, plain).map_err(|fault| fault.words)?;
        Ok((opened.used, opened.closed))
    }

    /// Appends records that say `plain`.
    pub fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<(), &'static str> {
        self.0.seal(plain, wire).map_err(|fault| fault.words)
    }

    /// Appends a close_notify, once; nothing more is sealed.
    pub fn part(&mut self, wire: &mut Vec<u8>) {
        self.0.alert(words::CLOSE_NOTIFY, wire);
    }

    /// The sequence number of the next record to open.
    pub fn next(&self) -> u32 {
        self.0.read.next
    }
}
