//! Whose code is in the programs, and by which licence: every crate that is linked in, with its notices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use crate::paths::workspace_root;
use crate::setup::packages::run;

/// A crate of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Linked {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for a member of the workspace.
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None` for one that is linked; `build`, `dev`.
    kind: Option<String>,
}

/// The crates in the daemon, in `vrrpctl` and in the XDP program, by name.
///
/// # Errors
/// What cargo said; a crate without a licence.
pub(super) fn linked() -> anyhow::Result<Vec<Linked>> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = run(Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            &triple,
        ])
        .current_dir(workspace_root()))?;
    let Metadata { packages, resolve } = serde_json::from_slice(&metadata)?;
    let by_id: HashMap<&str, &Package> = packages
        .iter()
        .map(|package| (package.id.as_str(), package))
        .collect();
    let nodes: HashMap<&str, &Node> = resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let mut open: Vec<&str> = packages
        .iter()
        .filter(|package| {
            package.source.is_none() && ["vrrp-daemon", "vrrp-ebpf"].contains(&package.name.as_str())
        })
        .map(|package| package.id.as_str())
        .collect();
    let mut met = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let package = by_id.get(id).context("cargo metadata names an unknown crate")?;
        let macros = package
            .targets
            .iter()
            .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"));
        // What a macro is made of stays with the compiler.
        if macros || !met.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        open.extend(
            dependencies
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .map(|dependency| dependency.pkg.as_str()),
        );
        if package.source.is_some() {
            found.push(Linked {
                name: package.name.clone(),
                version: package.version.clone(),
                licence: package
                    .license
                    .clone()
                    .with_context(|| format!("{} names no licence", package.name))?
                    .replace('/', " OR "),
                folder: package
                    .manifest_path
                    .parent()
                    .unwrap_or(Path::new("/"))
                    .to_owned(),
            });
        }
    }
    found.sort();
    Ok(found)
}

/// Debian's `copyright`, in its machine-readable form. `mit` is our own text of that licence.
pub(super) fn copyright(mit: &str, crates: &[Linked]) -> String {
    let holder = mit
        .lines()
        .find_map(|line| line.strip_prefix("Copyright (c) "))
        .unwrap_or("The vrrp-daemon authors");
    let mut text = String::from(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: vrrp-daemon\n\
         Comment:\n \
         The programs contain the crates below, each under its own licence. Their\n \
         copyright notices are in /usr/share/doc/vrrp-daemon/third-party-licences.\n .\n",
    );
    for Linked {
        name,
        version,
        licence,
        ..
    } in crates
    {
        let _to_a_string = writeln!(text, " {name} {version}: {licence}");
    }
    let _to_a_string = write!(
        text,
        "\nFiles: *\nCopyright: {holder}\nLicense: Expat or Apache-2.0\n\nLicense: Expat\n{}\n\
         License: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n",
        paragraph(mit)
    );
    text
}

/// The text of a licence without its first lines, indented as the form wants it.
fn paragraph(licence: &str) -> String {
    licence
        .lines()
        .skip_while(|line| !line.starts_with("Permission"))
        .map(|line| match line.trim_end() {
            "" => " .\n".to_owned(),
            line => format!(" {line}\n"),
        })
        .collect()
}

/// The notices that came with the crates, each text once, under the names of the crates that have it.
///
/// # Errors
/// A file cannot be read.
pub(super) fn notices(crates: &[Linked]) -> anyhow::Result<String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for of in crates {
        for file in notice_files(&of.folder)? {
            let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            let text = String::from_utf8_lossy(&text).trim().replace('\r', "");
            // That licence is everywhere the same, and beside this file.
            if !text.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION") {
                let names = by_text.entry(text).or_default();
                names.push(format!("{} {}", of.name, of.version));
            }
        }
    }
    let mut all: Vec<(Vec<String>, String)> = by_text
        .into_iter()
        .map(|(text, mut names)| {
            names.dedup();
            (names, text)
        })
        .collect();
    all.sort();
    let mut written = String::from(
        "Notices of the crates in vrrp-daemon and vrrpctl. The text of the Apache License 2.0, under which most\n\
         of them may be used as well, is in /usr/share/common-licenses/Apache-2.0 or LICENSE-APACHE.\n",
    );
    for (names, text) in all {
        let line = "=".repeat(72);
        let _to_a_string = write!(written, "\n{line}\n{}\n\n{text}\n", names.join(", "));
    }
    Ok(written)
}

fn notice_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let known = [
            "LICENSE",
            "LICENCE",
            "COPYING",
            "COPYRIGHT",
            "NOTICE",
            "UNLICENSE",
        ];
        if entry.file_type()?.is_file() && known.iter().any(|prefix| name.starts_with(prefix)) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{Linked, copyright};

    /// The form: <https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/>.
    #[test]
    fn the_copyright_file_has_debians_form() {
        let mit = "MIT License\n\nCopyright (c) 2026 Somebody\n\nPermission is granted.\n\nAS IS.\n";
        let linked = Linked {
            name: "subtle".to_owned(),
            version: "2.6.1".to_owned(),
            licence: "BSD-3-Clause".to_owned(),
            folder: "/nowhere".into(),
        };
        assert_eq!(
            copyright(mit, &[linked]),
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
             Upstream-Name: vrrp-daemon\n\
             Comment:\n\
             \x20The programs contain the crates below, each under its own licence. Their\n\
             \x20copyright notices are in /usr/share/doc/vrrp-daemon/third-party-licences.\n\
             \x20.\n\
             \x20subtle 2.6.1: BSD-3-Clause\n\
             \n\
             Files: *\n\
             Copyright: 2026 Somebody\n\
             License: Expat or Apache-2.0\n\
             \n\
             License: Expat\n\
             \x20Permission is granted.\n\
             \x20.\n\
             \x20AS IS.\n\
             \n\
             License: Apache-2.0\n\
             \x20On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n"
        );
    }
}
