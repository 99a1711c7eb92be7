//! A wire between bots and their server that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes bytes on, both ways, for as long as the test lives.
pub(crate) struct Relay {
    at: SocketAddr,
    wires: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// To a server.
    pub(crate) fn to(server: SocketAddr) -> Relay {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let at = listener.local_addr().expect("it listens");
        let wires = Arc::new(Mutex::new(Vec::new()));
        let all = wires.clone();
        thread::spawn(move || {
            for bot in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                all.lock().unwrap_or_else(PoisonError::into_inner).extend(twin(&bot));
                let (Some(back), Some(forth)) = (twin(&bot), twin(&server)) else { continue };
                thread::spawn(move || pass(bot, forth));
                thread::spawn(move || pass(server, back));
            }
        });
        Relay { at, wires }
    }

    /// Where bots connect to.
    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Cuts every connection, both sides; those that come later are passed on.
    pub(crate) fn cut(&self) -> usize {
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        let open = wires.drain(..).filter(|wire| wire.shutdown(Shutdown::Both).is_ok());
        open.count()
    }
}

fn twin(wire: &TcpStream) -> Option<TcpStream> {
    wire.set_nodelay(true).ok()?;
    wire.try_clone().ok()
}

/// What one side says, until it ends, the other hears.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut bytes) {
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // The end of one side ends both, as it does when a wire is cut.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
