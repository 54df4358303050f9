//! A Debian with systemd for a guest to boot, and the packages that are installed in it.
//!
//! mmdebstrap makes it from where the machine's own apt gets its packages, once, and below `target/vm`. Its
//! programs are the machine's release, so what was compiled here runs there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use vrrp_tests::lab::is_root;

use super::guest::Test;
use crate::package;
use crate::paths::{target_dir, workspace_root};
use crate::setup::packages::{Unpacked, run, with_fresh_lists};

/// What makes it.
const MAKER: Unpacked = Unpacked {
    folder: "vm/maker",
    packages: &["mmdebstrap"],
};
/// What is in it beside what every Debian has.
const PACKAGES: &str = "systemd-sysv,systemd-container,dbus,iproute2,procps,keepalived";

/// Where the tests are in it.
const TESTS: &str = "/opt/tests";

/// A system that can be booted.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// Its files, and those of the guest.
    folder: PathBuf,
}

impl System {
    /// For the initramfs: its files are on the disk.
    pub(super) const MOUNT: &str = "$busybox mount -t ext4 /dev/vda /root\n";
    /// And the first process there.
    pub(super) const START: &str = "/sbin/init";
    /// What the tests are told: where the packages are, and a daemon that is in none.
    pub(super) const ENVIRONMENT: &str = "export VRRP_PACKAGES=/opt/tests/packages \
         VRRP_DAEMON=/opt/tests/vrrp-daemon VRRP_DOCUMENTS=/opt/tests/documents\n";
    /// No login on the console, and no lines of systemd's between those of the tests.
    pub(super) const COMMAND_LINE: &str = "systemd.unit=vrrp-tests.service systemd.show_status=0 \
         systemd.log_target=journal systemd.mask=serial-getty@ttyS0.service";

    /// The system, made unless it is there, and two packages of this tree, built anew.
    ///
    /// # Errors
    /// What apt, mmdebstrap or cargo said; not root.
    pub(super) fn fetch() -> anyhow::Result<Self> {
        let system = Self {
            folder: target_dir().join("vm/systemd"),
        };
        system.make()?;
        package::programs()?;
        let _not_there = fs::remove_dir_all(system.packages());
        for revision in [1, 2] {
            let package = package::deb(&system.packages(), revision)?;
            if revision == 1 {
                package::tarball(&package)?;
            }
        }
        Ok(system)
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }

    fn make(&self) -> anyhow::Result<()> {
        let (codename, sources) = (codename()?, sources()?);
        let stamp = self.folder.join("complete");
        let recipe = format!("{codename} {PACKAGES}");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
            return Ok(());
        }
        ensure!(is_root(), "only root can make the system that the guest boots");
        MAKER.fetch()?;
        let root = self.root();
        println!("setup: making a Debian {codename} in {}", root.display());
        for old in [&root, &self.folder] {
            let _not_there = fs::remove_dir_all(old);
        }
        fs::create_dir_all(&self.folder)?;
        let options = self.folder.join("apt.conf");
        // By the same way: proxies, and which dates are believed.
        fs::write(
            &options,
            run(Command::new("apt-config").args(["dump", "Acquire"]))?,
        )?;
        let mut option = std::ffi::OsString::from("--aptopt=");
        option.push(&options);
        with_fresh_lists(|| {
            run(Command::new("perl")
                .arg(MAKER.root().join("usr/bin/mmdebstrap"))
                .args(["--quiet", "--mode=root", "--variant=minbase"])
                .arg(format!("--include={PACKAGES}"))
                .arg(&option)
                .arg(&codename)
                .arg(&root)
                .args(&sources))
        })?;
        fs::write(&stamp, recipe).with_context(|| format!("writing {}", stamp.display()))
    }

    /// Where a compiled test is in the guest.
    pub(super) fn place(binary: &Path) -> PathBuf {
        Path::new(TESTS).join(binary.file_name().unwrap_or_default())
    }

    /// What qemu gives the guest as its disk.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// Write it anew: the system, with the tests, the packages, and what starts the tests.
    ///
    /// # Errors
    /// A file that cannot be copied, or what mkfs said.
    pub(super) fn write_disk(&self, tests: &[Test]) -> anyhow::Result<()> {
        let inside = |path: &str| self.root().join(path.trim_start_matches('/'));
        let folder = inside(TESTS);
        let _not_there = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("packages"))?;
        let packages = fs::read_dir(self.packages())?;
        for package in packages.collect::<Result<Vec<_>, _>>()? {
            fs::copy(package.path(), folder.join("packages").join(package.file_name()))?;
        }
        // For the other host, which is no systemd's.
        for program in ["vrrp-daemon", "vrrpctl"] {
            fs::copy(target_dir().join("release").join(program), folder.join(program))?;
        }
        for part in ["", "docs"] {
            let to = folder.join("documents").join(part);
            fs::create_dir_all(&to)?;
            let from = fs::read_dir(workspace_root().join(part))?;
            for document in from.collect::<Result<Vec<_>, _>>()? {
                if document.path().extension() == Some("md".as_ref()) {
                    fs::copy(document.path(), to.join(document.file_name()))?;
                }
            }
        }
        for test in tests {
            fs::copy(&test.binary, inside(&Self::place(&test.binary).to_string_lossy()))?;
        }
        fs::write(
            inside("/etc/systemd/system/vrrp-tests.service"),
            include_str!("vrrp-tests.service"),
        )?;
        // Not started at boot; and an old-style script would have `systemctl enable` call perl for 17 s.
        for path in [
            "/etc/systemd/system/multi-user.target.wants/keepalived.service",
            "/etc/init.d/keepalived",
        ] {
            let _done_before = fs::remove_file(inside(path));
        }
        // Not a first boot.
        fs::write(inside("/etc/machine-id"), "00000000000000000000000000000112\n")?;
        let disk = self.disk();
        let _not_there = fs::remove_file(&disk);
        run(Command::new("/usr/sbin/mkfs.ext4")
            .args(["-q", "-O", "^has_journal", "-d"])
            .arg(self.root())
            .arg(&disk)
            .arg("1G"))
        .map(drop)
    }
}

/// The machine's release of Debian.
fn codename() -> anyhow::Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map(str::to_owned)
        .context("/etc/os-release names no release: is this Debian?")
}

/// The files that say where the machine's packages come from.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let list = PathBuf::from("/etc/apt/sources.list");
    let more = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = more
        .map(|entry| entry.path())
        .filter(|path| {
            let extension = path.extension().unwrap_or_default();
            extension == "list" || extension == "sources"
        })
        .chain(list.exists().then_some(list))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "apt has no sources");
    Ok(files)
}
