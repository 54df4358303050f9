//! One conversation with the daemon, and what can be wrong with it: one line with the remedy, and an exit code.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use vrrp_daemon::ingress::control::message::{Answer, Outcome, Request, VERSION, Verb};
use vrrp_daemon::proto::record::RecordingError;

/// How long the daemon may take; it answers within a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long reading the configuration may take.
const RELOAD_PATIENCE: Duration = Duration::from_secs(35);
/// Longest answer that makes sense, in bytes.
const LINE: u64 = 256 * 1024 * 1024;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no daemon answers on {}: {source}; start vrrp-daemon, or name its socket with --socket", path.display())]
    Unreachable { path: PathBuf, source: io::Error },
    #[error(
        "not permitted to use {}: run it as root, or join the group of that file (vrrp_control_group in global_defs)",
        .0.display()
    )]
    Forbidden(PathBuf),
    #[error("not permitted: {0}")]
    Denied(String),
    #[error("the daemon closed the connection: it has too many clients, or it stops; ask again")]
    Closed,
    #[error(
        "the daemon is gone without a word: it was killed, or this reader is too slow; look into its log"
    )]
    Lost,
    #[error("the daemon did not answer in time: it is stopped or overloaded; look into its log")]
    Silent,
    #[error("the daemon did not answer: {0}; look into its log")]
    NoAnswer(io::Error),
    #[error(
        "the daemon speaks version {theirs} and this vrrpctl version {VERSION}: use the one that came with it"
    )]
    Version { theirs: u32 },
    #[error("the answer was not understood: {0}; are vrrpctl and the daemon of one version?")]
    Garbled(#[from] serde_json::Error),
    #[error("the daemon answered something else; are vrrpctl and the daemon of one version?")]
    OffTopic,
    #[error("{0}")]
    Refused(String),
    #[error("the service manager does not say what it does: {0}; the stop that follows is a clean one")]
    Manager(String),
    #[error("there is no instance `{0}`: `vrrpctl status` lists them")]
    Unknown(String),
    #[error("cannot read {}: {source}; it is written by `vrrp-daemon --record FILE`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

impl AskError {
    /// As `vrrpctl --help` lists them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_)
            | Self::Manager(_)
            | Self::Unknown(_)
            | Self::Unreadable { .. }
            | Self::Recording(_) => 1,
            Self::Unreachable { .. } | Self::Closed | Self::Lost | Self::Silent | Self::NoAnswer(_) => 3,
            Self::Forbidden(_) | Self::Denied(_) => 4,
            Self::Version { .. } | Self::Garbled(_) | Self::OffTopic => 5,
        })
    }
}

/// What every version of an answer begins with.
#[derive(Deserialize)]
struct Spoken {
    v: u32,
}

/// A connection to the daemon.
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    pub(crate) fn open(socket: &Path) -> Result<Self, AskError> {
        let stream = UnixStream::connect(socket).map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => AskError::Forbidden(socket.to_owned()),
            _ => AskError::Unreachable {
                path: socket.to_owned(),
                source,
            },
        })?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Ask, and have the first answer.
    pub(crate) fn ask(&mut self, verb: Verb) -> Result<Outcome, AskError> {
        let patience = match verb {
            Verb::Reload | Verb::ConfigDiff { .. } | Verb::ConfigShow => RELOAD_PATIENCE,
            _ => PATIENCE,
        };
        self.send(verb, patience).map_err(AskError::NoAnswer)?;
        self.next()?.ok_or(AskError::Closed)
    }

    /// From now on wait for as long as it takes.
    pub(crate) fn follow(&mut self) -> Result<(), AskError> {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(None).map_err(AskError::NoAnswer)
    }

    /// The next answer; `None` once the daemon has gone.
    pub(crate) fn next(&mut self) -> Result<Option<Outcome>, AskError> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LINE).read_until(b'\n', &mut line);
        match read {
            // Half a line is what somebody has sent who ended in the middle, or would not wait any longer.
            Ok(_) if !line.ends_with(b"\n") => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(AskError::Silent),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(AskError::NoAnswer(error)),
        }
        let Spoken { v } = serde_json::from_slice(&line)?;
        if v != VERSION {
            return Err(AskError::Version { theirs: v });
        }
        match serde_json::from_slice::<Answer>(&line)?.outcome {
            Outcome::Denied(why) => Err(AskError::Denied(why)),
            Outcome::Error(why) => Err(AskError::Refused(why)),
            outcome => Ok(Some(outcome)),
        }
    }

    fn send(&mut self, verb: Verb, patience: Duration) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut request = serde_json::to_vec(&Request { v: VERSION, verb })?;
        request.push(b'\n');
        match stream.write_all(&request) {
            // It was turned away, perhaps with a word.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}
