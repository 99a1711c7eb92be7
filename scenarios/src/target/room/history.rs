//! What was said in a room before somebody came (XEP-0045 section 7.2.13): the last few messages,
//! each shared with those who heard it.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use densebots_engine::Time;
use densebots_protocols::xml::push_attribute;
use densebots_protocols::xmpp::{Stanza, namespace};

use super::super::parcel::Parcel;

/// Messages that a room keeps: as many as Prosody and ejabberd do.
pub(crate) const KEPT_MAX: usize = 20;

/// The last messages of a room. Empty, it owns nothing.
#[derive(Default)]
pub(super) struct History(VecDeque<(Time, Arc<Parcel>)>);

/// How much of it somebody wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// At most so many messages.
    stanzas: usize,
    /// Together not longer than this, in bytes.
    bytes: usize,
    /// Not older than this.
    age: Duration,
}

impl Wish {
    /// What a presence to a room asks for; without a word, for everything.
    pub(crate) fn of(presence: &Stanza<'_>) -> Wish {
        let x = presence.element().child("x", namespace::MUC);
        let history = x.and_then(|x| x.child("history", namespace::MUC));
        let number = |name| history.and_then(|history| history.attribute(name)?.parse().ok());
        Wish {
            stanzas: number("maxstanzas").map_or(KEPT_MAX, |stanzas: u64| {
                usize::try_from(stanzas).unwrap_or(KEPT_MAX).min(KEPT_MAX)
            }),
            bytes: number("maxchars")
                .map_or(usize::MAX, |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX)),
            age: number("seconds").map_or(Duration::MAX, Duration::from_secs),
        }
    }
}

impl History {
    /// Keeps a message, and forgets the oldest if there are too many.
    pub(super) fn keep(&mut self, now: Time, message: Arc<Parcel>) {
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, message));
    }

    /// Appends what somebody wants to hear of it, the oldest first, each with when it was said.
    /// `began` is the time of day at the beginning of the run, since 1970.
    pub(super) fn write(
        &self,
        wish: Wish,
        (room, to): (&str, &str),
        (began, now): (Duration, Time),
        out: &mut Vec<u8>,
    ) {
        let (mut from, mut bytes) = (self.0.len(), 0);
        for (said, message) in self.0.iter().rev().take(wish.stanzas) {
            bytes += message.len();
            if bytes > wish.bytes || now.since(*said) > wish.age {
                break;
            }
            from -= 1;
        }
        for (said, message) in self.0.range(from..) {
            let mut delay = b"<delay".to_vec();
            push_attribute("xmlns", namespace::DELAY, &mut delay);
            push_attribute("from", room, &mut delay);
            let stamp = stamp(began + Duration::from_nanos(said.nanos())).to_string();
            push_attribute("stamp", &stamp, &mut delay);
            delay.extend_from_slice(b"/>");
            message.write_with(to, &delay, out);
        }
    }
}

/// A time since 1970 as XEP-0082 writes it, in UTC.
fn stamp(since: Duration) -> impl Display {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Arc<Parcel> {
        let bytes = format!("<message from='r@c/a'><body>{text}</body></message>");
        Parcel::back(bytes.into_bytes())
    }

    /// What of ten messages, one a second, the last just now, this wish brings.
    fn heard(wish: &str) -> Vec<u64> {
        let mut history = History::default();
        for nth in 1..=10 {
            history.keep(Time::from_nanos(nth * 1_000_000_000), said(&nth.to_string()));
        }
        let presence = format!("<presence><x xmlns='{}'>{wish}</x></presence>", namespace::MUC);
        let wish = Wish::of(&Stanza::parse(presence.as_bytes()).expect("well-formed"));
        let (mut out, now) = (Vec::new(), Time::from_nanos(10_000_000_000));
        history.write(wish, ("r@c", "b@h/r"), (Duration::ZERO, now), &mut out);
        let text = String::from_utf8(out).expect("text");
        let bodies = text.split("<body>").skip(1);
        bodies.map(|rest| rest.split('<').next().and_then(|n| n.parse().ok()).unwrap()).collect()
    }

    #[test]
    fn the_last_ones_and_no_more_than_is_wanted() {
        let all: Vec<u64> = (1..=10).collect();
        for (wish, first) in [
            ("", 1),
            ("<history/>", 1),
            ("<history maxstanzas='3'/>", 8),
            ("<history maxstanzas='99999999999999999999'/>", 1),
            ("<history maxstanzas='0'/>", 11),
            ("<history maxchars='0'/>", 11),
            ("<history maxchars='100'/>", 9),
            ("<history seconds='4'/>", 6),
            ("<history seconds='4' maxstanzas='2'/>", 9),
        ] {
            assert_eq!(heard(wish), all[first - 1..], "{wish}");
        }
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut history = History::default();
        for nth in 0..100 {
            history.keep(Time::ZERO, said(&nth.to_string()));
        }
        assert_eq!(history.0.len(), KEPT_MAX);
        assert!(history.0.capacity() <= 2 * KEPT_MAX);
        let mut out = Vec::new();
        let wish = Wish { stanzas: 1, bytes: usize::MAX, age: Duration::MAX };
        history.write(wish, ("r@c", "b@h"), (Duration::from_secs(1), Time::ZERO), &mut out);
        let expected = "<message to='b@h' from='r@c/a'><body>99</body><delay \
                        xmlns='urn:xmpp:delay' from='r@c' stamp='1970-01-01T00:00:01Z'/></message>";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_735_603_200, "2024-12-31T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(stamp(Duration::from_secs(seconds)).to_string(), expected);
        }
    }
}
