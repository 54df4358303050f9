//! Our reading of a file, on the host that [`super::theirs`] builds for keepalived.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use vrrp_daemon::config::{Environment, Host, Loaded, ReadOptions, exit_class, load, parse_str};

use super::files::File;
use super::theirs::{CONFIG_ID, LINKS, SCRIPTS};

/// Files are the machine's own; interfaces and scripts those of the lab.
struct LabHost;

impl Environment for LabHost {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Host.read(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        Host.list(directory)
    }

    fn is_executable(&self, path: &Path) -> bool {
        SCRIPTS.iter().any(|script| Path::new(script) == path)
            || ["/bin/true", "/bin/test", "/bin/sh"]
                .map(Path::new)
                .contains(&path)
    }

    fn search_path(&self) -> Vec<PathBuf> {
        vec!["/usr/local/bin".into(), "/bin".into()]
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        let own = |with_prefix: &&str| {
            with_prefix.split('/').next().and_then(|own| own.parse().ok()) == Some(address)
        };
        let (name, _) = LINKS.iter().find(|(_, addresses)| addresses.iter().any(own))?;
        Some((*name).to_owned())
    }

    fn is_root(&self, user: &str, group: Option<&str>) -> Result<bool, String> {
        match (user, group) {
            ("root", None | Some("root")) => Ok(true),
            _ => Err(format!("there is no user `{user}`")),
        }
    }

    fn insecure(&self, _: &Path) -> Option<String> {
        None
    }

    fn cpus(&self) -> usize {
        1
    }

    fn interfaces(&self) -> Option<Vec<String>> {
        let names = LINKS.iter().map(|(name, _)| (*name).to_owned());
        Some(std::iter::once("lo".to_owned()).chain(names).collect())
    }
}

/// What we read, the exit status of `-t`, and whether the daemon starts with it.
pub(crate) fn judge(file: &File) -> (Loaded, (u8, bool)) {
    let options = ReadOptions {
        config_id: Some(CONFIG_ID.to_owned()),
        ..ReadOptions::default()
    };
    let loaded = load(&file.path, &options, &LabHost);
    let outcome = (exit_class(&loaded), loaded.config.is_some());
    (loaded, outcome)
}

/// A configuration from memory.
pub(crate) fn read(text: &str) -> Loaded {
    parse_str("dump.conf", text, &LabHost)
}
