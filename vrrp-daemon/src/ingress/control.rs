//! The control socket: JSON lines over a UNIX stream socket, answered from the protocol thread's own state.
//!
//! Request `{"v":1,"cmd":"status"}`, answer one line: `{"v":1,"status":{…}}` or `{"v":1,"error":"…"}`. All
//! reading, waiting and writing happens on the service runtime. A client that sends garbage, half a line, a
//! line without end, or never reads is dropped, and nobody else notices.

pub mod status;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::status::{Reload, Status};
use crate::sys::directory;

/// The version of the exchange.
pub const VERSION: u32 = 1;
/// Clients served at a time; one more is turned away.
const CLIENTS: usize = 32;
/// Longest request, in bytes.
const LINE: u64 = 64 * 1024;
/// For a request to arrive once the client is connected or was answered.
const READ_PATIENCE: Duration = Duration::from_secs(10);
/// For the client to take its answer.
const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// For the protocol thread to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// For the configuration to be read and taken over.
const RELOAD_PATIENCE: Duration = Duration::from_secs(30);

/// What a client wants of the protocol thread.
#[derive(Debug)]
pub enum ControlRequest {
    /// A snapshot.
    Status {
        /// Where it goes; a client that left is no error.
        reply: oneshot::Sender<Status>,
    },
    /// Read the configuration again.
    Reload {
        /// Where the outcome goes.
        reply: oneshot::Sender<Reload>,
    },
}

/// A request line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`]
    pub v: u32,
    /// What is wanted.
    pub cmd: Verb,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A snapshot.
    Status,
    /// Read the configuration again; the answer comes when that is done.
    Reload,
}

/// An answer line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`]
    pub v: u32,
    /// The snapshot or what was wrong.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Success or failure of a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// To [`Verb::Status`].
    Status(Box<Status>),
    /// To [`Verb::Reload`].
    Reload(Reload),
    /// It was not understood, or could not be answered in time.
    Error(String),
}

/// The socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon answers there.
    #[error(
        "another daemon answers on {}: stop it, or give this one its own path with --control-socket",
        .0.display()
    )]
    Taken(PathBuf),
    /// Something that is not a socket is in the way.
    #[error("{} exists and is not a socket: remove it, or choose another path with --control-socket", .0.display())]
    InTheWay(PathBuf),
    /// The system refused.
    #[error("control socket {}: {source}; choose a path that can be written with --control-socket", path.display())]
    System {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The bound socket; its file goes with it, if it is still ours.
#[derive(Debug)]
pub struct Control {
    listener: std::os::unix::net::UnixListener,
    file: SocketFile,
}

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Control {
    /// Bind `path` with mode 0660. A socket file that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// [`BindError`]
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let system = |source| BindError::System {
            path: path.to_owned(),
            source,
        };
        if let Some(dir) = path.parent() {
            directory::make(dir).map_err(system)?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(BindError::InTheWay(path.to_owned())),
            Ok(_) if BlockingStream::connect(path).is_ok() => return Err(BindError::Taken(path.to_owned())),
            Ok(_) => fs::remove_file(path).map_err(system)?,
            Err(_) => {}
        }
        let listener = std::os::unix::net::UnixListener::bind(path).map_err(system)?;
        let file = SocketFile {
            path: path.to_owned(),
            identity: identity(path),
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(system)?;
        listener.set_nonblocking(true).map_err(system)?;
        Ok(Self { listener, file })
    }

    /// Serve clients; never ends by itself. Call it inside the service runtime.
    ///
    /// # Errors
    /// When the runtime refuses the socket.
    pub async fn serve(self, requests: mpsc::Sender<ControlRequest>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let _file = self.file;
        let seats = Semaphore::new(CLIENTS);
        let seats = std::sync::Arc::new(seats);
        let mut clients = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = clients.join_next() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely; without the pause this would spin.
                    tracing::debug!("control socket: {error}");
                    tokio::time::sleep(WRITE_PATIENCE).await;
                    continue;
                }
            };
            // With all seats taken the connection is closed at once.
            if let Ok(seat) = std::sync::Arc::clone(&seats).try_acquire_owned() {
                let requests = requests.clone();
                clients.spawn(async move {
                    let _seat = seat;
                    client(stream, &requests).await;
                });
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && self.identity == identity(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode, to tell our file from one put there later.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Answer one client, line by line, until it leaves or misbehaves.
async fn client(stream: UnixStream, requests: &mpsc::Sender<ControlRequest>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut read).take(LINE);
        match timeout(READ_PATIENCE, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(_)) if line.ends_with(b"\n") => {}
            _ => return,
        }
        let (outcome, go_on) = match serde_json::from_slice::<Request>(&line) {
            Ok(request) if request.v == VERSION => (answer(request.cmd, requests).await, true),
            Ok(request) => (
                Outcome::Error(format!("version {} is not spoken here, but {VERSION}", request.v)),
                true,
            ),
            Err(error) => (Outcome::Error(format!("not a request: {error}")), false),
        };
        let Ok(mut text) = serde_json::to_vec(&Answer { v: VERSION, outcome }) else {
            return;
        };
        text.push(b'\n');
        match timeout(WRITE_PATIENCE, write.write_all(&text)).await {
            Ok(Ok(())) if go_on => {}
            _ => return,
        }
    }
}

/// Have the protocol thread answer.
async fn answer(verb: Verb, requests: &mpsc::Sender<ControlRequest>) -> Outcome {
    match verb {
        Verb::Status => {
            let ask = |reply| ControlRequest::Status { reply };
            let status = ask_for(ask, requests, ANSWER_PATIENCE).await;
            status.map_or_else(Outcome::Error, |status| Outcome::Status(Box::new(status)))
        }
        Verb::Reload => {
            let ask = |reply| ControlRequest::Reload { reply };
            let reload = ask_for(ask, requests, RELOAD_PATIENCE).await;
            reload.map_or_else(Outcome::Error, Outcome::Reload)
        }
    }
}

async fn ask_for<T>(
    ask: impl FnOnce(oneshot::Sender<T>) -> ControlRequest,
    requests: &mpsc::Sender<ControlRequest>,
    patience: Duration,
) -> Result<T, String> {
    let (reply, replied) = oneshot::channel();
    if requests.try_send(ask(reply)).is_err() {
        return Err("the daemon is busy or stopping: ask again".to_owned());
    }
    match timeout(patience, replied).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err("the daemon did not answer in time: ask again".to_owned()),
    }
}
