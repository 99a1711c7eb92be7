//! Stream management (XEP-0198): who wants to be counted, who is lost, who comes back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use densebots_engine::{BotId, Ctx};
use densebots_protocols::xmpp::StanzaCondition;
use densebots_protocols::xmpp::server::{self, Event, Managed};

use super::super::guest::Guest;
use super::super::lasting::{Lasting, Wire};
use super::super::parcel::{Claim, Mail, Parcel, Wired};
use super::super::switchboard::numbers;
use super::{Part, RESUMED, Tenant, WENT, XmppTarget, write};

/// How long a user may be away whose stream can be resumed.
pub const AWAY_MAX: Duration = Duration::from_secs(60);

/// Users that may be away at once: each may have as much to hear as is kept for one.
const AWAY_USERS_MAX: usize = 100_000;

/// How long who has a stream may take to say so. It is a letter there and one back; nobody answers
/// where the user is gone by the time that the letter arrives.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Who accepted a link over which a stream is resumed.
pub(super) struct Relay {
    claim: Arc<Claim>,
    /// The guest has taken it; until then it is only asked.
    taken: bool,
}

/// Streams of users.
impl XmppTarget {
    /// What a user says over its own link.
    pub(super) fn hears(&self, guest: &mut Guest, event: &Event<'_>, ctx: &mut Ctx<'_, Self>) {
        match event {
            Event::Message(stanza) | Event::Presence(stanza) | Event::Iq(stanza) => {
                if let Some(lasting) = guest.lasting() {
                    lasting.managed.received();
                }
                self.said(guest, stanza, ctx);
            }
            Event::Enable(resumable) => self.enable(guest, *resumable, ctx),
            Event::Ask => {
                if let Some(lasting) = guest.lasting() {
                    lasting.acknowledge(ctx);
                }
            }
            Event::Acknowledged(count) => {
                if let Some(lasting) = guest.lasting() {
                    lasting.acknowledged(*count);
                }
            }
            Event::Ended(_) => self.dismiss(guest, None, ctx),
            Event::Bound | Event::Resume(..) => {} // once, at the beginning
        }
    }

    /// A user wants its stanzas to be counted.
    fn enable(&self, guest: &mut Guest, resumable: bool, ctx: &mut Ctx<'_, Self>) {
        let Some(link) = ctx.link.filter(|_| guest.lasting().is_none()) else {
            let why = StanzaCondition::UnexpectedRequest;
            ctx.send(|_, out| server::unmanaged(why, out));
            return;
        };
        let secret = ctx.rng().next();
        let name = name(ctx.id, secret);
        let resume = resumable.then_some((&*name, AWAY_MAX.as_secs()));
        ctx.send(|_, out| server::enabled(resume, out));
        guest.last(Lasting::new(Managed::new(resumable), secret, link));
        if resumable {
            ctx.outlive_links();
        }
    }

    /// A user's link, or that of its wire, is gone. It may come back.
    pub(super) fn lost(&self, guest: &mut Guest, ctx: &mut Ctx<'_, Self>) {
        if let Some(parcel) = guest.release(true) {
            write(guest, &parcel, ctx); // the wake is for something else from now on
        }
        let waits = !ctx.draining();
        let resumable = guest.lasting().filter(|lasting| waits && lasting.managed.is_resumable());
        let Some(lasting) = resumable else {
            self.register(guest, false, ctx);
            return ctx.quit();
        };
        if self.away.fetch_add(1, Ordering::Relaxed) >= AWAY_USERS_MAX {
            self.away.fetch_sub(1, Ordering::Relaxed);
            return self.went(guest, ctx);
        }
        lasting.wire = Wire::Lost;
        ctx.wake_in(AWAY_MAX);
    }

    /// A user that was away is gone for good.
    pub(super) fn went(&self, guest: &mut Guest, ctx: &mut Ctx<'_, Self>) {
        ctx.count(WENT, 1);
        self.dismiss(guest, None, ctx);
    }

    /// A user's stream is over, for this reason if it is ours.
    pub(super) fn dismiss(
        &self,
        guest: &mut Guest,
        why: Option<&'static str>,
        ctx: &mut Ctx<'_, Self>,
    ) {
        self.register(guest, false, ctx);
        match (guest.take_lasting(), why) {
            (Some(lasting), why) => {
                if lasting.wire == Wire::Lost {
                    self.away.fetch_sub(1, Ordering::Relaxed);
                }
                if let Some(why) = why {
                    lasting.end(why, ctx);
                }
            }
            (None, Some(why)) => _ = ctx.send(|session, out| session.fail(why, out)),
            (None, None) => {}
        }
        ctx.quit();
    }

    /// Ends what cannot go on.
    pub(super) fn end_if_broken(&self, guest: &mut Guest, ctx: &mut Ctx<'_, Self>) {
        if let Some(why) = guest.lasting().and_then(|lasting| lasting.fault()) {
            self.dismiss(guest, Some(why), ctx);
        }
    }

    /// Somebody wants to go on with the stream of this user.
    pub(super) fn claimed(&self, guest: &mut Guest, claim: &Claim, ctx: &mut Ctx<'_, Self>) {
        let mut bytes = Vec::new();
        let own = guest.lasting().filter(|lasting| lasting.secret == claim.secret);
        let name = name(ctx.id, claim.secret);
        let granted = own.and_then(|lasting| {
            lasting.managed.resume(&name, claim.heard, &mut bytes).then_some(lasting)
        });
        let Some(lasting) = granted else {
            ctx.send_to(claim.wire, Mail::NotResumed);
            return;
        };
        match lasting.wire {
            Wire::Lost => {
                self.away.fetch_sub(1, Ordering::Relaxed);
                ctx.forget_wake();
            }
            _ => lasting.end("conflict", ctx), // it only seems to be there
        }
        lasting.wire = Wire::Other(claim.wire);
        ctx.count(RESUMED, 1);
        ctx.send_to(claim.wire, Mail::Resumed(Parcel::whole(bytes)));
    }

