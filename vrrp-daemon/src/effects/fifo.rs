//! FIFOs that other programs read states from: one line per notice, written in order and never waited for.
//!
//! keepalived writes without waiting too, and what the pipe has no room for is lost without a word. Here it is
//! queued while the reader is slow or absent. The queue has a bound. Beyond it, those lines go first that a later
//! line of the same subject makes obsolete: whatever was lost, the last state that a reader is told of each
//! subject is true, and lines never change places. Only where reloads have removed more subjects than that makes room
//! for are the oldest lines lost. What was lost is counted and said.

pub(super) mod reader;

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::mkfifo;
use tokio::net::unix::pipe::Sender;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::sys::process::{self, Identity};

/// Lines that wait for a reader, at least; twice the number of subjects if that is more.
const QUEUE: usize = 4096;
/// How often the pipe is looked at, at the end.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A longer line could be torn by another writer (PIPE_BUF, pipe(7)).
const LONGEST: usize = libc::PIPE_BUF;

/// Whom a line is about. Lines outlive a reload, so this is no number of a configuration: the same virtual router or
/// group keeps it under another name, and nobody else ever has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct About(pub(super) u64);

/// A line on its way.
#[derive(Debug)]
struct Line {
    text: String,
    /// Whose state it tells; `None` for what is an event and no state.
    state_of: Option<About>,
}

/// One FIFO. Dropping it forgets what was not written; [`Fifo::close`] tries first.
#[derive(Debug)]
pub(super) struct Fifo {
    queue: Arc<Queue>,
    pipe: Arc<Sender>,
    writer: JoinHandle<()>,
    /// Removed at the end, for we made it.
    made: Option<PathBuf>,
}

#[derive(Debug)]
struct Queue {
    path: PathBuf,
    lines: Mutex<VecDeque<Line>>,
    /// Lines at most.
    capacity: AtomicUsize,
    /// There is something to write.
    more: Notify,
    /// There is nothing left to write.
    empty: Notify,
    /// All that this daemon could not tell.
    dropped: Arc<AtomicU64>,
    /// What was lost here since the reader was last up to date.
    lost: AtomicU64,
}

/// The FIFO cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FifoError {
    /// Something else has this name.
    #[error("{} is there and is not a FIFO; remove it or name another: nothing is written to it", .0.display())]
    NotFifo(PathBuf),
    /// The system refused.
    #[error("FIFO {}: {error}; nothing is written to it", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl Fifo {
    /// Open it, and make it first if it is not there. `dropped` counts what is lost. Must be called inside a
    /// runtime.
    pub(super) fn open(
        path: &Path,
        owner: Option<&Identity>,
        subjects: usize,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, FifoError> {
        let system = |error: io::Error| FifoError::System {
            path: path.to_owned(),
            error,
        };
        // 0600 with keepalived's umask.
        let made = match mkfifo(path, Mode::from_bits_truncate(0o644)) {
            Ok(()) => true,
            Err(nix::errno::Errno::EEXIST) => false,
            Err(errno) => return Err(system(errno.into())),
        };
        // For reading too: so it opens without a reader, and what is written waits for one.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
            .open(path);
        let file = match file {
            Ok(file) => file,
            // A symbolic link, which may lead anywhere.
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(FifoError::NotFifo(path.to_owned()));
            }
            Err(error) => return Err(system(error)),
        };
        if !file.metadata().map_err(system)?.file_type().is_fifo() {
            return Err(FifoError::NotFifo(path.to_owned()));
        }
        if let (true, Some(owner)) = (made, owner) {
            process::give_to(&file, owner).map_err(system)?;
        }
        let pipe = Arc::new(Sender::from_file(file).map_err(system)?);
        let queue = Arc::new(Queue {
            path: path.to_owned(),
            lines: Mutex::default(),
            capacity: AtomicUsize::new(capacity(subjects)),
            more: Notify::new(),
            empty: Notify::new(),
            dropped,
            lost: AtomicU64::new(0),
        });
        Ok(Self {
            writer: tokio::spawn(write(Arc::clone(&pipe), Arc::clone(&queue))),
            queue,
            pipe,
            made: made.then(|| path.to_owned()),
        })
    }

    /// Whether it is what has this path now: it may have been removed, or replaced by another.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let ours = fstat(&*self.pipe).map(|ours| (ours.st_dev, ours.st_ino));
        let there = fs::symlink_metadata(path).map(|there| (there.dev(), there.ino()));
        self.queue.path == path && matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// It is theirs from now on, if we made it.
    pub(super) fn give_to(&self, owner: &Identity) -> Result<(), FifoError> {
        if self.made.is_none() {
            return Ok(());
        }
        process::give_to(&*self.pipe, owner).map_err(|error| FifoError::System {
            path: self.queue.path.clone(),
            error,
        })
    }

    /// There are so many subjects now.
    pub(super) fn expect_subjects(&self, subjects: usize) {
        self.queue.capacity.store(capacity(subjects), Ordering::Relaxed);
    }

    /// Queue a line, which ends with a line feed. `state_of`: it tells the state of this subject, which makes
    /// earlier ones of the same subject obsolete.
    pub(super) fn tell(&self, text: String, state_of: Option<About>) {
        if text.len() > LONGEST {
            self.queue.lose(1);
            return;
        }
        let mut lines = self.queue.lock();
        lines.push_back(Line { text, state_of });
        let capacity = self.queue.capacity.load(Ordering::Relaxed);
        if lines.len() > capacity {
            let mut lost = drop_obsolete(&mut lines, capacity / 2);
            // The last words on subjects that are no more make nothing obsolete.
            while lines.len() > capacity && lines.pop_front().is_some() {
                lost += 1;
            }
            self.queue.lose(lost);
        }
        drop(lines);
        self.queue.more.notify_one();
    }

    /// Write what is queued and let it be read, for `patience` at most, then let go of it: what is still in the pipe
    /// goes with its last descriptor.
    pub(super) async fn close(self, patience: Duration) {
        let drained = async {
            while !self.queue.lock().is_empty() {
                self.queue.empty.notified().await;
            }
            while self.holds_something() {
                sleep(LOOK_AGAIN).await;
            }
        };
        if timeout(patience, drained).await.is_err() {
            let left = self.queue.lock().len();
            self.queue.lose(left);
        }
    }
}

