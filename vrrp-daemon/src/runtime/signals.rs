//! The signals of the protocol process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::sys::process;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Give up and end.
    Stop,
    /// Read the configuration again.
    Reload,
    /// Write this to a file.
    Dump(Dump),
}

/// What keepalived writes to files on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// SIGUSR1: the configuration and the state.
    Data,
    /// SIGUSR2: the counters.
    Stats,
    /// SIGRTMAX - 1: the counters, which begin at zero again.
    StatsAndClear,
    /// SIGRTMIN + 2: state and counters as JSON.
    Json,
    /// SIGRTMAX: what the threads wait for.
    Threads,
}

/// SIGTERM, SIGINT unless it is not for us, and those that keepalived's tools send: unheard they would kill.
#[derive(Debug)]
pub struct Signals {
    /// They stay blocked in every thread and are read from here.
    fd: SignalFd,
    ignore_sigint: bool,
}

impl Signals {
    /// Listen from now on, also to what came since [`process::hold_requests`] and [`process::hold_stops`].
    ///
    /// # Errors
    /// As `signalfd(2)`.
    pub fn new(ignore_sigint: bool) -> io::Result<Self> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&process::heard(), flags)?;
        Ok(Self { fd, ignore_sigint })
    }

    /// The next thing asked for; never waits.
    pub fn next(&self) -> Option<Wanted> {
        // An error: nothing is there.
        while let Some(signal) = self.fd.read_signal().ok().flatten() {
            let wanted = wanted(signal.ssi_signo.cast_signed(), self.ignore_sigint);
            if wanted.is_some() {
                return wanted;
            }
        }
        None
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What a signal asks for, by its number.
fn wanted(number: libc::c_int, ignore_sigint: bool) -> Option<Wanted> {
    let [json, clear, threads] = process::realtime_signals();
    let dump = |dump| Some(Wanted::Dump(dump));
    match number {
        libc::SIGTERM => Some(Wanted::Stop),
        libc::SIGINT => (!ignore_sigint).then_some(Wanted::Stop),
        libc::SIGHUP => Some(Wanted::Reload),
        libc::SIGUSR1 => dump(Dump::Data),
        libc::SIGUSR2 => dump(Dump::Stats),
        _ if number == clear => dump(Dump::StatsAndClear),
        _ if number == json => dump(Dump::Json),
        _ if number == threads => dump(Dump::Threads),
        _ => None,
    }
}
