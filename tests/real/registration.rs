//! Accounts that bots make for themselves (XEP-0077).

use std::sync::{Arc, Mutex};

use densebots_engine::{BotId, Ctx, Link, Lost, Rng, Role, Scenario, start};
use densebots_protocols::xmpp::{Account, Event, Identity, Service, StanzaCondition, Tls, Xmpp};
use densebots_tests::servers::Server;

use crate::ground::{Bots, all_well, at_both};

type Answers = Vec<Result<(), StanzaCondition>>;

/// Bots that make the account they are named by, and leave.
struct Register {
    service: Arc<Service>,
    family: &'static str,
    heard: Arc<Mutex<Answers>>,
}

impl Scenario for Register {
    type Session = Xmpp;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, id: BotId, (): &mut (), _: Link) -> Xmpp {
        let name = format!("{}{id}", self.family);
        let identity = Identity::password(&name, &name).expect("plain letters");
        let service = self.service.clone();
        Xmpp::registering(Account { service, identity, resource: "".into() })
    }

    fn on_open(&self, (): &mut (), _: Link, _: &mut Ctx<'_, Self>) {}

    fn on_event(&self, (): &mut (), event: Event<'_>, ctx: &mut Ctx<'_, Self>) {
        if let Event::Registered(answer) = event {
            self.heard.lock().expect("nobody panicked").push(answer);
            ctx.ready();
            ctx.quit();
        }
    }

    fn on_lost(&self, (): &mut (), _: Link, _: &Lost, ctx: &mut Ctx<'_, Self>) {
        ctx.give_up("lost before the answer");
    }
}

/// What the server answered, in no order.
fn register(server: &Server, family: &'static str, bots: u32, tls: Tls) -> Answers {
    let run = Bots::jump(server, family, bots);
    let run = if tls == Tls::Off { run } else { run.over_tls(server, tls == Tls::Direct) };
    let service = Arc::new(Service { tls, ..Service::new(&server.domain) });
    let heard = Arc::new(Mutex::new(Answers::new()));
    let scenario = Register { service, family, heard: heard.clone() };
    let report = start(scenario, run.plan).expect("a plan that can run").finish();
    assert_eq!(report.bots.population.done, u64::from(bots), "{:?}", report.total.losses);
    let heard = heard.lock().expect("nobody panicked");
    heard.clone()
}

#[test]
fn who_registers_can_log_in_and_not_register_again() {
    at_both(|server| {
        let families = [("fresh", Tls::Off), ("safe", Tls::Required), ("sealed", Tls::Direct)];
        for (family, tls) in families {
            assert_eq!(register(server, family, 10, tls), [Ok(()); 10], "{tls:?}");
            all_well(server, &Bots::jump(server, family, 10).run());
            let taken = register(server, family, 10, tls);
            assert_eq!(taken, [Err(StanzaCondition::Conflict); 10], "{tls:?}");
        }
    });
}
