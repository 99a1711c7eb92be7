//! A network of one's own: ports and TIME_WAIT of earlier runs or other programs do not reach in.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Moves this thread, and all threads and processes it will start, into a fresh network namespace
/// with loopback up; says on standard output what came of it.
///
/// To be called in `main` before any thread is started: without privileges it needs a user
/// namespace too, which the kernel gives to processes of one thread only. Where neither is allowed
/// the bench goes on in the network that all share. Answers whether the namespace is its own.
pub fn in_own_namespace() -> bool {
    let outcome = unshare(UnshareFlags::NEWNET)
        .or_else(|_| unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET))
        .and_then(|()| loopback_up());
    match &outcome {
        Ok(()) => println!("network: a namespace of its own"),
        Err(error) => println!("network: shared with the machine ({error})"),
    }
    outcome.is_ok()
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the callers pass no CLONE_FILES, so that no descriptor changes its meaning.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

fn loopback_up() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    // SAFETY: `ifreq` is a name and a union of plain numbers, for which zeros are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed() as libc::c_char;
    }
    interface(&socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: the call above has filled this member of the union.
    unsafe { request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short };
    interface(&socket, libc::SIOCSIFFLAGS, &mut request)
}

fn interface(on: &OwnedFd, request: libc::Ioctl, about: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: both requests used here take an `ifreq` and nothing more.
    match unsafe { libc::ioctl(on.as_raw_fd(), request, &raw mut *about) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
