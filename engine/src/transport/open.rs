//! What comes over TLS: flights of the handshake, then records.

use super::record::Dense;
use super::whole::Standing;
use super::words::{self, Fault};
use super::{Opened, State, Transports, Up};
use crate::links::Link;
use crate::plan::{Resume, Tier};

impl Transports {
    /// Opens what a link of this bot has read, in place. What it says is appended to `plain`, and
    /// what is to be answered (flights of the handshake, alerts) to `wire`, also before a fault.
    pub(crate) fn open(
        &mut self,
        link: Link,
        bot: u32,
        cipher: &mut [u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<Opened, Fault> {
        self.turn(bot);
        let secure = &mut self.table[link.key as usize];
        match &mut secure.state {
            State::Plain => Ok(Opened::default()),
            State::Dense(dense) => open_dense(dense, cipher, plain, wire),
            State::Kept(whole) => {
                let before = plain.len();
                let driven = whole.drive(cipher, plain, wire);
                let standing = driven
                    .standing
                    .map_err(|error| Fault { words: words::of(&error, true), alert: None })?;
                let mut opened = Opened { used: driven.used, ..Opened::default() };
                opened.closed = standing == Standing::Closed;
                if !whole.settled && plain.len() > before && !opened.closed {
                    opened.settled = self.settle(link.key, &cipher[opened.used..])?;
                }
                Ok(opened)
            }
            State::Opening(_) => self.shake(link, cipher, plain, wire),
        }
    }

    /// A flight of a handshake.
    fn shake(
        &mut self,
        link: Link,
        cipher: &mut [u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<Opened, Fault> {
        let Some(configs) = &self.configs else { return Ok(Opened::default()) };
        let state = &mut self.table[link.key as usize].state;
        let State::Opening(opening) = state else { return Ok(Opened::default()) };
        let Some(whole) = &mut opening.whole else { return Ok(Opened::default()) };
        self.steps = self.steps.saturating_sub(1);
        let driven = whole.drive(cipher, plain, wire);
        if let Some(exporter) = configs.secrets.take() {
            opening.exporter = Some(exporter);
        }
        let mut opened = Opened { used: driven.used, ..Opened::default() };
        match driven.standing {
            Ok(Standing::Shaking) => return Ok(opened),
            Ok(Standing::Up) => {}
            Ok(Standing::Closed) => {
                return Err(Fault { words: words::MID_HANDSHAKE, alert: None });
            }
            Err(error) => {
                let stranger =
                    cipher.get(driven.used).is_some_and(|kind| !(20..=24).contains(kind));
                let not_tls = stranger && matches!(error, rustls::Error::InvalidMessage(_));
                let words = if not_tls { words::NOT_TLS } else { words::of(&error, false) };
                return Err(Fault { words, alert: None });
            }
        }
        opened.up = Some(Up {
            exporter: opening.exporter.as_ref().and_then(|exporter| whole.binding(exporter)),
            verified: whole.verified(),
            resumed: whole.resumed(),
            held: std::mem::take(&mut opening.held),
            since: opening.since,
            direct: opening.direct,
        });
        if let Some(whole) = opening.whole.take() {
            *state = State::Kept(whole);
        }
        self.shaking.retain(|&(_, other)| other != link);
        opened.settled = self.settle(link.key, &cipher[opened.used..])?;
        Ok(opened)
    }

    /// Settles what a link keeps, if that can be said yet.
    fn settle(&mut self, key: u32, rest: &[u8]) -> Result<Option<Tier>, Fault> {
        let Some(configs) = &self.configs else { return Ok(None) };
        let state = &mut self.table[key as usize].state;
        let State::Kept(whole) = state else { return Ok(None) };
        let shaken = !std::mem::replace(&mut whole.shaken, true);
        if configs.resume != Resume::Never && shaken && !whole.accepted() {
            return Ok(None); // tickets come before the first bytes, and need all of it
        }
        whole.settled = true;
        if configs.tier == Tier::Kept || !whole.can_be_dense(rest) {
            return Ok(Some(Tier::Kept));
        }
        let State::Kept(whole) = std::mem::take(state) else { return Ok(None) };
        let fault = Fault { words: "TLS failed", alert: None };
        *state = State::Dense(whole.into_dense().ok_or(fault)?);
        Ok(Some(Tier::Dense))
    }
}

fn open_dense(
    dense: &mut Dense,
    cipher: &mut [u8],
    plain: &mut Vec<u8>,
    wire: &mut Vec<u8>,
) -> Result<Opened, Fault> {
    match dense.open(cipher, plain) {
        Ok(records) => {
            Ok(Opened { used: records.used, closed: records.closed, ..Opened::default() })
        }
        Err(fault) => {
            if let Some(alert) = fault.alert {
                dense.alert(alert, wire);
            }
            Err(fault)
        }
    }
}
