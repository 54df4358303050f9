//! The little that reading a configuration asks of the host, as a trait so that tests can answer.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::ifaddrs::getifaddrs;

use super::source::MAX_FILE_LEN;
use nix::net::if_::if_nameindex;

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

    /// The interfaces of this host; `None` if it cannot tell.
    fn interfaces(&self) -> Option<Vec<String>>;
}

/// This host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

impl Environment for Host {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // A pipe would be waited for, and a device read without end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        // One byte too many is enough to be refused.
        let limit = u64::try_from(MAX_FILE_LEN).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
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

    fn interfaces(&self) -> Option<Vec<String>> {
        let found = if_nameindex().ok()?;
        Some(
            found
                .iter()
                .map(|entry| entry.name().to_string_lossy().into_owned())
                .collect(),
        )
    }
}
