use std::os::unix::net::UnixDatagram;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing_subscriber::layer::SubscriberExt;

use super::{Guard, QUEUE, Settings, start};
use crate::sys::scratch::Scratch;

fn settings(scratch: &Scratch) -> Settings {
    Settings {
        ident: "Keepalived_vrrp".to_owned(),
        console: false,
        syslog: None,
        socket: scratch.path("log"),
        file: None,
        flush: false,
        json: false,
        detail: 0,
        addresses: false,
    }
}

/// The log of this thread while `body` runs.
fn with_log(settings: Settings, body: impl FnOnce(&Guard)) {
    let (layer, guard) = start(settings).unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || body(&guard));
    drop(guard);
}

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn listen(scratch: &Scratch) -> UnixDatagram {
    let socket = UnixDatagram::bind(scratch.path("log")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// The line without its fifteen bytes of time: `<134>Nov 23 19:00:58 rest`.
fn without_time(line: &str) -> String {
    let (priority, rest) = line.split_once('>').unwrap();
    format!("{priority}>{}", &rest[15..])
}

#[test]
fn syslog_lines_have_facility_severity_ident_and_pid() {
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    // local0
    let settings = Settings {
        syslog: Some(16),
        detail: 1,
        addresses: false,
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        tracing::info!(from = "BACKUP", to = "MASTER", "(VI_1) Entering MASTER STATE");
        tracing::error!("forged\nline");
        tracing::debug!("detail");
        tracing::trace!("too much");
        tracing::info!(target: "netlink_proto", "not ours");
        tracing::warn!(target: "netlink_proto", "not ours, but a warning");
    });
    let pid = std::process::id();
    let expected = [
        format!("<134> Keepalived_vrrp[{pid}]: (VI_1) Entering MASTER STATE [from=BACKUP to=MASTER]"),
        format!("<131> Keepalived_vrrp[{pid}]: forged line"),
        format!("<135> Keepalived_vrrp[{pid}]: detail"),
        format!("<132> Keepalived_vrrp[{pid}]: not ours, but a warning"),
    ];
    for line in expected {
        assert_eq!(without_time(&receive(&socket)), line);
    }
}

#[test]
fn without_detail_there_are_fewer_lines_and_no_fields() {
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    let settings = Settings {
        syslog: Some(3),
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        tracing::debug!("detail");
        tracing::info!(to = "MASTER", "(VI_1) Entering MASTER STATE");
    });
    let expected = format!(
        "<30> Keepalived_vrrp[{}]: (VI_1) Entering MASTER STATE",
        std::process::id()
    );
    assert_eq!(without_time(&receive(&socket)), expected);
}

#[test]
fn a_syslogd_that_restarts_is_found_again() {
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    let settings = Settings {
        syslog: Some(16),
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        tracing::info!("before");
        assert!(receive(&socket).ends_with(": before"));
        drop(socket);
        std::fs::remove_file(scratch.path("log")).unwrap();
        // Nobody listens now: the log thread waits for it, not we.
        tracing::info!("meanwhile");
        let socket = listen(&scratch);
        assert!(receive(&socket).ends_with(": meanwhile"));
        tracing::info!("after");
        assert!(receive(&socket).ends_with(": after"));
    });
}

#[test]
fn a_syslogd_that_never_reads_costs_lines_and_no_time() {
    let scratch = Scratch::new();
    let _never_read = listen(&scratch);
    let settings = Settings {
        syslog: Some(16),
        ..settings(&scratch)
    };
    let started = Instant::now();
    with_log(settings, |guard| {
        for number in 0..2 * QUEUE {
            tracing::info!("line {number}");
        }
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{:?}",
            started.elapsed()
        );
        // The queue, and what the kernel and the log thread hold.
        assert!(guard.shared.dropped.load(Ordering::Relaxed) > 0);
    });
    // The end of the daemon waits a second for its last lines, not for ever.
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn the_file_follows_logrotate() {
    let scratch = Scratch::new();
    let file = scratch.path("ka_vrrp.log");
    let settings = Settings {
        file: Some(file.clone()),
        flush: true,
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        tracing::info!("first");
        wait_for(&scratch, "ka_vrrp.log", "first");
        std::fs::rename(&file, scratch.path("ka_vrrp.log.1")).unwrap();
        tracing::info!("second");
        wait_for(&scratch, "ka_vrrp.log", "second");
    });
    let old = scratch.read("ka_vrrp.log.1");
    assert!(
        old.ends_with(&format!(" Keepalived_vrrp[{}]: first\n", std::process::id())),
        "{old}"
    );
    assert!(!scratch.read("ka_vrrp.log").contains("first"));
}

fn wait_for(scratch: &Scratch, name: &str, part: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !scratch.read(name).contains(part) {
        assert!(Instant::now() < deadline, "{part} never reached {name}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_queued_at_the_end_is_written() {
    let scratch = Scratch::new();
    let settings = Settings {
        file: Some(scratch.path("a.log")),
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        for number in 0..500 {
            tracing::info!("line {number}");
        }
    });
    let text = scratch.read("a.log");
    assert_eq!(text.lines().count(), 500);
    assert!(text.ends_with(": line 499\n"));
}

#[test]
fn json_has_an_object_for_each_line_with_typed_fields() {
    let scratch = Scratch::new();
    let socket = listen(&scratch);
    let settings = Settings {
        syslog: Some(3),
        file: Some(scratch.path("a.log")),
        json: true,
        ..settings(&scratch)
    };
    with_log(settings, |_| {
        tracing::info!(
            instance = "VI_1",
            vrid = 51,
            late = true,
            offset = -3,
            "(VI_1) say \"hi\""
        );
        tracing::warn!("plain\nline");
    });
    let text = scratch.read("a.log");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [first, second] = lines.as_slice() else {
        panic!("{text}");
    };
    let rest = serde_json::json!({
        "time": first["time"], "level": "info", "ident": "Keepalived_vrrp", "pid": std::process::id(),
        "message": "(VI_1) say \"hi\"", "instance": "VI_1", "vrid": 51, "late": true, "offset": -3,
    });
    assert_eq!(*first, rest);
    let time = first["time"].as_str().unwrap();
    assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
    assert_eq!(
        (&second["level"], &second["message"]),
        (&"warn".into(), &"plain line".into())
    );
    // Alerting looks for keepalived's words in syslog, where nothing changes.
    let expected = format!("<30> Keepalived_vrrp[{}]: (VI_1) say \"hi\"", std::process::id());
    assert_eq!(without_time(&receive(&socket)), expected);
}
