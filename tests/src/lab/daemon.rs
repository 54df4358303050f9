//! A running daemon: ours, or Debian's keepalived, started with the same command line.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::host::Host;
use super::memory::Memory;

/// Which program plays the part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// This project's.
    Ours {
        /// `vrrp-daemon`; `vrrpctl` is beside it.
        binary: PathBuf,
    },
    /// Debian's keepalived.
    Keepalived {
        /// Where its packages are unpacked; `/` for an installed one.
        root: PathBuf,
    },
    /// Another program that takes keepalived's command line.
    Other {
        /// Its file.
        binary: PathBuf,
    },
}

impl Program {
    /// Our daemon: what `VRRP_DAEMON` names, else the newer of the debug and the release build.
    ///
    /// # Errors
    /// It was not built yet: says by which command.
    pub fn ours() -> anyhow::Result<Self> {
        if let Some(binary) = env::var_os("VRRP_DAEMON") {
            return Ok(Self::Ours {
                binary: binary.into(),
            });
        }
        let target = target_dir();
        let newest = ["debug", "release"]
            .iter()
            .map(|profile| target.join(profile).join("vrrp-daemon"))
            .filter_map(|binary| Some((fs::metadata(&binary).ok()?.modified().ok()?, binary)))
            .max();
        match newest {
            Some((_, binary)) => Ok(Self::Ours { binary }),
            None => bail!(
                "there is no vrrp-daemon under {}: run `cargo xtask build` first",
                target.display()
            ),
        }
    }

    /// Our daemon as users get it: what `VRRP_DAEMON` names, else the release build.
    ///
    /// # Errors
    /// It was not built yet: says by which command.
    pub fn release() -> anyhow::Result<Self> {
        if let Some(binary) = env::var_os("VRRP_DAEMON") {
            return Ok(Self::Ours {
                binary: binary.into(),
            });
        }
        let binary = target_dir().join("release/vrrp-daemon");
        if !binary.exists() {
            bail!(
                "there is no {}: run `cargo xtask build --release` first",
                binary.display()
            );
        }
        Ok(Self::Ours { binary })
    }

    /// Debian's keepalived under `target/peers/root`, else an installed one.
    ///
    /// # Errors
    /// There is none: says by which command to get it.
    pub fn keepalived() -> anyhow::Result<Self> {
        let unpacked = target_dir().join("peers/root");
        [unpacked, PathBuf::from("/")]
            .into_iter()
            .find(|root| root.join("usr/sbin/keepalived").exists())
            .map(|root| Self::Keepalived { root })
            .context("there is no keepalived under target/peers: run `cargo xtask setup` first")
    }

    /// For tables and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ours { .. } => "vrrp-daemon",
            Self::Keepalived { .. } => "keepalived",
            Self::Other { .. } => "peer",
        }
    }

    /// The program's file.
    #[must_use]
    pub fn binary(&self) -> PathBuf {
        match self {
            Self::Ours { binary } | Self::Other { binary } => binary.clone(),
            Self::Keepalived { root } => root.join("usr/sbin/keepalived"),
        }
    }

    /// A command that runs it on `host`, and dies with the thread that spawns it. A `wrapper` (`setpriv` and its
    /// options) may start it.
    #[must_use]
    pub fn command(&self, host: &Host, wrapper: &[&str]) -> Command {
        let binary = self.binary();
        let mut command = match wrapper.split_first() {
            None => host.namespace().command(binary),
            Some((first, rest)) => {
                let mut command = host.namespace().command(first);
                command.args(rest).arg(binary);
                command
            }
        };
        self.find_libraries(&mut command);
        command
    }

    /// The first line of what it answers to `--version`; empty if nothing.
    #[must_use]
    pub fn version(&self) -> String {
        let mut command = Command::new(self.binary());
        self.find_libraries(&mut command);
        let said = command.arg("--version").output().ok().map(|output| {
            // keepalived says it on standard error.
            let all = [output.stdout, output.stderr].concat();
            String::from_utf8_lossy(&all)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        said.unwrap_or_default()
    }

    fn find_libraries(&self, command: &mut Command) {
        let libraries = self.libraries();
        if !libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", libraries);
        }
    }

    /// The libraries that came with it, for `LD_LIBRARY_PATH`; empty when it uses the machine's.
    fn libraries(&self) -> String {
        match self {
            Self::Ours { .. } | Self::Other { .. } => String::new(),
            Self::Keepalived { root } => libraries(root),
        }
    }
}

