//! Who may use the control socket. The file's mode keeps others out; what the kernel says of the process that connected
//! counts besides, since a mode can be changed and a descriptor handed on.

use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::peer::Peer;

/// The group number that nobody has.
const NO_GROUP: u32 = u32::MAX;

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing.
    Nothing,
    /// Ask.
    Read,
    /// Ask, and change what the daemon does.
    Change,
    /// The same, and have it read any file: only who could read it anyway.
    Everything,
}

/// Who may use a control socket; the group may change while it is in use.
#[derive(Debug)]
pub struct Access {
    path: PathBuf,
    /// [`NO_GROUP`] for none.
    group: AtomicU32,
    /// The daemon's user.
    own: u32,
}

impl Access {
    /// Nobody but root and the daemon's own user, so far.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            group: AtomicU32::new(NO_GROUP),
            own: nix::unistd::geteuid().as_raw(),
        }
    }

    /// Of a socket that `group` may use, which has another path now.
    pub(super) fn moved(path: &Path, group: Option<u32>) -> Self {
        Self {
            group: AtomicU32::new(group.unwrap_or(NO_GROUP)),
            ..Self::new(path)
        }
    }

    /// Members of `group` (a group number) may use it from now on, and those of the group before no more.
    ///
    /// # Errors
    /// The file cannot be given to the group.
    pub fn admit(&self, group: Option<u32>) -> io::Result<()> {
        let before = self.group.swap(group.unwrap_or(NO_GROUP), Ordering::Relaxed);
        if before == group.unwrap_or(NO_GROUP) {
            return Ok(());
        }
        let owner = group.unwrap_or_else(|| nix::unistd::getegid().as_raw());
        chown(&self.path, None, Some(owner))
    }

    /// What the process at the other end may do.
    pub(super) fn of(&self, peer: &Peer) -> Permission {
        let group = self.group.load(Ordering::Relaxed);
        permission(peer, (group != NO_GROUP).then_some(group), self.own)
    }
}

fn permission(peer: &Peer, group: Option<u32>, own: u32) -> Permission {
    if peer.uid == 0 {
        Permission::Everything
    } else if group.is_some_and(|group| peer.gid == group || peer.groups.contains(&group)) {
        Permission::Change
    } else if peer.uid == own {
        Permission::Read
    } else {
        Permission::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::{Permission, permission};
    use crate::sys::peer::Peer;

    #[test]
    fn root_the_group_and_ourselves() {
        // Process, group of the socket, the daemon's user.
        let table = [
            ((0, 0, vec![]), None, 0, Permission::Everything),
            ((0, 0, vec![]), Some(7), 500, Permission::Everything),
            ((1000, 7, vec![]), Some(7), 0, Permission::Change),
            ((1000, 1000, vec![4, 7]), Some(7), 0, Permission::Change),
            ((500, 500, vec![]), Some(7), 500, Permission::Read),
            ((500, 500, vec![]), None, 500, Permission::Read),
            ((1000, 1000, vec![4]), Some(7), 0, Permission::Nothing),
            ((1000, 7, vec![7]), None, 0, Permission::Nothing),
            // Root's group is no more than another.
            ((1000, 0, vec![0]), None, 0, Permission::Nothing),
        ];
        for ((uid, gid, groups), group, own, expected) in table {
            let peer = Peer {
                pid: 1,
                uid,
                gid,
                groups,
            };
            assert_eq!(
                permission(&peer, group, own),
                expected,
                "{peer:?} {group:?} {own}"
            );
        }
    }
}
