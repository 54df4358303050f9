//! Debian's kernels: found by apt, unpacked, and of each what a guest needs is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::PROGRAMS;
use crate::paths::target_dir;
use crate::setup::packages::{run, unpack, with_fresh_lists};

/// What the guest's init and the tests ask of a kernel, some of which may be built in. What these depend on
/// comes along.
const MODULES: [&str; 15] = [
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "veth",
    "bridge",
    "bonding",
    "8021q",
    "macvlan",
    "dummy",
    // What two of those below ask for by name, not by symbol.
    "crc32c_generic",
    "ip_vs",
    "ip_vs_rr",
    "ext4",
    "virtio_blk",
];

/// A kernel that a guest can be booted with.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Its files.
    folder: PathBuf,
}

impl Kernel {
    /// The kernel of `series` (`6.1`) that apt has; downloaded and unpacked unless it is there.
    pub(super) fn fetch(series: &str) -> anyhow::Result<Self> {
        let kernel = Self {
            folder: target_dir().join("vm").join(series),
        };
        let stamp = kernel.folder.join("complete");
        let wanted = MODULES.join(" ");
        if fs::read_to_string(&stamp).is_ok_and(|unpacked| unpacked == wanted) {
            return Ok(kernel);
        }
        let _not_there = fs::remove_dir_all(&kernel.folder);
        fs::create_dir_all(&kernel.folder)?;
        let package = with_fresh_lists(|| {
            let name = package(series)?;
            println!(
                "setup: fetching {name} into {} (not installed)",
                kernel.folder.display()
            );
            run(Command::new("apt-get")
                .args(["download", "-q", &name])
                .current_dir(&kernel.folder))?;
            Ok(name)
        })?;
        kernel.keep_what_is_needed()?;
        fs::write(kernel.folder.join("package"), package)?;
        fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))?;
        Ok(kernel)
    }

    /// The Debian package it came in.
    pub(super) fn package(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join("package"))?)
    }

    /// The kernel itself.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// Where its part of `target/` is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its modules by file name, in the order in which they can be loaded.
    pub(super) fn modules(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut modules = Vec::new();
        for path in files(&self.folder.join("modules"))? {
            modules.push((file_name(&path), fs::read(&path)?));
        }
        modules.sort();
        Ok(modules)
    }

    /// Of the downloaded package: the image and the modules; the rest is 400 MB.
    fn keep_what_is_needed(&self) -> anyhow::Result<()> {
        let archive = files(&self.folder)?
            .into_iter()
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .context("apt-get downloaded no package")?;
        let tree = self.folder.join("tree");
        unpack(&archive, &tree)?;
        let all = files(&tree)?;
        let image = all.iter().find(|path| file_name(path).starts_with("vmlinuz-"));
        fs::rename(image.context("there is no vmlinuz in the package")?, self.image())?;
        let folder = self.folder.join("modules");
        fs::create_dir_all(&folder)?;
        let mut order = Vec::new();
        let mut met = BTreeSet::new();
        for module in MODULES {
            collect(module, &all, &mut met, &mut order)?;
        }
        for (at, (name, content)) in order.into_iter().enumerate() {
            fs::write(folder.join(format!("{at:02}-{name}.ko")), content)?;
        }
        fs::remove_dir_all(&tree)?;
        Ok(fs::remove_file(&archive)?)
    }
}

/// Put `module` into `order` behind what it depends on, unless it was `met` before.
fn collect(
    module: &str,
    files: &[PathBuf],
    met: &mut BTreeSet<String>,
    order: &mut Vec<(String, Vec<u8>)>,
) -> anyhow::Result<()> {
    if !met.insert(module.to_owned()) {
        return Ok(());
    }
    let path = files
        .iter()
        .find(|path| module_name(path).as_deref() == Some(module));
    let Some(path) = path else {
        // Debian's list of what is built in names these by path, too.
        let listed = files.iter().find(|path| file_name(path) == "modules.builtin");
        let listed = fs::read_to_string(listed.context("there is no modules.builtin in the package")?)?;
        let built_in = listed
            .lines()
            .any(|line| module_name(Path::new(line)).as_deref() == Some(module));
        ensure!(built_in, "the kernel has no module {module}");
        return Ok(());
    };
    let content = if path.extension().is_some_and(|extension| extension == "xz") {
        run(Command::new(PROGRAMS.root().join("bin/busybox"))
            .arg("xzcat")
            .arg(path))?
    } else {
        fs::read(path)?
    };
    for dependency in dependencies(&content) {
        collect(&dependency, files, met, order)?;
    }
    order.push((module.to_owned(), content));
    Ok(())
}

