//! The simulated network against its own promises.

mod echo;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::net::{Dial, Net, READY_MAX, Ready, Tuning, Wake};

/// One connection through a world, both ends in hand.
struct Link {
    world: SimWorld,
    ours: SimNet,
    theirs: SimNet,
    near: SimConn,
    far: SimConn,
    at: SocketAddr,
}

const NEAR: Token = Token(1);
const FAR: Token = Token(2);
const LISTENER: Token = Token(3);

fn dial(to: SocketAddr) -> Dial {
    Dial { to, from: None, tuning: Tuning::default() }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// An event that does not say whether a connection is up.
fn event(token: Token, readable: bool, writable: bool, ended: bool) -> Ready {
    Ready { token, readable, writable, ended, established: false }
}

fn events(net: &mut SimNet) -> Vec<Ready> {
    let mut ready = Vec::new();
    net.poll(None, &mut ready).expect("a simulated poll cannot fail");
    ready
}

fn settle(world: &SimWorld) {
    world.advance_to(world.now() + Duration::from_secs(1));
}

fn kind<T: std::fmt::Debug>(result: std::io::Result<T>) -> ErrorKind {
    result.expect_err("an error").kind()
}

impl Link {
    fn new(faults: Faults) -> Link {
        let world = SimWorld::new(5, faults);
        let (mut ours, mut theirs) = (world.net("ours"), world.net("theirs"));
        let (mut listener, at) = theirs.listen(local(0), LISTENER).expect("a free port");
        let mut near = ours.connect(&dial(at), NEAR).expect("descriptors");
        settle(&world);
        assert!(ours.connected(&mut near).expect("somebody listens"));
        let mut far = theirs.accept(&mut listener).expect("descriptors").expect("one waits");
        theirs.adopt(&mut far, &Tuning::default(), FAR).expect("a new connection");
        events(&mut ours);
        events(&mut theirs);
        theirs.unlisten(listener);
        Link { world, ours, theirs, near, far, at }
    }

    fn why(&self, net: usize, token: Token) -> Option<Cause> {
        self.world.blame_of(net, token).map(|blame| blame.cause)
    }

    fn end(self) {
        let Link { world, mut ours, mut theirs, near, far, .. } = self;
        ours.close(near, false);
        theirs.close(far, false);
        assert_eq!((ours.open(), theirs.open()), (0, 0));
        settle(&world);
        assert_eq!(lock(&world.shared).pairs.len(), 0);
    }
}

#[test]
fn the_end_that_came_with_bytes_has_no_event_of_its_own() {
    let mut link = Link::new(Faults::none());
    assert_eq!(link.ours.write(&mut link.near, b"abc").expect("room"), 3);
    link.ours.finish(&mut link.near).expect("connected");
    let mut into = [0; 9];
    assert_eq!(kind(link.theirs.read(&mut link.far, &mut into)), ErrorKind::WouldBlock);
    settle(&link.world);
    let last = event(FAR, true, false, true);
    assert_eq!(events(&mut link.theirs), [last]);
    assert_eq!(events(&mut link.theirs), [], "an edge is told once");
    assert_eq!(link.theirs.read(&mut link.far, &mut into).expect("bytes"), 3);
    assert_eq!(&into[..3], b"abc");
    assert_eq!(events(&mut link.theirs), [], "whoever stops at a short read misses the end");
    assert_eq!(link.theirs.read(&mut link.far, &mut into).expect("the end"), 0);
    assert_eq!(link.why(1, FAR), Some(Cause::FinishedByPeer));

    // The other direction lives on.
    assert_eq!(kind(link.ours.write(&mut link.near, b"x")), ErrorKind::BrokenPipe);
    assert_eq!(link.theirs.write(&mut link.far, b"late").expect("half open"), 4);
    settle(&link.world);
    assert_eq!(link.ours.read(&mut link.near, &mut into).expect("bytes"), 4);
    assert_eq!(link.why(0, NEAR), None);
    link.end();
}

#[test]
fn a_reset_drops_what_was_not_read_and_is_told_once() {
    let mut link = Link::new(Faults::none());
    link.ours.write(&mut link.near, b"never read").expect("room");
    settle(&link.world);
    let (world, mut theirs, mut far) = (link.world.clone(), link.theirs, link.far);
    link.ours.close(link.near, true);
    settle(&world);
    assert_eq!(events(&mut theirs), [event(FAR, true, true, true)]);
    assert_eq!(kind(theirs.read(&mut far, &mut [0; 9])), ErrorKind::ConnectionReset);
    assert_eq!(theirs.read(&mut far, &mut [0; 9]).expect("nothing more"), 0);
    assert_eq!(kind(theirs.write(&mut far, b"x")), ErrorKind::BrokenPipe);
    assert_eq!(kind(theirs.finish(&mut far)), ErrorKind::NotConnected);
    let causes: Vec<_> = world.blames().iter().map(|blame| (blame.net, blame.cause)).collect();
    assert_eq!(causes, [(0, Cause::ClosedHere), (1, Cause::ResetByPeer)]);
    theirs.close(far, false);
    assert_eq!(world.open(1), 0);
}

#[test]
fn a_write_to_one_who_closed_is_answered_with_a_reset() {
    let mut link = Link::new(Faults::none());
    link.ours.write(&mut link.near, b"last words").expect("room");
    let (world, mut theirs, mut far) = (link.world.clone(), link.theirs, link.far);
    link.ours.close(link.near, false);
    settle(&world);
    let mut into = [0; 99];
    assert_eq!(world.blame_of(1, FAR).expect("blame").cause, Cause::ClosedByPeer);
    assert_eq!(theirs.read(&mut far, &mut into).expect("what was said before the end"), 10);
    assert_eq!(theirs.read(&mut far, &mut into).expect("the end"), 0);
    assert_eq!(theirs.write(&mut far, b"hello?").expect("the first still goes out"), 6);
    settle(&world);
    assert_eq!(kind(theirs.write(&mut far, b"hello?")), ErrorKind::ConnectionReset);
    assert_eq!(kind(theirs.write(&mut far, b"hello?")), ErrorKind::BrokenPipe);
    assert_eq!(world.blame_of(1, FAR).expect("blame").cause, Cause::ResetByPeer);
    theirs.close(far, false);
}

#[test]
fn a_close_with_bytes_unread_is_a_reset() {
    let mut link = Link::new(Faults::none());
    link.ours.write(&mut link.near, b"unread").expect("room");
    settle(&link.world);
    let (world, mut ours, mut near) = (link.world.clone(), link.ours, link.near);
    link.theirs.close(link.far, false);
    settle(&world);
    assert_eq!(kind(ours.read(&mut near, &mut [0; 9])), ErrorKind::ConnectionReset);
    assert_eq!(world.blame_of(0, NEAR).expect("blame").cause, Cause::ResetByPeer);
    ours.close(near, false);
}

#[test]
fn a_slow_reader_fills_both_buffers_and_room_is_told() {
    let buffers = Faults { send_buffer: 10..=10, receive_buffer: 7..=7, ..Faults::none() };
    let mut link = Link::new(buffers);
    let mut total = 0;
    loop {
        match link.ours.write(&mut link.near, &[b'x'; 8]) {
            Ok(count) => total += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert_eq!(total, 17);
    settle(&link.world);
    assert_eq!(events(&mut link.ours), [], "no room, no event");
    assert_eq!(link.theirs.read(&mut link.far, &mut [0; 3]).expect("bytes"), 3);
    settle(&link.world);
    let writable = event(NEAR, false, true, false);
    assert_eq!(events(&mut link.ours), [Ready { established: true, ..writable }]);
    assert_eq!(link.ours.write(&mut link.near, &[b'x'; 8]).expect("room for three"), 3);
    link.end();
}

#[test]
fn nobody_listens_so_the_connect_is_refused_after_a_round_trip() {
    let world = SimWorld::new(1, Faults::none());
    let mut net = world.net("alone");
    let mut conn = net.connect(&dial(local(9)), NEAR).expect("descriptors");
    assert_eq!(kind(net.read(&mut conn, &mut [0])), ErrorKind::WouldBlock);
    world.advance_to(Time::from_nanos(199_999));
    assert!(!net.connected(&mut conn).expect("still connecting"));
    assert_eq!(world.next_moment(), Some(Time::from_nanos(200_000)));
    world.advance_to(Time::from_nanos(200_000));
    assert_eq!(events(&mut net), [event(NEAR, true, true, false)]);
    assert_eq!(kind(net.connected(&mut conn)), ErrorKind::ConnectionRefused);
    assert_eq!(world.blame_of(0, NEAR).expect("blame").cause, Cause::NobodyListens);
    net.close(conn, false);
    assert_eq!((net.open(), world.blames().len()), (0, 1));
}

#[test]
fn a_full_backlog_lets_the_connect_knock_again() {
    let world = SimWorld::new(1, Faults { backlog: 2..=2, ..Faults::none() });
    let mut net = world.net("both");
    let (mut listener, at) = net.listen(local(0), LISTENER).expect("a free port");
    assert_eq!(kind(net.listen(at, LISTENER)), ErrorKind::AddrInUse);
    let mut conns: Vec<SimConn> =
        (0..4).map(|token| net.connect(&dial(at), Token(token)).expect("descriptors")).collect();
    world.advance_to(Time::from_nanos(500_000_000));
    let states: Vec<bool> =
        conns.iter_mut().map(|conn| net.connected(conn).expect("no failure yet")).collect();
    assert_eq!(states, [true, true, false, false]);

    let first = net.accept(&mut listener).expect("descriptors").expect("one waits");
    settle(&world);
    assert!(net.connected(&mut conns[2]).expect("there was room at the second try"));
    world.advance_to(Time::from_nanos(70_000_000_000));
    assert_eq!(kind(net.connected(&mut conns[3])), ErrorKind::TimedOut);
    assert_eq!(world.blame_of(0, Token(3)).expect("blame").cause, Cause::BacklogFull);

    net.unlisten(listener);
    settle(&world);
    assert_eq!(kind(net.read(&mut conns[1], &mut [0])), ErrorKind::ConnectionReset);
    assert_eq!(world.blame_of(0, Token(1)).expect("blame").cause, Cause::ListenerClosed);
    for conn in conns.into_iter().chain([first]) {
        net.close(conn, true);
    }
    assert_eq!(net.open(), 0);
}

#[test]
fn what_would_block_by_a_fault_is_made_good_by_an_event() {
    let mut link = Link::new(Faults { would_block: 0.5, ..Faults::none() });
    let (mut hidden, mut into) = ([0, 0], [0; 4]);
    for _ in 0..200 {
        while let Err(error) = link.ours.write(&mut link.near, b"ping") {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            hidden[0] += 1;
            link.world.advance_to(link.world.now() + Duration::from_millis(2));
            assert!(events(&mut link.ours).iter().any(|event| event.writable));
        }
        settle(&link.world);
        assert!(events(&mut link.theirs).iter().any(|event| event.readable));
        while let Err(error) = link.theirs.read(&mut link.far, &mut into) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            hidden[1] += 1;
            link.world.advance_to(link.world.now() + Duration::from_millis(2));
            assert!(events(&mut link.theirs).iter().any(|event| event.readable));
        }
    }
    assert!(hidden.iter().all(|&count| count > 100), "{hidden:?}");
    link.end();
}

#[test]
fn faults_that_break_are_blamed() {
    for (faults, cause) in [
        (Faults { refused: 1.0, ..Faults::none() }, Cause::Refused),
        (Faults { silent: 1.0, ..Faults::none() }, Cause::Silent),
        (Faults { no_descriptors: 1.0, ..Faults::none() }, Cause::NoDescriptors),
        (Faults { reset: 1.0, ..Faults::none() }, Cause::Reset),
    ] {
        let world = SimWorld::new(9, Faults::none());
        let mut net = world.net("both");
        let (listener, at) = net.listen(local(0), LISTENER).expect("a free port");
        lock(&world.shared).weather = faults;
        let conn = net.connect(&dial(at), NEAR);
        world.advance_to(Time::from_nanos(20_000_000_000));
        let blame = world.blame_of(0, NEAR).expect("blame");
        assert_eq!(blame.cause, cause);
        assert!(blame.cause.is_fault());
        match (conn, cause) {
            (Err(error), Cause::NoDescriptors) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            }
            (Ok(mut conn), Cause::Silent) => assert!(!net.connected(&mut conn).expect("never")),
            (Ok(mut conn), Cause::Refused) => {
                assert_eq!(kind(net.connected(&mut conn)), ErrorKind::ConnectionRefused);
            }
            (Ok(mut conn), _) => {
                assert_eq!(kind(net.read(&mut conn, &mut [0])), ErrorKind::ConnectionReset);
            }
            (Err(error), _) => panic!("{error}"),
        }
        net.unlisten(listener);
    }
}

#[test]
fn healing_ends_stalls_resets_and_want_of_descriptors() {
    let hour = Duration::from_secs(3600);
    let faults = Faults {
        stall: 1.0,
        stall_for: hour..=hour,
        reset: 1.0,
        reset_after: hour..=hour,
        ..Faults::none()
    };
    let mut link = Link::new(faults);
    link.ours.write(&mut link.near, b"first ").expect("room");
    link.ours.write(&mut link.near, b"second").expect("room");
    settle(&link.world);
    assert_eq!(kind(link.theirs.read(&mut link.far, &mut [0; 9])), ErrorKind::WouldBlock);
    link.world.heal(link.world.now() + Duration::from_secs(1));
    settle(&link.world);
    settle(&link.world);
    let mut into = [0; 99];
    assert_eq!(link.theirs.read(&mut link.far, &mut into).expect("it arrived"), 12);
    assert_eq!(&into[..12], b"first second");
    link.ours.write(&mut link.near, b"third").expect("room");
    settle(&link.world);
    assert_eq!(link.theirs.read(&mut link.far, &mut into).expect("no stall behind"), 5);
    link.world.advance_to(link.world.now() + hour + hour);
    assert_eq!(link.world.blames(), []);
    link.end();
}

#[test]
fn only_a_garbled_server_says_other_bytes_than_it_wrote() {
    let faults = Faults { repeated: 1.0, reordered: 1.0, ..Faults::none() };
    for garbled in [false, true] {
        let mut link = Link::new(faults.clone());
        lock(&link.world.shared).pairs.values_mut().for_each(|pair| pair.garbled = garbled);
        link.theirs.write(&mut link.far, b"abcd").expect("room");
        link.ours.write(&mut link.near, b"abcd").expect("room");
        settle(&link.world);
        let mut into = [0; 99];
        let count = link.ours.read(&mut link.near, &mut into).expect("bytes");
        let expected: &[u8] = if garbled { b"cdabcdab" } else { b"abcd" };
        assert_eq!(&into[..count], expected);
        let count = link.theirs.read(&mut link.far, &mut into).expect("bytes");
        assert_eq!(&into[..count], b"abcd");
        link.end();
    }
}

#[test]
fn the_next_moment_knows_waits_wakes_and_deliveries() {
    let world = SimWorld::new(1, Faults::none());
    let (mut one, mut other) = (world.net("one"), world.net("other"));
    let mut ready = Vec::new();
    assert_eq!(world.next_moment(), None);
    let second = Time::from_nanos(1_000_000_000);
    one.poll(Some(second), &mut ready).expect("a poll");
    other.poll(Some(second + Duration::from_secs(1)), &mut ready).expect("a poll");
    assert_eq!(world.next_moment(), Some(second));
    other.waker().wake();
    assert_eq!(world.next_moment(), Some(Time::ZERO));
    assert!(world.is_due(other.number()) && !world.is_due(one.number()));
    other.poll(None, &mut ready).expect("a poll");
    assert!(world.is_due(other.number()), "it acts on the wake, then says what it waits for");
    other.poll(None, &mut ready).expect("a poll");
    assert_eq!(world.next_moment(), Some(second));
    world.advance_to(second);
    assert!(world.is_due(one.number()) && ready.len() < READY_MAX);
    one.poll(Some(Time::NEVER), &mut ready).expect("a poll");
    assert_eq!(world.next_moment(), None);
}

#[test]
fn handles_of_another_world_give_errors_not_panics() {
    let mut link = Link::new(Faults::none());
    let mut stranger = SimWorld::new(1, Faults::none()).net("stranger");
    assert_eq!(kind(stranger.read(&mut link.near, &mut [0])), ErrorKind::NotConnected);
    assert_eq!(kind(stranger.write(&mut link.near, &[0])), ErrorKind::NotConnected);
    assert_eq!(kind(stranger.finish(&mut link.near)), ErrorKind::NotConnected);
    assert_eq!(kind(stranger.connected(&mut link.near)), ErrorKind::NotConnected);
    assert!(link.at.port() >= 20_000);
    link.end();
}
