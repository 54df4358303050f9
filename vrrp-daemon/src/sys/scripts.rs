//! Users' scripts are run by a process of their own, the script runner: the protocol process has given away the
//! privileges that they are promised. It asks by messages over a pair of sockets and never waits for the runner.
//!
//! Who dies when:
//!
//! * The runner ends when the protocol process has closed its end, however that came about; scripts that live
//!   [`WithUs`](Lifetime::WithUs) are killed then.
//! * When the runner dies, the parent, which holds the runner's end too, says so ([`replaced`]) and starts another one
//!   behind the same sockets. A run that was under way then is [`Failure::Lost`]. Requests carry the number of the runner
//!   that they are meant for, so that none is carried out after it was given up.

#![allow(
    unsafe_code,
    reason = "a descriptor with its owner in the runtime's epoll set"
)]

mod client;
mod message;
mod runner;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub use self::client::{Connection, Failure, Running, Scripts, connect};
use self::message::{Answer, LONGEST};
pub use self::runner::serve_on_stdin;
use super::process::{Identity, Lifetime};

/// A program to be run, as whom, and for how long at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// `None`: the daemon's own.
    pub identity: Option<Identity>,
    /// Whether it may outlive the protocol process.
    pub lifetime: Lifetime,
}

/// The protocol process's end and the runner's. They keep messages apart, and tell of each other's end.
///
/// # Errors
/// As `socketpair(2)`.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// Say at the runner's end that from here on another one answers, by its number; they are counted from 0. Whether it was
/// taken; never waits.
pub fn replaced(end: &OwnedFd, number: u64) -> bool {
    Answer::Runner(number)
        .write()
        .is_ok_and(|message| transmit(end, &message).is_ok())
}

/// In a process that was started with its end on standard input (the runner) or standard output (the protocol process):
/// its own now, closed when it starts another program.
///
/// # Errors
/// No descriptor is left.
pub fn taken(stream: impl AsFd) -> io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

/// The other end is closed.
struct Closed;

/// Must be called inside a runtime.
fn watched(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` owns its descriptor and gives always the same one; it is closed only when the `AsyncFd` drops
    // it.
    unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
}

/// The next message; cancel safe.
async fn receive(socket: &AsyncFd<OwnedFd>) -> Result<Vec<u8>, Closed> {
    let mut message = vec![0; LONGEST + 1];
    let received = socket
        .async_io(Interest::READABLE, |socket| {
            Ok(recv(socket.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT)?)
        })
        .await;
    match received {
        Ok(0) | Err(_) => Err(Closed),
        Ok(length) => {
            message.truncate(length);
            Ok(message)
        }
    }
}

/// Send one when there is room; cancel safe. The error is the system's.
async fn say(socket: &AsyncFd<OwnedFd>, message: &[u8]) -> io::Result<()> {
    socket
        .async_io(Interest::WRITABLE, |socket| Ok(transmit(socket, message)?))
        .await
}

fn transmit(socket: &OwnedFd, message: &[u8]) -> Result<(), Errno> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    send(socket.as_raw_fd(), message, flags).map(drop)
}
