//! The signals of the protocol process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Give up and end.
    Stop,
    /// Read the configuration again.
    Reload,
    /// Write data or statistics to a file.
    Dump,
}

/// SIGTERM, SIGINT unless it is not for us, and those that keepalived's tools send: unheard they would kill.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    ignore_sigint: bool,
}

impl Signals {
    /// Listen from now on.
    ///
    /// # Errors
    /// The runtime cannot.
    pub fn new(ignore_sigint: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            ignore_sigint,
        })
    }

    /// The next thing asked for. Cancel safe.
    pub async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv(), if !self.ignore_sigint => Wanted::Stop,
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.user1.recv() => Wanted::Dump,
            _ = self.user2.recv() => Wanted::Dump,
        }
    }
}
