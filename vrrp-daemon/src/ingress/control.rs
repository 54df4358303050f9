//! The control socket: JSON lines over a UNIX stream socket, answered from the protocol thread's own state.
//!
//! All reading, waiting and writing happens on the service runtime. A client that sends garbage, half a line, a line
//! without end, or never reads is dropped, and nobody else notices. [`message`] says what goes over it, [`access`] who
//! may.

pub mod access;
mod client;
pub mod events;
pub mod message;
pub mod status;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::access::Access;
use self::client::{Client, WRITE_PATIENCE};
use self::events::Events;
use self::message::{Changes, Done, Ending, Expecting, LogLevel, Reloaded, Shown, Target};
use self::status::Status;
use crate::proto::{Estate, RouterId};
use crate::sys::directory;

/// Clients served at a time; one more is turned away.
const CLIENTS: usize = 32;
/// Of these, those that follow events, so that they cannot take all seats for good.
const FOLLOWERS: usize = 16;
/// After the system refused to accept a client: out of descriptors, most likely, and without a pause this would spin.
const BREATH: Duration = Duration::from_secs(1);

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
        reply: oneshot::Sender<Reloaded>,
    },
    /// How many are in which state. Only a protocol thread that runs answers it.
    Tally {
        /// Where it goes.
        reply: oneshot::Sender<Tally>,
    },
    /// The stop that follows is meant for a successor.
    Expect {
        /// For how long that may take to come.
        lease: Duration,
        /// Whether it is expected now, or why it is not.
        reply: oneshot::Sender<Result<Expecting, String>>,
    },
    /// The successor is here, and takes over.
    Take {
        /// What it takes over, or why there is nothing.
        reply: oneshot::Sender<Result<Estate, String>>,
        /// It has: without these virtual routers. Dropped: it has not.
        settled: oneshot::Receiver<Vec<RouterId>>,
    },
    /// Do something to virtual routers.
    Act {
        /// What.
        action: Action,
        /// To whom.
        target: Target,
        /// To whom it was done, or why it was not.
        reply: oneshot::Sender<Result<Done, String>>,
    },
}

/// How many virtual routers are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Master.
    pub master: u16,
    /// Backup.
    pub backup: u16,
    /// Fault.
    pub fault: u16,
    /// Init.
    pub init: u16,
}

/// What can be done to virtual routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Announce the addresses again.
    Garp,
    /// Give up, and stay Backup.
    Standby {
        /// For so long; `None`: until told otherwise.
        length: Option<Duration>,
    },
    /// Take part again.
    Resume,
}

/// What a client wants of whoever reads the configuration.
#[derive(Debug)]
pub enum ConfigRequest {
    /// The one that runs.
    Show {
        /// Where it goes.
        reply: oneshot::Sender<Shown>,
    },
    /// What a reload would change.
    Diff {
        /// Another file than the daemon's own.
        file: Option<PathBuf>,
        /// Where it goes.
        reply: oneshot::Sender<Changes>,
    },
}

/// Who answers.
#[derive(Clone, Debug)]
pub struct Desks {
    /// The protocol thread.
    pub protocol: mpsc::Sender<ControlRequest>,
    /// Whoever reads the configuration.
    pub config: mpsc::Sender<ConfigRequest>,
    /// What those who follow are told.
    pub events: Events,
    /// Log more or less.
    pub log_level: fn(LogLevel),
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
    access: Arc<Access>,
}

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Control {
    /// Bind `path` with mode 0660, for `group` (a group number). A socket file that nobody listens on any more is
    /// replaced.
    ///
    /// # Errors
    /// [`BindError`]
    pub fn bind(path: &Path, group: Option<u32>) -> Result<Self, BindError> {
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
        Self::open(path, group).map_err(system)
    }

    /// As [`bind`](Self::bind), in the place of a predecessor that may still answer there: whoever connects finds one of
    /// the two.
    ///
    /// # Errors
    /// [`BindError::System`]
    pub fn succeed(path: &Path, group: Option<u32>) -> Result<Self, BindError> {
        let system = |source| BindError::System {
            path: path.to_owned(),
            source,
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(error)),
            _ => {}
        }
        if let Some(dir) = path.parent() {
            directory::make(dir).map_err(system)?;
        }
        let mut control = Self::open(&beside, group).map_err(system)?;
        fs::rename(&beside, path).map_err(system)?;
        path.clone_into(&mut control.file.path);
        control.access = Arc::new(Access::moved(path, group));
        Ok(control)
    }

    fn open(path: &Path, group: Option<u32>) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            identity: identity(path),
        };
        let access = Access::new(path);
        if let Err(error) = access.admit(group) {
            tracing::warn!(
                "control socket {}: its group: {error}; only root can use it",
                path.display()
            );
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            file,
            access: Arc::new(access),
        })
    }

    /// Who may use it.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }

    /// Serve clients until `end` says why that is over, or its sender is dropped, which is a stop. Those that follow
    /// then get what has been told until now and [`Outcome::Ended`](message::Outcome::Ended), if they take it within
    /// a second, all together; all others are cut off. Call it inside the service runtime.
    ///
    /// # Errors
    /// When the runtime refuses the socket.
    pub async fn serve(self, desks: Desks, mut end: watch::Receiver<Option<Ending>>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let file = self.file;
        let seats = Arc::new(Semaphore::new(CLIENTS));
        let front_seats = Arc::new(Semaphore::new(FOLLOWERS));
        let mut clients = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = clients.join_next() => continue,
                _ = ending(&mut end) => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!("control socket: {error}");
                    let _ = timeout(BREATH, ending(&mut end)).await;
                    continue;
                }
            };
            // With all seats taken the connection is closed at once.
            if let Ok(seat) = Arc::clone(&seats).try_acquire_owned() {
                let client = Client {
                    desks: desks.clone(),
                    access: Arc::clone(&self.access),
                    front_seats: Arc::clone(&front_seats),
                    end: end.clone(),
                };
                clients.spawn(async move {
                    let _seat = seat;
                    client.serve(stream).await;
                });
            }
        }
        drop((listener, file));
        // Whoever is still there then goes with the set.
        let _ = timeout(WRITE_PATIENCE, async {
            while clients.join_next().await.is_some() {}
        })
        .await;
        Ok(())
    }
}

/// Once it is over: why.
async fn ending(end: &mut watch::Receiver<Option<Ending>>) -> Ending {
    match end.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(why)) => *why,
        Ok(None) | Err(_) => Ending::Stopped,
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
