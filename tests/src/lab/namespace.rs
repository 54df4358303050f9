//! A network namespace, with a mount namespace where a host needs files of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

use anyhow::{Context, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, chroot, fchdir};

use super::kernel;

/// Every namespace of this process, for the one who ends it early.
static ALL: Mutex<Vec<Weak<Namespace>>> = Mutex::new(Vec::new());

/// A network namespace that lives as long as this value and the processes in it.
///
/// One made by [`Namespace::host`] also has a mount namespace in which `/run` is empty and `/etc` and
/// `/usr/local/bin` are writable copies: what is written there exists nowhere else.
#[derive(Debug)]
pub struct Namespace {
    net: OwnedFd,
    mounts: Option<Mounts>,
    /// What tells it from other network namespaces: the inode behind `/proc/PID/ns/net`.
    inode: u64,
    /// Its name under `/run/netns`, removed on drop unless [`Namespace::keep`] was called.
    name: Mutex<Option<String>>,
}

/// A mount namespace, and the root directory in it.
#[derive(Debug)]
pub(super) struct Mounts {
    namespace: OwnedFd,
    root: OwnedFd,
}

impl Mounts {
    /// That of this thread.
    fn current() -> io::Result<Self> {
        Ok(Self {
            namespace: File::open("/proc/thread-self/ns/mnt")?.into(),
            root: File::open("/")?.into(),
        })
    }

    /// Move this thread there. The kernel takes the namespace's own root, which is not ours if this process
    /// runs in a chroot: then the files of the machine outside would be written.
    pub(super) fn enter(&self) -> nix::Result<()> {
        setns(&self.namespace, CloneFlags::CLONE_NEWNS)?;
        fchdir(&self.root)?;
        chroot(".")
    }
}

impl Namespace {
    /// A bare namespace, loopback up. With a name it also stands under `/run/netns`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn bare(name: Option<&str>) -> anyhow::Result<Arc<Self>> {
        Self::create(name, false)
    }

    /// A namespace for a host, with files of its own.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn host(name: Option<&str>) -> anyhow::Result<Arc<Self>> {
        Self::create(name, true)
    }

    fn create(name: Option<&str>, own_files: bool) -> anyhow::Result<Arc<Self>> {
        if let Some(name) = name {
            run(Command::new("ip").args(["netns", "add", name]))?;
        }
        // A thread of its own, so that this one stays where it is.
        let (net, mounts) = in_thread(|| {
            match name {
                Some(name) => {
                    let path = Path::new("/run/netns").join(name);
                    let named = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
                    setns(&named, CloneFlags::CLONE_NEWNET).context("entering the new namespace")?;
                }
                None => unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace")?,
            }
            quiet_ipv6()?;
            run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
            if own_files {
                unshare(CloneFlags::CLONE_NEWNS).context("making a mount namespace")?;
                own_etc_and_run()?;
            }
            let net = OwnedFd::from(File::open("/proc/thread-self/ns/net")?);
            let mounts = match own_files {
                true => Some(Mounts::current()?),
                false => None,
            };
            Ok((net, mounts))
        })?;
        let inode = fs::metadata(format!("/proc/self/fd/{}", net.as_raw_fd()))?.ino();
        let namespace = Arc::new(Self {
            net,
            mounts,
            inode,
            name: Mutex::new(name.map(str::to_owned)),
        });
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&namespace));
        Ok(namespace)
    }

    /// A command that will run inside, and die with the thread that spawns it.
    pub fn command(self: &Arc<Self>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        kernel::run_inside(&mut command, Arc::clone(self), true);
        command
    }

    /// A command that will run inside and outlive this process.
    pub fn lasting_command(self: &Arc<Self>, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        kernel::run_inside(&mut command, Arc::clone(self), false);
        command
    }

    /// Run a program inside to its end and hand back what it printed.
    ///
    /// # Errors
    /// It could not be started, or failed: then with its own words.
    pub fn run<S: AsRef<OsStr>>(self: &Arc<Self>, program: &str, args: &[S]) -> anyhow::Result<String> {
        run(self.command(program).args(args))
    }

    /// Run `work` on a thread that is inside: what it opens (sockets, files) belongs to this namespace.
    ///
    /// # Errors
    /// Entering failed, or `work` did.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        in_thread(|| {
            setns(&self.net, CloneFlags::CLONE_NEWNET).context("entering a network namespace")?;
            if let Some(mounts) = &self.mounts {
                // A mount namespace can be entered only by a thread that shares its directory with nobody.
                unshare(CloneFlags::CLONE_FS)?;
                mounts.enter().context("entering a mount namespace")?;
            }
            work()
        })
    }

    /// The processes inside, this one excepted.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|&pid: &i32| Pid::from_raw(pid) != Pid::this())
            .filter(|pid| {
                fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|file| file.ino() == self.inode)
            })
            .map(Pid::from_raw)
            .collect()
    }

    /// SIGSTOP for every process inside, until [`Namespace::resume`].
    pub fn pause(&self) {
        for pid in self.processes() {
            let _gone_already = kill(pid, Signal::SIGSTOP);
        }
    }

    /// SIGCONT for every process inside.
    pub fn resume(&self) {
        for pid in self.processes() {
            let _gone_already = kill(pid, Signal::SIGCONT);
        }
    }

    /// SIGKILL for every process inside, all at once as when a machine loses its power: they are stopped
    /// first, so that none has time to act on the death of another. Answers who was killed: their parents
    /// still have to reap them.
    pub fn kill_all(&self) -> Vec<Pid> {
        let mut stopped: Vec<Pid> = Vec::new();
        // A process that forks while the others are being stopped leaves a child for the next round.
        for _ in 0..100 {
            let new: Vec<Pid> = self
                .processes()
                .into_iter()
                .filter(|pid| !stopped.contains(pid))
                .collect();
            if new.is_empty() {
                break;
            }
            for &pid in &new {
                let _gone_already = kill(pid, Signal::SIGSTOP);
            }
            stopped.extend(new);
        }
        for &pid in &stopped {
            let _gone_already = kill(pid, Signal::SIGKILL);
        }
        // A dying process leaves its namespaces a moment later; a zombie has left them.
        for _ in 0..1_000 {
            if self.processes().is_empty() {
                break;
            }
            thread::yield_now();
        }
        stopped
    }

    /// Leave name and processes where they are when this value goes.
    pub fn keep(&self) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A path by which `ip link … netns` finds this namespace while this process lives.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", Pid::this(), self.net.as_raw_fd())
    }

    pub(super) fn net(&self) -> BorrowedFd<'_> {
        self.net.as_fd()
    }

    pub(super) const fn mounts(&self) -> Option<&Mounts> {
        self.mounts.as_ref()
    }

    fn remove_name(&self) {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(name) = name {
            let _best_effort = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.remove_name();
    }
}

