//! `cargo xtask build`: the XDP program, then the daemon with it inside.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::paths::{target_dir, workspace_root};
use crate::setup;

/// Options of `cargo xtask build`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Args {
    /// Optimised, as it is to be installed
    #[arg(long)]
    release: bool,
    /// For debugging: the XDP program tells its verdict on each frame, the daemon logs them (`-D`)
    #[arg(long)]
    xdp_log: bool,
}

impl Args {
    /// `--release`.
    pub(crate) const RELEASE: Self = Self {
        release: true,
        xdp_log: false,
    };
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    object(args.xdp_log)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .current_dir(workspace_root())
        .args(["build", "--package", "vrrp-daemon"])
        // A daemon without the program is a fault from here on.
        .env("VRRP_REQUIRE_EBPF", "1");
    if args.release {
        cargo.arg("--release");
    }
    if args.xdp_log {
        cargo.args(["--features", "xdp-log"]);
    }
    ensure!(
        cargo.status().context("running cargo")?.success(),
        "the daemon did not build"
    );
    Ok(())
}

/// Build the XDP program, with or without its debug messages, and put it where the daemon's build script looks
/// for it.
fn object(log: bool) -> anyhow::Result<()> {
    let mut cargo = ebpf_cargo("build")?;
    if log {
        cargo.args(["--features", "log"]);
    }
    let status = cargo.status().context("running cargo for the XDP program")?;
    ensure!(status.success(), "the XDP program did not build");
    let built = build_dir().join("bpfel-unknown-none/release/vrrp-ebpf");
    let fresh = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    let object = target_dir().join("bpf/vrrp-ebpf.o");
    // Left alone if nothing changed: the daemon would be built again.
    if fs::read(&object).is_ok_and(|present| present == fresh) {
        return Ok(());
    }
    fs::create_dir_all(target_dir().join("bpf"))?;
    fs::write(&object, fresh).with_context(|| format!("writing {}", object.display()))
}

/// `cargo VERB` for the XDP program: `build`, or `check` to look at it only.
///
/// # Errors
/// The toolchain is not there: names the remedy.
pub(crate) fn ebpf_cargo(verb: &str) -> anyhow::Result<Command> {
    let (linker, mut cargo) = setup::ebpf_tools()?;
    let mut linker_flag = OsString::from("-Clinker=");
    linker_flag.push(linker);
    // Frame data for the verifier's messages, and BTF for everyone who looks at the maps.
    let flags = [
        OsString::from("-Cdebuginfo=2"),
        linker_flag,
        OsString::from("-Clink-arg=--btf"),
    ];
    cargo
        .current_dir(workspace_root())
        .arg(verb)
        .args(["--quiet", "--release", "--package", "vrrp-ebpf"])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(build_dir())
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join(&OsString::from("\x1f")));
    Ok(cargo)
}

/// Apart from the daemon's: another compiler's work.
fn build_dir() -> PathBuf {
    target_dir().join("bpf-build")
}
