//! What scripts and FIFOs are told, what signals and command lines do: ours beside Debian's keepalived 2.2.7.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(30);

/// Writes its arguments down, each in brackets.
const CALLED: &str = "#!/bin/sh\nline=\nfor word in \"$@\"; do line=\"$line[$word]\"; done\n\
                      echo \"$line umask $(umask)\" >> /run/called\n";
/// Reads a FIFO into a file of the FIFO's name.
const READER: &str = "#!/bin/sh\necho \"$*\" >> /run/readers\nfor fifo; do :; done\n\
                      while read -r line; do echo \"$line\" >> $fifo.read; done < $fifo\n";

const GLOBAL: &str = r#"
global_defs {
    script_user root
    enable_script_security
    notify_fifo /run/all
    notify_fifo_script "/run/reader.sh word 'two words'"
    vrrp_notify_fifo /run/vrrp
    vrrp_notify_fifo_script /run/reader.sh
    vrrp_notify_priority_changes
}
vrrp_script well {
    script "/usr/bin/test ! -e /run/bad"
    interval 1
    weight -20
}"#;
const SCRIPTS: &str = r#"
    track_script {
        well
    }
    notify "/run/called.sh any 'it is'"
    notify_master "/run/called.sh 'm 1' \"it's\" m2"
    notify_backup /run/called.sh
    notify_stop "/run/called.sh stop \"q q\"" root root"#;

fn told(side: &Side, fifo: &str) -> anyhow::Result<String> {
    Ok(side.host.read(format!("/run/{fifo}.read")).unwrap_or_default())
}

/// A whole life: Backup, Master, worse, well again, the end. The calls (sorted, for keepalived lets them overtake one
/// another), and the lines of the two FIFOs.
fn life(program: &Program) -> anyhow::Result<(Vec<String>, [String; 2])> {
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    a.host.install("/run/called.sh", CALLED, 0o755)?;
    a.host.install("/run/reader.sh", READER, 0o755)?;
    let settings = Settings {
        before: GLOBAL,
        inside: SCRIPTS,
        ..Settings::unicast(a.address, b.address, 150)
    };
    let daemon = Daemon::start(&a.host, program, &settings.to_string(), Daemon::DETAILED)?;
    let both = |line: &'static str| {
        until(line, LIMIT, || {
            Ok(told(a, "all")?.contains(line) && told(a, "vrrp")?.contains(line))
        })
    };
    both("INSTANCE \"VI_1\" MASTER 150\n")?;
    for fifo in ["/run/all", "/run/vrrp"] {
        let shown = a.host.run("stat", &["-c", "%F %a %U", fifo])?;
        ensure!(shown.trim() == "fifo 600 root", "{fifo}: {shown}");
    }
    a.host.run("touch", &["/run/bad"])?;
    both("INSTANCE \"VI_1\" MASTER_PRIORITY 130\n")?;
    a.host.run("rm", &["/run/bad"])?;
    both("INSTANCE \"VI_1\" MASTER_PRIORITY 150\n")?;
    daemon.stop(LIMIT)?;
    until("the last script has run", LIMIT, || {
        Ok(a.host.read("/run/called")?.contains("[STOP]"))
    })?;
    for fifo in ["/run/all", "/run/vrrp"] {
        ensure!(a.host.run("test", &["!", "-e", fifo]).is_ok(), "{fifo} was left");
    }
    let mut readers: Vec<String> = a.host.read("/run/readers")?.lines().map(str::to_owned).collect();
    readers.sort();
    ensure!(readers == ["/run/vrrp", "word two words /run/all"], "{readers:?}");
    let mut called: Vec<String> = a.host.read("/run/called")?.lines().map(str::to_owned).collect();
    called.sort();
    Ok((called, [told(a, "all")?, told(a, "vrrp")?]))
}

const CALLS: [&str; 6] = [
    " umask 0177",
    "[any][it is][INSTANCE][VI_1][BACKUP][150] umask 0177",
    "[any][it is][INSTANCE][VI_1][MASTER][150] umask 0177",
    "[any][it is][INSTANCE][VI_1][STOP][150] umask 0177",
    "[m 1][it's][m2] umask 0177",
    "[stop][q q] umask 0177",
];
const LINES: &str = "INSTANCE \"VI_1\" BACKUP 150\n\
                     INSTANCE \"VI_1\" MASTER 150\n\
                     INSTANCE \"VI_1\" MASTER_PRIORITY 130\n\
                     INSTANCE \"VI_1\" MASTER_PRIORITY 150\n";

#[test]
fn scripts_and_fifos_are_told_as_by_keepalived() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let (called, lines) = life(&Program::keepalived()?)?;
    assert_eq!(called, CALLS);
    // It ends its readers before they have read of its own end.
    assert_eq!(lines, [LINES, LINES]);

    let (called, lines) = life(&Program::ours()?)?;
    assert_eq!(called, CALLS);
    let lines_and_end = format!("{LINES}INSTANCE \"VI_1\" STOP 150\n");
    assert_eq!(lines, [lines_and_end.clone(), lines_and_end]);
    Ok(())
}

