//! `cargo xtask setup`: find or install what building and testing need.
//!
//! Idempotent, and quick when nothing is missing: every other verb calls it first. What it would install on
//! the machine it lists, and asks first, unless told `--yes` or run by CI.

mod linker;
pub(crate) mod packages;
mod peers;
mod toolchain;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use vrrp_tests::lab::is_root;

use self::toolchain::{Toolchain, output};

/// Options of `cargo xtask setup`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Args {
    /// Install what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let toolchain = match toolchain::find() {
        Some(toolchain) => toolchain,
        None => {
            consented(&source_steps()?, args)?;
            toolchain::find().context("the library's source was installed, and is still not found")?
        }
    };
    if linker::find(toolchain.llvm).is_none() {
        consented(&linker_steps(&toolchain)?, args)?;
        ensure!(
            linker::find(toolchain.llvm).is_some(),
            "bpf-linker was installed, and does not work"
        );
    }
    peers::fetch()
}

/// The release of cargo-deb that builds the packages.
const CARGO_DEB: &str = "3.8.0";

/// Have cargo-deb, which only packages need.
///
/// # Errors
/// It is not wanted, or did not build.
pub(crate) fn cargo_deb(args: Args) -> anyhow::Result<()> {
    let found = || output("cargo", &["deb", "--version"]).is_some_and(|said| said.ends_with(CARGO_DEB));
    if found() {
        return Ok(());
    }
    println!("setup: cargo-deb {CARGO_DEB} is missing; building it takes some minutes, once");
    let line = format!("cargo install cargo-deb --version {CARGO_DEB} --locked --force");
    consented(&[Step::new(&line)], args)?;
    ensure!(found(), "cargo-deb was installed, and is not found");
    Ok(())
}

/// What building the XDP program takes, if it is all there.
///
/// # Errors
/// Names what is missing, and the remedy.
pub(crate) fn ebpf_tools() -> anyhow::Result<(PathBuf, Command)> {
    let missing = "is missing for the XDP program: run `cargo xtask setup`";
    let toolchain =
        toolchain::find().with_context(|| format!("a rustc with its library's source {missing}"))?;
    let linker = linker::find(toolchain.llvm).with_context(|| format!("bpf-linker {missing}"))?;
    let mut cargo = Command::new(&toolchain.cargo);
    // A stable compiler builds its own library only when it is told to forget that it is stable.
    cargo.env("RUSTC", &toolchain.rustc).env("RUSTC_BOOTSTRAP", "1");
    // Set by the cargo that runs us; they would choose another toolchain's tools.
    cargo
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTC_WRAPPER");
    Ok((linker, cargo))
}

/// One command that changes the machine.
struct Step {
    env: Vec<(&'static str, String)>,
    words: Vec<String>,
}

impl Step {
    fn new(line: &str) -> Self {
        Self {
            env: Vec::new(),
            words: line.split_whitespace().map(str::to_owned).collect(),
        }
    }

    fn env(mut self, name: &'static str, value: String) -> Self {
        self.env.push((name, value));
        self
    }

    fn line(&self) -> String {
        let mut words: Vec<String> = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.extend(self.words.iter().cloned());
        words.join(" ")
    }

    fn run(&self) -> anyhow::Result<()> {
        let (program, args) = self.words.split_first().context("a step without a command")?;
        println!("setup: {}", self.line());
        let status = Command::new(program)
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .status()
            .with_context(|| format!("running {program}"))?;
        ensure!(
            status.success(),
            "`{}` failed; run it by hand to see why",
            self.line()
        );
        Ok(())
    }
}

/// How to get a compiler with its library's source: rustup, else the distribution's packages.
fn source_steps() -> anyhow::Result<Vec<Step>> {
    // rustup may be there without a way to its server.
    if output("rustup", &["component", "list"])
        .is_some_and(|list| list.lines().any(|line| line == "rust-src"))
        && reaches_rustup()
    {
        return Ok(vec![Step::new("rustup component add rust-src")]);
    }
    ensure!(
        Path::new("/usr/bin/apt-get").exists(),
        "no rustc with its library's source was found: run `rustup component add rust-src`, or install your \
         distribution's package of it (rust-src), and run this again"
    );
    Ok(vec![
        Step::new("apt-get update -q"),
        Step::new("apt-get install -y -q --no-install-recommends rustc-web cargo-web rust-web-src"),
    ])
}

fn reaches_rustup() -> bool {
    // Its exit code says whether there are updates; what it prints, whether it could ask.
    let check = Command::new("timeout").args(["15", "rustup", "check"]).output();
    check.is_ok_and(|check| {
        let said = String::from_utf8_lossy(&check.stdout).to_lowercase();
        said.contains("up to date") || said.contains("update available")
    })
}

/// How to get the linker: it is built against the compiler's LLVM.
fn linker_steps(toolchain: &Toolchain) -> anyhow::Result<Vec<Step>> {
    let llvm = toolchain.llvm;
    let prefix = format!("/usr/lib/llvm-{llvm}");
    let install = Step::new(&format!(
        "cargo install bpf-linker --version {} --locked --force --no-default-features --features llvm-{llvm}",
        linker::VERSION
    ))
    .env("LLVM_PREFIX", prefix.clone());
    let mut steps = Vec::new();
    if !Path::new(&prefix).join("include/llvm-c").exists() {
        ensure!(
            Path::new("/usr/bin/apt-get").exists(),
            "bpf-linker needs LLVM {llvm}: install its development files, then run \
             `LLVM_PREFIX=<where> cargo install bpf-linker --version {} --no-default-features --features llvm-{llvm}`",
            linker::VERSION
        );
        steps.push(Step::new("apt-get update -q"));
        steps.push(Step::new(&format!(
            "apt-get install -y -q --no-install-recommends llvm-{llvm}-dev libpolly-{llvm}-dev libzstd-dev zlib1g-dev"
        )));
    }
    steps.push(install);
    Ok(steps)
}

/// Run `steps` if the machine's owner lets us.
fn consented(steps: &[Step], args: Args) -> anyhow::Result<()> {
    let lines: Vec<String> = steps.iter().map(|step| format!("  {}", step.line())).collect();
    let list = lines.join("\n");
    let ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    if !args.yes && !ci {
        println!("setup: this is to be run:\n{list}");
        ensure!(
            io::stdin().is_terminal(),
            "nobody to ask: run `cargo xtask setup --yes`, or the commands above yourself"
        );
        print!("Run it now? [y/N] ");
        io::stdout().flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        ensure!(
            matches!(answer.trim(), "y" | "Y" | "yes"),
            "not installed; run the commands above yourself"
        );
    }
    if !is_root()
        && steps
            .iter()
            .any(|step| step.words.first().is_some_and(|word| word == "apt-get"))
    {
        bail!("installing packages needs root; run as root:\n{list}");
    }
    steps.iter().try_for_each(Step::run)
}
