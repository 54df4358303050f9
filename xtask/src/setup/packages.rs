//! Debian packages that are unpacked under `target/`, never installed: an installed one might start a service or
//! displace what the machine's owner runs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::paths::target_dir;

/// Programs that are unpacked together, with what they depend on and the machine lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpacked {
    /// Below `target/`.
    pub(crate) folder: &'static str,
    /// Debian's names.
    pub(crate) packages: &'static [&'static str],
}

impl Unpacked {
    /// Where they are: `usr/sbin/keepalived`, `usr/lib/<triplet>/…` and so on below it.
    pub(crate) fn root(&self) -> PathBuf {
        target_dir().join(self.folder).join("root")
    }

    /// Fetch and unpack them, unless they are there.
    ///
    /// # Errors
    /// What apt or dpkg said.
    pub(crate) fn fetch(&self) -> anyhow::Result<()> {
        let folder = target_dir().join(self.folder);
        let stamp = folder.join("complete");
        let wanted = self.packages.join(" ");
        if fs::read_to_string(&stamp).is_ok_and(|unpacked| unpacked == wanted) {
            return Ok(());
        }
        println!(
            "setup: fetching {} into {} (not installed)",
            self.packages.join(", "),
            self.root().display()
        );
        let archives = folder.join("archives");
        fs::create_dir_all(archives.join("partial"))
            .with_context(|| format!("creating {}", archives.display()))?;
        with_fresh_lists(|| self.download(&archives))?;
        for entry in fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                unpack(&path, &self.root())?;
            }
        }
        fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
    }

    /// Let apt work out which packages are missing, and download exactly those.
    fn download(&self, archives: &Path) -> anyhow::Result<()> {
        let mut cache = OsString::from("Dir::Cache::archives=");
        cache.push(archives);
        run(Command::new("apt-get")
            .args(["install", "--download-only", "--reinstall", "--no-install-recommends", "-y", "-q"])
            // Nothing is installed, so the package database needs no lock: this works without root.
            .args(["-o", "Debug::NoLocking=1", "-o"])
            .arg(cache)
            .args(self.packages))
        .map(drop)
    }
}

/// Whether packages can be had here.
pub(crate) fn available() -> bool {
    Path::new("/usr/bin/apt-get").exists()
}

/// Do `work`, which asks apt for something; once more with new package lists if it fails: a fresh machine has
/// none, or stale ones.
///
/// # Errors
/// It failed again, or there are no new lists.
pub(crate) fn with_fresh_lists<T>(mut work: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    work().or_else(|_| {
        run(Command::new("apt-get").args(["update", "-q"]))
            .context("`apt-get update` failed; run it as root and try again")?;
        work()
    })
}

/// Unpack one package file below `root`.
///
/// # Errors
/// What dpkg said.
pub(crate) fn unpack(package: &Path, root: &Path) -> anyhow::Result<()> {
    run(Command::new("dpkg").arg("-x").args([package, root])).map(drop)
}

/// Run to the end; standard output.
///
/// # Errors
/// It could not be started, or failed: then with its own words.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("running {program}"))?;
    ensure!(
        output.status.success(),
        "{program}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}
