//! iproute2's names for numbers, built in and from its files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::iproute::number;
use crate::config::environment::Environment;

/// A kind of number that iproute2 has names for, and the file they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Names {
    Tables,
    Scopes,
    Protocols,
    Realms,
    Groups,
    Services,
}

impl Names {
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Tables => "rt_tables",
            Self::Scopes => "rt_scopes",
            Self::Protocols => "rt_protos",
            Self::Realms => "rt_realms",
            Self::Groups => "group",
            Self::Services => "rt_dsfield",
        }
    }

    /// The names that hold whatever the files say.
    const fn built_in(self) -> &'static [(&'static str, u32)] {
        match self {
            Self::Tables => &[("default", 253), ("main", 254), ("local", 255)],
            Self::Scopes => &[
                ("global", 0),
                ("universe", 0),
                ("site", 200),
                ("link", 253),
                ("host", 254),
                ("nowhere", 255),
            ],
            Self::Protocols => &[
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("ra", 9),
                ("zebra", 11),
                ("bird", 12),
                ("dhcp", 16),
                ("keepalived", 18),
                ("babel", 42),
                ("bgp", 186),
                ("isis", 187),
                ("ospf", 188),
                ("rip", 189),
            ],
            Self::Realms | Self::Groups | Self::Services => &[],
        }
    }
}

/// iproute2's tables of names. Each file is read when it is asked for first.
#[derive(Debug)]
pub(super) struct NameTables {
    /// `iproute_usr_dir`, `iproute_etc_dir`: the latter overrules.
    directories: [Vec<PathBuf>; 2],
    read: HashMap<Names, HashMap<String, u32>>,
}

impl Default for NameTables {
    fn default() -> Self {
        Self {
            // Where iproute2 puts its own depends on its age.
            directories: [
                vec!["/usr/lib/iproute2".into(), "/usr/share/iproute2".into()],
                vec!["/etc/iproute2".into()],
            ],
            read: HashMap::new(),
        }
    }
}

impl NameTables {
    pub(super) fn set_usr(&mut self, directory: &str) {
        let [usr, _] = &mut self.directories;
        *usr = vec![directory.into()];
    }

    pub(super) fn set_etc(&mut self, directory: &str) {
        let [_, etc] = &mut self.directories;
        *etc = vec![directory.into()];
    }

    pub(super) fn number(&mut self, names: Names, text: &str, environment: &dyn Environment) -> Option<u32> {
        if let Some(number) = number(text) {
            return Some(number);
        }
        if let Some((_, number)) = names.built_in().iter().find(|(name, _)| *name == text) {
            return Some(*number);
        }
        let directories = &self.directories;
        let known = self.read.entry(names).or_insert_with(|| {
            let mut known = HashMap::new();
            for directory in directories.iter().flatten() {
                read_names(&directory.join(names.file()), environment, &mut known);
                let more = directory.join(format!("{}.d", names.file()));
                let mut files = environment.list(&more).unwrap_or_default();
                files.sort();
                for file in files.iter().filter(|file| file.ends_with(".conf")) {
                    read_names(&more.join(file), environment, &mut known);
                }
            }
            known
        });
        known.get(text).copied()
    }
}

/// `NUMBER NAME` lines; a file that is not there has none.
fn read_names(path: &Path, environment: &dyn Environment, known: &mut HashMap<String, u32>) {
    let Ok(bytes) = environment.read(path) else {
        return;
    };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        if let (Some(value), Some(name)) = (words.next().and_then(number), words.next()) {
            known.insert(name.to_owned(), value);
        }
    }
}