/// Command lines that end at once, and their exit codes with both programs.
#[test]
fn command_lines_end_as_keepalived_ends() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let a = &duo.a;
    let file = Settings {
        peer: None,
        ..Settings::unicast(a.address, duo.b.address, 150)
    };
    a.host.install("/run/k.conf", file.to_string(), 0o644)?;
    let (ours, keepalived) = (Program::ours()?, Program::keepalived()?);
    let run = |program: &Program, line: &str| -> anyhow::Result<(Option<i32>, String)> {
        let mut command = program.command(&a.host, &[]);
        let output = command
            .args(line.split_whitespace())
            .stdin(Stdio::null())
            .output()?;
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    for (line, code) in [
        ("-v", 0),
        ("--version", 0),
        ("-h", 0),
        ("-Z", 1),
        ("--nonsense", 1),
        ("--signum=BOGUS", 1),
        ("--signum", 1),
        ("-S", 1),
        ("-f", 1),
        ("-p", 1),
        ("-i", 1),
        ("-s", 1),
        ("--namespace", 1),
        ("--dont-fork=3", 1),
        ("-t -f /run/k.conf", 0),
        ("-t/run/judgement -f /run/k.conf", 0),
        ("--config-test=/run/judgement -f /run/k.conf", 0),
        ("-t -f /run/k.conf stray", 0),
        ("stray -t -f /run/k.conf", 0),
        ("-u 022 -t -f /run/k.conf", 0),
        ("-u 0x1ff -t -f /run/k.conf", 0),
        ("-S 07 -t -f /run/k.conf", 0),
        ("-S 7 -t -f /run/k.conf", 0),
        ("--log-fac=3 -t -f /run/k.conf", 0),
        ("-C -t -f /run/k.conf", 0),
        ("-P -C --all -B -t -f /run/k.conf", 0),
        ("-i node -e -t -f /run/k.conf", 0),
        ("-b /x -c /x -r /x -p /x -t -f /run/k.conf", 0),
        ("--config-fd=5 -t -f /run/k.conf", 0),
        ("-X -V -I -R -n -d -G -D -l -a -m -x -A /x -t -f /run/k.conf", 0),
    ] {
        let (theirs, _) = run(&keepalived, line)?;
        let (ours, _) = run(&ours, line)?;
        assert_eq!((theirs, ours), (Some(code), Some(code)), "{line}");
    }
    for name in ["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON"] {
        let line = format!("--signum={name}");
        assert_eq!(run(&keepalived, &line)?, run(&ours, &line)?, "{line}");
    }
    Ok(())
}

fn send(signal: &str, pid: &str) -> anyhow::Result<()> {
    ensure!(Command::new("kill").args([signal, pid]).status()?.success());
    Ok(())
}

#[test]
fn no_request_by_signal_kills() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let settings = Settings::unicast(a.address, b.address, 150).to_string();
    let mut daemon = Daemon::start(&a.host, &Program::ours()?, &settings, Daemon::DETAILED)?;
    let parent = daemon.pid().map(|pid| pid.to_string()).unwrap_or_default();
    // From the first moment on: the pid file is written early.
    until("the pid file is there", LIMIT, || {
        Ok(a.host
            .read("/run/keepalived.pid")
            .is_ok_and(|pid| pid.ends_with('\n')))
    })?;
    for _ in 0..20 {
        for signal in ["-HUP", "-USR1", "-USR2", "-36", "-63", "-64"] {
            send(signal, &parent)?;
        }
    }
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let child = a.host.read("/run/keepalived_vrrp.pid")?;
    for signal in ["-USR1", "-USR2", "-36", "-63", "-64"] {
        send(signal, &parent)?;
        send(signal, child.trim())?;
    }
    until("all are answered", LIMIT, || {
        let log = daemon.log()?;
        Ok(["configuration and state", "statistics", "threads"]
            .iter()
            .all(|what| log.contains(&format!("asked by a signal for {what}: `vrrpctl status --json`"))))
    })?;
    ensure!(daemon.ended()?.is_none());
    let log = daemon.log()?;
    ensure!(!log.contains("Respawning"), "{log}");
    until("the counters begin at zero again", LIMIT, || {
        send("-63", &parent)?;
        let sent = daemon.status()?["instances"][0]["counters"]["became_master"].as_u64();
        Ok(sent == Some(0))
    })?;
    daemon.stop(LIMIT)?;
    Ok(())
}

/// A daemon that finds another one does not try for ever.
#[test]
fn a_second_daemon_says_so_and_ends() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let settings = Settings::unicast(a.address, b.address, 150).to_string();
    let ours = Program::ours()?;
    let _first = Daemon::start(&a.host, &ours, &settings, Daemon::DETAILED)?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let second = |options: &[&str]| {
        let mut command = ours.command(&a.host, &[]);
        command
            .args(["-n", "-l", "-f", Daemon::FILE])
            .args(options)
            .output()
    };
    let output = second(&["-p", "/run/keepalived.pid"])?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    ensure!(text.contains("/run/keepalived.pid belongs to process"), "{text}");

    let output = second(&["-p", "/run/second.pid", "-r", "/run/second_vrrp.pid"])?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    ensure!(text.contains("permanent error CONFIG. Terminating"), "{text}");
    assert_eq!(text.matches("Starting VRRP child process").count(), 1, "{text}");
    Ok(())
}
