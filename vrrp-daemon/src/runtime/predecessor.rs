//! The protocol process that this one follows (a hitless restart): it stays on duty until this one says that it has
//! taken over. Whatever goes wrong before that word, it is the predecessor that decides, and gives up; this one then
//! starts as ever, but only when the other has gone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::pidfile::PidFileError;
use crate::ingress::control::message::{Answer, HANDOVER, Handed, Outcome, Request, VERSION, Verb};
use crate::proto::{Estate, RouterId, Unfit};
use crate::sys::peer::Peer;
use crate::sys::pidfd::PidFd;

/// For it to answer; it takes its program off the interfaces before.
const PATIENCE: Duration = Duration::from_secs(6);
/// For it to give up when it is told to.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// For the kernel to end it.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// Longest answer that makes sense, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// It, and where it answers.
#[derive(Debug)]
pub(super) struct Predecessor {
    pid: i32,
    process: PidFd,
    socket: PathBuf,
}

/// Nothing can be taken over.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    #[error("it does not answer on {}: {error}", path.display())]
    Unreachable { path: PathBuf, error: io::Error },
    #[error("process {0} answers on the control socket")]
    Stranger(i32),
    #[error("its answer was not understood: {0}")]
    Garbled(#[from] serde_json::Error),
    #[error("it says: {0}")]
    Refused(String),
    #[error("it answered something else")]
    OffTopic,
    #[error("what it hands over has format {0}, and {HANDOVER} is known here")]
    Format(u32),
    #[error("what it hands over does not fit together: {0}")]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    #[error("starting the netlink writer: {0}")]
    Writer(io::Error),
    #[error("the kernel took too long to say which addresses are there")]
    Addresses,
    #[error("it waits no longer")]
    Late,
}

/// What it hands over.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) estate: Estate,
    pub(super) version: String,
    pub(super) word: Word,
}

/// The connection on which it waits for the word that it has been taken over.
#[derive(Debug)]
pub(super) struct Word(UnixStream);

impl Predecessor {
    /// The process that has left this number in its pid file, which it holds.
    ///
    /// # Errors
    /// It has gone.
    pub(super) fn new(pid: i32, socket: PathBuf) -> io::Result<Self> {
        Ok(Self {
            pid,
            process: PidFd::open(pid)?,
            socket,
        })
    }

    pub(super) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether it has gone.
    pub(super) fn has_gone(&self) -> bool {
        self.process.has_ended()
    }

    /// Have it hand over. From its answer on it decides nothing, and sends its adverts only until it hears from
    /// [`Word::given`], for a few seconds.
    pub(super) fn ask(&self) -> Result<Offer, TakeError> {
        let unreachable = |error| TakeError::Unreachable {
            path: self.socket.clone(),
            error,
        };
        let mut stream = UnixStream::connect(&self.socket).map_err(unreachable)?;
        let peer = Peer::of(&stream).map_err(unreachable)?;
        if peer.pid != self.pid {
            return Err(TakeError::Stranger(peer.pid));
        }
        stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(unreachable)?;
        say(&mut stream, Verb::Take { format: HANDOVER }).map_err(unreachable)?;
        let mut line = Vec::new();
        let mut read = BufReader::new(&stream).take(LONGEST);
        read.read_until(b'\n', &mut line).map_err(unreachable)?;
        let Handed {
            format,
            version,
            estate,
        } = match serde_json::from_slice::<Answer>(&line)?.outcome {
            Outcome::Handed(handed) => *handed,
            Outcome::Error(why) | Outcome::Denied(why) => return Err(TakeError::Refused(why)),
            _ => return Err(TakeError::OffTopic),
        };
        if format != HANDOVER {
            return Err(TakeError::Format(format));
        }
        estate.check()?;
        Ok(Offer {
            estate,
            version,
            word: Word(stream),
        })
    }

    /// End it, by force if it does not give up by itself: two on one host would undo what the other does.
    pub(super) fn end(&self) {
        self.process.signal(Signal::SIGTERM);
        if !self.process.ends_within(STOP_PATIENCE) {
            tracing::error!(
                "the VRRP process {} of an earlier run does not give up: killed",
                self.pid
            );
            self.process.signal(Signal::SIGKILL);
            let _ = self.process.ends_within(KILL_PATIENCE);
        }
    }
}

impl AsFd for Predecessor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

impl Word {
    /// Say that it has been taken over, but for these; whether the predecessor can still hear it. If so, it has
    /// nothing to decide any more.
    pub(super) fn given(mut self, without: Vec<RouterId>) -> bool {
        say(&mut self.0, Verb::Taken { without }).is_ok()
    }
}

/// One line, in one piece.
fn say(stream: &mut UnixStream, verb: Verb) -> io::Result<()> {
    let mut request = serde_json::to_vec(&Request { v: VERSION, verb })?;
    request.push(b'\n');
    stream.write_all(&request)
}
