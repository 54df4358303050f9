//! What protocol process and script runner say to each other: JSON, one message each.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::sys::process::{Identity, Lifetime};

/// Longest message, in bytes. An argument of a program may be twice as long (execve(2)); a line of the configuration
/// cannot.
pub(super) const LONGEST: usize = 64 * 1024;

/// To the runner.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Request {
    /// Start this.
    Run {
        /// For the runner of this number; another passes it over.
        runner: u64,
        /// Whose end is told; never given twice.
        id: u64,
        argv: Vec<String>,
        identity: Option<Identity>,
        lifetime: Lifetime,
    },
    /// Send its process group a signal.
    Signal { id: u64, signal: Ending },
}

/// A signal that ends a process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ending {
    /// SIGTERM; when the leader has ended, SIGKILL for what it leaves.
    Term,
    /// SIGKILL.
    Kill,
}

impl Ending {
    pub(super) const fn signal(self) -> Signal {
        match self {
            Self::Term => Signal::SIGTERM,
            Self::Kill => Signal::SIGKILL,
        }
    }
}

/// From the runner, or from the parent in its place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Answer {
    /// From here on the runner of this number answers.
    Runner(u64),
    /// This has ended.
    Ended { id: u64, outcome: Outcome },
}

/// What became of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The status of wait(2).
    Status(i32),
    /// What the system said.
    NotStarted(String),
}

impl Outcome {
    pub(super) fn of(status: ExitStatus) -> Self {
        Self::Status(status.into_raw())
    }
}

impl Request {
    /// # Errors
    /// It is too long.
    pub(super) fn write(&self) -> io::Result<Vec<u8>> {
        write(self)
    }

    /// `None` for what is no request.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(bounded(message)?).ok()
    }
}

impl Answer {
    /// # Errors
    /// It is too long.
    pub(super) fn write(&self) -> io::Result<Vec<u8>> {
        write(self)
    }

    /// `None` for what is no answer.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(bounded(message)?).ok()
    }
}

fn write(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message)?;
    match bounded(&bytes) {
        Some(_) => Ok(bytes),
        None => Err(io::Error::from(io::ErrorKind::ArgumentListTooLong)),
    }
}

fn bounded(message: &[u8]) -> Option<&[u8]> {
    (message.len() <= LONGEST).then_some(message)
}
