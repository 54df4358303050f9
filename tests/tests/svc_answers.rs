//! What `vrrpctl` makes of a daemon that answers something else, half of it, or nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use vrrp_tests::lab::Program;

/// Answers the same to every client; its directory goes with it.
struct Stage {
    directory: PathBuf,
    serving: Option<JoinHandle<()>>,
}

impl Stage {
    fn new(name: &str, answer: &'static [u8]) -> Self {
        let directory = std::env::temp_dir().join(format!("vrrp-svc-{name}-{}", std::process::id()));
        fs::create_dir(&directory).expect("a fresh directory");
        let listener = UnixListener::bind(directory.join("socket")).expect("a socket");
        let serving = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut request = String::new();
            let mut reader = BufReader::new(client.try_clone().expect("a descriptor"));
            reader.read_line(&mut request).expect("a request");
            client.write_all(answer).expect("it listens");
            if answer.is_empty() {
                // Until it has had enough.
                let _ = reader.read_line(&mut request);
            }
        });
        Self {
            directory,
            serving: Some(serving),
        }
    }

    /// Exit code, standard output, standard error.
    fn ask(&self, args: &[&str]) -> (i32, String, String) {
        let binary = Program::ours()
            .expect("it was built")
            .binary()
            .with_file_name("vrrpctl");
        let output = Command::new(binary)
            .arg("--socket")
            .arg(self.directory.join("socket"))
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("it can be started");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code().expect("it ended by itself"),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
        if let Some(serving) = self.serving.take()
            && !std::thread::panicking()
        {
            serving.join().expect("the server");
        }
    }
}

fn status(name: &str, answer: &'static [u8]) -> (i32, String, String) {
    Stage::new(name, answer).ask(&["status"])
}

fn failed(code: i32, err: &str) -> (i32, String, String) {
    (code, String::new(), err.to_owned())
}

#[test]
fn another_version_is_named() {
    assert_eq!(
        status("version", b"{\"v\":2,\"status\":{}}\n"),
        failed(
            5,
            "vrrpctl: the daemon speaks version 2 and this vrrpctl version 1: use the one that came with it\n"
        )
    );
    assert_eq!(
        status("other", b"{\"v\":1,\"done\":{\"names\":[]}}\n"),
        failed(
            5,
            "vrrpctl: the daemon answered something else; are vrrpctl and the daemon of one version?\n"
        )
    );
}

/// It is no other version, but a daemon that has ended.
#[test]
fn half_an_answer_is_a_daemon_that_has_gone() {
    assert_eq!(
        status("half", b"{\"v\":1,\"sta"),
        failed(
            3,
            "vrrpctl: the daemon closed the connection: it has too many clients, or it stops; ask again\n"
        )
    );
    let stage = Stage::new(
        "events",
        b"{\"v\":1,\"following\":{\"queue\":256}}\n{\"v\":1,\"event\":{\"se",
    );
    assert_eq!(
        stage.ask(&["events"]),
        failed(
            3,
            "vrrpctl: follows what happens; Ctrl-C ends it\nvrrpctl: the daemon is gone without a word: it was killed, \
             or this reader is too slow; look into its log\n"
        )
    );
}

#[test]
fn a_daemon_that_does_not_answer_is_said_so() {
    assert_eq!(
        status("mute", b""),
        failed(
            3,
            "vrrpctl: the daemon did not answer in time: it is stopped or overloaded; look into its log\n"
        )
    );
}

/// A monitoring system reads standard output, and takes 2 for critical.
#[test]
fn check_says_on_standard_output_what_it_does_not_know() {
    let stage = Stage::new("check", b"{\"v\":2}\n");
    assert_eq!(
        stage.ask(&["check", "--json"]),
        (
            3,
            "{\n  \"status\": \"UNKNOWN\",\n  \"error\": \"the daemon speaks version 2 and this vrrpctl version 1: use the one \
             that came with it\"\n}\n"
                .to_owned(),
            String::new()
        )
    );
    let stage = Stage {
        directory: PathBuf::from("/nonexistent"),
        serving: None,
    };
    let (code, out, _) = stage.ask(&["check", "--crit", "nonsense"]);
    assert_eq!(code, 3);
    assert_eq!(
        out,
        "VRRP UNKNOWN - invalid value 'nonsense' for '--crit <CRIT>'; see vrrpctl check --help\n"
    );
    // Other commands that speak of a check.
    assert_eq!(stage.ask(&["standby", "check", "more"]).0, 2);
    assert_eq!(stage.ask(&["config", "check", "--crit", "x"]).0, 2);
}
