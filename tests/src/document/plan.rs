//! Who runs which section of which document.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::text::Document;

/// Who runs a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// `tests/tests/documents`: hosts in network namespaces.
    Hosts,
    /// `tests/tests/documents`: commands that build, by their literal text; CI runs them itself.
    Build,
    /// `tests/tests/vm_quickstart`: hosts with systemd and the package, in a virtual machine.
    System,
    /// A test of its own in `tests/tests`, by this name.
    Test(&'static str),
}

impl Runner {
    /// As directions have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Build => "build",
            Self::System => "system",
            Self::Test(name) => name,
        }
    }
}

/// A document, a section (`*`: all that are not named), and who runs its consoles. A section is named by its heading.
const PLAN: &[(&str, &str, Runner)] = &[
    ("README.md", "Install", Runner::System),
    ("README.md", "From source", Runner::Build),
    ("README.md", "Five minutes", Runner::System),
    ("README.md", "See it work", Runner::Build),
    ("README.zh-CN.md", "*", Runner::Hosts),
    ("README.zh-CN.md", "安装", Runner::System),
    ("README.zh-CN.md", "启动", Runner::System),
    ("README.zh-CN.md", "升级与卸载", Runner::System),
    ("docs/benchmarks.md", "*", Runner::Hosts),
    ("docs/logging.md", "*", Runner::Test("svc_journal")),
    ("docs/migration.md", "*", Runner::Hosts),
    ("docs/migration.md", "Changing over", Runner::System),
    ("docs/migration.md", "Going back", Runner::System),
    ("docs/migration.md", "Virtual servers", Runner::Test("vm_systemd")),
    ("docs/operations.md", "*", Runner::Hosts),
    ("docs/quickstart.md", "*", Runner::System),
    ("docs/tuning.md", "*", Runner::Hosts),
    ("docs/vrrpctl.md", "*", Runner::Test("doc_vrrpctl")),
];

/// Who runs the consoles of that section.
///
/// # Errors
/// Nobody does.
pub fn runner_of(document: &str, section: &str) -> anyhow::Result<Runner> {
    match place(document, section).and_then(|at| PLAN.get(at)) {
        Some((_, _, runner)) => Ok(*runner),
        None => bail!(
            "nobody runs the commands of {document}, \"{section}\": add it to tests/src/document/plan.rs"
        ),
    }
}

/// The documents that have sections for `runner`, each once.
#[must_use]
pub fn documents(runner: Runner) -> Vec<&'static str> {
    let mut names: Vec<&str> = PLAN
        .iter()
        .filter(|(_, _, of)| *of == runner)
        .map(|(name, ..)| *name)
        .collect();
    names.dedup();
    names
}

/// Every document of the source tree has a runner for each of its consoles, and every row of the plan a console.
///
/// # Errors
/// Which have not.
pub fn complete() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("");
    let mut used = vec![false; PLAN.len()];
    let mut nobodys = Vec::new();
    for folder in ["", "docs/"] {
        let path = root.join(folder);
        for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
            let name = entry?.file_name();
            let name = format!("{folder}{}", name.to_string_lossy());
            if !name.ends_with(".md") {
                continue;
            }
            for console in Document::read(&name)?.consoles()? {
                let section = console.section;
                match place(&name, &section).and_then(|at| used.get_mut(at)) {
                    Some(used) => *used = true,
                    None => nobodys.push(format!("{name}, \"{section}\"")),
                }
            }
        }
    }
    ensure!(
        nobodys.is_empty(),
        "nobody runs the commands of {}: add them to tests/src/document/plan.rs",
        nobodys.join(", ")
    );
    let idle: Vec<String> = PLAN
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|((name, heading, _), _)| format!("{name}, \"{heading}\""))
        .collect();
    ensure!(idle.is_empty(), "there is no command in {}", idle.join(", "));
    for (.., runner) in PLAN {
        let name = match runner {
            Runner::Test(name) => name,
            Runner::System => "vm_quickstart",
            Runner::Hosts | Runner::Build => continue,
        };
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        let there = test.with_extension("rs").exists() || test.join("main.rs").exists();
        ensure!(there, "there is no test {name}");
    }
    Ok(())
}

/// Its row in the plan.
fn place(document: &str, section: &str) -> Option<usize> {
    let row = |wanted: &str| {
        PLAN.iter()
            .position(|(name, heading, _)| *name == document && *heading == wanted)
    };
    row(section).or_else(|| row("*"))
}
