//! The service thread as the protocol thread sees it: verdicts come, notifications go, and it stops in time.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vrrp_common::id::Priority;
use vrrp_common::time::Nanos;
use vrrp_daemon::config::{Command, Config, Loaded, Notify, ScriptSpec};
use vrrp_daemon::ingress::control::ControlRequest;
use vrrp_daemon::ingress::control::events::Events;
use vrrp_daemon::ingress::control::message::{Ending, Shown};
use vrrp_daemon::proto::model::{Script, SyncGroup, Track, TrackObject};
use vrrp_daemon::proto::{GroupId, NotifyState, ScriptId, ScriptState, Subject};
use vrrp_daemon::runtime::reload::{Found, Source};
use vrrp_daemon::runtime::service::{self, Ports, Service, ServiceError, Setup};
use vrrp_daemon::sys::scripts;
use vrrp_daemon::track::News;
use vrrp_tests::lab::Program;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vrrp-svc-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a fresh directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shell(text: String) -> Command {
    Command {
        argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
        user: None,
    }
}

fn config(scratch: &Scratch) -> Config {
    let mut config = Config::default();
    config.model.scripts.push(Script {
        name: "chk".to_owned(),
        disabled: false,
    });
    config.scripts.push(ScriptSpec {
        command: shell("exit 3".to_owned()),
        interval: Nanos::from_millis(50),
        timeout: Nanos::from_secs(1),
        rise: 1,
        fall: 1,
        init_fail: false,
        disabled: false,
    });
    config.model.groups.push(SyncGroup {
        name: "VG_1".to_owned(),
        members: Vec::new(),
        // A script that nobody tracks is not run.
        track: vec![Track {
            object: TrackObject::Script(ScriptId(0)),
            weight: 0,
            reverse: false,
        }],
        keep_weights: false,
    });
    config.group_notify.push(Notify {
        stop: Some(shell(format!(
            "sleep 0.2; echo stopped > {}/stopped",
            scratch.0.display()
        ))),
        ..Notify::default()
    });
    config
}

/// Our own program as the script runner; it ends with the other end of the pair.
fn runner(end: OwnedFd) {
    let Program::Ours { binary } = Program::ours().expect("the daemon was built") else {
        unreachable!("it is ours");
    };
    let mut child = std::process::Command::new(binary)
        .args(["--script-runner", "0"])
        .stdin(Stdio::from(end))
        .spawn()
        .expect("the script runner");
    std::thread::spawn(move || child.wait());
}

/// The configuration never changes.
fn start(scratch: &Scratch, socket: &Path) -> Result<(Service, Ports), ServiceError> {
    let config = config(scratch);
    let again = Loaded {
        config: Some(config.clone()),
        ..Loaded::default()
    };
    let (script_runner, theirs) = scripts::pair().expect("a pair of sockets");
    runner(theirs);
    service::start(Setup {
        script_runner,
        config: Arc::new(config),
        shown: Shown {
            file: "/etc/test.conf".into(),
            text: "vrrp_script chk {\n}\n".to_owned(),
        },
        source: Source::new(move |_| again.clone()),
        control_socket: socket.to_owned(),
        events: Events::default(),
        log_level: |_| {},
        managed: None,
        later: None,
    })
}

#[test]
fn verdicts_come_notifications_go_and_it_stops_in_time() {
    let scratch = Scratch::new("service");
    let socket = scratch.0.join("control.sock");
    let (service, mut ports) = start(&scratch, &socket).expect("the service thread");
    let verdict = ports.tracked.blocking_recv();
    assert_eq!(verdict, Some(News::Script(ScriptId(0), ScriptState::Failing)));

    let mut client = UnixStream::connect(&socket).expect("the control socket");
    std::io::Write::write_all(&mut client, b"{\"v\":1,\"cmd\":\"status\"}\n").expect("asking");
    assert!(matches!(
        ports.control.blocking_recv(),
        Some(ControlRequest::Status { .. })
    ));

    // The same configuration again: nothing is to be done.
    let (reply, _) = tokio::sync::oneshot::channel();
    ports
        .reloads
        .requests
        .blocking_send(Some(reply))
        .expect("the reader");
    let answer = ports.reloads.answers.blocking_recv().expect("an answer");
    assert!(matches!(answer.found, Found::Same));
    assert_eq!(answer.replies.len(), 1);

    // A second daemon by mistake.
    let second = start(&scratch, &socket);
    assert!(matches!(second, Err(ServiceError::Control(_))));

    ports
        .notifier
        .notify(Subject::Group(GroupId(0)), NotifyState::Stop, Priority(0));
    drop(ports);
    let stopping = Instant::now();
    service.stop(Ending::Stopped);
    assert!(
        stopping.elapsed() < Duration::from_secs(5),
        "{:?}",
        stopping.elapsed()
    );
    let stopped = fs::read_to_string(scratch.0.join("stopped")).expect("the STOP script was waited for");
    assert_eq!(stopped, "stopped\n");
    assert!(!socket.exists());
}

#[test]
fn without_a_writable_control_socket_the_rest_runs() {
    let scratch = Scratch::new("nosocket");
    fs::write(scratch.0.join("file"), "").expect("writing");
    let socket = scratch.0.join("file/control.sock");
    let (service, mut ports) = start(&scratch, &socket).expect("the service thread");
    assert_eq!(
        ports.tracked.blocking_recv(),
        Some(News::Script(ScriptId(0), ScriptState::Failing))
    );
    drop(ports);
    service.stop(Ending::Stopped);
}
