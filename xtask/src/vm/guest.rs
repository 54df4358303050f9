//! One virtual machine from boot to power-off: qemu without KVM, which a machine that is itself virtual often
//! has and cannot use.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::PROGRAMS;
use super::initramfs::Initramfs;
use super::kernel::Kernel;
use super::system::System;
use crate::paths::workspace_root;

/// How long a guest may take from boot to power-off.
const LIMIT: Duration = Duration::from_secs(600);
/// The same with a system, where packages are installed.
const LIMIT_OF_SYSTEM: Duration = Duration::from_secs(1800);
/// A kernel that trips over something stops there, and so does the guest.
const COMMAND_LINE: &str = "console=ttyS0 loglevel=5 oops=panic panic=-1 mitigations=off";
/// The machine's files, as they are.
const MOUNT_MACHINE: &str = "$busybox mount -t 9p \
     -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /root\n";
/// How many lines of the console are shown again when a guest fails, now with the kernel's own.
const TAIL: usize = 20;

/// A compiled test.
#[derive(Clone, Debug)]
pub(super) struct Test {
    /// What cargo calls it.
    pub(super) name: &'static str,
    /// Where it is.
    pub(super) binary: PathBuf,
}

/// A guest to be.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) tests: Vec<Test>,
    /// What boots there; without one nothing does, and the tests run on the machine's own files.
    pub(super) system: Option<&'a System>,
}

