//! Real sockets on loopback. Nothing sleeps: every wait is a poll with a generous end.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::thread;

use super::*;

mod figures;

const LISTENER: Token = Token(1);
const DIALLED: Token = Token(1 << 32 | 2);
const ACCEPTED: Token = Token(u64::MAX - 2);

/// Long enough for any machine that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "the tests run in real time")]
fn net() -> MioNet {
    MioNet::new(Instant::now()).unwrap()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn dial(to: SocketAddr) -> Dial {
    Dial { to, from: None, tuning: Tuning::default() }
}

/// Polls until `attempt` gives something; what makes it succeed has to cause an event.
fn until_some<T>(net: &mut MioNet, mut attempt: impl FnMut(&mut MioNet) -> Option<T>) -> T {
    let end = net.now() + PATIENCE;
    let mut ready = Vec::new();
    loop {
        if let Some(answer) = attempt(net) {
            return answer;
        }
        let now = net.poll(Some(end), &mut ready).unwrap();
        assert!(now < end, "nothing happened for too long");
    }
}

/// Waits for a connection; the answer is how the attempt ended.
fn connected(net: &mut MioNet, conn: &mut Conn) -> io::Result<()> {
    until_some(net, |net| match net.connected(conn) {
        Ok(true) => Some(Ok(())),
        Ok(false) => None,
        Err(error) => Some(Err(error)),
    })
}

fn accepted(net: &mut MioNet, listener: &mut Listener) -> Conn {
    let mut conn = until_some(net, |net| net.accept(listener).unwrap());
    net.adopt(&mut conn, &Tuning::default(), ACCEPTED).unwrap();
    conn
}

/// Reads to the end of the first bytes that come.
fn heard(net: &mut MioNet, conn: &mut Conn) -> io::Result<Vec<u8>> {
    let mut into = [0; 64];
    until_some(net, |net| match net.read(conn, &mut into) {
        Ok(length) => Some(Ok(into[..length].to_vec())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(Err(error)),
    })
}

/// A listener and both ends of one connection to it, all on one net.
fn pair(net: &mut MioNet, at: SocketAddr, from: Option<IpAddr>) -> (Listener, Conn, Conn) {
    let (mut listener, at) = net.listen(at, LISTENER).unwrap();
    let mut dialled = net.connect(&Dial { from, ..dial(at) }, DIALLED).unwrap();
    connected(net, &mut dialled).unwrap();
    let accepted = accepted(net, &mut listener);
    (listener, dialled, accepted)
}

fn peer(conn: &Conn) -> SocketAddr {
    SocketAddr::try_from(rustix::net::getpeername(&conn.0).unwrap().unwrap()).unwrap()
}

#[test]
fn bytes_go_both_ways_over_both_families() {
    for at in [local(0), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        let mut net = net();
        let (listener, mut dialled, mut accepted) = pair(&mut net, at, None);
        assert_eq!(net.write(&mut dialled, b"ping").unwrap(), 4);
        assert_eq!(heard(&mut net, &mut accepted).unwrap(), b"ping");
        assert_eq!(net.write(&mut accepted, b"pong").unwrap(), 4);
        assert_eq!(heard(&mut net, &mut dialled).unwrap(), b"pong");

        net.finish(&mut dialled).unwrap();
        assert_eq!(heard(&mut net, &mut accepted).unwrap(), b"");
        assert_eq!(net.write(&mut accepted, b"last").unwrap(), 4);
        assert_eq!(heard(&mut net, &mut dialled).unwrap(), b"last");
        net.close(accepted, false);
        assert_eq!(heard(&mut net, &mut dialled).unwrap(), b"");
        net.close(dialled, false);
        net.unlisten(listener);
    }
}

#[test]
fn events_carry_their_tokens_and_directions() {
    let mut net = net();
    let (_listener, dialled, mut accepted) = pair(&mut net, local(0), None);
    let mut ready = Vec::new();
    loop {
        net.poll(Some(Time::ZERO), &mut ready).unwrap();
        if ready.is_empty() {
            break;
        }
    }

    net.write(&mut accepted, b"x").unwrap();
    let end = net.now() + PATIENCE;
    net.poll(Some(end), &mut ready).unwrap();
    let [event] = ready[..] else { panic!("one event expected: {ready:?}") };
    assert!(event.token == DIALLED && event.readable, "{event:?}");

    net.poll(Some(Time::ZERO), &mut ready).unwrap();
    assert_eq!(ready, [], "edges come once, read or not");

    net.close(dialled, true);
    net.poll(Some(end), &mut ready).unwrap();
    let both =
        Ready { token: ACCEPTED, readable: true, writable: true, ended: true, established: false };
    assert_eq!(ready, [both], "an end concerns both directions, and what is closed is silent");
}

#[test]
fn a_refused_connect_is_an_error_of_connected() {
    let mut net = net();
    // Bound and not listening: nobody else can get this port in the meantime.
    let deaf = stream_socket(local(0)).unwrap();
    deaf.bind(&local(0).into()).unwrap();
    let at = deaf.local_addr().unwrap().as_socket().unwrap();
    let mut dialled = net.connect(&dial(at), DIALLED).unwrap();
    let (end, mut ready) = (net.now() + PATIENCE, Vec::new());
    net.poll(Some(end), &mut ready).unwrap();
    let [event] = ready[..] else { panic!("one event expected: {ready:?}") };
    assert!(event.writable && event.ended && !event.established, "{event:?}");
    let error = connected(&mut net, &mut dialled).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    net.close(dialled, false);
}

#[test]
fn the_event_of_a_connect_that_succeeded_says_so() {
    let mut net = net();
    let (listener, at) = net.listen(local(0), LISTENER).unwrap();
    let dialled = net.connect(&dial(at), DIALLED).unwrap();
    let (end, mut ready) = (net.now() + PATIENCE, Vec::new());
    while !ready.iter().any(|event: &Ready| event.token == DIALLED) {
        assert!(net.poll(Some(end), &mut ready).unwrap() < end, "nothing happened for too long");
    }
    assert!(ready.iter().all(|event| event.established == (event.token == DIALLED)), "{ready:?}");
    net.close(dialled, true);
    net.unlisten(listener);
}

#[test]
fn a_source_of_the_other_family_is_an_error() {
    let mut net = net();
    let from = Some(IpAddr::from(Ipv6Addr::LOCALHOST));
    assert!(net.connect(&Dial { from, ..dial(local(9)) }, DIALLED).is_err());
}

#[test]
fn the_peer_sees_the_source_address() {
    let mut net = net();
    let source = Some(IpAddr::from([127, 0, 0, 9]));
    let (_listener, dialled, accepted) = pair(&mut net, local(0), source);
    assert_eq!(Some(peer(&accepted).ip()), source);
    assert_ne!(peer(&accepted).port(), 0);
    net.close(dialled, true);
    net.close(accepted, true);
}

#[test]
fn tuning_reaches_the_sockets() {
    let mut net = net();
    let tuning = Tuning { nodelay: true, receive_buffer: Some(8192), send_buffer: Some(16384) };
    let (mut listener, at) = net.listen(local(0), LISTENER).unwrap();
    let mut dialled = net.connect(&Dial { tuning: tuning.clone(), ..dial(at) }, DIALLED).unwrap();
    connected(&mut net, &mut dialled).unwrap();
    let mut accepted = until_some(&mut net, |net| net.accept(&mut listener).unwrap());
    net.adopt(&mut accepted, &tuning, ACCEPTED).unwrap();
    for conn in [dialled, accepted] {
        let socket = SockRef::from(&conn.0);
        assert!(socket.tcp_nodelay().unwrap());
        // The system doubles what is asked for, to pay for its own bookkeeping.
        assert_eq!(socket.recv_buffer_size().unwrap(), 2 * 8192);
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * 16384);
        assert!(socket.nonblocking().unwrap());
        let flags = rustix::io::fcntl_getfd(&conn.0).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

#[test]
fn a_reset_is_seen_as_one() {
    let mut net = net();
    let (_listener, dialled, mut accepted) = pair(&mut net, local(0), None);
    net.close(dialled, true);
    let error = heard(&mut net, &mut accepted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = net.write(&mut accepted, b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "an error and not a signal");
}

#[test]
fn a_wait_is_never_short() {
    let mut net = net();
    let mut ready = Vec::new();
    for wait in [0, 1, 1_000, 50_000, 5_000_000] {
        let until = net.now() + Duration::from_nanos(wait);
        assert!(net.poll(Some(until), &mut ready).unwrap() >= until);
        assert_eq!(ready, []);
    }
}

#[test]
fn an_expiry_that_nobody_saw_does_not_end_a_later_wait() {
    for look in [false, true] {
        let mut net = net();
        let mut ready = Vec::new();
        let early = net.now() + Duration::from_millis(2);
        net.waker().wake();
        net.poll(Some(early), &mut ready).unwrap(); // ended by the waker, the timer still runs
        // The timer is never early and a little late: leave it the time to go off.
        while net.now() <= early + Duration::from_millis(2) {}
        if look {
            let end = net.now() + PATIENCE;
            while net.armed.is_some() {
                assert!(net.poll(Some(Time::ZERO), &mut ready).unwrap() < end);
            }
        }
        let late = net.now() + Duration::from_millis(5);
        assert!(net.poll(Some(late), &mut ready).unwrap() >= late);
    }
}

#[test]
fn a_wait_for_an_earlier_moment_sets_the_timer_back() {
    let mut net = net();
    let mut ready = Vec::new();
    let far = net.now() + PATIENCE;
    for until in [Time::NEVER, far] {
        net.waker().wake();
        assert!(net.poll(Some(until), &mut ready).unwrap() < far);
        assert_eq!(net.armed, Some(until));
    }
    let near = net.now() + Duration::from_millis(1);
    let now = net.poll(Some(near), &mut ready).unwrap();
    assert!(near <= now && now < far);
}

#[test]
fn a_waker_ends_the_wait_every_time() {
    let mut net = net();
    let waker = net.waker();
    let end = net.now() + PATIENCE;
    let (ask, asked) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            while asked.recv().is_ok() {
                waker.wake();
            }
        });
        let mut ready = Vec::new();
        for _ in 0..100 {
            ask.send(()).unwrap();
            assert!(net.poll(Some(end), &mut ready).unwrap() < end);
            assert_eq!(ready, []);
        }
        drop(ask);
    });
}

