//! Links over TLS: how they come up, read, write and end.

use densebots_protocols::Stream;

use super::serve::Heard;
use super::{READ_MAX, Shard};
use crate::links::{Cause, Link, LinkState, Lost, Unsent};
use crate::net::Net;
use crate::plan::Tier;
use crate::scenario::{Scenario, Work};
use crate::transport::{Opened, Up, words};

impl<S: Scenario, N: Net> Shard<S, N> {
    /// The byte stream of a link is up: its session begins, or TLS before it.
    pub(super) fn begin_link(&mut self, link: Link) {
        let accepted = self.desk.links.at(link.key).flags.accepted;
        let direct = self.desk.plan.tls.as_ref().is_some_and(|tls| tls.direct);
        if direct && self.transports.speaks(accepted) {
            self.encrypt(link, true);
        } else {
            self.begin_stream(link, Stream::default(), true);
        }
    }

    /// A session says that TLS begins here; `behind` is what has come behind that. Whether the link
    /// is still there.
    pub(super) fn begin_tls(&mut self, link: Link, behind: &[u8]) -> bool {
        let flags = self.desk.links.at(link.key).flags;
        let why = if flags.tls {
            Lost::new(Cause::Violation, "TLS within TLS")
        } else if !self.transports.speaks(flags.accepted) {
            Lost::new(Cause::Scenario, "TLS was asked for and the plan has none")
        } else if !flags.accepted && !behind.is_empty() {
            // We have not said a word of TLS yet, so these bytes are not TLS either: somebody put
            // them there to be taken for what comes encrypted (RFC 6120, section 5.3.1).
            Lost::new(Cause::Violation, words::INJECTED)
        } else {
            // What was said so far goes out as it is.
            let mut wire = std::mem::take(&mut self.transports.wire);
            wire.clear();
            self.desk.out.withdraw(self.desk.links.at(link.key), &mut wire);
            if flags.traced {
                let bot = self.desk.links.at(link.key).bot;
                self.trace(bot, true, &wire);
                self.record(link, true, &wire);
            }
            self.queue_wire(link, &wire);
            self.transports.wire = wire;
            self.encrypt(link, false);
            self.keep_rest(link, behind);
            return true;
        };
        self.lose(link.key, why);
        false
    }

    fn encrypt(&mut self, link: Link, direct: bool) {
        let slot = self.desk.links.at(link.key);
        slot.flags.tls = true;
        let bot = slot.bot;
        self.transports.begin(link, slot.flags.accepted, direct, self.now);
        self.works(link, bot, Work::Handshake);
    }

    /// Tells a bot what is done for its link.
    pub(super) fn works(&mut self, link: Link, bot: u32, work: Work) {
        self.call(bot, Some(link), self.now, |scenario, bot, ctx| {
            scenario.on_work(bot, link, work, ctx);
        });
        self.settle(bot);
    }

    /// Begins the handshakes that have a place, and ends those that take too long.
    pub(super) fn shake_hands(&mut self) {
        while let Some(link) = self.transports.overdue(self.now) {
            self.lose(link.key, Lost::new(Cause::Timeout, words::UNFINISHED));
        }
        let until = self.now + self.desk.plan.connect_timeout;
        while self.transports.steps > 0 && !self.derivations.is_full() {
            let Some(link) = self.transports.next_waiting() else { return };
            if !self.is_open(link) {
                continue;
            }
            let mut wire = std::mem::take(&mut self.transports.wire);
            wire.clear();
            let bot = self.desk.links.at(link.key).bot;
            let started = self.transports.start(link, bot, until, &mut wire);
            self.queue_wire(link, &wire);
            self.transports.wire = wire;
            match started {
                // What has come meanwhile, no event will tell of again.
                Ok(true) => self.look_again(link),
                Ok(false) => {}
                Err(fault) => self.lose(link.key, Lost::new(Cause::Tls, fault.words)),
            }
        }
    }

