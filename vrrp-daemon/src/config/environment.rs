//! The little that reading a configuration asks of the host, as a trait so that tests can answer.

use std::fs::{self, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nameindex;
use nix::unistd::{Group, SysconfVar, User, sysconf};

use super::source::MAX_FILE_LEN;

/// What the configuration is read in.
pub trait Environment {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As the file system has it.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a directory, in any order.
    ///
    /// # Errors
    /// As the file system has it.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Whether this is a file that somebody may execute.
    fn is_executable(&self, path: &Path) -> bool;

    /// Where programs without a slash in their name are looked for.
    fn search_path(&self) -> Vec<PathBuf>;

    /// The interface that carries an address of this host.
    fn interface_with(&self, address: IpAddr) -> Option<String>;

    /// Whether this user, with this group, is root.
    ///
    /// # Errors
    /// There is no such user or group: which.
    fn is_root(&self, user: &str, group: Option<&str>) -> Result<bool, String>;

    /// The number of a group; `None` if there is no such group.
    fn group(&self, _name: &str) -> Option<u32> {
        None
    }

    /// Why others than root could change what is run by this path; `None` if they cannot.
    fn insecure(&self, path: &Path) -> Option<String>;

    /// How many CPUs there are.
    fn cpus(&self) -> usize;

    /// The interfaces of this host; `None` if it cannot tell.
    fn interfaces(&self) -> Option<Vec<String>>;

    /// The directory of a file, from the root on, for `${_PWD}`.
    fn directory_of(&self, file: &Path) -> String {
        file.parent().unwrap_or(Path::new("")).display().to_string()
    }

    /// A variable of the process environment, for `${_ENV NAME}`.
    fn variable(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    /// A number that nobody knows before, for `${_RANDOM}`.
    fn random(&self) -> u64 {
        0
    }
}

/// How a configuration is read, as the command line has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What `@ID` is compared with, and `${_INSTANCE}`: `-i`, else the short host name.
    pub config_id: Option<String>,
    /// `-e`: every file that is included must be there.
    pub all_includes: bool,
}

impl ReadOptions {
    /// The options, with the host's short name for what was not given.
    #[must_use]
    pub fn on_this_host(self) -> Self {
        let short = || {
            let name = nix::unistd::gethostname().ok()?;
            let name = name.to_str()?;
            Some(name.split('.').next().unwrap_or(name).to_owned())
        };
        Self {
            config_id: self.config_id.or_else(short),
            ..self
        }
    }
}

/// This host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

impl Environment for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let regular = |meta: fs::Metadata| {
            let refused = || io::Error::other("not a regular file");
            meta.is_file().then_some(()).ok_or_else(refused)
        };
        // A pipe would be waited for, and a device read without end.
        regular(fs::metadata(path)?)?;
        // Some files of the kernel's say that they are regular and wait all the same (/proc/kmsg).
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)?;
        // It may have been replaced meanwhile.
        regular(file.metadata()?)?;
        let mut bytes = Vec::new();
        // One byte too many is enough to be refused.
        let limit = u64::try_from(MAX_FILE_LEN).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn is_executable(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }

    fn search_path(&self) -> Vec<PathBuf> {
        // What a service manager gives when the variable is missing.
        const DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT.into());
        std::env::split_paths(&path)
            .filter(|entry| entry.is_absolute())
            .collect()
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        getifaddrs().ok()?.find_map(|entry| {
            let of_entry = entry.address?;
            let found = match address {
                IpAddr::V4(wanted) => of_entry.as_sockaddr_in()?.ip() == wanted,
                IpAddr::V6(wanted) => of_entry.as_sockaddr_in6()?.ip() == wanted,
            };
            found.then_some(entry.interface_name)
        })
    }

    fn is_root(&self, user: &str, group: Option<&str>) -> Result<bool, String> {
        let Ok(Some(entry)) = User::from_name(user) else {
            return Err(format!("there is no user `{user}`"));
        };
        if let Some(group) = group
            && !matches!(Group::from_name(group), Ok(Some(_)))
        {
            return Err(format!("there is no group `{group}`"));
        }
        Ok(entry.uid.is_root())
    }

    fn group(&self, name: &str) -> Option<u32> {
        let group = Group::from_name(name).ok()??;
        Some(group.gid.as_raw())
    }

    fn insecure(&self, path: &Path) -> Option<String> {
        // Links are followed: what counts is where the file really is.
        let real = fs::canonicalize(path).ok()?;
        real.ancestors().find_map(|part| {
            let found = fs::metadata(part).ok()?;
            changeable(&found).map(|who| format!("{who} may change {}", part.display()))
        })
    }

    fn cpus(&self) -> usize {
        let configured = sysconf(SysconfVar::_NPROCESSORS_CONF).ok().flatten();
        configured
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(usize::MAX)
    }

    fn interfaces(&self) -> Option<Vec<String>> {
        let found = if_nameindex().ok()?;
        Some(
            found
                .iter()
                .map(|entry| entry.name().to_string_lossy().into_owned())
                .collect(),
        )
    }

    fn directory_of(&self, file: &Path) -> String {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        absolute.parent().unwrap_or(Path::new("/")).display().to_string()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec)
    }

    fn random(&self) -> u64 {
        // Each has its own random keys.
        std::hash::RandomState::new().hash_one(())
    }
}

/// Who besides root may write to it. A group of root's may, and in a directory with the sticky bit nobody touches what
/// is another's (keepalived 2.2.7 has it so).
fn changeable(found: &fs::Metadata) -> Option<String> {
    let (mode, sticky) = (found.mode(), found.is_dir() && found.mode() & 0o1000 != 0);
    if found.uid() != 0 {
        Some(format!("user {}", found.uid()))
    } else if mode & 0o002 != 0 && !sticky {
        Some("everybody".to_owned())
    } else if mode & 0o020 != 0 && found.gid() != 0 && !sticky {
        Some(format!("group {}", found.gid()))
    } else {
        None
    }
}
