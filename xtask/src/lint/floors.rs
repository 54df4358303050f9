//! The rules of ARCHITECTURE.md that a compiler does not know: floors, the purity of `proto`, where
//! `unsafe` may stand, no glob imports.

use std::fmt;

use super::source::{self, Kind, Path, Token};

/// The daemon's top modules, from the bottom up. A module may use what stands below its own line, and
/// nothing beside it. `vrrp-common` is below them all.
const FLOORS: [(u8, &[&str]); 5] = [
    (1, &["proto"]),
    (2, &["sys", "xdp", "config"]),
    (3, &["ingress", "effects", "track"]),
    (4, &["runtime"]),
    (5, &["cli", "obs"]),
];
/// The binaries, which start what is on the top floor and which nothing can use.
const BINARIES: [&str; 2] = ["main", "bin"];
/// What `sys` and `xdp` may know of `proto`.
const PLAIN_MODEL: &str = "model";

/// Dependencies that `proto` may use: none of them does I/O or has state (what writes to a stream needs
/// `std::io`, which is refused).
const PURE_CRATES: [&str; 4] = ["serde", "serde_json", "thiserror", "vrrp_common"];
/// Modules of std that reach outside the process or its arguments.
const IMPURE_STD: [&str; 8] = ["env", "fs", "io", "os", "process", "sync", "thread", "time"];
/// The types of `std::net` that are values and not sockets.
const PURE_NET: [&str; 3] = ["IpAddr", "Ipv4Addr", "Ipv6Addr"];
/// Names that stand for a clock or a log wherever they come from.
const IMPURE_NAMES: [&str; 7] = [
    "Instant",
    "SystemTime",
    "dbg",
    "eprint",
    "eprintln",
    "print",
    "println",
];

/// Where `unsafe` may stand: files, or folders with all that is in them.
const UNSAFE: [&str; 13] = [
    "tests/src/lab/kernel",
    "tests/tests/steady_state",
    "vrrp-common/src/abi",
    "vrrp-daemon/src/obs/log/stamp",
    "vrrp-daemon/src/sys",
    "vrrp-daemon/src/xdp/grace",
    "vrrp-daemon/src/xdp/link",
    "vrrp-daemon/src/xdp/shared",
    "vrrp-ebpf/src/cursor",
    "vrrp-ebpf/src/maps",
    "vrrp-ebpf/src/object",
    "vrrp-ebpf/src/opaque",
    "vrrp-ebpf/src/report",
];

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// A source file: its path from the workspace root with forward slashes, and its tokens.
pub(super) struct Source {
    file: String,
    tokens: Vec<Token>,
    paths: Vec<Path>,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let mut tokens = source::tokens(text);
        if file.ends_with("/tests.rs") || file.contains("/tests/") {
            for token in &mut tokens {
                token.test = true;
            }
        }
        let paths = source::paths(&tokens);
        Self {
            file: file.to_owned(),
            tokens,
            paths,
        }
    }

    fn finding(&self, line: usize, rule: String) -> Finding {
        Finding {
            file: self.file.clone(),
            line,
            rule,
        }
    }

    /// Names of the modules from the daemon's root to this file; `None` for another crate's file.
    fn module(&self) -> Option<Vec<&str>> {
        let inside = self.file.strip_prefix("vrrp-daemon/src/")?.strip_suffix(".rs")?;
        let mut module: Vec<&str> = inside.split('/').collect();
        if module.last() == Some(&"mod") || inside == "lib" {
            module.pop();
        }
        Some(module)
    }

    /// Paths outside tests that lead into the daemon's own crate, from its root; with their lines.
    fn own_paths(&self) -> Vec<(usize, Vec<&str>)> {
        let Some(module) = self.module() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for path in self.paths.iter().filter(|path| !path.test) {
            let mut here = module.clone();
            here.extend(path.inside.iter().map(String::as_str));
            let mut segments = path.segments.iter().map(String::as_str).peekable();
            let mut absolute = match segments.next() {
                Some("crate" | "vrrp_daemon") => Vec::new(),
                Some("self") => here,
                Some("super") => {
                    here.pop();
                    here
                }
                _ => continue,
            };
            while segments.next_if_eq(&"super").is_some() {
                absolute.pop();
            }
            absolute.extend(segments);
            found.push((path.line, absolute));
        }
        found
    }
}

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(floor, _)| *floor)
}

