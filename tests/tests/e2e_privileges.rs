//! What the protocol process may not do, what scripts may do all the same, and what is left when one of the three
//! processes is killed.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, Stamp, root_or_skip, until, vrrpctl};

const LIMIT: Duration = Duration::from_secs(20);
/// Scripts are root's.
const ROOTS: &str = "global_defs {\n enable_script_security\n script_user root\n}";

fn file(a: &Side, b: &Side, before: &str, inside: &str) -> String {
    let settings = Settings::unicast(a.address, b.address, 200).to_string();
    // `Settings` takes literals only.
    let instance = settings.trim_end().strip_suffix('}').unwrap_or_default();
    format!("{ROOTS}\n{before}\n{instance}{inside}\n}}\n")
}

fn start(side: &Side, file: &str) -> anyhow::Result<Daemon> {
    Daemon::start(&side.host, &Program::ours()?, file, Daemon::DETAILED)
}

/// The processes of a host by what they are called.
fn named(side: &Side, name: &str) -> Vec<Pid> {
    let is =
        |pid: &Pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name);
    side.host.namespace().processes().into_iter().filter(is).collect()
}

fn script_runner(side: &Side) -> anyhow::Result<Pid> {
    let runners = named(side, "vrrp-scripts");
    match runners.as_slice() {
        [runner] => Ok(*runner),
        _ => anyhow::bail!("script runners: {runners:?}"),
    }
}

fn protocol_process(side: &Side) -> anyhow::Result<Pid> {
    let text = side.host.read("/run/keepalived_vrrp.pid")?;
    Ok(Pid::from_raw(text.trim().parse()?))
}

/// The lines about privileges in a status of proc(5), without tabs.
fn privileges(status: &str) -> Vec<String> {
    let of_them = |line: &&str| line.starts_with("Cap") || line.starts_with("NoNewPrivs");
    let lines = status.lines().filter(of_them);
    lines.map(|line| line.replace('\t', " ")).collect()
}

#[test]
fn the_protocol_process_has_what_it_needs_and_its_scripts_have_all() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let told = "#!/bin/sh\ncat /proc/self/status > /run/status.new\nmv /run/status.new /run/status\n";
    a.host.install("/run/told.sh", told, 0o755)?;
    let daemon = start(a, &file(a, b, "", "    notify_master /run/told.sh"))?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    // CAP_CHOWN 0, CAP_DAC_OVERRIDE 1, CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_IPC_LOCK 14, CAP_SYS_NICE 23,
    // CAP_PERFMON 38, CAP_BPF 39.
    let expected = [
        "CapInh: 0000000000000000",
        "CapPrm: 000000c000807003",
        "CapEff: 000000c000807003",
        "CapBnd: 000000c000807003",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 1",
    ];
    let protocol = protocol_process(a)?;
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{protocol}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        assert_eq!(privileges(&status), expected, "{status}");
        threads += 1;
    }
    // Protocol, service, netlink writer, log.
    assert!(threads >= 4, "{threads}");
    // It lives on them: XDP, real time, memory.
    let log = daemon.log()?;
    for refused in ["raw sockets alone", "no real-time", "memory is not locked"] {
        assert!(!log.contains(refused), "{log}");
    }

    until("the script was run", LIMIT, || {
        Ok(!a.host.read("/run/status")?.is_empty())
    })?;
    let parent = daemon.pid().context("it runs")?;
    let of_parent = privileges(&fs::read_to_string(format!("/proc/{parent}/status"))?);
    assert_eq!(of_parent.last().map(String::as_str), Some("NoNewPrivs: 0"));
    assert_eq!(privileges(&a.host.read("/run/status")?), of_parent);
    let runner = fs::read_to_string(format!("/proc/{}/status", script_runner(a)?))?;
    assert_eq!(privileges(&runner), of_parent);
    Ok(())
}

