//! Bots that move from one endpoint to another while they are online.

use std::net::SocketAddr;

use densebots_engine::{BotId, Command, Ctx, Link, Rng, Role, Scenario, start};
use densebots_protocols::line::{Framing, Line};

use crate::ground::{begun, plan, target, until};

const BOTS: u32 = 20;

/// Comes online anywhere, connects to one address, and closes its first link behind it.
struct Mover {
    to: SocketAddr,
}

impl Scenario for Mover {
    type Session = Line;
    type Bot = Option<Link>;
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) -> Option<Link> {
        None
    }

    fn session(&self, _: BotId, _: &mut Option<Link>, _: Link) -> Line {
        Line::new(Framing::lines(64))
    }

    fn on_open(&self, first: &mut Option<Link>, link: Link, ctx: &mut Ctx<'_, Self>) {
        match first.replace(link) {
            None => {
                ctx.ready();
                ctx.dial_to(self.to);
            }
            Some(first) => ctx.close(first),
        }
    }

    fn on_event(&self, _: &mut Option<Link>, _: &[u8], _: &mut Ctx<'_, Self>) {}
}

#[test]
fn bots_that_move_are_online_where_they_are() {
    let (_target, endpoints) = target();
    let to = endpoints[1].address;
    let run = begun(start(Mover { to }, plan(endpoints, BOTS)));
    let moved = until(&run, "everybody at the second endpoint", |snapshot| {
        let [from, to] = &snapshot.report.total.endpoints[..] else { panic!("two endpoints") };
        (from.open, to.open) == (0, i64::from(BOTS))
    });
    let online = moved.report.total.endpoints.iter().map(|count| count.online);
    assert_eq!(online.collect::<Vec<_>>(), [0, i64::from(BOTS)]);
    run.command(Command::Stop).expect("it runs");
    let report = run.finish();
    assert!(report.total.endpoints.iter().all(|count| (count.open, count.online) == (0, 0)));
    assert_eq!(report.endpoints[1].online_at_end, u64::from(BOTS));
    assert!(report.endpoints[1].peak_online > u64::from(BOTS) / 2, "{:?}", report.endpoints);
}
