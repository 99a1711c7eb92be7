//! How connections end, on IPv4 and IPv6, as a peer sees it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use densebots_engine::{
    BotId, Cause, Close, Ctx, Life, Link, Plan, Rng, Role, Scenario, start, start_observed,
};
use densebots_protocols::line::{Framing, Line};
use densebots_scenarios::{idle::Idle, serve, target::Speaks};

use crate::ground::{PATIENCE, begun, endpoint, plan, until_online};

/// Leaves when it hears something.
struct Leaver;

impl Scenario for Leaver {
    type Session = Line;
    type Bot = ();
    type Mail = ();

    fn bot(&self, _: BotId, _: Role, _: &mut Rng) {}

    fn session(&self, _: BotId, (): &mut (), _: Link) -> Line {
        Line::new(Framing::chunks())
    }

    fn on_event(&self, (): &mut (), _: &[u8], ctx: &mut Ctx<'_, Self>) {
        ctx.send(|_, out| out.extend_from_slice(b"farewell"));
        ctx.quit();
    }
}

/// A bot meets a peer, who says a word; the bot says farewell and leaves as `close` says.
fn part(close: Close) -> (densebots_engine::Run, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = endpoint(listener.local_addr().expect("bound"));
    let run = begun(start(Leaver, Plan { close, ..plan(vec![there], 1) }));
    let (mut peer, _) = listener.accept().expect("the bot dials");
    peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
    peer.write_all(b"go").expect("the bot reads");
    let mut word = [0; 8];
    peer.read_exact(&mut word).expect("its last bytes come first");
    assert_eq!(&word, b"farewell");
    (run, peer)
}

#[test]
fn fin_ends_both_directions() {
    let (run, mut peer) = part(Close::Fin);
    assert_eq!(peer.read(&mut [0; 8]).expect("an end, no reset"), 0);
    let report = run.finish(); // the peer's own end is not waited for
    assert_eq!(report.bots.population.done, 1);
    let _ = peer.write(b"anybody?"); // answered by a reset
    assert_eq!(peer.write(b"anybody?").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn rst_resets() {
    let (run, mut peer) = part(Close::Rst);
    assert_eq!(peer.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(run.finish().bots.population.done, 1);
}

#[test]
fn wait_leaves_the_last_word_to_the_peer() {
    let (run, mut peer) = part(Close::Wait);
    assert_eq!(peer.read(&mut [0; 8]).expect("an end, no reset"), 0);
    peer.write_all(b"still here").expect("the bot's end is open");
    // Were the bot gone, this would be a reset.
    let snapshots = (0..5).filter_map(|_| run.snapshot(PATIENCE)).count();
    assert!(snapshots == 5 && !run.ended(), "the run waits for the peer");
    peer.write_all(b"and now").expect("the bot's end is open");
    drop(peer);
    assert_eq!(run.finish().bots.population.done, 1);
}

#[test]
fn a_forced_stop_resets_whatever_the_plan_says() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let there = endpoint(listener.local_addr().expect("bound"));
    let run = begun(start(Idle, plan(vec![there], 1)));
    let (mut peer, _) = listener.accept().expect("the bot dials");
    until_online(&run, 1);
    run.command(densebots_engine::Command::Stop).expect("runs");
    assert_eq!(peer.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    run.finish();
}

#[test]
fn bots_dial_and_listen_on_ipv6() {
    let any = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if TcpListener::bind(any).is_err() {
        println!("no IPv6 on this machine: nothing to see");
        return;
    }
    let (told, listening) = std::sync::mpsc::channel();
    let served = serve(Speaks::Echo, plan(vec![endpoint(any)], 1), move |at| {
        told.send(at).expect("the test listens");
    });
    let target = begun(served);
    let at = listening.recv_timeout(PATIENCE).expect("it listens");
    assert!(at.is_ipv6() && at.port() != 0);
    let run = begun(start(Idle, plan(vec![endpoint(at)], 20)));
    until_online(&run, 20);
    run.command(densebots_engine::Command::Drain).expect("runs");
    assert_eq!(run.finish().bots.population.done, 20);
    drop(target);
}

#[test]
fn a_port_without_listener_is_refused_and_given_up() {
    let deaf = nobody_listens();
    let (told, lives) = std::sync::mpsc::channel();
    let mut plan = plan(vec![endpoint(deaf)], 5);
    plan.reconnect.give_up = Some(0);
    let run = start_observed(Idle, plan, move |life| _ = told.send(life));
    let report = begun(run).finish();
    let causes: Vec<_> = report.total.losses.iter().map(|l| (l.lost.cause, l.count)).collect();
    assert_eq!(causes, [(Cause::Refused, 5)]);
    let failed = lives.iter().filter(|life| matches!(life, Life::Ended(..))).count();
    assert_eq!((failed, report.bots.population.failed), (5, 5));
    assert!(report.failures().contains(&"nobody got online".to_owned()));
}

/// Port 1 is given to nobody who did not ask for it.
fn nobody_listens() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}