#[test]
fn two_wakes_before_the_look_are_one() {
    let mut net = net();
    let mut ready = Vec::new();
    net.waker().wake();
    net.waker().wake();
    let end = net.now() + PATIENCE;
    assert!(net.poll(Some(end), &mut ready).unwrap() < end);
    let later = net.now() + Duration::from_millis(1);
    assert!(net.poll(Some(later), &mut ready).unwrap() >= later);
}

#[test]
#[should_panic(expected = "taken by the net itself")]
fn the_nets_own_tokens_are_refused() {
    let _ = net().listen(local(0), Token(u64::MAX));
}

#[test]
fn a_net_moves_to_a_thread_with_its_own_table() {
    let mut net = net();
    let (mut listener, at) = net.listen(local(0), LISTENER).unwrap();
    let mut old = net.connect(&dial(at), DIALLED).unwrap();
    connected(&mut net, &mut old).unwrap();
    let mut old_peer = accepted(&mut net, &mut listener);

    let mut there = self::net();
    let (copy, home) = (there.poll_descriptor(), net.waker());
    let wake_there = there.waker();
    let (say, said) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let shard = thread::spawn(move || {
        let keep = [&[0, 1, 2, home.descriptor()], &there.descriptors()[..]].concat();
        sys::split_descriptor_table(&keep).unwrap();
        there.settle().unwrap();
        assert_eq!(there.descriptors().len(), 3);

        let (mut door, door_at) = there.listen(local(0), LISTENER).unwrap();
        say.send(door_at).unwrap();
        let mut caller = accepted(&mut there, &mut door);
        assert_eq!(heard(&mut there, &mut caller).unwrap(), b"in");

        let mut dialled = there.connect(&dial(at), DIALLED).unwrap();
        connected(&mut there, &mut dialled).unwrap();
        there.write(&mut dialled, b"out").unwrap();
        assert_eq!(heard(&mut there, &mut dialled).unwrap(), b"", "closed by the other table");

        home.wake();
        let gone = Err(mpsc::TryRecvError::Disconnected);
        until_some(&mut there, |_| (released.try_recv() == gone).then_some(()));
        there.close(caller, false);
    });

    let mut caller = net.connect(&dial(said.recv().unwrap()), DIALLED).unwrap();
    sys::release_copy(copy); // the other side has split: it said where it listens
    connected(&mut net, &mut caller).unwrap();
    net.write(&mut caller, b"in").unwrap();
    let mut visitor = accepted(&mut net, &mut listener);
    assert_eq!(heard(&mut net, &mut visitor).unwrap(), b"out");
    net.close(visitor, false);

    // Told by the other table: its wake ends a wait here.
    let end = net.now() + PATIENCE;
    assert!(net.poll(Some(end), &mut Vec::new()).unwrap() < end);

    // Open before the split, closed after it, while the other table is alive.
    net.close(old, false);
    assert_eq!(heard(&mut net, &mut old_peer).unwrap(), b"");

    assert!(!shard.is_finished());
    drop(release);
    wake_there.wake();
    assert_eq!(heard(&mut net, &mut caller).unwrap(), b"", "closed by the other thread");
    shard.join().unwrap();
}