/// `8021q` of `…/8021q.ko.xz`; the kernel takes `-` for `_`.
fn module_name(path: &Path) -> Option<String> {
    let name = file_name(path);
    let name = name.strip_suffix(".xz").unwrap_or(&name);
    Some(name.strip_suffix(".ko")?.replace('-', "_"))
}

/// The names in a module's `depends=…`, which stands among the strings of its section `.modinfo`.
fn dependencies(module: &[u8]) -> Vec<String> {
    let list = module
        .split(|byte| *byte == 0)
        .find_map(|string| string.strip_prefix(b"depends="));
    let list = String::from_utf8_lossy(list.unwrap_or_default());
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// The newest package with a kernel of `series`; signed ones, which Debian's users run, go before others.
fn package(series: &str) -> anyhow::Result<String> {
    let listing = run(Command::new("apt-cache").args(["search", "--names-only", "^linux-image-[0-9]"]))?;
    let listing = String::from_utf8_lossy(&listing);
    let names = listing.lines().filter_map(|line| line.split_whitespace().next());
    newest(series, names).map(str::to_owned).with_context(|| {
        format!(
            "apt knows no package linux-image-{series}.…-amd64; Debian 12 and its security updates have it"
        )
    })
}

fn newest<'a>(series: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let prefix = format!("linux-image-{series}.");
    names
        .filter_map(|name| {
            let rest = name.strip_prefix(&prefix)?;
            let signed = !rest.ends_with("-unsigned");
            let version = rest
                .strip_suffix("-unsigned")
                .unwrap_or(rest)
                .strip_suffix("-amd64")?;
            // Not the builds for clouds, for real time, or with debug symbols.
            let plain = !version.contains("-cloud") && !version.contains("-rt");
            let numbers: Vec<u32> = version
                .split(|c: char| !c.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect();
            plain.then_some((signed, numbers, name))
        })
        .max()
        .map(|(_, _, name)| name)
}

/// All files below `folder`.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let into = if entry.file_type()?.is_dir() {
                &mut folders
            } else {
                &mut found
            };
            into.push(entry.path());
        }
    }
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::{dependencies, newest};

    /// Some of the names that Debian 12 has.
    #[test]
    fn the_newest_signed_kernel_of_a_series_is_taken() {
        let names = [
            "linux-image-6.1.0-9-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-image-6.1.0-56-rt-amd64",
            "linux-image-6.1.0-56-amd64-dbg",
            "linux-image-6.1.0-57-amd64-unsigned",
            "linux-image-6.12.90+deb12-amd64",
            "linux-image-6.12.90+deb12.1-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.13.1+deb12-amd64-unsigned",
            "linux-image-6.13.2+deb12-amd64-unsigned",
        ];
        let newest = |series| newest(series, names.into_iter());
        assert_eq!(newest("6.1"), Some("linux-image-6.1.0-56-amd64"));
        assert_eq!(newest("6.12"), Some("linux-image-6.12.90+deb12.1-amd64"));
        assert_eq!(newest("6.13"), Some("linux-image-6.13.2+deb12-amd64-unsigned"));
        assert_eq!(newest("6.2"), None);
    }

    #[test]
    fn what_a_module_depends_on_is_read_from_its_strings() {
        assert_eq!(
            dependencies(b"\x7fELF\0license=GPL\0depends=mrp,garp\0retpoline=Y\0"),
            ["mrp", "garp"]
        );
        assert!(dependencies(b"\0depends=\0").is_empty());
    }
}