/// A module uses floors below its own, none above and none beside.
pub(super) fn floors(source: &Source) -> Vec<Finding> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let Some(own) = module.first().copied().filter(|own| !BINARIES.contains(own)) else {
        return Vec::new();
    };
    let Some(own_floor) = floor(own) else {
        return vec![source.finding(
            1,
            format!(
                "module `{own}` has no floor: give it one in xtask/src/lint/floors.rs and ARCHITECTURE.md"
            ),
        )];
    };
    let mut findings = Vec::new();
    for (line, path) in source.own_paths() {
        let Some(used) = path.first().copied().filter(|used| *used != own) else {
            continue;
        };
        // An item of the crate's root itself has no floor; there are none but modules.
        let Some(used_floor) = floor(used) else {
            continue;
        };
        let rule = match used_floor.cmp(&own_floor) {
            std::cmp::Ordering::Greater => {
                format!("`{own}` (F{own_floor}) uses `{used}` (F{used_floor}), which is above it")
            }
            std::cmp::Ordering::Equal => {
                format!("`{own}` uses `{used}`, which is beside it on F{own_floor}")
            }
            std::cmp::Ordering::Less
                if used == "proto"
                    && matches!(own, "sys" | "xdp")
                    && path.get(1).copied() != Some(PLAIN_MODEL) =>
            {
                format!("`{own}` may use the types of `proto::{PLAIN_MODEL}` and nothing else of `proto`")
            }
            std::cmp::Ordering::Less => continue,
        };
        findings.push(source.finding(line, rule));
    }
    findings
}

/// `proto` reads no clock, no socket, no file, no random number and no log.
pub(super) fn purity(source: &Source, dependencies: &[String]) -> Vec<Finding> {
    if source.module().and_then(|module| module.first().copied()) != Some("proto") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for path in source.paths.iter().filter(|path| !path.test) {
        let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        let impure = match segments.as_slice() {
            // Shares values that never change; locks, atomics and channels are something else.
            ["std", "sync", "Arc"] => false,
            ["std" | "core", module, ..] if IMPURE_STD.contains(module) => true,
            ["std" | "core", "net", name, ..] => !PURE_NET.contains(name),
            [first, ..] => dependencies.iter().any(|name| name == first) && !PURE_CRATES.contains(first),
            [] => false,
        };
        if impure {
            findings.push(source.finding(path.line, not_pure(&segments.join("::"))));
        }
    }
    for token in source.tokens.iter().filter(|token| !token.test) {
        if let Kind::Word(word) = &token.kind
            && IMPURE_NAMES.contains(&word.as_str())
        {
            findings.push(source.finding(token.line, not_pure(word)));
        }
    }
    findings
}

fn not_pure(what: &str) -> String {
    format!("`proto` is pure, and `{what}` is not: hand its result in as an argument or an Input")
}

/// `unsafe` stands in the few modules that are named for it.
pub(super) fn unsafe_code(source: &Source) -> Vec<Finding> {
    let allowed = UNSAFE.iter().any(|place| {
        source
            .file
            .strip_prefix(place)
            .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    });
    if allowed {
        return Vec::new();
    }
    source
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word("unsafe".to_owned()))
        .map(|token| {
            source.finding(
                token.line,
                format!("`unsafe` outside {}: wrap the call there", UNSAFE.join(", ")),
            )
        })
        .collect()
}

/// No `use x::*` outside tests: a reader must be able to see where a name comes from.
pub(super) fn globs(source: &Source) -> Vec<Finding> {
    source
        .paths
        .iter()
        .filter(|path| !path.test && path.segments.last().is_some_and(|last| last == "*"))
        .map(|path| {
            source.finding(
                path.line,
                format!("glob import `{}`: name what you use", path.segments.join("::")),
            )
        })
        .collect()
}

/// Whatever the XDP program and the daemon share is in the layout that is written down.
pub(super) fn shared(source: &Source, written_down: impl Fn(&str) -> bool) -> Vec<Finding> {
    if !source.file.starts_with("vrrp-common/src/abi") {
        return Vec::new();
    }
    let words = source.tokens.windows(3).filter_map(|tokens| match tokens {
        [public, kind, name] if !public.test => Some((public.word()?, kind.word()?, name.word()?, name.line)),
        _ => None,
    });
    words
        .filter(|(public, kind, name, _)| {
            *public == "pub"
                && ["struct", "enum", "const"].contains(kind)
                && *name != "fn"
                && *name != "unsafe"
        })
        .filter(|(_, _, name, _)| *name != "ABI_VERSION" && !written_down(name))
        .map(|(_, _, name, line)| {
            source.finding(
                line,
                format!("`{name}` is shared with the XDP program: add it to xtask/src/abi.rs"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
