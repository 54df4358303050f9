//! Whole files through the whole reader; a host that is made up answers what is asked of it.

mod article;
mod conditions;
mod daemon;
mod dump;
mod dumped;
mod generators;
mod includes;
mod knobs;
mod language;
mod pacing;
mod robust;
mod routes;
mod severity;
mod uncommon;
mod units;
mod users;
mod values;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Config, Environment, Loaded, ReadOptions, Severity, exit_class, parse, parse_str};

/// A host in memory.
#[derive(Default)]
struct FakeHost {
    files: BTreeMap<PathBuf, Vec<u8>>,
    executables: BTreeSet<PathBuf>,
    addresses: BTreeMap<IpAddr, String>,
    /// There is a user keepalived_script.
    packaged_user: bool,
    /// Files that everybody may change.
    insecure: BTreeSet<PathBuf>,
    /// `None`: those that are asked for.
    interfaces: Option<Vec<String>>,
    /// The process environment.
    variables: BTreeMap<String, Vec<u8>>,
    /// What `${_RANDOM}` gets.
    random: u64,
}

impl Environment for FakeHost {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let inside = self.files.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.executables.contains(path)
    }

    fn search_path(&self) -> Vec<PathBuf> {
        vec!["/usr/local/bin".into(), "/usr/bin".into()]
    }

    fn interface_with(&self, address: IpAddr) -> Option<String> {
        self.addresses.get(&address).cloned()
    }

    fn is_root(&self, user: &str, group: Option<&str>) -> Result<bool, String> {
        match (user, group) {
            ("nosuch", _) => Err("there is no user `nosuch`".to_owned()),
            (_, Some("nosuch")) => Err("there is no group `nosuch`".to_owned()),
            ("keepalived_script", _) if !self.packaged_user => {
                Err("there is no user `keepalived_script`".to_owned())
            }
            _ => Ok(user == "root"),
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "operators").then_some(4711)
    }

    fn insecure(&self, path: &Path) -> Option<String> {
        self.insecure
            .contains(path)
            .then(|| "everybody may change it".to_owned())
    }

    fn cpus(&self) -> usize {
        4
    }

    fn interfaces(&self) -> Option<Vec<String>> {
        self.interfaces.clone()
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.variables.get(name).cloned()
    }

    fn random(&self) -> u64 {
        self.random
    }
}

/// The host of the article: its two scripts are there.
fn host() -> FakeHost {
    FakeHost {
        executables: [
            "/usr/local/bin/monitor_service.sh",
            "/etc/keepalived/notify.sh",
            "/bin/true",
        ]
        .map(PathBuf::from)
        .into(),
        ..FakeHost::default()
    }
}

/// `SEVERITY LINE:COLUMN MESSAGE` of each diagnostic.
fn said(loaded: &Loaded) -> Vec<String> {
    let severity = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let at = diagnostic
                .place
                .as_ref()
                .map(|(span, _)| loaded.sources.position(*span));
            let place = at.map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
            format!("{} {place} {}", severity(diagnostic.severity), diagnostic.message)
        })
        .collect()
}

/// Read a text on the article's host.
fn read(text: &str) -> Loaded {
    parse_str("test.conf", text, &host())
}

/// Read a text on the host that `-i` calls so.
fn read_as(id: &str, text: &str) -> Loaded {
    let options = ReadOptions {
        config_id: Some(id.to_owned()),
        ..ReadOptions::default()
    };
    parse("/etc/k/test.conf", text.as_bytes(), &options, &host())
}

/// The only instance's addresses after these lines and in its `virtual_ipaddress`, read as host `a`, and what
/// was said.
fn entries(before: &str, lines: &str) -> (Vec<String>, Vec<String>) {
    let text = format!(
        "{before}\nvrrp_instance P {{\n interface d0\n virtual_router_id 51\n virtual_ipaddress {{\n{lines}\n }}\n}}\n"
    );
    let loaded = read_as("a", &text);
    let said = said(&loaded);
    let config = loaded.config.unwrap_or_else(|| panic!("{text}\n{said:#?}"));
    let addresses = config.model.routers[0].addresses.iter();
    let addresses = addresses.map(|address| address.address.to_string()).collect();
    (addresses, said)
}

/// The router id after these lines, and what was said.
fn router_id(before: &str, value: &str) -> (String, Vec<String>) {
    let text = format!(
        "{before}\nglobal_defs {{\n router_id {value}\n}}\n{}",
        instance("")
    );
    let loaded = read_as("vm", &text);
    let said = said(&loaded);
    let config = loaded.config.unwrap_or_else(|| panic!("{text}\n{said:#?}"));
    (config.global.router_id.unwrap_or_default(), said)
}

/// A text with one instance that has all it needs, and these lines besides.
fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance P {{\n interface d0\n virtual_router_id 51\n virtual_ipaddress {{\n 192.0.2.100\n }}\n{lines}\n}}\n"
    )
}

/// The configuration of a text that gives one remark, which is this.
fn remarked(text: &str, remark: &str) -> Config {
    let loaded = read(text);
    let said = said(&loaded);
    assert!(said.len() == 1 && said[0].ends_with(remark), "{text}\n{said:#?}");
    loaded.config.unwrap_or_else(|| panic!("{text} does not start"))
}

/// The only remark of a text that does not start.
fn refused(text: &str, remark: &str) {
    let loaded = read(text);
    let said = said(&loaded);
    assert!(
        said.iter()
            .any(|line| line.starts_with("error") && line.ends_with(remark)),
        "{text}\n{said:#?}"
    );
    assert!(loaded.config.is_none());
    assert_eq!(exit_class(&loaded), 5);
}