#[test]
fn a_notify_script_may_do_what_the_protocol_process_may_not() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    // CAP_SETUID, CAP_SYS_CHROOT, CAP_SYS_ADMIN; a file that is somebody else's alone; another user's file.
    let master = "#!/bin/sh\nset -e\nexec 2> /etc/keepalived/wrong\ncd /\n\
                  setpriv --reuid 65534 --clear-groups id -u > /etc/keepalived/did\n\
                  chroot / /bin/echo chroot >> /etc/keepalived/did\n\
                  mount -t tmpfs none /mnt\numount /mnt\necho mount >> /etc/keepalived/did\n\
                  chown 65534 /etc/keepalived/secret\necho edited >> /etc/keepalived/secret\n\
                  echo end >> /etc/keepalived/did\n";
    a.host.install("/run/master.sh", master, 0o755)?;
    a.host.install("/etc/keepalived/secret", "", 0o600)?;
    let daemon = start(a, &file(a, b, "", "    notify_master /run/master.sh"))?;
    let done = until("all is done", LIMIT, || {
        Ok(a.host.read("/etc/keepalived/did")?.ends_with("end\n"))
    });
    done.with_context(|| {
        let wrong = a.host.read("/etc/keepalived/wrong").unwrap_or_default();
        format!("{wrong}\n{}", daemon.log().unwrap_or_default())
    })?;
    assert_eq!(a.host.read("/etc/keepalived/did")?, "65534\nchroot\nmount\nend\n");
    assert_eq!(a.host.read("/etc/keepalived/secret")?, "edited\n");
    Ok(())
}

#[test]
fn the_environment_of_a_script_is_the_documented_one() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    // What it was started with, before the shell adds its own.
    let told =
        "#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/environ | sort > /run/env.new\nmv /run/env.new /run/env\n";
    a.host.install("/run/told.sh", told, 0o755)?;
    a.host.install(
        Daemon::FILE,
        file(a, b, "", "    notify_master /run/told.sh"),
        0o644,
    )?;
    let environments: [(&[(&str, &str)], &str); 2] = [
        (
            &[
                ("HIDDEN", "of the manager"),
                ("HOME", "/root"),
                ("LANG", "C.UTF-8"),
                ("LC_ALL", "C"),
                ("LD_LIBRARY_PATH", "/nonexistent"),
                ("NOTIFY_SOCKET", "/run/nobody"),
                ("PATH", "/usr/bin:/bin"),
                ("TZ", "UTC"),
            ],
            "HOME=/root\nLANG=C.UTF-8\nLC_ALL=C\nPATH=/usr/bin:/bin\nTZ=UTC\n",
        ),
        (
            &[],
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        ),
    ];
    for (given, expected) in environments {
        let mut command = Program::ours()?.command(&a.host, &[]);
        command.env_clear().envs(given.iter().copied());
        let mut daemon = Started(command.args(["-n", "-l"]).stdin(Stdio::null()).spawn()?, a);
        until("the script was run", LIMIT, || {
            Ok(!a.host.read("/run/env")?.is_empty())
        })?;
        assert_eq!(a.host.read("/run/env")?, expected);
        a.host.run("rm", &["/run/env"])?;
        kill(Pid::from_raw(daemon.0.id().try_into()?), Signal::SIGTERM)?;
        until("it has ended", LIMIT, || Ok(daemon.0.try_wait()?.is_some()))?;
    }
    Ok(())
}

/// A daemon that a test started by itself; killed if the test fails.
struct Started<'s>(Child, &'s Side);

impl Drop for Started<'_> {
    fn drop(&mut self) {
        self.1.host.crash();
        let _ = self.0.wait();
    }
}

