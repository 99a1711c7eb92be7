//! When a shard acts next.

use std::time::Duration;

use super::Shard;
use crate::net::Net;
use crate::scenario::Scenario;
use crate::time::Time;

/// How long a full outbox waits before it is tried again: the other shard does not say.
const RETRY_MAIL: Duration = Duration::from_millis(1);
/// How long a listener rests that met a limit of the machine.
const RETRY_ACCEPT: Duration = Duration::from_millis(100);

impl<S: Scenario, N: Net> Shard<S, N> {
    /// When there is something to do although nothing happens outside.
    pub(super) fn next_moment(&self) -> Time {
        let reading = !self.desk.office.full();
        if (!self.again.is_empty() && reading)
            || !self.visits.is_empty()
            || self.delivery.is_some()
            || self.desk.office.own_waits()
            || (!self.dials.is_empty() && self.may_dial())
            || (self.transports.has_place() && !self.derivations.is_full())
        {
            return Time::ZERO;
        }
        let mail = if self.desk.office.idle() { Time::NEVER } else { self.now + RETRY_MAIL };
        let closing = self.closing.front().map_or(Time::NEVER, |&(until, _)| until);
        let accept = match self.listeners.iter().any(|(_, listener)| listener.again) {
            true => self.now + RETRY_ACCEPT,
            false => Time::NEVER,
        };
        let timer = self.timers.next().unwrap_or(Time::NEVER);
        let parting = self.desk.ledger.next_parting();
        let notices = self.desk.ledger.next_notices();
        let secure = self.transports.next_moment().min(self.derivations.next_moment());
        let own = [self.next_launch(), timer, self.next_sample, self.cut_off, parting];
        let others = [mail, notices, closing, accept, secure];
        own.into_iter().chain(others).min().unwrap_or(Time::NEVER)
    }
}
