//! Pid files: one daemon per file, held by a lock, so a file left by a crash is recognised as such.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::sys::directory;

/// The second line of the file of a process that waits for its successor.
const LEFT: &str = "\nleft";

/// A pid file that is ours until dropped; then it is removed.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: Flock<fs::File>,
}

/// The pid file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another daemon holds it.
    #[error(
        "{} belongs to process {pid}, which runs: stop it first, or give this one its own file with -p and -r",
        path.display()
    )]
    Taken {
        /// The file.
        path: PathBuf,
        /// The process in it.
        pid: String,
    },
    /// A process holds it that waits for its successor.
    #[error("{} belongs to process {pid}, which waits for its successor", path.display())]
    Left {
        /// The file.
        path: PathBuf,
        /// The process.
        pid: i32,
    },
    /// The system refused.
    #[error("pid file {}: {error}; run as root, or name one that can be written with -p and -r", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl PidFile {
    /// Write our process id to `path`. A file left behind by a dead process is taken over.
    ///
    /// # Errors
    /// [`PidFileError`]
    pub fn create(path: &Path) -> Result<Self, PidFileError> {
        let system = |error| PidFileError::System {
            path: path.to_owned(),
            error,
        };
        if let Some(dir) = path.parent() {
            directory::make(dir).map_err(system)?;
        }
        // Between opening and locking, the owner of the file may have removed it: then try the new one.
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)
                .map_err(system)?;
            let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                    let (path, pid) = (path.to_owned(), pid_in(&mut file));
                    let left = pid.strip_suffix(LEFT).and_then(|pid| pid.parse().ok());
                    return Err(match left {
                        Some(pid) => PidFileError::Left { path, pid },
                        None => PidFileError::Taken { path, pid },
                    });
                }
                Err((_, errno)) => return Err(system(errno.into())),
            };
            if inode(&file.metadata().map_err(system)?) != fs::metadata(path).ok().as_ref().and_then(inode) {
                continue;
            }
            let pid = pid_in(&mut file);
            if runs_without_lock(&pid) {
                return Err(PidFileError::Taken {
                    path: path.to_owned(),
                    pid,
                });
            }
            // Monitoring reads it, whatever the umask.
            file.set_permissions(fs::Permissions::from_mode(0o644))
                .map_err(system)?;
            let mut ours = Self {
                path: path.to_owned(),
                file,
            };
            ours.rewrite()?;
            return Ok(ours);
        }
    }

    /// Write our process id again: after a fork it is another. The lock is the child's as well.
    ///
    /// # Errors
    /// [`PidFileError::System`]
    pub fn rewrite(&mut self) -> Result<(), PidFileError> {
        self.write("")
    }

    /// Say in it that this process waits for its successor, which is told [`PidFileError::Left`] then.
    ///
    /// # Errors
    /// [`PidFileError::System`]
    pub fn leave(&mut self) -> Result<(), PidFileError> {
        self.write(LEFT)
    }

    fn write(&mut self, more: &str) -> Result<(), PidFileError> {
        let written = self
            .file
            .set_len(0)
            .and_then(|()| io::Seek::rewind(&mut *self.file))
            .and_then(|()| writeln!(*self.file, "{}{more}", std::process::id()));
        written.map_err(|error| PidFileError::System {
            path: self.path.clone(),
            error,
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let ours = self.file.metadata().ok().as_ref().and_then(inode);
        if ours.is_some() && ours == fs::metadata(&self.path).ok().as_ref().and_then(inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(found: &fs::Metadata) -> Option<(u64, u64)> {
    Some((found.dev(), found.ino()))
}

/// The process that holds this pid file and waits for its successor, if there is one.
#[must_use]
pub fn left_in(path: &Path) -> Option<i32> {
    let mut file = fs::File::open(path).ok()?;
    let pid = pid_in(&mut file).strip_suffix(LEFT)?.parse().ok()?;
    let held = Flock::lock(file, FlockArg::LockSharedNonblock).is_err();
    held.then_some(pid)
}

/// What the file says, at most a number's worth.
fn pid_in(file: &mut fs::File) -> String {
    let mut text = String::new();
    let _ = io::Seek::rewind(file);
    let _ = file.take(24).read_to_string(&mut text);
    text.trim().to_owned()
}

/// Whether `pid` is a keepalived, which locks nothing. Any other process that has this number today got it
/// by chance, which containers make likely.
fn runs_without_lock(pid: &str) -> bool {
    let Ok(pid) = pid.parse::<u32>() else { return false };
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    pid != std::process::id() && comm.starts_with("keepalived")
}

#[cfg(test)]
mod tests;
