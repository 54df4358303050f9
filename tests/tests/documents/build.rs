//! Commands that build. CI runs them itself, so here they are only held against a list, and asked for their help.

use std::process::Command;

use anyhow::{Context, bail, ensure};
use vrrp_tests::document::{Document, Runner, runner_of};

/// What CI (`cargo xtask test --full`) runs, or a test under another name.
const RUN_ELSEWHERE: &[&str] = &[
    "cargo xtask demo",
    "cargo xtask test",
    "cargo xtask build --release",
    "cargo xtask package",
];

/// # Errors
/// A command that is not known, or does not exist.
pub(crate) fn check(document: &Document) -> anyhow::Result<()> {
    for console in document.consoles()? {
        if runner_of(&document.name, &console.section)? != Runner::Build {
            continue;
        }
        for example in console.examples {
            let command = example.command.split(" #").next().unwrap_or_default().trim();
            ensure!(
                example.answer.is_empty(),
                "{command}: its answer is compared by nobody"
            );
            if !RUN_ELSEWHERE.contains(&command) {
                bail!("{command}: nobody runs it");
            }
            exists(command).with_context(|| command.to_owned())?;
        }
    }
    Ok(())
}

/// The verb and its options are known to the program.
fn exists(command: &str) -> anyhow::Result<()> {
    let mut words = command.split_whitespace();
    ensure!(words.next() == Some("cargo"), "not cargo's");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(words)
        .arg("--help")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}