impl Fifo {
    /// Whether there is something in the pipe that nobody has read.
    fn holds_something(&self) -> bool {
        let mut pipe = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        poll(&mut pipe, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        self.writer.abort();
        // What somebody put in its place is not ours.
        if let Some(path) = self.made.as_ref().filter(|path| self.is_at(path)) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Count what is lost; said once until the reader has caught up.
    fn lose(&self, lines: usize) {
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        if lines > 0 && self.lost.fetch_add(lines, Ordering::Relaxed) == 0 {
            tracing::error!(
                "FIFO {}: its reader is too slow or gone, so lines are lost; the last state of each instance is kept \
                 for it. Start the reader, or remove the FIFO from the configuration",
                self.path.display()
            );
        }
    }

    fn caught_up(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                "FIFO {}: its reader has caught up; {lost} lines were lost",
                self.path.display()
            );
        }
    }
}

/// So many lines may wait: each subject's last state has room, however many there are.
fn capacity(subjects: usize) -> usize {
    QUEUE.max(subjects.saturating_mul(2))
}

/// Remove up to `most` lines, the oldest first, that are events or states which a later line replaces.
fn drop_obsolete(lines: &mut VecDeque<Line>, most: usize) -> usize {
    let mut told = HashSet::new();
    let obsolete: Vec<bool> = lines
        .iter()
        .rev()
        .map(|line| !line.state_of.is_some_and(|subject| told.insert(subject)))
        .collect();
    let mut obsolete = obsolete.into_iter().rev();
    let mut lost = 0;
    lines.retain(|_| {
        let drop = obsolete.next() == Some(true) && lost < most;
        lost += usize::from(drop);
        !drop
    });
    lost
}

/// Write lines as they come and as there is room, each in one piece.
async fn write(pipe: Arc<Sender>, queue: Arc<Queue>) {
    loop {
        if queue.lock().is_empty() {
            queue.caught_up();
            queue.empty.notify_one();
            queue.more.notified().await;
            continue;
        }
        if pipe.writable().await.is_err() {
            return;
        }
        let mut lines = queue.lock();
        let Some(line) = lines.front() else { continue };
        // A line of this length goes whole or not at all.
        match pipe.try_write(line.text.as_bytes()) {
            Ok(_) => drop(lines.pop_front()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => {
                tracing::error!(
                    "FIFO {}: {error}; nothing more is written to it",
                    queue.path.display()
                );
                return;
            }
        }
    }
}