/// A run that is lost says nothing of what it tracks, even where the first failure is a FAULT; the next one does.
#[test]
fn a_killed_script_runner_is_replaced_and_mastership_stays() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let check = "#!/bin/sh\necho $$ >> /run/checks\ntest -e /run/hang && exec sleep 600\nexit 0\n";
    a.host.install("/run/check.sh", check, 0o755)?;
    let told = "#!/bin/sh\necho $3 >> /run/told\n";
    a.host.install("/run/told.sh", told, 0o755)?;
    let before = "vrrp_script chk {\n script /run/check.sh\n interval 1\n timeout 30\n fall 1\n}";
    let inside = "    track_script {\n        chk\n    }\n    notify /run/told.sh";
    let daemon = start(a, &file(a, b, before, inside))?;
    let of_b = Settings::unicast(b.address, a.address, 100).to_string();
    let _on_b = start(b, &of_b)?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let since = Stamp::now();
    let checks = || -> anyhow::Result<Vec<i32>> {
        let text = a.host.read("/run/checks")?;
        text.lines().map(|line| Ok(line.parse()?)).collect()
    };

    let mut before = script_runner(a)?;
    for round in 1..=2 {
        a.host.install("/run/hang", "", 0o644)?;
        let begun = checks()?.len();
        until("a check hangs", LIMIT, || Ok(checks()?.len() > begun))?;
        let hanging = *checks()?.last().context("a check")?;
        kill(before, Signal::SIGKILL)?;
        until("what it ran is gone with it", LIMIT, || {
            Ok(!a.host.namespace().processes().contains(&Pid::from_raw(hanging)))
        })?;
        a.host.run("rm", &["/run/hang"])?;
        let begun = checks()?.len();
        until(
            "checks are made again",
            LIMIT,
            || Ok(checks()?.len() >= begun + 2),
        )?;
        let now = script_runner(a)?;
        assert_ne!(now, before);
        before = now;
        let log = daemon.log()?;
        let said = log
            .matches("VRRP_Script(chk) was under way when the script runner died")
            .count();
        assert_eq!(said, round, "{log}");
    }
    assert!(a.sent(since).iter().all(|(_, advert)| advert.priority == 200));
    assert_eq!(b.sent(since), []);
    assert!(a.host.holds_all(&[Settings::ADDRESS.into()])?);
    assert_eq!(a.host.read("/run/told")?, "BACKUP\nMASTER\n");
    daemon.stop(LIMIT)?;
    assert_eq!(a.host.read("/run/told")?, "BACKUP\nMASTER\nSTOP\n");
    assert_eq!(a.host.namespace().processes(), []);
    Ok(())
}

#[test]
fn kill_9_of_any_of_them_leaves_nobody_behind() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let check = "#!/bin/sh\necho $$ >> /run/checks\nexec sleep 600\n";
    a.host.install("/run/check.sh", check, 0o755)?;
    let told = "#!/bin/sh\necho $3 >> /run/told\n";
    a.host.install("/run/told.sh", told, 0o755)?;
    let before = "vrrp_script chk {\n script /run/check.sh\n interval 1\n timeout 60\n weight 1\n}";
    let inside = "    track_script {\n        chk\n    }\n    notify /run/told.sh";
    let mut daemon = start(a, &file(a, b, before, inside))?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let checks = || -> anyhow::Result<usize> { Ok(a.host.read("/run/checks")?.lines().count()) };
    until("a check hangs", LIMIT, || Ok(checks()? == 1))?;

    // The protocol process: its runner and what that ran go along, and both are made anew.
    let gone = [protocol_process(a)?, script_runner(a)?];
    kill(gone[0], Signal::SIGKILL)?;
    until("another check hangs", LIMIT, || Ok(checks()? == 2))?;
    until("the old ones are gone", LIMIT, || {
        let now = a.host.namespace().processes();
        // Parent, protocol process, script runner, check.
        Ok(gone.iter().all(|pid| !now.contains(pid)) && now.len() == 4)
    })?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;

    // The parent: the protocol process gives up, and its script of the end is run.
    daemon.signal(Signal::SIGKILL)?;
    until("nobody is left", LIMIT, || {
        Ok(a.host.namespace().processes().is_empty())
    })?;
    assert!(daemon.ended()?.is_some());
    assert_eq!(a.host.read("/run/told")?.lines().last(), Some("STOP"));
    assert!(a.host.holds_none(&[Settings::ADDRESS.into()])?);
    Ok(())
}