/// On Ctrl-C or SIGTERM: end what runs in this process's namespaces, remove their names, exit with 130.
///
/// # Errors
/// A handler is there already.
pub fn end_all_on_interrupt() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        for namespace in all.iter().filter_map(Weak::upgrade) {
            namespace.kill_all();
            namespace.remove_name();
        }
        std::process::exit(130);
    })
    .context("installing the handler for Ctrl-C")
}

/// Run to the end; standard output, or an error with what it said.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .with_context(|| format!("running {}", command.get_program().display()))?;
    if !status.success() {
        let args: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        bail!(
            "{} {}: {status}: {}",
            command.get_program().display(),
            args.join(" "),
            String::from_utf8_lossy(&stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

fn in_thread<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(_) => bail!("the lab's helper thread panicked"),
    })
}

/// Link-local addresses that may be used at once (no duplicate address detection), and no router
/// solicitations among the captures.
fn quiet_ipv6() -> anyhow::Result<()> {
    for (name, value) in [("accept_dad", "0"), ("router_solicitations", "0")] {
        for which in ["all", "default"] {
            let path = format!("/proc/sys/net/ipv6/conf/{which}/{name}");
            match fs::write(&path, value) {
                // A kernel without IPv6 has nothing to quieten.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("writing {path}"));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// In a fresh mount namespace: an empty `/run`, and `/etc` and `/usr/local/bin` that can be written without
/// anything of the machine's own changing.
fn own_etc_and_run() -> anyhow::Result<()> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("making mounts private")?;
    mount(
        Some("lab"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=755"),
    )
    .context("mounting an empty /run")?;
    for directory in ["/etc", "/usr/local/bin"] {
        let layer = format!("/run/.lab{directory}");
        for part in ["upper", "work"] {
            fs::create_dir_all(format!("{layer}/{part}"))?;
        }
        let options = format!("lowerdir={directory},upperdir={layer}/upper,workdir={layer}/work");
        mount(
            Some("lab"),
            directory,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .with_context(|| format!("mounting an overlay over {directory} (the kernel needs overlayfs)"))?;
    }
    Ok(())
}
