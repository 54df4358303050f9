//! The running protocol process in its parent's care: it gets the signals, and what it says is told to the service
//! manager.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use libsystemd::daemon::NotifyState;
use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::super::line::{Heard, Said, ToChild};
use super::scripts::ScriptRunner;
use super::{Supervisor, SupervisorError, forward, system, tell_manager, wait};
use crate::sys::clock;
use crate::sys::pidfd::PidFd;

/// For a protocol process that expects a successor to say that it stays; else it is stopped.
const CONSENT: Duration = Duration::from_secs(2);
/// For a protocol process that was told to abort.
const ABORT: Duration = Duration::from_secs(2);

/// A protocol process.
pub(super) struct Charge {
    child: Child,
    /// It runs its scripts.
    scripts: ScriptRunner,
    /// `None` once it has closed its end.
    line: Option<ToChild>,
    /// What came before it listened, and would have killed it.
    held: Option<BTreeSet<libc::c_int>>,
    /// The protocol runs.
    ready: bool,
    /// A status that came before.
    early: Option<String>,
    /// A stop until then is meant for a successor.
    expects: Option<Instant>,
    /// It was asked to stay without us, and has until then to say so.
    asked: Option<Instant>,
    stopping: bool,
}

/// How it ended, as far as the parent is concerned.
pub(super) enum End {
    Ended {
        status: ExitStatus,
        /// It was to.
        stopping: bool,
    },
    /// It stays on duty without us.
    Left,
}

impl Charge {
    pub(super) fn new(child: Child, line: ToChild, scripts: ScriptRunner) -> Self {
        Self {
            child,
            scripts,
            line: Some(line),
            held: Some(BTreeSet::new()),
            ready: false,
            early: None,
            expects: None,
            asked: None,
            stopping: false,
        }
    }

    /// Hand on signals until it ends, or needs us no more.
    pub(super) fn watch(mut self, supervisor: &Supervisor) -> Result<End, SupervisorError> {
        loop {
            let mut sources = vec![PollFd::new(supervisor.signals.as_fd(), PollFlags::POLLIN)];
            let line = self.line.as_ref().map(|line| line.as_fd());
            sources.extend(line.map(|line| PollFd::new(line, PollFlags::POLLIN)));
            let timeout = match self.asked.into_iter().chain(self.scripts.due()).min() {
                None => PollTimeout::NONE,
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now()).as_millis();
                    PollTimeout::from(u16::try_from(left + 1).unwrap_or(u16::MAX))
                }
            };
            wait(&mut sources, timeout)?;
            drop(sources);
            // Before the signals: that it expects a successor was said before the stop came.
            if self.hear() {
                return Ok(End::Left);
            }
            while let Some(signal) = supervisor.next_signal()? {
                self.signalled(signal, supervisor)?;
            }
            self.scripts.look_after();
            if self.asked.is_some_and(|until| until <= Instant::now()) {
                self.asked = None;
                tracing::error!("the VRRP process does not say that it stays for a successor: it is stopped");
                forward(libc::SIGTERM, &self.child);
            }
            let status = self.child.try_wait();
            if let Some(status) = status.map_err(system("waiting for the VRRP process"))? {
                let stopping = self.stopping;
                self.scripts.finish();
                return Ok(End::Ended { status, stopping });
            }
        }
    }

    /// What it has said; whether it needs us no more.
    fn hear(&mut self) -> bool {
        while let Some(line) = &self.line {
            match line.hear() {
                Heard::Nothing => return false,
                Heard::End => self.line = None,
                Heard::Said(Said::Leaves) => return true,
                Heard::Said(said) => self.heard(said),
            }
        }
        false
    }

    fn heard(&mut self, said: Said) {
        for signal in self.held.take().unwrap_or_default() {
            forward(signal, &self.child);
        }
        match said {
            Said::Listening | Said::Leaves => {}
            Said::Ready | Said::Reloaded => {
                self.ready = true;
                tell_manager(&[NotifyState::Ready]);
                if let Some(text) = self.early.take() {
                    tell_manager(&[NotifyState::Status(text)]);
                }
            }
            // By another thread than that which says Ready: now and then before it.
            Said::Beat if !self.ready => {}
            Said::Status(text) if !self.ready => self.early = Some(text),
            Said::Beat => tell_manager(&[NotifyState::Watchdog]),
            Said::Reloading => {
                let micros = clock::now().0 / 1_000;
                let since = NotifyState::Other(format!("MONOTONIC_USEC={micros}"));
                tell_manager(&[NotifyState::Reloading, since]);
            }
            Said::Status(text) => tell_manager(&[NotifyState::Status(text)]),
            Said::Expects(within) => self.expects = Some(Instant::now() + within),
        }
    }

    fn signalled(&mut self, signal: libc::c_int, supervisor: &Supervisor) -> Result<(), SupervisorError> {
        if signal == libc::SIGABRT {
            self.abort()?;
        }
        if supervisor.ends(signal) {
            let first = !std::mem::replace(&mut self.stopping, true);
            if first {
                tell_manager(&[NotifyState::Stopping]);
                tracing::info!("Stopping");
            }
            let expected = self.expects.take().is_some_and(|until| Instant::now() < until);
            let line = self.line.as_ref().filter(|_| first && expected);
            if signal == libc::SIGTERM && line.is_some_and(ToChild::ask_to_leave) {
                self.asked = Some(Instant::now() + CONSENT);
            } else {
                self.asked = None;
                forward(signal, &self.child);
            }
        } else if signal != libc::SIGCHLD && signal != libc::SIGINT {
            match &mut self.held {
                Some(held) => {
                    held.insert(signal);
                }
                None => forward(signal, &self.child),
            }
        }
        Ok(())
    }

    /// The service manager has missed the beat and starts the unit anew. Who hangs must not be left behind: what it
    /// holds is removed by the next one, which would not start beside it.
    fn abort(&mut self) -> Result<(), SupervisorError> {
        tracing::error!("told to abort: the VRRP process did not answer, most likely");
        forward(libc::SIGABRT, &self.child);
        let pid = i32::try_from(self.child.id()).unwrap_or(i32::MAX);
        let _ended = PidFd::open(pid).is_ok_and(|child| child.ends_within(ABORT));
        // To one that has ended this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::process::abort();
    }
}
