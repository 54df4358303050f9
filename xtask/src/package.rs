//! `cargo xtask package`: a Debian package, and a tarball of the same files.
//!
//! What goes in, and where to, stands in `vrrp-daemon/Cargo.toml` (`package.metadata.deb`); scripts and units in
//! `packaging/`. Here is what has to be written anew for each build: changelog and licences.

mod licences;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::paths::{target_dir, workspace_root};
use crate::setup::packages::run as output;
use crate::{build, setup};

/// As `vrrp-daemon/Cargo.toml` has it.
const MAINTAINER: &str = "The vrrp-daemon authors <maintainers@vrrp-daemon.example>";

/// Options of `cargo xtask package`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Args {
    /// Debian's revision: a later build of the same version has a higher one
    #[arg(long, default_value_t = 1)]
    revision: u32,
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    setup::run(setup::Args::default())?;
    let folder = target_dir().join("package");
    let built = programs().and_then(|()| deb(&folder, args.revision))?;
    for file in [tarball(&built)?, built] {
        let kilobytes = fs::metadata(&file)?.len() / 1000;
        println!("{kilobytes:>6} kB  {}", file.display());
    }
    Ok(())
}

/// Build what a package has inside, and what builds packages.
///
/// # Errors
/// The remedy, if something is missing.
pub(crate) fn programs() -> anyhow::Result<()> {
    ensure!(
        Path::new("/usr/bin/dpkg-deb").exists(),
        "packages are built on Debian and its kin (dpkg-deb is missing); elsewhere \
         `cargo xtask build --release` builds the programs"
    );
    setup::cargo_deb(setup::Args::default())?;
    build::run(build::Args::RELEASE)
}

/// The Debian package of the programs that [`programs`] built, into `folder`.
///
/// # Errors
/// What cargo-deb said.
pub(crate) fn deb(folder: &Path, revision: u32) -> anyhow::Result<PathBuf> {
    let version = format!("{}-{revision}", env!("CARGO_PKG_VERSION"));
    let date = |format| git(&["log", "-1", format]);
    write_parts(&version, &date("--format=%aD")?)?;
    fs::create_dir_all(folder)?;
    let said = output(
        Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(workspace_root())
            .args(["deb", "--no-build", "--strip", "--locked", "--package", "vrrp-daemon"])
            .args(["--deb-revision", &revision.to_string(), "--output"])
            .arg(folder)
            // The files are as old as the commit, whenever they are packed.
            .env("SOURCE_DATE_EPOCH", date("--format=%at")?),
    )?;
    let file = String::from_utf8_lossy(&said).trim().to_owned();
    ensure!(file.ends_with(".deb"), "cargo-deb said {file:?}");
    Ok(PathBuf::from(file))
}

/// The parts that are written, where `vrrp-daemon/Cargo.toml` looks for them.
fn write_parts(version: &str, date: &str) -> anyhow::Result<()> {
    let folder = target_dir().join("release/package");
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let changelog = folder.join("changelog.Debian");
    fs::write(
        &changelog,
        format!(
            "vrrp-daemon ({version}) unstable; urgency=medium\n\n  * What is new stands in changelog.gz.\n\n \
             -- {MAINTAINER}  {date}\n"
        ),
    )?;
    compress(&changelog)?;
    let licence = fs::read_to_string(workspace_root().join("LICENSE-MIT"))?;
    let crates = licences::linked()?;
    fs::write(folder.join("copyright"), licences::copyright(&licence, &crates))?;
    fs::write(folder.join("third-party-licences"), licences::notices(&crates)?)?;
    stage(&folder.join("share"))
}

/// Manual pages and completions, in a tree to be laid over `/usr/share`.
fn stage(share: &Path) -> anyhow::Result<()> {
    for source in ["man", "completions/bash", "completions/fish", "completions/zsh"] {
        let folder = workspace_root().join("packaging").join(source);
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let place = place(source, &name)
                .with_context(|| format!("{}: no manual page has such a name", path.display()))?;
            let place = share.join(place);
            fs::create_dir_all(&place)?;
            let copy = place.join(&*name);
            fs::copy(&path, &copy)?;
            if source == "man" {
                compress(&copy)?;
            }
        }
    }
    Ok(())
}

/// The same for the same content, whenever it is.
fn compress(file: &Path) -> anyhow::Result<()> {
    output(Command::new("gzip").args(["--best", "--no-name"]).arg(file)).map(drop)
}

/// The folder below `/usr/share` in which Debian looks for it.
fn place(source: &str, name: &str) -> Option<String> {
    let place = match source {
        "completions/bash" => "bash-completion/completions",
        "completions/fish" => "fish/vendor_completions.d",
        "completions/zsh" => "zsh/vendor-completions",
        _ => {
            let (_, section) = name.rsplit_once('.')?;
            let known = ["1", "5", "7", "8"].contains(&section);
            return known.then(|| format!("man/man{section}"));
        }
    };
    Some(place.to_owned())
}

/// The package's files in a folder of their own, to be unpacked over `/`; no file in `/etc`, which is the user's.
///
/// # Errors
/// What tar said.
pub(crate) fn tarball(package: &Path) -> anyhow::Result<PathBuf> {
    let name = format!(
        "vrrp-daemon-{}-{}-linux",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH
    );
    let folder = package.with_file_name(&name);
    let _not_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    setup::packages::unpack(package, &folder)?;
    fs::remove_dir_all(folder.join("etc"))?;
    let licences = folder.join("usr/share/doc/vrrp-daemon");
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(workspace_root().join(licence), licences.join(licence))?;
    }
    let file = package.with_file_name(format!("{name}.tar.gz"));
    let mtime = format!("--mtime=@{}", git(&["log", "-1", "--format=%at"])?);
    output(
        Command::new("tar")
            .arg("--create")
            .arg("--gzip")
            .arg("--file")
            .arg(&file)
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", &mtime])
            .arg("--directory")
            .arg(package.parent().unwrap_or(Path::new(".")))
            .arg(&name),
    )?;
    fs::remove_dir_all(&folder)?;
    Ok(file)
}

/// What git says, in one line.
fn git<S: AsRef<OsStr>>(args: &[S]) -> anyhow::Result<String> {
    let said = output(Command::new("git").args(args).current_dir(workspace_root()))
        .context("the package takes its date from the last commit")?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn pages_and_completions_have_their_places() {
        let place = |source, name| place(source, name).unwrap_or_default();
        assert_eq!(place("man", "vrrp-daemon.conf.5"), "man/man5");
        assert_eq!(place("man", "vrrp-daemon.8"), "man/man8");
        assert_eq!(place("man", "README"), "");
        assert_eq!(
            place("completions/bash", "vrrpctl"),
            "bash-completion/completions"
        );
        assert_eq!(place("completions/zsh", "_vrrpctl"), "zsh/vendor-completions");
        assert_eq!(
            place("completions/fish", "vrrpctl.fish"),
            "fish/vendor_completions.d"
        );
    }
}
