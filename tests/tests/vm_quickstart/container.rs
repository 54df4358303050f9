//! A host with a systemd: a container over the guest's own files, which it sees as they were at boot.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use vrrp_tests::lab::until;

/// Guests are slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Container {
    name: char,
    /// Its files, seen from outside; `/run` and the like are its own.
    root: PathBuf,
    /// systemd-nspawn.
    keeper: Child,
    /// Its first process.
    leader: u32,
}

impl Container {
    /// Begin to boot it.
    pub(crate) fn boot(name: char) -> anyhow::Result<Self> {
        let folder = PathBuf::from(format!("/run/vm-quickstart/{name}"));
        let part = |part: &str| folder.join(part);
        for part in [part("upper"), part("work"), part("root")] {
            fs::create_dir_all(part)?;
        }
        let layers = format!(
            "lowerdir=/,upperdir={},workdir={}",
            part("upper").display(),
            part("work").display()
        );
        let root = part("root");
        run(Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &layers])
            .arg(&root))?;
        let packages = std::env::var_os("VRRP_PACKAGES").context("VRRP_PACKAGES")?;
        for package in fs::read_dir(packages)?.flatten() {
            fs::copy(package.path(), root.join("root").join(package.file_name()))?;
        }
        let console = File::create(part("console"))?;
        let keeper = Command::new("systemd-nspawn")
            .args(["--quiet", "--boot", "--register=no", "--link-journal=no"])
            .args(["--resolv-conf=off", "--timezone=off", "--private-network"])
            // What a host lets its daemons do.
            .args(["--capability=all", "--system-call-filter=bpf perf_event_open"])
            .args([&format!("--machine={name}"), &format!("--hostname={name}")])
            .arg("--directory")
            .arg(&root)
            .args(["systemd.unit=multi-user.target", "systemd.mask=console-getty.service"])
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("starting systemd-nspawn")?;
        let mut container = Self {
            name,
            root,
            keeper,
            leader: 0,
        };
        until("the container has a first process", LIMIT, || {
            let ended = container.keeper.try_wait()?;
            ensure!(ended.is_none(), "{ended:?}: {}", container.console());
            container.leader = container.first_process().unwrap_or_default();
            Ok(container.leader != 0)
        })?;
        Ok(container)
    }

    fn console(&self) -> String {
        fs::read_to_string(self.root.with_file_name("console")).unwrap_or_default()
    }

    /// Of the keeper's children the one that has become a systemd.
    fn first_process(&self) -> Option<u32> {
        let keeper = self.keeper.id();
        let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
        children
            .split_whitespace()
            .find(|child| {
                fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "systemd\n")
            })?
            .parse()
            .ok()
    }

    /// Wait until it has come up.
    pub(crate) fn await_boot(&self) -> anyhow::Result<()> {
        until(&format!("{} is up", self.name), LIMIT, || {
            std::thread::sleep(Duration::from_millis(500));
            let said = self.say("systemctl is-system-running || true")?;
            Ok(["running", "degraded"].contains(&said.trim()))
        })
        .with_context(|| self.console())
    }

    pub(crate) const fn leader(&self) -> u32 {
        self.leader
    }

    /// A path of its own, seen from here.
    pub(crate) fn outside(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.outside(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// A command line for its shell, as root's in its home.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.leader.to_string()])
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .args(["env", "-i", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb"])
            .args(["DEBIAN_FRONTEND=noninteractive"])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["sh", "-c", &format!("cd /root\n{line}")])
            .stdin(Stdio::null());
        command
    }

    /// Run a line, and what it printed; it has to do well.
    pub(crate) fn say(&self, line: &str) -> anyhow::Result<String> {
        run(&mut self.shell(line)).with_context(|| format!("on {}: {line}", self.name))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _gone_already = self.keeper.kill();
        let _reaped = self.keeper.wait();
    }
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{}: {}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}
