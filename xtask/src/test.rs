//! `cargo xtask test`: set up, build, run every test, say how long each part took.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use vrrp_tests::lab::is_root;

use crate::{build, paths, setup, vm};

/// Options of `cargo xtask test`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Also the demo and a quick bench, to see that they work, and what `--vm` runs
    #[arg(long)]
    full: bool,
    /// Only what runs in virtual machines: other kernels, devices that this one may not have, a whole Debian;
    /// with a NAME only the one called so, or those whose name contains it (`--vm systemd`)
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "full")]
    vm: Option<String>,
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let mut timings = Vec::new();
    let mut part = |name: &'static str, work: &mut dyn FnMut() -> anyhow::Result<()>| {
        println!("== {name}");
        let begun = Instant::now();
        let result = work();
        timings.push((name, begun.elapsed()));
        result
    };
    let all = (|| {
        part("setup", &mut || setup::run(setup::Args::default()))?;
        part("build", &mut || build::run(build::Args::default()))?;
        if let Some(name) = &args.vm {
            return part("virtual machines", &mut || vm::run(name));
        }
        part("tests", &mut cargo_test)?;
        if is_root() {
            part("bench (smoke)", &mut || xtask(&["bench", "--smoke"]))?;
        }
        if args.full {
            part("virtual machines", &mut || vm::run(""))?;
            part("demo", &mut || xtask(&["demo"]))?;
            part("bench", &mut || xtask(&["bench", "--quick"]))?;
        }
        Ok(())
    })();
    println!("\n== how long each part took");
    for (name, took) in &timings {
        println!("{:>6} s  {name}", took.as_secs());
    }
    all
}

/// All tests of the default members; as root, one that would skip for want of it fails.
fn cargo_test() -> anyhow::Result<()> {
    let mut command = cargo();
    // One crate's failure does not hide another's.
    command.args(["test", "--no-fail-fast"]);
    if is_root() {
        command.env("REQUIRE_ROOT", "1");
    } else {
        println!("not root: the tests that make network namespaces are skipped");
    }
    succeed(&mut command)
}

fn xtask(args: &[&str]) -> anyhow::Result<()> {
    succeed(cargo().arg("xtask").args(args))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .current_dir(paths::workspace_root())
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "cargo test or xtask failed: {status}");
    Ok(())
}
