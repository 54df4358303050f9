//! The signals of the protocol process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sys::process::{self, release_signals};

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
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    data: Signal,
    stats: Signal,
    clear: Signal,
    json: Signal,
    threads: Signal,
    ignore_sigint: bool,
}

impl Signals {
    /// Listen from now on, also to what came while [`process::hold_signals`] held them.
    ///
    /// # Errors
    /// The runtime cannot.
    pub fn new(ignore_sigint: bool) -> io::Result<Self> {
        let [json, clear, threads] = process::realtime_signals().map(SignalKind::from_raw);
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            data: signal(SignalKind::user_defined1())?,
            stats: signal(SignalKind::user_defined2())?,
            clear: signal(clear)?,
            json: signal(json)?,
            threads: signal(threads)?,
            ignore_sigint,
        };
        release_signals();
        Ok(signals)
    }

    /// The next thing asked for. Cancel safe.
    pub async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv(), if !self.ignore_sigint => Wanted::Stop,
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.data.recv() => Wanted::Dump(Dump::Data),
            _ = self.stats.recv() => Wanted::Dump(Dump::Stats),
            _ = self.clear.recv() => Wanted::Dump(Dump::StatsAndClear),
            _ = self.json.recv() => Wanted::Dump(Dump::Json),
            _ = self.threads.recv() => Wanted::Dump(Dump::Threads),
        }
    }
}