impl Guest<'_> {
    /// Boot it, and run the tests in it. What they print is printed; the whole console goes into a file.
    ///
    /// # Errors
    /// A test failed or did not run, or the guest did not come to its end in time.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        if let Some(system) = self.system {
            system.write_disk(&self.tests)?;
        }
        fs::write(self.initrd(), self.initramfs()?)?;
        fs::write(self.results(), "")?;
        let console = folder.join("console");
        let mut qemu = self
            .qemu()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting qemu")?;
        let output = qemu.stdout.take().context("qemu without a console")?;
        let mut file = File::create(&console)?;
        let relay = thread::spawn(move || relay(output, &mut file));
        let ended = wait(&mut qemu, self.limit());
        let _shown_what_there_was = relay.join();
        let outcome = ended.and_then(|()| self.judge());
        if outcome.is_err() {
            eprintln!("-- the end of {}:\n{}", console.display(), tail(&console));
        }
        outcome
    }

    fn limit(&self) -> Duration {
        self.system.map_or(LIMIT, |_| LIMIT_OF_SYSTEM)
    }

    /// Where its own files are.
    fn folder(&self) -> &Path {
        self.system.map_or_else(|| self.kernel.folder(), System::folder)
    }

    fn initrd(&self) -> PathBuf {
        self.folder().join("initrd")
    }

    /// A line per test, `NAME EXIT-CODE`.
    fn results(&self) -> PathBuf {
        self.folder().join("results")
    }

    fn initramfs(&self) -> anyhow::Result<Vec<u8>> {
        let mut archive = Initramfs::default();
        for folder in ["bin", "dev", "modules", "proc", "root"] {
            archive.folder(folder);
        }
        let busybox = PROGRAMS.root().join("bin/busybox");
        archive.file("bin/busybox", &fs::read(busybox)?);
        for (name, content) in self.kernel.modules()? {
            archive.file(&format!("modules/{name}"), &content);
        }
        archive.file("init", include_bytes!("init.sh"));
        archive.file("tests.sh", self.script()?.as_bytes());
        let (mount, start) = match self.system {
            None => (MOUNT_MACHINE, "/bin/sh /run/tests.sh"),
            Some(_) => (System::MOUNT, System::START),
        };
        archive.file("mount.sh", mount.as_bytes());
        archive.file("start", start.as_bytes());
        Ok(archive.finish())
    }

    /// What runs once the machine's files are there.
    fn script(&self) -> anyhow::Result<String> {
        let mut script = format!(
            "exec > /dev/console 2>&1\n\
             off() {{ echo o > /proc/sysrq-trigger; sleep 60; }}\n\
             export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
             export TMPDIR=/run HOME=/run REQUIRE_ROOT=1 VRRP_VM=1\n\
             (sleep {}; echo 'out of time'; off) &\n\
             uname -a\n",
            self.limit().as_secs(),
        );
        if self.system.is_some() {
            script.push_str(System::ENVIRONMENT);
        } else {
            let folder = quoted(&workspace_root().join("tests"))?;
            script.push_str(&format!("cd {folder}\n"));
        }
        if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
            let target = quoted(Path::new(&target))?;
            script.push_str(&format!("export CARGO_TARGET_DIR={target}\n"));
        }
        for Test { name, binary } in &self.tests {
            let binary = match self.system {
                None => binary.clone(),
                Some(_) => System::place(binary),
            };
            // One at a time: a guest without KVM is slow.
            let run = format!(
                "{} --test-threads 1 --color never --show-output",
                quoted(&binary)?
            );
            script.push_str(&format!(
                "echo '-- {name}'\n{run}\necho \"{name} $?\" > /dev/ttyS1\n"
            ));
        }
        script.push_str("off\n");
        Ok(script)
    }

    fn qemu(&self) -> Command {
        let root = PROGRAMS.root();
        let mut command = Command::new(root.join("usr/bin/qemu-system-x86_64"));
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|folder| root.join(folder));
        let mut search = libraries[0].clone().into_os_string();
        search.push(":");
        search.push(&libraries[1]);
        let mut results = OsString::from("file:");
        results.push(self.results());
        command
            .env("LD_LIBRARY_PATH", search)
            .arg("-L")
            .arg(root.join("usr/share/qemu"))
            .arg("-L")
            .arg(root.join("usr/share/seabios"))
            .args([
                "-machine",
                "q35",
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max,la57=off",
            ])
            .args(["-smp", "2", "-m", "1536"])
            .args(["-nodefaults", "-display", "none", "-no-reboot"])
            .arg("-kernel")
            .arg(self.kernel.image())
            .arg("-initrd")
            .arg(self.initrd())
            .arg("-append")
            .arg(format!(
                "{COMMAND_LINE} {}",
                self.system.map_or("", |_| System::COMMAND_LINE)
            ))
            .args(["-serial", "stdio", "-serial"])
            .arg(results);
        if let Some(system) = self.system {
            // Nothing on it is needed when the guest has ended.
            let mut drive = OsString::from("if=virtio,format=raw,cache=unsafe,file=");
            drive.push(system.disk());
            command.arg("-drive").arg(drive);
        } else {
            command
                .arg("-virtfs")
                .arg("local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap");
        }
        command
    }

    /// Every test has said that it passed.
    fn judge(&self) -> anyhow::Result<()> {
        let results = fs::read_to_string(self.results())?;
        let result = |test: &Test| {
            results
                .lines()
                .find_map(|line| line.trim().strip_prefix(test.name)?.strip_prefix(' '))
        };
        let failed: Vec<String> = self
            .tests
            .iter()
            .filter_map(|test| match result(test) {
                Some("0") => None,
                Some(code) => Some(format!("{} ended with {code}", test.name)),
                None => Some(format!("{} did not come to its end", test.name)),
            })
            .collect();
        ensure!(failed.is_empty(), "{}", failed.join(", "));
        Ok(())
    }
}

/// The console into the file; of that the lines that are not the kernel's are printed.
fn relay(console: impl Read, file: &mut File) {
    let mut lines = BufReader::new(console);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let _best_effort = writeln!(file, "{text}");
        if !text.starts_with('[') && !text.is_empty() {
            println!("{text}");
        }
        line.clear();
    }
}

/// Wait for its end; at its `limit` and a little later it is made to end.
fn wait(qemu: &mut Child, limit: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit + Duration::from_secs(30);
    loop {
        if let Some(status) = qemu.try_wait()? {
            ensure!(status.success(), "qemu ended with {status}");
            return Ok(());
        }
        if Instant::now() >= deadline {
            qemu.kill()?;
            qemu.wait()?;
            bail!("the guest had not ended after {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// For the shell.
pub(super) fn quoted(path: &Path) -> anyhow::Result<String> {
    let path = path.to_str().context("a path that is not UTF-8")?;
    Ok(format!("'{}'", path.replace('\'', r"'\''")))
}