/// The parent and the runner killed together: the protocol process gives up all the same, without its scripts.
#[test]
fn without_parent_and_runner_it_still_gives_up() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let told = "#!/bin/sh\necho $3 >> /run/told\n";
    a.host.install("/run/told.sh", told, 0o755)?;
    let daemon = start(a, &file(a, b, "", "    notify /run/told.sh"))?;
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let runner = script_runner(a)?;
    let parent = daemon.pid().context("it runs")?;
    // Neither has time to act on the other's death.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        kill(parent, signal)?;
        kill(runner, signal)?;
    }
    until("nobody is left", LIMIT, || {
        Ok(a.host.namespace().processes().is_empty())
    })?;
    assert_eq!(
        a.sent(Stamp(0)).last().map(|(_, advert)| advert.priority),
        Some(0)
    );
    assert!(a.host.holds_none(&[Settings::ADDRESS.into()])?);
    Ok(())
}

/// CAP_DAC_OVERRIDE and CAP_CHOWN: files and FIFOs may be other users'.
#[test]
fn files_may_belong_to_others() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let before =
        "vrrp_track_file load {\n file /run/load\n}\nglobal_defs {\n vrrp_notify_fifo /run/states nobody\n}";
    let inside = "    track_file {\n        load weight 1\n    }";
    a.host.install("/run/load", "3\n", 0o600)?;
    a.host.run("chown", &["65534", "/run/load"])?;
    let daemon = start(a, &file(a, b, before, inside))?;
    let priority = |wanted: u8| {
        until(&format!("priority {wanted}"), LIMIT, || {
            Ok(a.sent(Stamp(0)).last().map(|(_, advert)| advert.priority) == Some(wanted))
        })
        .with_context(|| daemon.log().unwrap_or_default())
    };
    priority(203)?;
    assert_eq!(
        a.host.run("stat", &["-c", "%u %a", "/run/states"])?.trim(),
        "65534 600"
    );
    // The next protocol process finds the FIFO that it was given away by the last one.
    kill(protocol_process(a)?, Signal::SIGKILL)?;
    until("the FIFO is open again", LIMIT, || {
        let open = named(a, "vrrp-daemon").into_iter().any(|pid| {
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten()
                .flatten();
            descriptors
                .filter_map(|entry| fs::read_link(entry.path()).ok())
                .any(|path| path.ends_with("states"))
        });
        Ok(open)
    })
    .with_context(|| daemon.log().unwrap_or_default())?;
    // The configuration is a deployment tool's alone.
    a.host.install(Daemon::FILE, file(a, b, before, ""), 0o600)?;
    a.host.run("chown", &["65534", Daemon::FILE])?;
    let said = vrrpctl(&a.host, &["reload"])?;
    ensure!(said.code == 0, "{said:?}");
    priority(200)?;
    Ok(())
}

/// What is missing already is not missed in silence.
#[test]
fn a_daemon_without_cap_perfmon_names_it_and_runs() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    a.host.install(Daemon::FILE, file(a, b, "", ""), 0o644)?;
    let mut command = Program::ours()?.command(&a.host, &["setpriv", "--bounding-set", "-perfmon"]);
    let log = a.host.namespace().inside(|| Ok(fs::File::create("/run/log")?))?;
    let daemon = command
        .args(["-n", "-l"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()?;
    let _daemon = Started(daemon, a);
    a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
    let log = a.host.read("/run/log")?;
    let said =
        "the kernel takes the XDP program only from a process with CAP_PERFMON; give it that beside CAP_BPF";
    assert!(log.contains(said), "{log}");
    let status = fs::read_to_string(format!("/proc/{}/status", protocol_process(a)?))?;
    let effective = privileges(&status).swap_remove(2);
    assert_eq!(effective, "CapEff: 0000008000807003");
    Ok(())
}

/// Whoever runs it by hand gets no runner that waits for ever.
#[test]
fn a_script_runner_without_a_daemon_ends_at_once() -> anyhow::Result<()> {
    let Program::Ours { binary } = Program::ours()? else {
        anyhow::bail!("not ours");
    };
    let output = Command::new(binary)
        .args(["--script-runner", "0"])
        .stdin(Stdio::null())
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    Ok(())
}
