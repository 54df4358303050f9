//! Follows the tracked files (`track_file`): a number stands in each.
//!
//! The kernel tells (inotify) when something happens in a directory on the way to a file; then the file is
//! read again, whatever it was. So a file that is made later, replaced by rename, removed together with its
//! directory, or reached by a symbolic link is followed all the same, and a lost event is made good by the
//! next. Where the kernel does not tell (no watches left), the files are read every second.
//!
//! Files may be on a file system that hangs: they are read on a thread of their own.

mod content;
#[cfg(test)]
mod tests;
mod watches;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

use self::content::Beyond;
use self::watches::{Events, Touched, Watches};
use super::board::{Board, Desk, Id, Key, Routes, Word};
use crate::config::{FileSpec, InitFile};
use crate::proto::FileId;

/// How often files are read where the kernel does not tell.
const POLL: Duration = Duration::from_secs(1);
/// Between two readings: a file that is written all the time changes a priority twenty times a second, not
/// thousands of times. The first change after a while is read at once.
const PACE: Duration = Duration::from_millis(50);
/// A file to follow: its id, its name, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) id: FileId,
    pub(super) name: String,
    pub(super) spec: FileSpec,
}

/// Where the files are, with their keys on the board.
type Wanted = Vec<(Key, PathBuf)>;

/// The files that are followed. Dropping it ends that.
#[derive(Debug, Default)]
pub(super) struct Files {
    following: Wanted,
    task: Option<(watch::Sender<Wanted>, JoinHandle<()>)>,
}

impl Files {
    /// Follow `wanted` from now on.
    pub(super) fn reconfigure(&mut self, wanted: Vec<Followed>, routes: &mut Routes, board: &Board) {
        let mut before = std::mem::take(&mut self.following);
        let mut to_write = Vec::new();
        for Followed { id, name, spec } in wanted {
            let same = before.iter().position(|(_, path)| *path == spec.path);
            let key = match same {
                Some(place) => before.swap_remove(place).0,
                None => {
                    // `init_file` is for the start, as in keepalived, and for a file that a reload brings.
                    to_write.extend(spec.init.map(|init| (spec.path.clone(), init)));
                    routes.new_key()
                }
            };
            routes.add(key, name, Id::File(id));
            self.following.push((key, spec.path));
        }
        match &self.task {
            Some((tell, _)) => {
                tell.send_replace(self.following.clone());
                if !to_write.is_empty() {
                    // Read again once it is written: the kernel tells.
                    drop(spawn_blocking(move || write_all(&to_write)));
                }
            }
            None if self.following.is_empty() => {}
            None => {
                let (tell, told) = watch::channel(self.following.clone());
                let desk = board.desk();
                let task = tokio::spawn(async move {
                    // First, so that the first number read is the one that was asked for.
                    let _ = spawn_blocking(move || write_all(&to_write)).await;
                    follow(told, desk).await;
                });
                self.task = Some((tell, task));
            }
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Some((_, task)) = self.task.take() {
            task.abort();
        }
    }
}

/// Read the files, wait for something to happen to one of them, and so on.
async fn follow(mut wanted: watch::Receiver<Wanted>, desk: Desk) {
    let mut events = Events::open();
    let mut watches = Watches::default();
    let mut touched = Touched::all();
    loop {
        let files = wanted.borrow_and_update().clone();
        let queue = events.as_ref().map(Events::queue);
        let told = desk.clone();
        let work = move || {
            let mut outcome = Ok(());
            for (key, path) in &files {
                if watches.concerned(*key, &touched) {
                    // Watch first: what happens between this and the reading is told again.
                    if let Some(queue) = &queue {
                        outcome = outcome.and(watches.watch(*key, path, queue));
                    }
                    tell(*key, path, &told);
                }
            }
            if let Some(queue) = &queue {
                watches.keep_only(&files, queue);
            }
            (watches, outcome)
        };
        let outcome;
        (watches, outcome) = match spawn_blocking(work).await {
            Ok(done) => done,
            // The runtime ends.
            Err(_) => return,
        };
        if let (Err(error), true) = (outcome, events.is_some()) {
            tracing::warn!(
                "the kernel has no watch left for tracked files ({error}): they are read every second; raise \
                 fs.inotify.max_user_watches"
            );
            events = None;
        }
        let next = Instant::now() + PACE;
        let something = async {
            match &events {
                Some(events) => {
                    let touched = events.next().await;
                    sleep_until(next).await;
                    touched
                }
                None => {
                    sleep(POLL).await;
                    Touched::all()
                }
            }
        };
        touched = tokio::select! {
            touched = something => touched,
            changed = wanted.changed() => match changed {
                Ok(()) => Touched::all(),
                Err(_) => return,
            },
        };
    }
}

/// Read one file and put its number on the board.
fn tell(key: Key, path: &Path, desk: &Desk) {
    match content::read(path) {
        Ok(value) => {
            desk.put(key, Word::File(value));
        }
        // As in keepalived, it changes nothing; a first number it is not.
        Err(Beyond(text)) => {
            let name = desk.name(key);
            tracing::warn!("tracked file {name}: {text} is too large a number, ignored");
            if desk.word(key).is_none() {
                desk.put(key, Word::File(0));
            }
        }
    }
}

/// `init_file`: write those that are not there, or are to be overwritten.
fn write_all(files: &[(PathBuf, InitFile)]) {
    for (path, init) in files {
        if let Err(error) = write(path, *init) {
            tracing::warn!(
                "cannot write the tracked file {}: {error}; create it yourself, or remove `init_file`",
                path.display()
            );
        }
    }
}

fn write(path: &Path, init: InitFile) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(_) if !init.overwrite => return Ok(()),
        Ok(meta) if !meta.is_file() => return Err(io::Error::other("not a regular file")),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = File::create(path)?;
    writeln!(file, "{}", init.value)
}
