//! Our log against a real rsyslogd with the usual rule for `-S 0`, and against one that restarts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vrrp_daemon::obs::log::{Settings, init};
use vrrp_tests::lab::{Daemon, Host, Lab, Program, root_or_skip, target_dir, until};

struct Rsyslogd {
    directory: PathBuf,
    child: Child,
}

/// Its program and the root of what it was unpacked into.
fn rsyslogd() -> (PathBuf, PathBuf) {
    [target_dir().join("peers/root"), PathBuf::from("/")]
        .into_iter()
        .map(|root| (root.join("usr/sbin/rsyslogd"), root))
        .find(|(program, _)| program.exists())
        .expect("no rsyslogd under target/peers: run `cargo xtask setup` first")
}

fn start(directory: &Path) -> Child {
    let command = Command::new(rsyslogd().0);
    spawn(
        command,
        &directory.join("rsyslog.conf"),
        &directory.join("rsyslogd.pid"),
    )
}

fn spawn(mut command: Command, configuration: &Path, pid_file: &Path) -> Child {
    let (_, root) = rsyslogd();
    let libraries: Vec<String> = ["usr/lib", "lib"]
        .iter()
        .map(|lib| {
            root.join(lib)
                .join(format!("{}-linux-gnu", std::env::consts::ARCH))
                .display()
                .to_string()
        })
        .collect();
    let modules: Vec<String> = libraries.iter().map(|lib| format!("{lib}/rsyslog")).collect();
    command
        .arg("-n")
        .arg("-f")
        .arg(configuration)
        .arg("-i")
        .arg(pid_file)
        .args(["-M", &modules.join(":")])
        .env("LD_LIBRARY_PATH", libraries.join(":"))
        .stdin(Stdio::null())
        .spawn()
        .expect("starting rsyslogd")
}

