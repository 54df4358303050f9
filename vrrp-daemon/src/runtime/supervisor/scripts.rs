//! The script runner of a protocol process in the parent's care. The parent keeps the runner's end of the sockets: a
//! runner that dies is followed by another one behind the same sockets, and the protocol process is told.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{SELF, STABLE, pause_after};
use crate::sys::pidfd::PidFd;
use crate::sys::scripts;

/// The hidden option that makes a script runner, with its number behind it.
const RUNNER: &str = "--script-runner";
/// For a runner to end when the protocol process has.
const PATIENCE: Duration = Duration::from_secs(2);

/// Script runners, one after the other.
pub(super) struct ScriptRunner {
    program: PathBuf,
    end: OwnedFd,
    number: u64,
    child: Option<Child>,
    started: Instant,
    /// Runners that died in a row.
    deaths: u32,
    /// When there is to be another.
    due: Option<Instant>,
}

impl ScriptRunner {
    /// Start the first one, and the end for the protocol process.
    pub(super) fn start(program: Option<&PathBuf>) -> io::Result<(Self, OwnedFd)> {
        let (theirs, end) = scripts::pair()?;
        let mut runner = Self {
            program: program.cloned().unwrap_or_else(|| PathBuf::from(SELF)),
            end,
            number: 0,
            child: None,
            started: Instant::now(),
            deaths: 0,
            due: None,
        };
        runner.spawn();
        Ok((runner, theirs))
    }

    fn spawn(&mut self) {
        self.due = None;
        self.started = Instant::now();
        let child = self.end.try_clone().and_then(|end| {
            let mut command = Command::new(&self.program);
            command
                .arg0("vrrp-daemon")
                .args([RUNNER, &self.number.to_string()])
                .stdin(Stdio::from(end))
                .stdout(Stdio::null());
            // Not tied to us: it ends with the protocol process, whose last notifications it runs.
            command.spawn()
        });
        match child {
            Ok(child) => {
                tracing::info!("Starting script runner, pid={}", child.id());
                self.child = Some(child);
            }
            Err(error) => {
                tracing::error!("starting the script runner: {error}; scripts wait for it");
                self.follow();
            }
        }
    }

    /// See whether it still runs, and start another one when that is due.
    pub(super) fn look_after(&mut self) {
        if let Some(child) = &mut self.child
            // What cannot be waited for has gone.
            && let Some(ended) = child.try_wait().map_err(|error| error.to_string()).transpose()
        {
            let pid = child.id();
            self.child = None;
            match ended {
                // It has seen the end of the protocol process, which we are about to see.
                Ok(status) if status.success() => {}
                Ok(status) => self.died(pid, &status.to_string()),
                Err(error) => self.died(pid, &error),
            }
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.spawn();
        }
    }

    fn died(&mut self, pid: u32, how: &str) {
        tracing::error!("script runner({pid}) died ({how}): what it ran is lost, another one is started");
        self.follow();
    }

    fn follow(&mut self) {
        self.deaths = if self.started.elapsed() >= STABLE {
            1
        } else {
            self.deaths + 1
        };
        self.number += 1;
        if !scripts::replaced(&self.end, self.number) {
            tracing::warn!("the VRRP process does not hear that the script runner died");
        }
        self.due = Some(Instant::now() + pause_after(self.deaths));
    }

    /// When it is to be looked after at the latest, if nobody ends.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The protocol process has ended: so does its runner.
    pub(super) fn finish(self) {
        let Some(mut child) = self.child else { return };
        drop(self.end);
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        if !PidFd::open(pid).is_ok_and(|runner| runner.ends_within(PATIENCE)) {
            tracing::warn!("script runner({pid}) does not end: killed");
            // To one that has ended this does nothing.
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}
