//! What the kernel tells of the directories on the way to the tracked files (inotify).

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use crate::sys::ready::ReadySet;
use crate::track::board::Key;

/// What may change the way to a file, or what stands in it. Not every write: a shell's `>` empties a file before
/// it writes, and what it means is there when it closes it.
const EVENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);
/// Symbolic links on the way to one file, at most: the kernel's own limit is 40.
const MOST_LINKS: usize = 40;

/// A name in a watched directory; none stands for the directory itself.
type Place = (WatchDescriptor, Option<OsString>);

/// Where something happened.
#[derive(Debug)]
pub(super) struct Touched(Option<HashSet<Place>>);

impl Touched {
    /// Perhaps anywhere.
    pub(super) fn all() -> Self {
        Self(None)
    }
}

/// The kernel's queue of events.
#[derive(Debug)]
pub(super) struct Events {
    queue: Queue,
    wakeups: AsyncFd<ReadySet>,
}

/// What watches are added to, on the thread that reads the files too.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Inotify>);

impl Events {
    /// `None`, said in the log, where there is none to be had.
    pub(super) fn open() -> Option<Self> {
        let opened = || -> io::Result<Self> {
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            let set = ReadySet::new()?;
            set.add(&inotify, 0)?;
            Ok(Self {
                queue: Queue(Arc::new(inotify)),
                wakeups: set.into_async()?,
            })
        };
        match opened() {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(
                    "the kernel does not tell of changes to tracked files ({error}): they are read every second; \
                     raise fs.inotify.max_user_instances"
                );
                None
            }
        }
    }

    /// To add watches to.
    pub(super) fn queue(&self) -> Queue {
        self.queue.clone()
    }

    /// Wait until something happens. Nothing is lost if this is dropped while it waits.
    pub(super) async fn next(&self) -> Touched {
        let Ok(mut guard) = self.wakeups.readable().await else {
            return Touched::all();
        };
        let mut touched = HashSet::new();
        loop {
            match self.queue.0.read_events() {
                Ok(events) => {
                    for event in events {
                        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                            return Touched::all();
                        }
                        touched.insert((event.wd, event.name));
                    }
                }
                Err(errno) => {
                    guard.clear_ready();
                    return Touched((errno == Errno::EAGAIN).then_some(touched));
                }
            }
        }
    }
}

/// Which places count for which file.
#[derive(Debug, Default)]
pub(super) struct Watches {
    by_file: HashMap<Key, HashSet<Place>>,
    all: HashSet<WatchDescriptor>,
}

impl Watches {
    /// Whether something may have happened to a file.
    pub(super) fn concerned(&self, file: Key, touched: &Touched) -> bool {
        match (&touched.0, self.by_file.get(&file)) {
            (Some(touched), Some(known)) => !known.is_disjoint(touched),
            (None, _) | (_, None) => true,
        }
    }

    /// Watch the way to a file as it is now.
    ///
    /// # Errors
    /// The kernel grants no more watches.
    pub(super) fn watch(&mut self, file: Key, path: &Path, queue: &Queue) -> Result<(), Errno> {
        let mut places = HashSet::new();
        for step in way_to(path) {
            match queue.0.add_watch(&step.directory, EVENTS) {
                Ok(watch) => {
                    self.all.insert(watch);
                    places.insert((watch, None));
                    places.insert((watch, Some(step.name)));
                }
                Err(errno @ (Errno::ENOSPC | Errno::ENOMEM)) => return Err(errno),
                // It is not there, or no directory: the step before it tells when that changes.
                Err(_) => {}
            }
        }
        self.by_file.insert(file, places);
        Ok(())
    }

    /// Give up the watches that none of `files` needs.
    pub(super) fn keep_only(&mut self, files: &[(Key, PathBuf)], queue: &Queue) {
        let wanted: HashSet<Key> = files.iter().map(|(key, _)| *key).collect();
        self.by_file.retain(|key, _| wanted.contains(key));
        let needed: HashSet<_> = self.by_file.values().flatten().map(|place| place.0).collect();
        self.all.retain(|watch| {
            let keep = needed.contains(watch);
            if !keep {
                // The kernel gave up the watch of a directory that is gone already.
                let _ = queue.0.rm_watch(*watch);
            }
            keep
        });
    }
}

/// A directory, and the name in it that leads on.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    directory: PathBuf,
    name: OsString,
}

/// The way to a file from the root, and the same for what every symbolic link on it points to.
fn way_to(path: &Path) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open = vec![path.to_path_buf()];
    let mut links = 0;
    while let Some(path) = open.pop() {
        for part in path.ancestors() {
            let (Some(parent), Some(name)) = (part.parent(), part.file_name()) else {
                continue;
            };
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            if links < MOST_LINKS
                && let Ok(target) = fs::read_link(part)
            {
                links += 1;
                let rest = path.strip_prefix(part).unwrap_or(Path::new(""));
                // Not `join("")`, which would end in a slash.
                let target = parent.join(target);
                open.push(if rest.as_os_str().is_empty() {
                    target
                } else {
                    target.join(rest)
                });
            }
            let step = Step {
                directory: parent.to_path_buf(),
                name: name.to_owned(),
            };
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    steps
}
