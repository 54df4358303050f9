//! Our log in a real systemd-journald, run by hand on a host of the lab: every field of a transition decoded again by
//! journalctl, as an operator asks for it.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, peer_command, root_or_skip, until, vrrpctl};

const LIMIT: Duration = Duration::from_secs(20);

/// systemd-journald on a host; its socket stays when it is killed, as at a restart.
struct Journal<'h> {
    host: &'h Host,
    child: Child,
}

impl<'h> Journal<'h> {
    /// In memory, with nothing of the machine's own in it; `/dev/log` is its, as on any host with systemd.
    fn start(host: &'h Host) -> Self {
        let own_dev = "mkdir -p /run/dev/upper /run/dev/work && mount -t overlay lab /dev \
            -o lowerdir=/dev,upperdir=/run/dev/upper,workdir=/run/dev/work && \
            ln -sf /run/systemd/journal/dev-log /dev/log";
        host.run("sh", &["-c", own_dev]).expect("a /dev of its own");
        host.install("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
            .expect("a machine's name");
        let settings = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\nForwardToWall=no\n\
            RateLimitBurst=0\n";
        host.install("/run/systemd/journald.conf.d/lab.conf", settings, 0o644)
            .expect("its settings");
        host.run("mkdir", &["-p", "/run/log/journal"])
            .expect("its folder");
        let child = Self::spawn(host);
        // A daemon that starts before it would take `/dev/log` for a syslogd's.
        until("journald listens", LIMIT, || {
            let sockets = "test -S /run/systemd/journal/socket && test -S /run/systemd/journal/dev-log";
            Ok(host.run("sh", &["-c", sockets]).is_ok())
        })
        .expect("its sockets");
        Self { host, child }
    }

    fn spawn(host: &Host) -> Child {
        peer_command(host, "lib/systemd/systemd-journald")
            .expect("systemd-journald")
            .stdin(Stdio::null())
            .spawn()
            .expect("starting systemd-journald")
    }

    fn kill(&mut self) {
        self.child.kill().expect("killing systemd-journald");
        self.child.wait().expect("waiting for systemd-journald");
    }

    /// What `journalctl` answers to this, an entry each.
    fn entries(&self, matches: &[&str]) -> Vec<Value> {
        let output = peer_command(self.host, "bin/journalctl")
            .expect("journalctl")
            .args(["--no-pager", "-o", "json"])
            .args(matches)
            .output()
            .expect("journalctl");
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("journalctl's JSON"))
            .collect()
    }

    /// As many entries as that, at least.
    fn await_entries(&self, count: usize, matches: &[&str]) -> Vec<Value> {
        let mut found = Vec::new();
        until(&format!("{count} of {matches:?} in the journal"), LIMIT, || {
            found = self.entries(matches);
            Ok(found.len() >= count)
        })
        .expect("as many entries");
        found
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn field<'e>(entry: &'e Value, name: &str) -> &'e str {
    entry[name].as_str().unwrap_or("-")
}

fn number(entry: &Value, name: &str) -> u64 {
    field(entry, name)
        .parse()
        .unwrap_or_else(|_| panic!("{name} in {entry}"))
}

