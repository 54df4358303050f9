//! Our log against a real rsyslogd with the usual rule for `-S 0`, and against one that restarts.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vrrp_daemon::obs::log::{Settings, init};
use vrrp_tests::lab::{root_or_skip, target_dir};

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

fn start(directory: &std::path::Path) -> Child {
    let (program, root) = rsyslogd();
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
    Command::new(program)
        .arg("-n")
        .args(["-f".into(), directory.join("rsyslog.conf")])
        .args(["-i".into(), directory.join("rsyslogd.pid")])
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
        // -D
        detail: 1,
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
