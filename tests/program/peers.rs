//! Targets that behave in one way each, on threads that end with the test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use socket2::SockRef;

/// Listens, and treats every connection like this, each on a thread of its own.
pub(crate) fn peer(behave: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    // Inherited by what is accepted: a peer that does not read is soon full.
    SockRef::from(&listener).set_recv_buffer_size(4096).expect("a small buffer");
    let address = listener.local_addr().expect("has an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || behave(stream));
        }
    });
    address
}

/// A port on which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("has an address")
}

pub(crate) fn echoes(mut stream: TcpStream) {
    let mut copy = stream.try_clone().expect("a copy");
    let _ = std::io::copy(&mut stream, &mut copy);
}

pub(crate) fn says_nothing(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

pub(crate) fn closes(stream: TcpStream) {
    drop(stream);
}

pub(crate) fn resets(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
    drop(stream);
}

pub(crate) fn never_reads(stream: TcpStream) {
    // Held as long as the test lives, and never looked at.
    std::mem::forget(stream);
}

pub(crate) fn garbage(mut stream: TcpStream) {
    let bytes: Vec<u8> = (0..=255_u8).filter(|byte| *byte != b'\n').collect();
    let _ = stream.write_all(&bytes);
    says_nothing(stream);
}

pub(crate) fn wrong_lines(mut stream: TcpStream) {
    let mut chunk = [0; 1024];
    while matches!(stream.read(&mut chunk), Ok(1..)) {
        if stream.write_all(b"what?\n").is_err() {
            return;
        }
    }
}

pub(crate) fn endless_line(mut stream: TcpStream) {
    while stream.write_all(&[b'a'; 4096]).is_ok() {}
}

pub(crate) fn one_gigabyte(mut stream: TcpStream) {
    let chunk = vec![b'a'; 1 << 20];
    if (0..1024).all(|_| stream.write_all(&chunk).is_ok()) {
        let _ = stream.write_all(b"\n");
    }
    says_nothing(stream);
}

/// An echo server that can go away, with all connections, and come back at the same address.
pub(crate) struct Mortal {
    pub(crate) address: SocketAddr,
    alive: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Mortal {
    pub(crate) fn born() -> Mortal {
        let mut mortal = Mortal {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            alive: Arc::default(),
            streams: Arc::default(),
            accepting: None,
        };
        mortal.comes_back();
        mortal
    }

    pub(crate) fn comes_back(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is free");
        self.address = listener.local_addr().expect("has an address");
        self.alive.store(true, Ordering::SeqCst);
        let (alive, streams) = (self.alive.clone(), self.streams.clone());
        self.accepting = Some(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if !alive.load(Ordering::SeqCst) {
                    return;
                }
                streams.lock().expect("whole").push(stream.try_clone().expect("a copy"));
                thread::spawn(move || echoes(stream));
            }
        }));
    }

    pub(crate) fn dies(&mut self) {
        self.alive.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // ends the wait
        self.accepting.take().expect("lives").join().expect("ends");
        for stream in self.streams.lock().expect("whole").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