    /// Who wanted to is gone.
    pub(super) fn abandoned(&self, guest: &mut Guest, claim: &Claim, ctx: &mut Ctx<'_, Self>) {
        if guest.lasting().is_some_and(|lasting| lasting.wire == Wire::Other(claim.wire)) {
            self.lost(guest, ctx);
        }
    }

    /// Something came over a wire.
    pub(super) fn wired(
        &self,
        guest: &mut Guest,
        from: BotId,
        wired: &Wired,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let Some(lasting) = guest.lasting().filter(|own| own.wire == Wire::Other(from)) else {
            return; // what came too late over an old one is not counted, so it comes again
        };
        match wired {
            Wired::Stanza(parcel) => {
                lasting.managed.received();
                if let Ok(stanza) = parcel.stanza() {
                    self.said(guest, &stanza, ctx);
                }
            }
            Wired::Ask => lasting.acknowledge(ctx),
            Wired::Heard(count) => lasting.acknowledged(*count),
            Wired::Over => self.dismiss(guest, None, ctx),
            Wired::Lost => self.lost(guest, ctx),
        }
    }
}

/// Links over which a stream is resumed.
impl XmppTarget {
    /// Who logged in here wants to go on with a stream, and becomes a wire to who has it.
    pub(super) fn ask_to_resume(
        &self,
        tenant: &mut Tenant,
        stream: &str,
        heard: u32,
        ctx: &mut Ctx<'_, Self>,
    ) {
        let mut account = None;
        ctx.send(|session, _| account = session.account());
        let (Some((guest, secret)), Some(account)) = (named(stream), account) else {
            ctx.send(|session, out| session.refuse_resumption(out));
            return;
        };
        let (account, _) = numbers(&account);
        let claim = Arc::new(Claim { account, guest, secret, heard, wire: ctx.id });
        ctx.send_to(self.switchboard(account), Mail::Resume(claim.clone()));
        ctx.wake_in(ANSWER_MAX);
        tenant.0 = Part::Relay(Relay { claim, taken: false });
    }

    /// A wire is gone, or waits no longer.
    pub(super) fn let_go(&self, relay: &Relay, last: Wired, ctx: &mut Ctx<'_, Self>) {
        if relay.taken {
            ctx.send_to(relay.claim.guest, Mail::Wired(last));
        } else {
            // On the way of the question, so that it does not come before that.
            let switchboard = self.switchboard(relay.claim.account);
            ctx.send_to(switchboard, Mail::Abandon(relay.claim.clone()));
        }
    }

    /// There is nothing to go on with: who logged in here can still become a user.
    pub(super) fn resume_nothing(&self, tenant: &mut Tenant, ctx: &mut Ctx<'_, Self>) {
        if matches!(tenant.0, Part::Relay(Relay { taken: false, .. })) {
            tenant.0 = Part::Guest(Guest::default());
            ctx.forget_wake();
            ctx.send(|session, out| session.refuse_resumption(out));
        }
    }
}

impl Relay {
    /// What comes over the link goes to the user's bot.
    pub(super) fn pass_on(
        &self,
        event: &Event<'_>,
        target: &XmppTarget,
        ctx: &mut Ctx<'_, XmppTarget>,
    ) {
        let wired = match event {
            Event::Message(stanza) | Event::Presence(stanza) | Event::Iq(stanza) => {
                let source = stanza.element().source().as_bytes();
                Wired::Stanza(Parcel::whole(source.to_vec()))
            }
            Event::Ask => Wired::Ask,
            Event::Acknowledged(count) => Wired::Heard(*count),
            Event::Ended(_) => {
                target.let_go(self, Wired::Over, ctx);
                return ctx.quit();
            }
            Event::Enable(_) => {
                let why = StanzaCondition::UnexpectedRequest;
                ctx.send(|_, out| server::unmanaged(why, out));
                return;
            }
            Event::Bound | Event::Resume(..) => return, // it is beyond that
        };
        if !ctx.send_to(self.claim.guest, Mail::Wired(wired)) {
            ctx.send(|session, out| session.fail("resource-constraint", out));
            ctx.quit();
        }
    }

    /// What is said to the user goes over the link.
    pub(super) fn hear(&mut self, from: BotId, mail: &Mail, ctx: &mut Ctx<'_, XmppTarget>) {
        match mail {
            _ if from != self.claim.guest => {}
            Mail::Resumed(parcel) => {
                self.taken = true;
                ctx.forget_wake();
                ctx.ready();
                ctx.send(|session, out| {
                    session.resume();
                    parcel.write("", out);
                });
            }
            Mail::ToWire(parcel) => _ = ctx.send(|_, out| parcel.write("", out)),
            Mail::Unwired(condition) => {
                ctx.send(|session, out| session.fail(condition, out));
                ctx.quit();
            }
            _ => {}
        }
    }
}

/// What a stream is called: who has it, and a secret.
fn name(guest: BotId, secret: u64) -> String {
    format!("{:x}-{secret:x}", guest.0)
}

fn named(stream: &str) -> Option<(BotId, u64)> {
    let (guest, secret) = stream.split_once('-')?;
    let guest = u32::from_str_radix(guest, 16).ok()?;
    Some((BotId(guest), u64::from_str_radix(secret, 16).ok()?))
}