#[test]
fn a_transition_is_one_entry_with_all_its_evidence() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let program = Program::ours().unwrap();
    let file = |own: &vrrp_tests::lab::Side, other: &vrrp_tests::lab::Side, priority| {
        Settings::unicast(own.address, other.address, priority).to_string()
    };
    let on_a = Daemon::start(&a.host, &program, &file(a, b, 200), Daemon::QUIET).unwrap();
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    let mut journal = Journal::start(&b.host);
    // local0, and the details.
    let options = ["-n", "-D", "-S", "0"];
    let on_b = Daemon::start(&b.host, &program, &file(b, a, 100), &options).unwrap();
    until("B follows A", LIMIT, || {
        let master = on_b
            .status()
            .map(|status| status["instances"][0]["master"].clone());
        Ok(master.is_ok_and(|master| master["address"] == "192.0.2.1"))
    })
    .unwrap();

    let moved = vrrpctl(&a.host, &["standby", "VI_1"]).unwrap();
    assert_eq!(moved.code, 0, "{moved:?}");
    let asked = ["VRRP_EVENT=transition", "VRRP_TO=MASTER"];
    let entries = journal.await_entries(1, &asked);
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    for (name, expected) in [
        ("SYSLOG_IDENTIFIER", "Keepalived_vrrp"),
        ("SYSLOG_FACILITY", "16"),
        ("PRIORITY", "6"),
        ("VRRP_INSTANCE", "VI_1"),
        ("VRRP_VRID", "51"),
        ("VRRP_INTERFACE", "eth0"),
        ("VRRP_FROM", "BACKUP"),
        ("VRRP_TO", "MASTER"),
        ("VRRP_REASON", "master-released"),
        ("VRRP_MASTER", "192.0.2.1"),
    ] {
        assert_eq!(field(entry, name), expected, "{name} in {entry}");
    }
    assert_eq!(field(entry, "SYSLOG_PID"), field(entry, "_PID"));
    // Its skew time has passed since the advert of priority 0: 156/256 of 100 ms.
    assert!(number(entry, "VRRP_LAST_ADVERT_AGE_US") >= 60_937, "{entry}");
    let took = number(entry, "VRRP_TOOK_US");
    let message = field(entry, "MESSAGE");
    let words = "(VI_1) Entering MASTER STATE: 192.0.2.1 stood down with priority 0; was BACKUP, last advert of 192.0.2.1 ";
    assert!(message.starts_with(words), "{message}");
    let (_, said) = message.split_once(" ms ago, took ").expect("how long it took");
    assert_eq!(said, format!("{}.{:03} ms", took / 1000, took % 1000));
    // The addresses come after the line: how long that took is a detail.
    let details = journal.await_entries(1, &["VRRP_INSTANCE=VI_1", "VRRP_ADDED=1"]);
    assert!(details.iter().all(|entry| number(entry, "VRRP_TOOK_US") > 0));

    // Killed and back: the daemon goes on, says what is missing, and is heard again.
    journal.kill();
    assert_eq!(vrrpctl(&a.host, &["resume", "VI_1"]).unwrap().code, 0);
    until("B is Backup again", LIMIT, || {
        Ok(on_b.status()?["instances"][0]["state"] == "BACKUP")
    })
    .unwrap();
    journal.child = Journal::spawn(&b.host);
    until("journald listens again", LIMIT, || {
        let sent = b
            .host
            .run("sh", &["-c", "echo MESSAGE=probe | logger --journald"]);
        Ok(sent.is_ok())
    })
    .unwrap();
    on_a.crash();
    journal.await_entries(
        1,
        &[
            "VRRP_TO=MASTER",
            "VRRP_REASON=master-down",
            "VRRP_MASTER=192.0.2.1",
        ],
    );
    let all = journal.entries(&["SYSLOG_IDENTIFIER=Keepalived_vrrp"]);
    let lost =
        |entry: &Value| field(entry, "MESSAGE").ends_with(" log lines lost while the journal was away");
    assert!(all.iter().any(lost), "{all:?}");

    // The end: the Master's last words.
    assert!(on_b.stop(LIMIT).unwrap().success());
    let entries = journal.await_entries(1, &["VRRP_EVENT=transition", "VRRP_TO=INIT"]);
    assert_eq!(field(&entries[0], "VRRP_FROM"), "MASTER");
    assert_eq!(field(&entries[0], "VRRP_REASON"), "shutdown");
    let zero = journal.await_entries(1, &["VRRP_REASON=priority-zero-sent"]);
    assert_eq!(field(&zero[0], "MESSAGE"), "(VI_1) sent 0 priority");
    every_question_of_the_document(&journal);
}

/// docs/logging.md, executed: each question is answered, but for the instance's name there.
fn every_question_of_the_document(journal: &Journal<'_>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs");
    let document = fs::read_to_string(path.join("logging.md")).expect("docs/logging.md");
    let questions = document
        .lines()
        .filter_map(|line| line.strip_prefix("# journalctl "));
    let mut asked = 0;
    for question in questions {
        // As a shell splits them: a quoted one is the last.
        let (words, quoted) = question.split_once(" '").unwrap_or((question, ""));
        let words = words.replace("VRRP_INSTANCE=web", "VRRP_INSTANCE=VI_1");
        let quoted = quoted.strip_suffix('\'');
        let words: Vec<&str> = words.split(' ').chain(quoted).collect();
        assert!(!journal.entries(&words).is_empty(), "{question}");
        asked += 1;
    }
    assert_eq!(asked, 5);
}
