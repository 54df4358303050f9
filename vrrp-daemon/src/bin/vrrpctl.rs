//! `vrrpctl`: asks a running daemon, and reads what one recorded.
//!
//! Exit codes: 0 answered, 1 the daemon cannot be reached or the recording not read, 2 wrong usage.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use vrrp_daemon::cli::CONTROL_SOCKET;
use vrrp_daemon::ingress::control::status::{ReloadResult, Status};
use vrrp_daemon::ingress::control::{Answer, Outcome, Request, VERSION, Verb};
use vrrp_daemon::obs::replay;
use vrrp_daemon::obs::status::{outcome, render};
use vrrp_daemon::proto::record::RecordingError;

/// How long the daemon may take; it answers within a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long reading the configuration again may take.
const RELOAD_PATIENCE: Duration = Duration::from_secs(35);

/// Ask a running vrrp-daemon.
#[derive(Debug, Parser)]
#[command(name = "vrrpctl", version)]
struct Args {
    #[command(subcommand)]
    command: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Show virtual routers, sync groups and tracked scripts
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// With the times between adverts, by sender (JSON has them always)
        #[arg(long, short)]
        verbose: bool,
        /// The daemon's control socket
        #[arg(long, value_name = "PATH", default_value = CONTROL_SOCKET)]
        socket: PathBuf,
    },
    /// Have the configuration read again, and say what came of it
    Reload {
        /// The daemon's control socket
        #[arg(long, value_name = "PATH", default_value = CONTROL_SOCKET)]
        socket: PathBuf,
    },
    /// Play a recording (vrrp-daemon --record FILE) again, in words
    Replay {
        /// The recording
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    // clap ends with 2 on wrong usage.
    let shown = match Args::parse().command {
        Ask::Status {
            json,
            verbose,
            socket,
        } => status(&socket).map(|status| {
            if json {
                as_json(&status)
            } else {
                render(&status, verbose)
            }
        }),
        Ask::Reload { socket } => reload(&socket),
        Ask::Replay { file } => recording(&file),
    };
    match shown {
        Ok(text) => match io::stdout().lock().write_all(text.as_bytes()) {
            // A reader such as `head` may have enough.
            Ok(()) | Err(_) => ExitCode::SUCCESS,
        },
        Err(error) => {
            eprintln!("vrrpctl: {error}");
            ExitCode::from(1)
        }
    }
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("no daemon answers on {}: {source}; {}", path.display(), remedy(source))]
    Unreachable { path: PathBuf, source: io::Error },
    #[error("the daemon did not answer: {0}; look into its log")]
    NoAnswer(io::Error),
    #[error("the answer was not understood: {0}; are vrrpctl and the daemon of one version?")]
    Garbled(#[from] serde_json::Error),
    #[error("the daemon answered something else; are vrrpctl and the daemon of one version?")]
    OffTopic,
    #[error("{0}")]
    Refused(String),
    #[error("cannot read {}: {source}; it is written by `vrrp-daemon --record FILE`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "run it as root",
        _ => "start vrrp-daemon, or name its socket with --socket",
    }
}

fn recording(path: &Path) -> Result<String, AskError> {
    let text = std::fs::read_to_string(path).map_err(|source| AskError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(replay::render(&text)?)
}

fn status(socket: &Path) -> Result<Status, AskError> {
    match ask(socket, Verb::Status, PATIENCE)? {
        Outcome::Status(status) => Ok(*status),
        Outcome::Error(error) => Err(AskError::Refused(error)),
        Outcome::Reload(_) => Err(AskError::OffTopic),
    }
}

fn reload(socket: &Path) -> Result<String, AskError> {
    match ask(socket, Verb::Reload, RELOAD_PATIENCE)? {
        Outcome::Reload(reload) => match reload.result {
            ReloadResult::Applied { .. } | ReloadResult::Unchanged => {
                Ok(format!("{}\n", outcome(reload.result)))
            }
            ReloadResult::Refused => Err(AskError::Refused(outcome(reload.result).to_owned())),
        },
        Outcome::Error(error) => Err(AskError::Refused(error)),
        Outcome::Status(_) => Err(AskError::OffTopic),
    }
}

fn ask(socket: &Path, verb: Verb, patience: Duration) -> Result<Outcome, AskError> {
    let stream = UnixStream::connect(socket).map_err(|source| AskError::Unreachable {
        path: socket.to_owned(),
        source,
    })?;
    let line = exchange(stream, verb, patience).map_err(AskError::NoAnswer)?;
    Ok(serde_json::from_str::<Answer>(&line)?.outcome)
}

fn exchange(mut stream: UnixStream, verb: Verb, patience: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = serde_json::to_vec(&Request {
        v: VERSION,
        cmd: verb,
    })?;
    request.push(b'\n');
    stream.write_all(&request)?;
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

fn as_json(status: &Status) -> String {
    // Every key is a string, so this cannot fail.
    let mut text = serde_json::to_string_pretty(status).unwrap_or_default();
    text.push('\n');
    text
}
