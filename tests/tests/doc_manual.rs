//! The manual pages under packaging/man, and the completions under packaging/completions, by the programs that read them.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, peer_command, root_or_skip};

const LIMIT: Duration = Duration::from_secs(10);

fn packaging(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../packaging")
        .join(file)
}

/// What it says, all of it; an error if it fails.
fn said(mut command: Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    anyhow::ensure!(output.status.success(), "{command:?}: {}: {said}", output.status);
    Ok(said)
}

#[test]
fn mandoc_has_nothing_to_say_of_the_pages() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    for page in ["vrrp-daemon.8", "vrrp-daemon.conf.5", "vrrpctl.1"] {
        let path = packaging("man").join(page);
        let mut lint = peer_command(&duo.a.host, "usr/bin/mandoc").unwrap();
        // Style is about the form of the source, which a program writes.
        lint.args(["-Tlint", "-Wwarning"]).arg(&path);
        assert_eq!(said(lint).unwrap(), "", "{page}");
        let mut show = peer_command(&duo.a.host, "usr/bin/mandoc").unwrap();
        show.args(["-Tascii", "-Owidth=200"]).arg(&path);
        let shown = said(show).unwrap().replace("\u{8}", "");
        assert!(shown.contains("SSEEEE AALLSSOO"), "{page}: {shown}");
    }
}

/// A's daemon has an instance and a group; the shells find `vrrpctl` and `vrrp-daemon` in PATH.
struct Stage {
    duo: Duo,
    _daemon: Daemon,
    path: String,
}

impl Stage {
    fn new() -> anyhow::Result<Self> {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let settings = Settings {
            before: "vrrp_sync_group VG_1 {\n    group {\n        VI_1\n    }\n}\n",
            ..Settings::unicast(a.address, b.address, 200)
        };
        let ours = Program::ours()?;
        let daemon = Daemon::start(&a.host, &ours, &settings.to_string(), Daemon::DETAILED)?;
        a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", ours.binary().with_file_name("").display());
        Ok(Self {
            duo,
            _daemon: daemon,
            path,
        })
    }

    /// `shell` runs `script`, with the scripts for `of` as its first argument; the lines that it prints.
    fn run(&self, shell: &str, options: &[&str], script: &str, of: &str) -> Vec<String> {
        self.run_on(&self.duo.a.host, shell, options, script, of)
    }

    fn run_on(&self, host: &Host, shell: &str, options: &[&str], script: &str, of: &str) -> Vec<String> {
        let mut command = peer_command(host, shell).expect("the shell");
        command
            .args(options)
            .args(["-c", script])
            .env("PATH", &self.path)
            .env("SCRIPT", packaging("completions").join(of));
        let said = said(command).expect("it completes");
        said.lines().map(str::to_owned).collect()
    }
}

#[test]
fn bash_completes() {
    if !root_or_skip() {
        return;
    }
    let stage = Stage::new().unwrap();
    let complete = |program: &str, function: &str, words: &str, word: &str| {
        let script = format!(
            "source \"$SCRIPT\"; complete -p {program} >/dev/null || exit 1; COMP_WORDS=({program} {words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; {function} {program} '{word}' x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        (script, format!("bash/{program}"))
    };
    let ours = |words: &str, word: &str| {
        let (script, of) = complete("vrrpctl", "_clap_complete_vrrpctl", words, word);
        stage.run("bin/bash", &["--norc"], &script, &of)
    };
    assert_eq!(ours("st", "st"), ["status", "standby"]);
    assert_eq!(ours("show ''", ""), ["VI_1"]);
    assert_eq!(ours("standby V", "V"), ["VI_1", "VG_1"]);
    assert_eq!(ours("standby --f", "--f"), ["--for"]);
    assert_eq!(ours("log-level ''", ""), ["warn", "info", "debug", "trace"]);
    assert_eq!(ours("config ''", ""), ["check", "show", "diff", "help"]);
    let files = ours("config check /etc/keepalived/", "/etc/keepalived/");
    assert_eq!(files, ["/etc/keepalived/keepalived.conf"]);
    // No daemon answers there: no names, and not a word of it.
    let (script, of) = complete(
        "vrrpctl",
        "_clap_complete_vrrpctl",
        "--socket=/run/none show ''",
        "",
    );
    assert_eq!(
        stage.run("bin/bash", &["--norc"], &script, &of),
        ["--json", "--socket"]
    );
    let (script, of) = complete("vrrp-daemon", "_vrrp__daemon", "--log-", "--log-");
    assert_eq!(
        stage.run("bin/bash", &["--norc"], &script, &of),
        [
            "--log-console",
            "--log-detail",
            "--log-facility",
            "--log-file",
            "--log-format"
        ]
    );
    // Hidden.
    let (script, of) = complete("vrrp-daemon", "_vrrp__daemon", "--ch", "--ch");
    assert_eq!(
        stage.run("bin/bash", &["--norc"], &script, &of),
        ["--check", "--checkers_pid"]
    );
}

#[test]
fn zsh_completes() {
    if !root_or_skip() {
        return;
    }
    let stage = Stage::new().unwrap();
    // What zsh's completion system does with it is not ours.
    let script = "module_path=(${ZSH_ARGZERO:h:h}/usr/lib/*/zsh/*); compdef() { [[ $2 == vrrpctl ]] || exit 1 }; _describe() { print -l -- ${(P)3} }; source $SCRIPT; \
                  words=(vrrpctl standby ''); CURRENT=3; _clap_dynamic_completer_vrrpctl";
    assert_eq!(
        stage.run("bin/zsh", &["-f"], script, "zsh/_vrrpctl"),
        ["VI_1:MASTER on eth0", "VG_1:sync group", "--all:Every instance"]
    );
    // As it is the first time: loaded as a function of that name.
    let script = "module_path=(${ZSH_ARGZERO:h:h}/usr/lib/*/zsh/*); compdef() { :; }; _describe() { print -l -- ${(P)3} }; fpath=(${SCRIPT:h}); autoload -U _vrrpctl; \
                  words=(vrrpctl show ''); CURRENT=3; _vrrpctl";
    assert_eq!(
        stage.run("bin/zsh", &["-f"], script, "zsh/_vrrpctl"),
        ["VI_1:MASTER on eth0"]
    );
    assert!(
        stage
            .run("bin/zsh", &["-f"], "$ZSH_ARGZERO -n $SCRIPT", "zsh/_vrrp-daemon")
            .is_empty()
    );
}

#[test]
fn fish_completes() {
    if !root_or_skip() {
        return;
    }
    let stage = Stage::new().unwrap();
    let ask = |line: &str, of: &str| {
        let script = format!("source $SCRIPT; complete -C '{line}'");
        stage.run("usr/bin/fish", &["--no-config"], &script, of)
    };
    assert_eq!(
        ask("vrrpctl standby ", "fish/vrrpctl.fish"),
        [
            "VI_1\tMASTER on eth0",
            "VG_1\tsync group",
            "--all\tEvery instance"
        ]
    );
    assert_eq!(
        ask("vrrp-daemon --log-f", "fish/vrrp-daemon.fish"),
        [
            "--log-facility\tSyslog facility: 0-7 or local0-local7, user, daemon (default)",
            "--log-file\tLog to a file [default: /tmp/keepalived.log]",
            "--log-format\tOn the console and in the log file: text (default), or json, an object a line"
        ]
    );
}
