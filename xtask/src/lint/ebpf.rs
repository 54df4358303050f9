//! Clippy for the XDP program, by the compiler that builds it: cargo's own front end would take the clippy of
//! the toolchain in use, which need not be the same.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::build::ebpf_cargo;
use crate::paths::target_dir;
use crate::setup;

/// Where a distribution's compiler has its clippy apart.
const DEBIAN_PACKAGE: &str = "rust-web-clippy";

/// The command that judges the XDP program.
///
/// # Errors
/// The toolchain or its clippy is not there: names the remedy.
pub(super) fn clippy() -> anyhow::Result<Command> {
    setup::run(setup::Args::default())?;
    let mut cargo = ebpf_cargo("check")?;
    cargo.arg("--all-features");
    let rustc = cargo
        .get_envs()
        .find_map(|(name, value)| value.filter(|_| name == "RUSTC"))
        .map(PathBuf::from)
        .context("the XDP program's compiler is not named")?;
    let driver = driver(&rustc)?;
    // What `cargo clippy -- -D warnings` says to the driver.
    cargo
        .env("RUSTC_WORKSPACE_WRAPPER", driver)
        .env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    Ok(cargo)
}

/// The clippy that belongs to `rustc`: beside it, or, where the distribution has it in a package of its own,
/// unpacked under `target/`.
fn driver(rustc: &Path) -> anyhow::Result<PathBuf> {
    let beside = rustc.with_file_name("clippy-driver");
    let root = target_dir().join("clippy");
    let unpacked = root.join("usr/bin/clippy-driver");
    if let Some(driver) = [&beside, &unpacked]
        .into_iter()
        .find(|driver| works(driver, rustc))
    {
        return Ok(driver.clone());
    }
    let remedy = || {
        format!(
            "no clippy of its own release beside {}: run `rustup component add clippy` for that toolchain, or \
             `apt-get install {DEBIAN_PACKAGE}`",
            rustc.display()
        )
    };
    ensure!(rustc == Path::new("/usr/bin/rustc"), remedy());
    unpack(&root).with_context(remedy)?;
    ensure!(works(&unpacked, rustc), remedy());
    Ok(unpacked)
}

/// Whether the driver runs, and for this very compiler.
fn works(driver: &Path, rustc: &Path) -> bool {
    let release = |program: &OsStr| {
        // Both print rustc's version: the driver passes it on.
        let arguments: &[&str] = if program == rustc.as_os_str() {
            &["-V"]
        } else {
            &["--rustc", "-V"]
        };
        let output = Command::new(program).args(arguments).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let theirs = release(driver.as_os_str());
    theirs.is_some() && theirs == release(rustc.as_os_str())
}

/// Fetch the package and lay it out below `root`; nothing is installed.
fn unpack(root: &Path) -> anyhow::Result<()> {
    let archives = root.join("archives");
    // An older release's package would be unpacked beside the new one.
    let _ = fs::remove_dir_all(root);
    fs::create_dir_all(&archives).with_context(|| format!("creating {}", archives.display()))?;
    let fetched = Command::new("apt-get")
        .args(["download", "-q", DEBIAN_PACKAGE])
        .current_dir(&archives)
        .output()
        .context("running apt-get")?;
    ensure!(
        fetched.status.success(),
        "apt-get could not download {DEBIAN_PACKAGE}: {}",
        String::from_utf8_lossy(&fetched.stderr).trim()
    );
    for entry in fs::read_dir(&archives)? {
        let archive = entry?.path();
        let unpacked = Command::new("dpkg").arg("-x").args([&archive, root]).status()?;
        ensure!(unpacked.success(), "dpkg -x {} failed", archive.display());
    }
    Ok(())
}
