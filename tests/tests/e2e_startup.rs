//! What cannot start says why, in keepalived's exit codes, and leaves the host as it was.

use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::bail;
use vrrp_tests::lab::{Daemon, Host, Lab, Program, Settings, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(10);

/// A host with one cable and one address, and nothing else on the network.
struct Alone {
    host: Host,
    _lab: Lab,
}

fn alone() -> anyhow::Result<Alone> {
    let lab = Lab::new()?;
    lab.network("front")?;
    let host = lab.host("A")?;
    lab.connect(&host, "eth0", "front", &["192.0.2.1/24"])?;
    Ok(Alone { host, _lab: lab })
}

impl Alone {
    /// Run to the end, which has to come within [`LIMIT`].
    fn run(
        &self,
        wrapper: &[&str],
        program: &Program,
        options: &[&str],
        file: &str,
    ) -> anyhow::Result<Output> {
        self.host.install(Daemon::FILE, file, 0o644)?;
        let mut child = program
            .command(&self.host, wrapper)
            .args(options)
            .args([
                "-f",
                Daemon::FILE,
                "-p",
                "/run/keepalived.pid",
                "-r",
                "/run/keepalived_vrrp.pid",
            ])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()?;
        let deadline = Instant::now() + LIMIT;
        while child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                self.host.crash();
                bail!("still running: {:?}", child.wait_with_output()?);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(child.wait_with_output()?)
    }

    fn ours(&self, wrapper: &[&str], file: &str) -> anyhow::Result<Failure> {
        let before = self.host.run("ip", &["-j", "addr"])?;
        let output = self.run(wrapper, &Program::ours()?, Daemon::DETAILED, file)?;
        let text = String::from_utf8(output.stderr)? + &String::from_utf8(output.stdout)?;
        assert_eq!(self.host.run("ip", &["-j", "addr"])?, before, "{text}");
        let left = self.host.namespace().processes();
        assert!(left.is_empty(), "{left:?}");
        Ok(Failure {
            code: output.status.code(),
            text,
        })
    }
}

/// How a start ended.
struct Failure {
    code: Option<i32>,
    text: String,
}

impl Failure {
    /// The lines that say `what`.
    fn lines(&self, what: &str) -> Vec<&str> {
        self.text.lines().filter(|line| line.contains(what)).collect()
    }
}

/// A file that runs.
fn file() -> Settings {
    Settings {
        peer: None,
        ..Settings::unicast([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 100)
    }
}

#[test]
fn a_missing_interface_is_one_error_and_code_2() {
    if !root_or_skip() {
        return;
    }
    let file = file().to_string().replace("eth0", "bond7");
    let failure = alone().unwrap().ours(&[], &file).unwrap();
    assert_eq!(failure.code, Some(2), "{}", failure.text);
    assert_eq!(
        failure.lines("error: "),
        ["error: non-existent interface `bond7`"]
    );
    assert_eq!(failure.lines("keepalived.conf:4:15").len(), 1, "{}", failure.text);
    assert_eq!(
        failure.lines("dynamic_interfaces").len(),
        1,
        "the remedy: {}",
        failure.text
    );
}

#[test]
fn a_missing_capability_is_one_line_and_the_end() {
    if !root_or_skip() {
        return;
    }
    for (dropped, name) in [("-net_raw", "CAP_NET_RAW"), ("-net_admin", "CAP_NET_ADMIN")] {
        let failure = alone()
            .unwrap()
            .ours(&["setpriv", "--bounding-set", dropped], &file().to_string())
            .unwrap();
        assert_eq!(failure.code, Some(2), "{}", failure.text);
        let lines = failure.lines(&format!("{name} is missing"));
        assert_eq!(lines.len(), 1, "{}", failure.text);
        assert!(lines[0].contains("run as root"), "the remedy: {lines:?}");
    }
}

#[test]
fn a_pid_file_that_is_taken_names_who_has_it() {
    if !root_or_skip() {
        return;
    }
    let alone = alone().unwrap();
    let program = Program::ours().unwrap();
    let first = Daemon::start(&alone.host, &program, &file().to_string(), Daemon::DETAILED).unwrap();
    let master = [Settings::ADDRESS.into()];
    until("the first is Master", LIMIT, || alone.host.holds_all(&master)).unwrap();
    let output = alone
        .run(&[], &program, Daemon::DETAILED, &file().to_string())
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let expected = format!("process {}, which runs", first.pid().unwrap());
    assert!(text.contains(&expected), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(alone.host.holds_all(&master).unwrap(), "the first was disturbed");
}

#[test]
fn a_broken_file_is_told_whole_with_places_and_remedies() {
    if !root_or_skip() {
        return;
    }
    let failure = alone().unwrap().ours(&[], BROKEN).unwrap();
    assert_eq!(failure.code, Some(2), "{}", failure.text);
    let errors = failure.lines("error: ");
    assert_eq!(
        errors,
        [
            "error: `VI_1` has no virtual router id",
            "error: `VI_2` and `VI_3` both use VRID 52 with IPv4 on interface eth0"
        ]
    );
    for place in [
        "keepalived.conf:1:15",
        "keepalived.conf:8:15",
        "keepalived.conf:15:15",
    ] {
        assert_eq!(failure.lines(place).len(), 1, "{place}: {}", failure.text);
    }
    assert_eq!(failure.lines("nothing was changed").len(), 1, "{}", failure.text);
    for remedy in [
        "add `virtual_router_id N`",
        "give one of them another `virtual_router_id`",
    ] {
        assert_eq!(failure.lines(remedy).len(), 1, "{remedy}: {}", failure.text);
    }
}

const BROKEN: &str = "vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_ipaddress {
        192.0.2.100/24
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        192.0.2.101/24
    }
}
vrrp_instance VI_3 {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        192.0.2.102/24
    }
}
";

