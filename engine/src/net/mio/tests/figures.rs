//! How late the timer is and how many connects a second two nets make: figures for people.

use super::*;

const SOURCES: u8 = 16;
const AT_ONCE: usize = 256;
const BATCH: usize = 8_000;

/// Accepts until the dialling side is gone, then drops everything.
fn accept_all(mut net: MioNet, mut listener: Listener, stop: &mpsc::Receiver<()>) {
    let (mut held, mut ready) = (Vec::with_capacity(BATCH), Vec::new());
    while stop.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
        net.poll(None, &mut ready).unwrap();
        while let Some(mut conn) = net.accept(&mut listener).unwrap() {
            net.adopt(&mut conn, &Tuning::default(), ACCEPTED).unwrap();
            held.push(conn);
        }
    }
}

/// Connects a batch with a bounded number of attempts in flight.
fn connect_all(net: &mut MioNet, to: SocketAddr) -> Vec<Conn> {
    let (mut dialled, mut online) = (Vec::with_capacity(BATCH), 0);
    let mut ready = Vec::new();
    let mut done = vec![false; BATCH];
    while online < BATCH {
        while dialled.len() < BATCH && dialled.len() - online < AT_ONCE {
            let from = Some(IpAddr::from([127, 0, 1, dialled.len() as u8 % SOURCES + 1]));
            let token = Token(dialled.len() as u64);
            dialled.push(net.connect(&Dial { from, ..dial(to) }, token).unwrap());
        }
        net.poll(None, &mut ready).unwrap();
        for event in &ready {
            let which = event.token.0 as usize;
            if !done[which] && net.connected(&mut dialled[which]).unwrap() {
                done[which] = true;
                online += 1;
            }
        }
    }
    dialled
}

#[test]
#[ignore = "prints figures; run with --release --ignored --nocapture"]
fn connects_a_second() {
    for _ in 0..4 {
        let (mut net, mut there) = (net(), net());
        let (listener, at) = there.listen(local(0), LISTENER).unwrap();
        let (waker, (stop, stopped)) = (there.waker(), mpsc::channel());
        let acceptor = thread::spawn(move || accept_all(there, listener, &stopped));
        let (start, cpu) = (net.now(), sys::thread_cpu());
        let conns = connect_all(&mut net, at);
        let (wall, cpu) = (net.now().since(start), sys::thread_cpu() - cpu);
        println!(
            "{:.0} connects a second from {SOURCES} addresses, {:.1} us of CPU each here",
            BATCH as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / BATCH as f64
        );
        for conn in conns {
            net.close(conn, true);
        }
        drop(stop);
        waker.wake();
        acceptor.join().unwrap();
    }
}

#[test]
#[ignore = "prints figures; run with --release --ignored --nocapture"]
fn lateness_of_the_timer() {
    let mut net = net();
    let mut ready = Vec::new();
    let mut late: Vec<u128> = (0..2_000)
        .map(|_| {
            let until = net.now() + Duration::from_micros(700);
            net.poll(Some(until), &mut ready).unwrap().since(until).as_nanos()
        })
        .collect();
    late.sort_unstable();
    println!("late by {} ns (p50), {} ns (p99)", late[1_000], late[1_980]);
}
