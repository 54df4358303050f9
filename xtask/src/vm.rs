//! `cargo xtask test --vm`: tests on kernels that are not the machine's, and on devices that it may not have.
//!
//! Each of Debian's kernels boots in a virtual machine that sees this machine's files, read-only, and runs the
//! test binaries that were compiled here. Nothing is installed: what it takes is unpacked under `target/vm`.
//! One guest boots a Debian of its own instead, for the package and its units.

mod guest;
mod initramfs;
mod kernel;
mod system;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use self::guest::{Guest, Test};
use self::kernel::Kernel;
use self::system::System;
use crate::paths::workspace_root;
use crate::setup::packages::{self, Unpacked};

/// What runs the guests, and what runs in them before the tests do.
const PROGRAMS: Unpacked = Unpacked {
    folder: "vm/programs",
    packages: &["qemu-system-x86", "busybox-static"],
};
/// Kernels of Debian 12: its own, and the one of Debian 13.
const SERIES: [&str; 2] = ["6.1", "6.12"];

/// Run the part of the tests that needs other kernels, or a system: in the guest called `wanted`, else in each whose name
/// contains it, whatever the ones before it said.
///
/// # Errors
/// A test failed, or something was not to be had.
pub(crate) fn run(wanted: &str) -> anyhow::Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64") && packages::available(),
        "the virtual machines take an x86-64 machine with Debian's apt-get"
    );
    PROGRAMS.fetch()?;
    let kernels: Vec<Kernel> = SERIES
        .iter()
        .map(|series| Kernel::fetch(series))
        .collect::<anyhow::Result<_>>()?;
    let first = kernels.first().context("no kernel")?;
    let mut names = Vec::new();
    for kernel in &kernels {
        names.push(kernel.package()?);
    }
    let first_name = names.first().context("no kernel")?;
    let mut guests = Vec::new();
    let of_system = [("", "vm_systemd"), (", the documents", "vm_quickstart")]
        .map(|(what, test)| (format!("{first_name} with systemd{what}"), test));
    let mut all = names.iter().chain(of_system.iter().map(|(name, _)| name));
    let is_one = all.any(|name| name == wanted);
    let is_meant = |name: &str| {
        if is_one {
            name == wanted
        } else {
            name.contains(wanted)
        }
    };
    let system = match of_system.iter().any(|(name, _)| is_meant(name)) {
        true => Some(System::fetch()?),
        false => None,
    };
    for (name, test) in of_system {
        if is_meant(&name) {
            let tests = vec![Test::compile(test, &["--features", "vm"])?];
            let system = system.as_ref();
            guests.push((
                name,
                Guest {
                    kernel: first,
                    tests,
                    system,
                },
            ));
        }
    }
    for (kernel, name) in kernels.iter().zip(names) {
        if is_meant(&name) {
            let tests = vec![
                Test::compile("xdp_packets", &[])?,
                Test::compile("vm_placement", &["--features", "vm"])?,
            ];
            guests.push((
                name,
                Guest {
                    kernel,
                    tests,
                    system: None,
                },
            ));
        }
    }
    ensure!(!guests.is_empty(), "no virtual machine is called {wanted}");
    let mut failures = Vec::new();
    for (name, guest) in guests {
        println!("\n== {name}");
        let begun = Instant::now();
        if let Err(error) = guest.run() {
            eprintln!("{error:#}");
            failures.push(name.clone());
        }
        println!("{name}: {} s", begun.elapsed().as_secs());
    }
    ensure!(failures.is_empty(), "the tests failed on {}", failures.join(", "));
    Ok(())
}

impl Test {
    /// Compile one of the project's test binaries.
    fn compile(name: &'static str, options: &[&str]) -> anyhow::Result<Self> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["test", "--package", "vrrp-tests", "--test", name])
            .args(["--no-run", "--message-format", "json-render-diagnostics"])
            .args(options)
            .current_dir(workspace_root())
            .stderr(Stdio::inherit())
            .output()
            .context("running cargo")?;
        ensure!(output.status.success(), "the test {name} did not build");
        let binary = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message["target"]["name"] == name)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .with_context(|| format!("cargo does not say where the test {name} is"))?;
        Ok(Self { name, binary })
    }
}