/// What `-t` answers for small files, measured on both programs.
#[test]
fn a_test_of_the_configuration_answers_as_keepalived_does() {
    if !root_or_skip() {
        return;
    }
    let alone = alone().unwrap();
    let programs = [Program::ours().unwrap(), Program::keepalived().unwrap()];
    alone
        .host
        .install("/usr/local/bin/check.sh", "#!/bin/sh\nexit 0\n", 0o755)
        .unwrap();
    let mut wrong = Vec::new();
    for (name, file, expected) in codes() {
        let found = programs.each_ref().map(|program| {
            let output = alone.run(&[], program, &["-t"], &file);
            output.unwrap().status.code().unwrap_or(-1)
        });
        if found != expected {
            wrong.push(format!(
                "{name}: ours and keepalived gave {found:?}, not {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files and what they answer: ours, keepalived.
fn codes() -> Vec<(&'static str, String, [i32; 2])> {
    let clean = file().to_string();
    let line = |text: &'static str| {
        Settings {
            inside: text,
            ..file()
        }
        .to_string()
    };
    let before = |text: &'static str| {
        Settings {
            before: text,
            ..file()
        }
        .to_string()
    };
    let swap = |old: &str, new: &str| {
        assert!(clean.contains(old), "{old}");
        clean.replace(old, new)
    };
    let script = "vrrp_script check {\n    script /usr/local/bin/check.sh\n}";
    let tracked = |before| {
        Settings {
            before,
            inside: "track_script {\n    check\n}",
            ..file()
        }
        .to_string()
    };
    vec![
        ("clean", clean.clone(), [0, 0]),
        (
            "garp interval 0",
            before("global_defs {\n    vrrp_garp_interval 0\n}"),
            [5, 5],
        ),
        ("unknown keyword", line("    no_such_word 1"), [5, 5]),
        (
            "unknown block",
            line("    no_such_block {\n        priority 77\n    }"),
            [5, 5],
        ),
        ("priority 300", swap("priority 100", "priority 300"), [5, 5]),
        ("state Master", swap("state BACKUP", "state Master"), [5, 5]),
        (
            "nine characters of password",
            Settings {
                version: 2,
                interval: "1",
                password: Some("337639943"),
                ..file()
            }
            .to_string(),
            [5, 5],
        ),
        (
            "no virtual_router_id",
            swap("    virtual_router_id 51\n", ""),
            [5, 5],
        ),
        ("missing interface", swap("eth0", "bond7"), [5, 5]),
        (
            "missing last brace",
            clean.trim_end().trim_end_matches('}').to_owned(),
            [5, 5],
        ),
        ("same name twice", format!("{clean}{clean}"), [5, 5]),
        (
            "same VRID twice",
            format!("{clean}{}", swap("VI_1", "VI_2").replace(".100/", ".101/")),
            [5, 5],
        ),
        (
            "version 3 and a password",
            Settings {
                password: Some("secret"),
                ..file()
            }
            .to_string(),
            [5, 5],
        ),
        (
            "version 2 and 0.4 s",
            Settings {
                version: 2,
                interval: "0.4",
                ..file()
            }
            .to_string(),
            [5, 5],
        ),
        (
            "unknown script",
            line("    track_script {\n        nosuch\n    }"),
            [5, 5],
        ),
        ("loopback", swap("eth0", "lo"), [5, 5]),
        ("a script without script security", tracked(script), [6, 6]),
    ]
}

#[test]
fn a_file_that_is_not_there_is_code_4() {
    if !root_or_skip() {
        return;
    }
    let alone = alone().unwrap();
    // keepalived 2.2.7 answers 0: a mistyped name passes its test.
    for (program, code) in [(Program::ours(), 4), (Program::keepalived(), 0)] {
        let output = program
            .unwrap()
            .command(&alone.host, &[])
            .args(["-t", "-f", "/etc/keepalived/nosuch.conf"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
}

/// The interfaces that count are those of the namespace that `-s` or the file names.
#[test]
fn a_test_looks_into_the_namespace_that_is_named() {
    if !root_or_skip() {
        return;
    }
    let alone = alone().unwrap();
    let ip = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        alone.host.run("ip", &words).unwrap();
    };
    ip("netns add red");
    ip("-n red link add red0 type veth peer name red1");
    let there = file().to_string().replace("eth0", "red0");
    let named = |name: &str| format!("net_namespace {name}\n{there}");
    let programs = [Program::ours().unwrap(), Program::keepalived().unwrap()];
    // keepalived 2.2.7 tests nothing in a namespace that is not there, and does not start in it.
    for (options, file, expected) in [
        (&["-t"][..], there.clone(), [5, 5]),
        (&["-t", "-s", "red"], there.clone(), [0, 0]),
        (&["-t"], named("red"), [0, 0]),
        (&["-t", "-s", "red"], named("nosuch"), [0, 0]),
        (&["-t", "-s", "nosuch"], there.clone(), [4, 0]),
        (&["-t"], named("nosuch"), [4, 0]),
    ] {
        let found = programs.each_ref().map(|program| {
            let output = alone.run(&[], program, options, &file).unwrap();
            output.status.code().unwrap_or(-1)
        });
        assert_eq!(found, expected, "{options:?}\n{file}");
    }
}
