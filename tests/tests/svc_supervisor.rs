//! The parent process with a stand-in for the protocol process: started, signalled, killed, started again.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use vrrp_common::time::Nanos;
use vrrp_daemon::config::{self, Hook, Hooks};
use vrrp_daemon::runtime::supervisor::{Plan, Supervisor};

/// Where the process that plays the parent finds its files; set by the tests that start it.
const DIRECTORY: &str = "SVC_SUPERVISOR_DIR";

/// Says that it is ready, logs the signals it gets, and ends on SIGTERM.
const PROTOCOL_PROCESS: &str = r#"#!/bin/sh
exec 2>/dev/null # the directory may go before we do
dir=$2
trap 'echo TERM >> $dir/log; exit 0' TERM
trap 'echo HUP >> $dir/log' HUP
trap 'echo USR1 >> $dir/log' USR1
test "$1" = --child || exit 9
test -e $dir/bad-config && exit 2
echo $$ >> $dir/pids
printf 1 >&0
while test -d $dir; do sleep 0.02; done
"#;

/// Not a test of its own: the parent process, when one of the tests below starts this program again.
#[test]
fn the_parent_process() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    // A script of this name is a hook of the parent's.
    let hook = |name: &str| {
        let path = directory.join(name);
        path.exists().then(|| Hook {
            command: config::Command {
                argv: vec![path.display().to_string(), directory.display().to_string()],
                user: None,
            },
            timeout: Nanos::from_millis(300),
        })
    };
    let plan = Plan {
        hooks: Hooks {
            startup: hook("startup.sh"),
            shutdown: hook("shutdown.sh"),
        },
        program: Some(directory.join("protocol.sh")),
        script_runner: Some(directory.join("runner.sh")),
        args: vec![directory.clone().into_os_string()],
        daemonize: false,
        respawn: true,
        ignore_sigint: false,
        pid_file: directory.join("parent.pid"),
        vrrp_pid_file: directory.join("protocol.pid"),
    };
    let code = match Supervisor::prepare(plan) {
        Ok(supervisor) => supervisor.run().expect("the parent runs"),
        Err(error) => {
            fs::write(directory.join("error"), error.to_string()).expect("writing the error");
            1
        }
    };
    std::process::exit(i32::from(code));
}

/// Written by another process: see ETXTBSY in execve(2).
fn write_script(path: &Path, text: &str) {
    let written = Command::new("/bin/sh")
        .args([
            "-c",
            "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"",
            "write",
            text,
        ])
        .arg(path)
        .status();
    assert!(written.expect("running a shell").success());
}

