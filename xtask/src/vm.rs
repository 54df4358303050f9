//! `cargo xtask test --vm`: tests on kernels that are not the machine's, and on devices that it may not have.
//!
//! Each of Debian's kernels boots in a virtual machine that sees this machine's files, read-only, and runs the
//! test binaries that were compiled here. Nothing is installed: what it takes is unpacked under `target/vm`.

mod guest;
mod initramfs;
mod kernel;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use self::guest::{Guest, Test};
use self::kernel::Kernel;
use crate::paths::workspace_root;
use crate::setup::packages::{self, Unpacked};

/// What runs the guests, and what runs in them before the tests do.
const PROGRAMS: Unpacked = Unpacked {
    folder: "vm/programs",
    packages: &["qemu-system-x86", "busybox-static"],
};
/// Kernels of Debian 12: its own, and the one of Debian 13.
const SERIES: [&str; 2] = ["6.1", "6.12"];

/// Run the part of the tests that needs other kernels: on each, whatever the ones before it said.
///
/// # Errors
/// A test failed, or something was not to be had.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64") && packages::available(),
        "the virtual machines take an x86-64 machine with Debian's apt-get"
    );
    PROGRAMS.fetch()?;
    let kernels: Vec<Kernel> = SERIES
        .iter()
        .map(|series| Kernel::fetch(series))
        .collect::<anyhow::Result<_>>()?;
    let tests = [
        Test {
            name: "xdp_packets",
            binary: compile("xdp_packets", &[])?,
        },
        Test {
            name: "vm_placement",
            binary: compile("vm_placement", &["--features", "vm"])?,
        },
    ];
    let mut failures = Vec::new();
    for kernel in &kernels {
        let package = kernel.package()?;
        println!("\n== {package}");
        let begun = Instant::now();
        if let Err(error) = Guest::new(kernel, &tests).run() {
            eprintln!("{error:#}");
            failures.push(package.clone());
        }
        println!("{package}: {} s", begun.elapsed().as_secs());
    }
    ensure!(failures.is_empty(), "the tests failed on {}", failures.join(", "));
    Ok(())
}

/// Compile one of the project's test binaries, and say where it is.
fn compile(test: &str, options: &[&str]) -> anyhow::Result<PathBuf> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--package", "vrrp-tests", "--test", test])
        .args(["--no-run", "--message-format", "json-render-diagnostics"])
        .args(options)
        .current_dir(workspace_root())
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "the test {test} did not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == test)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo does not say where the test {test} is"))
}