/// A command that runs another of the unpacked peers' programs on `host` (`usr/sbin/nft`), or the machine's own. What
/// Debian 12 has below `/` (`bin/journalctl`) later ones have below `/usr`.
///
/// # Errors
/// There is none: says by which command to get it.
pub fn peer_command(host: &Host, program: &str) -> anyhow::Result<Command> {
    let (root, binary) = [target_dir().join("peers/root"), PathBuf::from("/")]
        .into_iter()
        .flat_map(|root| {
            let below_usr = root.join("usr").join(program);
            [(root.clone(), root.join(program)), (root, below_usr)]
        })
        .find(|(_, binary)| binary.exists())
        .with_context(|| {
            format!("there is no {program} under target/peers: run `cargo xtask setup` first")
        })?;
    let mut command = host.namespace().command(binary);
    let libraries = libraries(&root);
    if !libraries.is_empty() {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    Ok(command)
}

/// The libraries unpacked under `root`; empty for `/`.
fn libraries(root: &Path) -> String {
    if root == Path::new("/") {
        return String::new();
    }
    let found: Vec<String> = ["usr/lib", "lib"]
        .iter()
        .filter_map(|directory| fs::read_dir(root.join(directory)).ok())
        .flat_map(|entries| entries.flatten())
        // Debian's multiarch directory: x86_64-linux-gnu and its like.
        .filter(|entry| entry.file_name().to_string_lossy().contains("-linux-gnu"))
        // systemd's programs have a library of their own there.
        .flat_map(|entry| [entry.path(), entry.path().join("systemd")])
        .map(|directory| directory.display().to_string())
        .collect();
    found.join(":")
}

/// A running daemon. All of its host's processes are killed when this is dropped, unless it was let go. When
/// a failing test drops it, it shows what it logged.
#[derive(Debug)]
pub struct Daemon {
    host: Host,
    child: Option<Child>,
    binary: PathBuf,
    log: &'static str,
}

impl Daemon {
    /// Where the configuration is put on its host.
    pub const FILE: &'static str = "/etc/keepalived/keepalived.conf";
    /// keepalived's command line as an init script gives it; `-f`, `-p` and `-r` are added.
    pub const DETAILED: &'static [&'static str] = &["-n", "-l", "-D"];
    /// Where the protocol process writes its pid on its host.
    pub(super) const PROTOCOL_PID_FILE: &'static str = "/run/keepalived_vrrp.pid";
    /// Where the logs of the two programs stand on their host.
    pub const LOGS: [&'static str; 2] = ["/run/vrrp-daemon.log", "/run/keepalived.log"];
    /// Without a log line per event.
    pub const QUIET: &'static [&'static str] = &["-n"];

    /// Start `program` on `host` with the configuration `file`, which becomes [`Daemon::FILE`] there. It does
    /// not outlive this process.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(host: &Host, program: &Program, file: &str, options: &[&str]) -> anyhow::Result<Self> {
        let command = host.namespace().command(program.binary());
        host.install(Self::FILE, file, 0o644)?;
        let options = [options, &["-f", Self::FILE]].concat();
        Self::spawn(command, host, program, &options)
    }

    /// The same with the file that it finds there, where it looks for it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_installed(host: &Host, program: &Program, options: &[&str]) -> anyhow::Result<Self> {
        let command = host.namespace().command(program.binary());
        Self::spawn(command, host, program, options)
    }

    /// The same, for a lab that is kept: it outlives this process.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_lasting(
        host: &Host,
        program: &Program,
        file: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        let command = host.namespace().lasting_command(program.binary());
        host.install(Self::FILE, file, 0o644)?;
        let options = [options, &["-f", Self::FILE]].concat();
        Self::spawn(command, host, program, &options)
    }

    fn spawn(mut command: Command, host: &Host, program: &Program, options: &[&str]) -> anyhow::Result<Self> {
        // A daemon's orphans become our children, not those of an init that may never reap them.
        prctl::set_child_subreaper(true)?;
        let log = Self::log_file(program);
        let output: File = host.namespace().inside(|| {
            let append = File::options().create(true).append(true).open(log)?;
            Ok(append)
        })?;
        command
            .args(options)
            .args(["-p", "/run/keepalived.pid", "-r", Self::PROTOCOL_PID_FILE])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .current_dir("/");
        // A group of its own: Ctrl-C in the terminal is for us, who then clean up.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        program.find_libraries(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("starting {} on host {}", program.binary().display(), host.name()))?;
        Ok(Self {
            host: host.clone(),
            child: Some(child),
            binary: program.binary(),
            log,
        })
    }

    /// Where its log stands on its host.
    #[must_use]
    pub const fn log_file(program: &Program) -> &'static str {
        match program {
            Program::Ours { .. } => Self::LOGS[0],
            Program::Keepalived { .. } | Program::Other { .. } => Self::LOGS[1],
        }
    }

    /// The host it runs on.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The process that was started; the daemon may have more.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        let child = self.child.as_ref()?;
        i32::try_from(child.id()).ok().map(Pid::from_raw)
    }

    /// What `vrrpctl status --json` answers there (ours only).
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn status(&self) -> anyhow::Result<serde_json::Value> {
        let vrrpctl = self.binary.with_file_name("vrrpctl").display().to_string();
        let text = self.host.run(&vrrpctl, &["status", "--json"])?;
        Ok(serde_json::from_str(&text)?)
    }

    /// All it has logged on its host, earlier runs included.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        self.host.read(self.log)
    }

    /// Whether it has ended by itself, and how.
    ///
    /// # Errors
    /// Waiting failed.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// Send it a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid().context("the daemon has ended")?;
        kill(pid, signal).with_context(|| format!("sending {signal} to the daemon"))
    }

    /// SIGTERM, and wait for its end: how it ended.
    ///
    /// # Errors
    /// It is not gone after `limit`.
    pub fn stop(mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!(
                    "the daemon on host {} still runs {limit:?} after SIGTERM; its log:\n{}",
                    self.host.name(),
                    self.log()?
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `kill -9` for it and all other processes of its host.
    pub fn crash(self) {
        drop(self);
    }

    /// Leave it running when this process ends (one from [`Daemon::start_lasting`]).
    pub fn let_go(mut self) {
        self.child = None;
    }

    /// What all its processes hold in memory, pages that they share counted once for each.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory::of(&self.host.namespace().processes())
    }

    /// What the protocol process alone holds, which is the one that is locked.
    ///
    /// # Errors
    /// It has not written its pid.
    pub fn protocol_memory(&self) -> anyhow::Result<Memory> {
        let pid = self.host.read(Self::PROTOCOL_PID_FILE)?;
        let pid = pid
            .trim()
            .parse()
            .context("the protocol process has no pid file")?;
        Ok(Memory::of(&[Pid::from_raw(pid)]))
    }

    /// CPU time of all its processes and threads so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.host
            .namespace()
            .processes()
            .into_iter()
            .filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok())
            .flat_map(|threads| threads.flatten())
            // Nanoseconds on a CPU, nanoseconds waiting for one, time slices: exact, unlike `stat`'s ticks.
            .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .map(Duration::from_nanos)
            .sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let killed = self.host.namespace().kill_all();
            let _reaped = child.wait();
            reap(&killed);
            if std::thread::panicking() {
                let log = self.log().unwrap_or_default();
                eprintln!("-- host {}, {}:\n{log}", self.host.name(), self.log);
            }
        }
    }
}

/// Wait until these killed processes are gone from the process table: a zombie's pid still counts as alive
/// for a daemon that looks into the pid file of its predecessor. They are our children by adoption.
fn reap(killed: &[Pid]) {
    let deadline = Instant::now() + Duration::from_secs(2);
    for &pid in killed {
        while Path::new("/proc").join(pid.to_string()).exists() && Instant::now() < deadline {
            let _not_ours_yet = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The workspace's `target`.
#[must_use]
pub fn target_dir() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| manifest.with_file_name("target"), PathBuf::from)
}