    /// Reads once from a link over TLS.
    pub(super) fn read_secure(&mut self, link: Link) {
        if self.transports.postpone(link.key) {
            return; // it is looked at when its handshake begins
        }
        if self.transports.opens(link.key) && self.transports.steps == 0 {
            return self.look_again(link);
        }
        let Some(slot) = self.desk.links.get(link) else { return };
        let Some(conn) = self.conns[link.key as usize].as_mut() else { return };
        let ended = slot.flags.ended;
        let mut input = std::mem::take(&mut self.input);
        let rest = self.transports.rest(link.key);
        let kept = rest.len();
        if input.len() < kept + READ_MAX {
            input.resize(kept + READ_MAX, 0);
        }
        input[..kept].copy_from_slice(rest);
        match self.net.read(conn, &mut input[kept..kept + READ_MAX]) {
            Ok(0) => self.ended_bare(link),
            Ok(count) => {
                self.desk.meter.received += count as u64;
                let heard =
                    if count == READ_MAX || ended { Heard::Capped } else { Heard::Everything };
                self.hear_secure(link, &mut input[..kept + count], &heard);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                // An eager peer's first flight may have come with its wish to begin.
                if kept > 0 && self.transports.opens(link.key) {
                    self.hear_secure(link, &mut input[..kept], &Heard::Everything);
                }
            }
            Err(error) => self.lose(link.key, Lost::by(&error)),
        }
        input.truncate(READ_MAX);
        self.input = input;
    }

    /// The connection has ended and TLS had not.
    fn ended_bare(&mut self, link: Link) {
        if self.transports.opens(link.key) {
            return self.lose(link.key, Lost::new(Cause::Tls, words::MID_HANDSHAKE));
        }
        // Somebody may have cut it short: it is not taken for an end (RFC 8446, section 6.1).
        self.lose(link.key, Lost::new(Cause::Closed, words::TRUNCATED));
    }

    /// Takes what was read through TLS to the session.
    fn hear_secure(&mut self, link: Link, cipher: &mut [u8], heard: &Heard) {
        let mut wire = std::mem::take(&mut self.transports.wire);
        let mut plain = std::mem::take(&mut self.transports.plain);
        wire.clear();
        plain.clear();
        let slot = self.desk.links.at(link.key);
        plain.extend_from_slice(slot.unread.as_ref().map_or(&[], |unread| unread));
        let (before, bot) = (plain.len(), slot.bot);
        let opened = self.transports.open(link, bot, cipher, &mut plain, &mut wire);
        self.queue_wire(link, &wire);
        self.transports.wire = wire;
        match opened {
            Err(fault) => {
                self.write_rest(link); // the alert goes first
                if self.is_open(link) && !self.transports.opens(link.key) && plain.len() > before {
                    self.hear(link, &plain, plain.len() - before, &Heard::Everything);
                }
                if self.is_open(link) {
                    self.lose(link.key, Lost::new(Cause::Tls, fault.words));
                }
            }
            Ok(opened) => {
                self.keep_rest(link, &cipher[opened.used..]);
                self.opened_secure(link, opened, &plain, before, heard);
            }
        }
        self.transports.plain = plain;
    }

    fn opened_secure(
        &mut self,
        link: Link,
        opened: Opened,
        plain: &[u8],
        before: usize,
        heard: &Heard,
    ) {
        self.count_tier(opened.settled);
        if let Some(up) = opened.up {
            self.secured(link, &up);
        }
        if !self.is_open(link) {
            return;
        }
        if opened.closed {
            self.hear(link, plain, plain.len() - before, &Heard::End);
        } else if plain.len() > before {
            self.hear(link, plain, plain.len() - before, heard);
        } else if matches!(heard, Heard::Capped) {
            self.look_again(link);
        }
    }

    pub(super) fn count_tier(&mut self, settled: Option<Tier>) {
        match settled {
            Some(Tier::Dense) => self.desk.meter.tls.dense += 1,
            Some(Tier::Kept) => self.desk.meter.tls.kept += 1,
            None => {}
        }
    }