impl Rsyslogd {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("vrrp-svc-syslog-{}", std::process::id()));
        fs::create_dir(&directory).expect("a fresh directory");
        let at = directory.display();
        let configuration = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket=\"{at}/log\")\n\
             local0.* {at}/local0.log\n\
             local1.* {at}/local1.log\n"
        );
        fs::write(directory.join("rsyslog.conf"), configuration).expect("writing its configuration");
        let child = start(&directory);
        Self { directory, child }
    }

    fn restart(&mut self) {
        self.child.kill().expect("killing rsyslogd");
        self.child.wait().expect("waiting for rsyslogd");
        // What a killed one leaves behind keeps the next from starting.
        let _ = fs::remove_file(self.directory.join("rsyslogd.pid"));
        self.child = start(&self.directory);
    }

    fn wait_for(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.read().contains(line) {
            assert!(Instant::now() < deadline, "no {line:?} in {:?}", self.read());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn read(&self) -> String {
        fs::read_to_string(self.directory.join("local0.log")).unwrap_or_default()
    }
}

impl Drop for Rsyslogd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn lines_arrive_under_local0_and_go_on_after_a_restart() {
    if !root_or_skip() {
        return;
    }
    let mut rsyslogd = Rsyslogd::start();
    let log = init(Settings {
        ident: "Keepalived_vrrp".to_owned(),
        console: false,
        // -S 0
        syslog: Some(16),
        socket: rsyslogd.directory.join("log"),
        file: None,
        flush: false,
        json: false,
        // -D
        detail: 1,
        addresses: false,
    })
    .expect("the log of this process");
    let ident = format!("Keepalived_vrrp[{}]:", std::process::id());
    // The log starts before rsyslogd listens, as at boot: nothing is lost.
    tracing::info!(target: "vrrp_daemon", to = "MASTER", "(VI_1) Entering MASTER STATE");
    rsyslogd.wait_for(&format!("{ident} (VI_1) Entering MASTER STATE [to=MASTER]\n"));
    rsyslogd.restart();
    tracing::warn!(target: "vrrp_daemon", "(VI_1) Entering FAULT STATE");
    rsyslogd.wait_for(&format!("{ident} (VI_1) Entering FAULT STATE\n"));
    drop(log);
    assert!(!rsyslogd.directory.join("local1.log").exists());
}

const LIMIT: Duration = Duration::from_secs(20);

/// rsyslogd of a host, on the host's own /dev/log, with the rule that the article has for `-S 0`.
fn start_on(host: &Host) -> Child {
    let configuration = "module(load=\"imuxsock\")\nlocal0.* /run/local0.log\n";
    host.install("/etc/rsyslog.conf", configuration, 0o644)
        .expect("writing its configuration");
    host.run("rm", &["-f", "/run/rsyslogd.pid"])
        .expect("removing its pid file");
    let command = host.namespace().command(rsyslogd().0);
    spawn(
        command,
        Path::new("/etc/rsyslog.conf"),
        Path::new("/run/rsyslogd.pid"),
    )
}

fn example(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    fs::read_to_string(examples.join(name)).expect("an example")
}

/// The article's file and options. The log service dies meanwhile: the daemon does not, and is heard again.
#[test]
fn the_examples_log_their_transitions_and_no_password() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    lab.network("back").unwrap();
    let host = lab.host("A").unwrap();
    let front = lab
        .connect(&host, "bond0", "front", &["20.31.250.10/24"])
        .unwrap();
    lab.connect(&host, "eth2", "back", &["192.168.10.10/24"]).unwrap();
    for (path, content) in [
        ("/etc/keepalived/notify.sh", "#!/bin/sh\n".to_owned()),
        ("/usr/local/bin/monitor_service.sh", example("monitor_service.sh")),
    ] {
        host.install(path, content, 0o755).unwrap();
    }
    // A /dev of its own, so that /dev/log is this host's.
    let own_dev = "mkdir -p /run/dev/upper /run/dev/work && mount -t overlay lab /dev \
        -o lowerdir=/dev,upperdir=/run/dev/upper,workdir=/run/dev/work";
    host.run("sh", &["-c", own_dev]).unwrap();

    let mut log_service = start_on(&host);
    let file = example("node-a.conf");
    let options = ["-n", "-D", "-d", "-S", "0"];
    let daemon = Daemon::start(&host, &Program::ours().unwrap(), &file, &options).unwrap();
    let state = || -> anyhow::Result<serde_json::Value> {
        Ok(daemon.status().map_or_else(
            |_| "not up".into(),
            |status| status["instances"][0]["state"].clone(),
        ))
    };
    let logged = |line: &str| {
        until(&format!("the file has {line:?}"), LIMIT, || {
            Ok(host.read("/run/local0.log")?.contains(line))
        })
    };
    for line in [
        "(VI_1) Entering BACKUP STATE",
        "(VI_1) Entering MASTER STATE",
        "(VI_2) Entering MASTER STATE",
        "VRRP_Group(VG_1) Syncing instances to MASTER state",
    ] {
        logged(line).unwrap();
    }

    log_service.kill().unwrap();
    log_service.wait().unwrap();
    front.pull().unwrap();
    until("the daemon sees the pulled cable", LIMIT, || {
        Ok(state()? == "FAULT")
    })
    .unwrap();
    let mut log_service = start_on(&host);
    front.plug().unwrap();
    until("the daemon is Master again", LIMIT, || Ok(state()? == "MASTER")).unwrap();
    until("the file has the second mastership", LIMIT, || {
        let text = host.read("/run/local0.log")?;
        Ok(text.matches("(VI_1) Entering MASTER STATE").count() == 2)
    })
    .unwrap();

    let text = host.read("/run/local0.log").unwrap();
    assert!(text.contains("Keepalived_vrrp["), "{text}");
    // -d shows the configuration; the password, of which eight characters count, is nowhere.
    assert!(text.contains("20.31.250.13"), "{text}");
    assert!(!text.contains("33763994"), "{text}");
    log_service.kill().unwrap();
    log_service.wait().unwrap();
    assert!(daemon.stop(LIMIT).unwrap().success());
}
