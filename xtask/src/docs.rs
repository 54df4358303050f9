//! `cargo xtask docs`: the documents that are made from the daemon's keyword table and command lines.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::paths::workspace_root;

/// Options of `cargo xtask docs`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Args {
    /// Write nothing; fail if a document is not up to date
    #[arg(long)]
    check: bool,
}

/// Each document, and what `examples/manual` of the daemon is to print it.
const DOCUMENTS: [(&str, &[&str]); 10] = [
    ("docs/compatibility.md", &["compatibility"]),
    ("packaging/man/vrrp-daemon.conf.5", &["man", "vrrp-daemon.conf"]),
    ("packaging/man/vrrp-daemon.8", &["man", "vrrp-daemon"]),
    ("packaging/man/vrrpctl.1", &["man", "vrrpctl"]),
    ("packaging/completions/bash/vrrp-daemon", &["bash", "vrrp-daemon"]),
    ("packaging/completions/bash/vrrpctl", &["bash", "vrrpctl"]),
    ("packaging/completions/zsh/_vrrp-daemon", &["zsh", "vrrp-daemon"]),
    ("packaging/completions/zsh/_vrrpctl", &["zsh", "vrrpctl"]),
    (
        "packaging/completions/fish/vrrp-daemon.fish",
        &["fish", "vrrp-daemon"],
    ),
    ("packaging/completions/fish/vrrpctl.fish", &["fish", "vrrpctl"]),
];

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let root = workspace_root();
    if args.check {
        let stale = stale(root)?;
        ensure!(stale.is_empty(), "{stale}");
        return Ok(());
    }
    for (path, arguments) in DOCUMENTS {
        let text = made(root, arguments)?;
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Which documents differ from what would be written now; empty if none does.
pub(crate) fn stale(root: &Path) -> anyhow::Result<String> {
    let mut stale = Vec::new();
    for (path, arguments) in DOCUMENTS {
        if fs::read_to_string(root.join(path)).unwrap_or_default() != made(root, arguments)? {
            stale.push(format!("{path} is not up to date: run `cargo xtask docs`"));
        }
    }
    Ok(stale.join("\n"))
}

fn made(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "-p", "vrrp-daemon", "--example", "manual", "--"])
        .args(arguments)
        .current_dir(root)
        .output()
        .context("cannot run cargo")?;
    ensure!(
        output.status.success(),
        "making {} failed:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("a document is not UTF-8")
}