    /// A handshake is over: the session begins, or begins anew.
    fn secured(&mut self, link: Link, up: &Up) {
        let took = self.now.since(up.since);
        self.desk.meter.tls.handshakes += 1;
        self.desk.meter.tls.resumed += u64::from(up.resumed);
        self.desk.meter.tls.took.record_time(took);
        let slot = self.desk.links.at(link.key);
        self.desk.out.append(link.key, slot, |_, out| out.extend_from_slice(&up.held));
        let stream = Stream {
            secured: up.exporter,
            encrypted: true,
            verified: up.verified,
            ..Stream::default()
        };
        self.begin_stream(link, stream, up.direct);
    }

    /// Bytes for the wire as they are, written at the end of the turn.
    fn queue_wire(&mut self, link: Link, wire: &[u8]) {
        if wire.is_empty() {
            return;
        }
        let slot = self.desk.links.at(link.key);
        match &mut slot.unsent {
            Some(unsent) => unsent.bytes.extend_from_slice(wire),
            None => {
                let mut bytes = self.pool.lend();
                bytes.extend_from_slice(wire);
                let unsent = Unsent { bytes, sent: 0, since: self.now, counted: self.now };
                slot.unsent = Some(Box::new(unsent));
                self.blocked.push(link);
            }
        }
        if !std::mem::replace(&mut slot.flags.wired, true) {
            self.transports.wired.push(link);
        }
    }

    /// Writes what handshakes left to write in this turn.
    pub(super) fn write_wired(&mut self) {
        let mut wired = std::mem::take(&mut self.transports.wired);
        for link in wired.drain(..) {
            if let Some(slot) = self.desk.links.get(link) {
                slot.flags.wired = false;
                self.write_rest(link);
            }
        }
        if self.transports.wired.is_empty() {
            self.transports.wired = wired;
        }
    }

    /// Seals what a link said in this turn and writes it.
    pub(super) fn write_secure(&mut self, link: Link, bytes: &[u8]) {
        let mut wire = std::mem::take(&mut self.transports.wire);
        wire.clear();
        let sealed = self.transports.seal(link.key, bytes, &mut wire);
        if self.desk.links.at(link.key).state == LinkState::Closing {
            self.transports.part(link.key, &mut wire);
        }
        match sealed {
            Err(fault) => self.lose(link.key, Lost::new(Cause::Tls, fault.words)),
            Ok(()) if self.transports.held(link.key) > self.desk.plan.unsent_max => {
                let lost = Lost::new(Cause::StoppedReading, "unsent bytes over the cap");
                self.lose(link.key, lost);
            }
            Ok(()) if wire.is_empty() => {}
            Ok(()) => self.send(link, &wire),
        }
        self.transports.wire = wire;
    }

    /// The last word of TLS on a link that closes, if it was not said: nothing follows.
    pub(super) fn part_secure(&mut self, link: Link) {
        let mut wire = std::mem::take(&mut self.transports.wire);
        wire.clear();
        self.transports.part(link.key, &mut wire);
        if !wire.is_empty() {
            self.send(link, &wire);
        }
        self.transports.wire = wire;
    }

    /// Answers the peer's last word with ours, if the socket takes it at once.
    pub(super) fn answer_parting(&mut self, link: Link) {
        let Some(slot) = self.desk.links.get(link) else { return };
        if !slot.flags.tls || slot.unsent.is_some() {
            return;
        }
        let Some(conn) = self.conns[link.key as usize].as_mut() else { return };
        self.transports.wire.clear();
        let mut wire = std::mem::take(&mut self.transports.wire);
        self.transports.part(link.key, &mut wire);
        // The connection is over either way.
        let taken = self.net.write(conn, &wire).unwrap_or(0);
        self.desk.meter.sent += taken as u64;
        self.transports.wire = wire;
    }

    /// Keeps the bytes of an unfinished record. Idle owns nothing.
    fn keep_rest(&mut self, link: Link, left: &[u8]) {
        if !self.desk.links.live(link) {
            return;
        }
        let place = self.transports.rest_mut(link.key);
        if left.is_empty() {
            if let Some(buffer) = place.take() {
                self.pool.take_back(buffer);
            }
            return;
        }
        let buffer = place.get_or_insert_with(|| self.pool.lend());
        buffer.clear();
        buffer.extend_from_slice(left);
    }
}
