//! Which files there are.

use std::fs;
use std::path::{Path, PathBuf};

use vrrp_tests::lab::target_dir;

/// Names of the samples begin with this.
pub(crate) const SAMPLES: &str = "samples/";

/// A sample that starts where the kernel has IPVS, and nowhere else.
const KERNELS: &str = "keepalived.conf.vrrp.lvs_syncd";

/// One configuration file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its name in the tables.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Where our own stand, with their tables.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus")
}

/// Our own files, by name.
pub(crate) fn own() -> Vec<File> {
    list(&folder(), "", |name| name.ends_with(".conf"))
}

/// Our own, and the samples that come with Debian's package if it is unpacked.
pub(crate) fn all() -> Vec<File> {
    let peers = target_dir().join("peers/root");
    let mut files = own();
    files.extend(list(
        &peers.join("usr/share/doc/keepalived/samples"),
        SAMPLES,
        |name| name.starts_with("keepalived.conf") && name != KERNELS,
    ));
    files.extend(list(&peers.join("etc/keepalived"), "samples/etc/", |name| {
        name.ends_with(".sample")
    }));
    files
}

fn list(folder: &Path, prefix: &str, wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<File> = entries
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            (wanted(&name) && entry.path().is_file()).then(|| File {
                name: format!("{prefix}{name}"),
                path: entry.path(),
            })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}
