//! Programs that only the tests and the bench talk to: keepalived, rsyslogd, tcpdump and nft.
//!
//! They are unpacked under `target/`, never installed: keepalived's or rsyslog's package would start a
//! service and displace what the machine's owner runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::paths::target_dir;

/// Debian packages; those they depend on and the machine lacks come along.
const PACKAGES: [&str; 4] = ["keepalived", "rsyslog", "tcpdump", "nftables"];

/// Where the packages are unpacked: `usr/sbin/keepalived`, `usr/lib/<triplet>/…` and so on below it.
pub(crate) fn root() -> PathBuf {
    target_dir().join("peers/root")
}

/// Fetch and unpack the peers, unless they are there. Where there is no apt, the tests use what is in PATH.
pub(crate) fn fetch() -> anyhow::Result<()> {
    let stamp = target_dir().join("peers/complete");
    let wanted = PACKAGES.join(" ");
    if fs::read_to_string(&stamp).is_ok_and(|unpacked| unpacked == wanted) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        eprintln!(
            "setup: no apt-get here; tests take {} from PATH",
            PACKAGES.join(", ")
        );
        return Ok(());
    }
    println!(
        "setup: fetching {} into {} (not installed)",
        PACKAGES.join(", "),
        root().display()
    );
    let archives = target_dir().join("peers/archives");
    fs::create_dir_all(archives.join("partial"))
        .with_context(|| format!("creating {}", archives.display()))?;
    if download(&archives).is_err() {
        // A fresh machine has no package lists, or stale ones.
        let updated = Command::new("apt-get").args(["update", "-q"]).status()?;
        ensure!(
            updated.success(),
            "apt-get update failed; run it as root and try again"
        );
        download(&archives)?;
    }
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let unpacked = Command::new("dpkg").arg("-x").args([&path, &root()]).status()?;
            ensure!(unpacked.success(), "dpkg -x {} failed", path.display());
        }
    }
    fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}

/// Let apt work out which packages are missing, and download exactly those.
fn download(archives: &Path) -> anyhow::Result<()> {
    let mut cache = std::ffi::OsString::from("Dir::Cache::archives=");
    cache.push(archives);
    let output = Command::new("apt-get")
        .args(["install", "--download-only", "--reinstall", "--no-install-recommends", "-y", "-q"])
        // Nothing is installed, so the package database needs no lock: this works without root.
        .args(["-o", "Debug::NoLocking=1", "-o"])
        .arg(cache)
        .args(PACKAGES)
        .output()
        .context("running apt-get")?;
    if !output.status.success() {
        bail!(
            "apt-get could not download {}: {}",
            PACKAGES.join(", "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
