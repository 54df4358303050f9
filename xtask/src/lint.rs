//! `cargo xtask lint`: what a reviewer should not have to look for. All checks run; failures are shown at
//! the end.

mod ebpf;
mod floors;
mod source;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;

use self::floors::{Finding, Source};
use crate::paths::workspace_root;
use crate::{abi, docs};

/// Options of `cargo xtask lint`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Args {
    /// Licences, banned and unknown sources of dependencies too (installs cargo-deny if it is missing)
    #[arg(long)]
    full: bool,
}

/// What is wrong, ready to be shown; empty if nothing is.
type Outcome = anyhow::Result<String>;

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let root = workspace_root();
    let sources = sources(root)?;
    let dependencies = dependencies(root)?;
    let mut failures = Vec::new();
    let mut check = |name: &'static str, outcome: &dyn Fn() -> Outcome| {
        let start = Instant::now();
        let complaint = outcome().unwrap_or_else(|error| format!("{error:#}"));
        let verdict = if complaint.is_empty() { "ok" } else { "FAILED" };
        println!("{verdict:<7}{name:<28}{:>7} ms", start.elapsed().as_millis());
        if !complaint.is_empty() {
            failures.push((name, complaint));
        }
    };

    check("floors", &|| Ok(findings(&sources, floors::floors)));
    check("purity of proto", &|| {
        Ok(findings(&sources, |source| floors::purity(source, &dependencies)))
    });
    check("unsafe in named modules", &|| {
        Ok(findings(&sources, floors::unsafe_code))
    });
    check("no glob imports", &|| Ok(findings(&sources, floors::globs)));
    check("layout shared with XDP", &|| {
        let unnamed = findings(&sources, |source| floors::shared(source, abi::names));
        let stale = abi::stale(root)?;
        let complaints = [unnamed, stale].into_iter().filter(|text| !text.is_empty());
        Ok(complaints.collect::<Vec<_>>().join("\n"))
    });
    check("formatting", &|| complaint(cargo(root, "fmt --all --check")));
    check("clippy", &|| {
        complaint(cargo(
            root,
            "clippy --quiet --workspace --exclude vrrp-ebpf --all-features --all-targets -- -D warnings",
        ))
    });
    check("clippy of the XDP program", &|| complaint(ebpf::clippy()?));
    check("documentation", &|| {
        let mut command = cargo(
            root,
            "doc --quiet --workspace --exclude vrrp-ebpf --no-deps --document-private-items",
        );
        // Private items are documented too, so a link to one leads somewhere.
        command.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links");
        complaint(command)
    });
    check("documents are up to date", &|| docs::stale(root));
    if args.full {
        check("licences and sources", &|| licences(root));
    }

    for (name, complaint) in &failures {
        println!("\n--- {name}\n{}", complaint.trim_end());
    }
    let failed = failures.len();
    anyhow::ensure!(failed == 0, "{failed} of the checks failed");
    Ok(())
}

/// The Rust files of all members.
fn sources(root: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for member in ["vrrp-common", "vrrp-ebpf", "vrrp-daemon", "xtask", "tests"] {
        let mut folders = vec![root.join(member)];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path)
                        .with_context(|| format!("cannot read {}", path.display()))?;
                    let file = path.strip_prefix(root)?.display().to_string();
                    sources.push(Source::new(&file, &text));
                }
            }
        }
    }
    Ok(sources)
}

/// The crates that the daemon depends on, as its code names them.
fn dependencies(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = cargo(root, "metadata --format-version 1 --no-deps --offline")
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let names = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| package["name"] == "vrrp-daemon")
        .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
        .filter_map(|dependency| dependency["name"].as_str())
        .map(|name| name.replace('-', "_"))
        .collect::<Vec<_>>();
    anyhow::ensure!(
        !names.is_empty(),
        "cargo metadata names no dependency of vrrp-daemon"
    );
    Ok(names)
}

fn findings(sources: &[Source], rule: impl Fn(&Source) -> Vec<Finding>) -> String {
    let mut found: Vec<String> = sources
        .iter()
        .flat_map(rule)
        .map(|finding| finding.to_string())
        .collect();
    found.sort();
    found.join("\n")
}

/// `cargo` with arguments that have no spaces in them.
fn cargo(root: &Path, arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.split(' ')).current_dir(root);
    command
}

/// What a command has to complain about.
fn complaint(mut command: Command) -> Outcome {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(format!("{}\n{}", String::from_utf8_lossy(&said), output.status))
}

/// `cargo deny`, less the advisories, which need their database from the network.
fn licences(root: &Path) -> Outcome {
    if complaint(cargo(root, "deny --version")).map_or(true, |complaint| !complaint.is_empty()) {
        println!("       installing cargo-deny (about four minutes, once)");
        let failed = complaint(cargo(root, "install --quiet --locked cargo-deny"))?;
        if !failed.is_empty() {
            return Ok(failed);
        }
    }
    complaint(cargo(
        root,
        "deny --log-level error check --hide-inclusion-graph licenses bans sources",
    ))
}