/// A stand-in for the script runner: logs its arguments, and ends with the other end of its standard input.
const SCRIPT_RUNNER: &str = r#"#!/bin/sh
exec 2>/dev/null
dir=${0%/*}
echo "$$ $*" >> $dir/runners
while read -r line; do :; done
"#;

struct Lab {
    directory: PathBuf,
    manager: UnixDatagram,
    parent: Child,
}

impl Lab {
    fn start(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = std::env::temp_dir().join(format!("vrrp-svc-{name}-{}", std::process::id()));
        fs::create_dir(&directory).expect("a fresh directory");
        write_script(&directory.join("protocol.sh"), PROTOCOL_PROCESS);
        write_script(&directory.join("runner.sh"), SCRIPT_RUNNER);
        prepare(&directory);
        let manager = UnixDatagram::bind(directory.join("notify")).expect("a socket like systemd's");
        manager
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        let parent = Self::parent(&directory);
        Self {
            directory,
            manager,
            parent,
        }
    }

    /// The real parent blocks signals before it has threads. Here the test framework has made some by then,
    /// so the process inherits a mask in which they are blocked. As after `nohup` and a shell's `&`, it ignores some.
    fn parent(directory: &Path) -> Child {
        let mask: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD]
            .into_iter()
            .collect();
        mask.thread_block().expect("blocking signals");
        let parent = Command::new("/bin/sh")
            .args(["-c", "trap '' HUP INT QUIT; exec \"$@\"", "parent"])
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", "the_parent_process", "--nocapture"])
            .env(DIRECTORY, directory)
            .env("NOTIFY_SOCKET", directory.join("notify"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        mask.thread_unblock().expect("unblocking signals");
        parent.expect("starting the parent")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// Process id of the `number`th protocol process, once it is there.
    fn protocol_process(&self, number: usize) -> Pid {
        self.until(|lab| lab.read("pids").lines().count() >= number);
        let pids = self.read("pids");
        let pid = pids.lines().nth(number - 1).expect("as many lines");
        Pid::from_raw(pid.parse().expect("a number"))
    }

    fn signal_parent(&self, signal: Signal) {
        let pid = i32::try_from(self.parent.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("signalling the parent");
    }

    fn told_manager(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.manager.recv(&mut buffer).expect("a message to the manager");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "waited too long; log: {:?}, processes: {}",
                self.read("log"),
                self.evidence()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the kernel says of all processes here: what they wait for, and which signals are pending, blocked and caught.
    fn evidence(&self) -> String {
        let pids = self.read("pids");
        let all = std::iter::once(self.parent.id().to_string()).chain(pids.lines().map(str::to_owned));
        all.map(|pid| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let status = read("status");
            let lines = status.lines().filter(|line| {
                ["Name", "State", "Sig", "Shd"]
                    .iter()
                    .any(|start| line.starts_with(start))
            });
            let lines: Vec<&str> = lines.collect();
            format!("\n{pid} in {}: {}", read("wchan"), lines.join(", "))
        })
        .collect()
    }

    fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.parent.try_wait().expect("waiting") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the parent does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn signals_are_handed_on_and_a_stop_is_a_stop() {
    let mut lab = Lab::start("stop", |_| {});
    lab.protocol_process(1);
    assert_eq!(lab.told_manager(), "READY=1\n");
    assert_eq!(lab.read("parent.pid"), format!("{}\n", lab.parent.id()));
    lab.signal_parent(Signal::SIGHUP);
    lab.until(|lab| lab.read("log") == "HUP\n");
    lab.signal_parent(Signal::SIGUSR1);
    lab.until(|lab| lab.read("log") == "HUP\nUSR1\n");
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends(), Some(0));
    assert_eq!(lab.told_manager(), "STOPPING=1\n");
    assert_eq!(lab.read("log"), "HUP\nUSR1\nTERM\n");
    assert_eq!(lab.read("pids").lines().count(), 1);
    assert!(!lab.directory.join("parent.pid").exists());
}

#[test]
fn a_killed_protocol_process_is_started_again() {
    let mut lab = Lab::start("respawn", |_| {});
    let first = lab.protocol_process(1);
    let killed = Instant::now();
    kill(first, Signal::SIGKILL).expect("killing it");
    let second = lab.protocol_process(2);
    assert_ne!(first, second);
    assert!(
        killed.elapsed() < Duration::from_secs(1),
        "{:?}",
        killed.elapsed()
    );
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends(), Some(0));
}

/// The protocol process does not even notice.
#[test]
fn a_killed_script_runner_is_followed_by_the_next() {
    let mut lab = Lab::start("scripts", |_| {});
    lab.protocol_process(1);
    let runner = |lab: &Lab, number: usize| {
        lab.until(|lab| lab.read("runners").lines().count() > number);
        let runners = lab.read("runners");
        let (pid, arguments) = runners
            .lines()
            .nth(number)
            .and_then(|line| line.split_once(' '))
            .expect("a line");
        (
            Pid::from_raw(pid.parse().expect("a number")),
            arguments.to_owned(),
        )
    };
    let (first, arguments) = runner(&lab, 0);
    assert_eq!(arguments, "--script-runner 0");
    kill(first, Signal::SIGKILL).expect("killing it");
    let (second, arguments) = runner(&lab, 1);
    assert_eq!(arguments, "--script-runner 1");
    assert_ne!(first, second);
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends(), Some(0));
    assert_eq!(lab.read("pids").lines().count(), 1);
    // Nobody took its end for a death.
    assert_eq!(lab.read("runners").lines().count(), 2);
    assert!(kill(second, None).is_err(), "it is left behind");
}

#[test]
fn a_stop_during_the_pause_is_heard() {
    let mut lab = Lab::start("pause", |_| {});
    // After the first death it is started again at once.
    kill(lab.protocol_process(1), Signal::SIGKILL).expect("killing it");
    kill(lab.protocol_process(2), Signal::SIGKILL).expect("killing it");
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends().map(|code| code < 2), Some(true));
    assert_eq!(lab.read("pids").lines().count(), 2);
}

#[test]
fn a_bad_configuration_is_not_tried_again() {
    let mut lab = Lab::start("config", |directory| {
        fs::write(directory.join("bad-config"), "").expect("writing")
    });
    assert_eq!(lab.ends(), Some(2));
    assert_eq!(lab.read("pids"), "");
}

#[test]
fn a_killed_parent_takes_the_protocol_process_along_cleanly() {
    let lab = Lab::start("orphan", |_| {});
    lab.protocol_process(1);
    lab.signal_parent(Signal::SIGKILL);
    lab.until(|lab| lab.read("log") == "TERM\n");
}

#[test]
fn a_second_daemon_is_told_of_the_first() {
    let lab = Lab::start("twice", |_| {});
    lab.protocol_process(1);
    let mut second = Lab::parent(&lab.directory);
    assert_eq!(second.wait().expect("waiting").code(), Some(1));
    let error = lab.read("error");
    assert!(
        error.contains(&format!("belongs to process {}, which runs", lab.parent.id())),
        "{error}"
    );
}

#[test]
fn hooks_run_before_and_after_everything_else() {
    let mut lab = Lab::start("hooks", |directory| {
        // A shell cannot trap what was ignored when it began.
        write_script(
            &directory.join("startup.sh"),
            "#!/bin/sh\ntrap 'echo up >> $1/log' HUP\nkill -HUP $$\n",
        );
        // It takes too long, and takes no notice of SIGTERM.
        write_script(
            &directory.join("shutdown.sh"),
            "#!/bin/sh\ntrap '' TERM\necho down >> $1/log\nwhile test -d $1; do sleep 0.02; done\n",
        );
    });
    let first = lab.protocol_process(1);
    assert_eq!(lab.read("log"), "up\n");
    // Not again after a death.
    kill(first, Signal::SIGKILL).expect("killing it");
    lab.protocol_process(2);
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends(), Some(0));
    assert_eq!(lab.read("log"), "up\nTERM\ndown\n");
}

#[test]
fn a_stop_during_the_startup_script_starts_nothing() {
    let mut lab = Lab::start("hooked", |directory| {
        write_script(
            &directory.join("startup.sh"),
            "#!/bin/sh\necho up >> $1/log\nexec sleep 0.25\n",
        );
    });
    lab.until(|lab| lab.read("log") == "up\n");
    lab.signal_parent(Signal::SIGTERM);
    assert_eq!(lab.ends(), Some(0));
    assert_eq!(lab.read("pids"), "");
}
