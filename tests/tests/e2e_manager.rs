//! What a service manager is told, by a socket like systemd's (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_tests::lab::{Daemon, Host, Lab, Program, Settings, root_or_skip, until, vrrpctl};

const LIMIT: Duration = Duration::from_secs(20);
/// In which the manager wants a beat.
const WATCHDOG: Duration = Duration::from_millis(600);

/// A daemon with a manager.
struct Unit {
    manager: UnixDatagram,
    daemon: Child,
    host: Host,
    _lab: Lab,
}

impl Unit {
    fn start() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        let host = lab.host("A")?;
        lab.connect(&host, "eth0", "front", &["192.0.2.1/24"])?;
        let file = Settings::unicast([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 100);
        host.install(Daemon::FILE, file.to_string(), 0o644)?;
        // Abstract names belong to a network namespace, so this one is nobody else's.
        let manager = host.namespace().inside(|| {
            Ok(UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(
                "manager",
            )?)?)
        })?;
        let daemon = Program::ours()?
            .command(&host, &[])
            .args(["-n", "-f", Daemon::FILE])
            .env("NOTIFY_SOCKET", "@manager")
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            manager,
            daemon,
            host,
            _lab: lab,
        })
    }

    /// The next message within `limit`, if there is one.
    fn next(&self, limit: Duration) -> anyhow::Result<Option<String>> {
        self.manager.set_read_timeout(Some(limit))?;
        let mut buffer = [0; 512];
        match self.manager.recv(&mut buffer) {
            Ok(length) => Ok(Some(String::from_utf8_lossy(&buffer[..length]).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Wait for a message that `fits`; those before it are passed over.
    fn told(&self, what: &str, fits: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let deadline = Instant::now() + LIMIT;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            if let Some(message) = self.next(Duration::from_millis(100))? {
                if fits(&message) {
                    return Ok(message);
                }
                others.push(message);
            }
        }
        bail!("not told: {what}; but {others:?}")
    }

    fn exactly(&self, message: &str) -> anyhow::Result<String> {
        self.told(message, |told| told == message)
    }

    fn main_process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.daemon.id()).expect("a process id"))
    }

    fn protocol_process(&self) -> anyhow::Result<Pid> {
        let pid = self.host.read("/run/keepalived_vrrp.pid")?;
        Ok(Pid::from_raw(pid.trim().parse().context("a pid file")?))
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.host.crash();
        let _ = self.daemon.wait();
    }
}

#[test]
fn readiness_state_reload_and_stop_are_told() {
    if !root_or_skip() {
        return;
    }
    let mut unit = Unit::start().unwrap();
    // Nothing before.
    assert_eq!(unit.next(LIMIT).unwrap().as_deref(), Some("READY=1\n"));
    unit.exactly("STATUS=1 Master, 0 Backup, 0 Fault\n").unwrap();
    unit.host.run("ip", &["link", "set", "eth0", "down"]).unwrap();
    unit.exactly("STATUS=0 Master, 0 Backup, 1 Fault\n").unwrap();

    let said = vrrpctl(&unit.host, &["reload"]).unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    let reloading = unit
        .told("RELOADING=1", |told| told.starts_with("RELOADING=1\n"))
        .unwrap();
    let since = reloading.trim_end().strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(
        since.and_then(|since| since.parse::<u64>().ok()).is_some(),
        "{reloading}"
    );
    unit.exactly("READY=1\n").unwrap();

    kill(unit.main_process(), Signal::SIGTERM).unwrap();
    unit.exactly("STOPPING=1\n").unwrap();
    assert!(unit.daemon.wait().unwrap().success());
}

#[test]
fn only_a_protocol_thread_that_answers_has_a_beat() {
    if !root_or_skip() {
        return;
    }
    let mut unit = Unit::start().unwrap();
    unit.exactly("READY=1\n").unwrap();
    for _ in 0..3 {
        unit.exactly("WATCHDOG=1\n").unwrap();
    }
    let protocol = unit.protocol_process().unwrap();
    kill(protocol, Signal::SIGSTOP).unwrap();
    // What was on its way.
    while unit.next(WATCHDOG).unwrap().is_some() {}
    assert_eq!(unit.next(WATCHDOG * 3).unwrap(), None);
    kill(protocol, Signal::SIGCONT).unwrap();
    unit.exactly("WATCHDOG=1\n").unwrap();

    // The manager's answer to a beat that it misses.
    kill(protocol, Signal::SIGSTOP).unwrap();
    kill(unit.main_process(), Signal::SIGABRT).unwrap();
    let status = unit.daemon.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGABRT)
    );
    until("nothing is left that hangs", LIMIT, || {
        Ok(unit.host.namespace().processes().is_empty())
    })
    .unwrap();
}

/// The process that is left for a successor does not speak for the unit.
#[test]
fn who_is_left_says_nothing() {
    if !root_or_skip() {
        return;
    }
    let mut unit = Unit::start().unwrap();
    unit.exactly("WATCHDOG=1\n").unwrap();
    unit.exactly("STATUS=1 Master, 0 Backup, 0 Fault\n").unwrap();
    let said = vrrpctl(&unit.host, &["handover", "--lease", "3s"]).unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    kill(unit.main_process(), Signal::SIGTERM).unwrap();
    unit.exactly("STOPPING=1\n").unwrap();
    assert!(unit.daemon.wait().unwrap().success());
    while let Some(message) = unit.next(Duration::from_millis(1)).unwrap() {
        assert_eq!(message, "WATCHDOG=1\n");
    }
    until("the lease is over", LIMIT, || {
        Ok(unit.host.namespace().processes().is_empty())
    })
    .unwrap();
    assert_eq!(unit.next(Duration::from_millis(1)).unwrap(), None);
}
