//! Keywords whose effect is seen outside of the daemon only: the IPv6 group on the wire, pid files, names of processes,
//! the end, a FIFO after a reload, and what a socket holds. keepalived 2.2.7 with the same file, but for the end.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, Side, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(30);

fn both() -> anyhow::Result<[Program; 2]> {
    Ok([Program::ours()?, Program::keepalived()?])
}

/// A router with `global` in `global_defs`, and `before` at the top level.
fn file(side: &Side, other: &Side, global: &str, before: &str) -> String {
    let settings = Settings::unicast(side.address, other.address, 150);
    format!("{before}\nglobal_defs {{\n{global}\n}}\n{settings}")
}

/// Each program sends to the group of the file, and the other one, as its Backup, hears it there.
#[test]
fn ipv6_adverts_go_to_the_group_of_the_file() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let file = |priority: u8| {
        format!(
            "global_defs {{\n vrrp_mcast_group6 ff02::77\n}}\nvrrp_instance VI_6 {{\n state BACKUP\n interface eth0\n \
             virtual_router_id 54\n priority {priority}\n advert_int 0.1\n version 3\n \
             virtual_ipaddress {{\n fe80::54/64\n }}\n}}\n"
        )
    };
    let vip: [IpAddr; 1] = ["fe80::54".parse()?];
    let [ours, theirs] = both()?;
    for (master, backup) in [(&ours, &theirs), (&theirs, &ours)] {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let _on_b = Daemon::start(&b.host, backup, &file(100), Daemon::DETAILED)?;
        b.await_adverts(1, Stamp(0), LIMIT)?;
        let _on_a = Daemon::start(&a.host, master, &file(200), Daemon::DETAILED)?;
        until("A alone is Master", LIMIT, || {
            Ok(a.host.holds_all(&vip)? && b.host.holds_none(&vip)?)
        })?;
        let since = Stamp::now();
        a.await_adverts(20, since, LIMIT)?;
        assert_eq!(b.sent(since), [], "{} does not hear", backup.name());
        for (_, advert) in a.sent(Stamp(0)).iter().chain(&b.sent(Stamp(0))) {
            let sent = (advert.destination.to_string(), advert.ttl, advert.version);
            assert_eq!(sent, ("ff02::77".to_owned(), 255, 3));
        }
    }
    Ok(())
}

/// What its processes are called, sorted.
fn names(host: &Host) -> Vec<String> {
    let mut names: Vec<String> = host
        .namespace()
        .processes()
        .into_iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    names
}

/// Without `-p` and `-r` on the command line, which would win.
#[test]
fn pid_files_are_in_the_directory_of_use_pid_dir() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    for program in both()? {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        a.host
            .install(Daemon::FILE, file(a, b, "", "use_pid_dir"), 0o644)?;
        let mut command = program.command(&a.host, &[]);
        let mut parent = command.args(["-n", "-l", "-f", Daemon::FILE]).spawn()?;
        let outcome = (|| {
            a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
            let pid = |name: &str| a.host.read(format!("/run/keepalived/{name}.pid"));
            assert_eq!(pid("keepalived")?, format!("{}\n", parent.id()));
            let child = pid("vrrp")?;
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()))?;
            let (_, fields) = stat.rsplit_once(") ").context("stat")?;
            let of = fields.split(' ').nth(1);
            assert_eq!(of, Some(parent.id().to_string().as_str()), "{}", program.name());
            assert_eq!(a.host.read("/run/keepalived.pid")?, "");
            kill(Pid::from_raw(parent.id().try_into()?), Signal::SIGTERM)?;
            until("it has ended", LIMIT, || Ok(parent.try_wait()?.is_some()))?;
            assert_eq!((pid("keepalived")?, pid("vrrp")?), (String::new(), String::new()));
            Ok(())
        })();
        a.host.crash();
        parent.wait()?;
        outcome.map_err(|error: anyhow::Error| error.context(program.name()))?;
    }
    Ok(())
}

#[test]
fn processes_have_keepalived_s_names() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let [ours, theirs] = both()?;
    let named: [(_, _, &[&str]); 3] = [
        (&ours, "", &["vrrp-daemon", "vrrp-daemon", "vrrp-scripts"]),
        (
            &ours,
            "process_names",
            &["keepalived", "keepalived_vrrp", "vrrp-scripts"],
        ),
        (&theirs, "process_names", &["keepalived", "keepalived_vrrp"]),
    ];
    for (program, global, expected) in named {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let _daemon = Daemon::start(&a.host, program, &file(a, b, global, ""), Daemon::DETAILED)?;
        a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
        assert_eq!(names(&a.host), expected, "{} {global}", program.name());
    }
    Ok(())
}

/// The script of the end takes longer than the 5 s without the keyword: that long is waited for it, or not at all.
#[test]
fn a_script_at_the_end_has_the_time_of_the_file() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    const LEFT: &str = "notify scripts still running after 1 s are left to themselves";
    for (wait, takes, ended) in [(60, 6, "ended\n"), (1, 600, "")] {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let script = format!("#!/bin/sh\n/bin/sleep {takes}\necho ended > /run/ended\n");
        a.host.install("/run/last.sh", script, 0o755)?;
        let file = Settings {
            inside: "notify_stop /run/last.sh root",
            ..Settings::unicast(a.address, b.address, 150)
        };
        let file = format!("child_wait_time {wait}\nglobal_defs {{\n enable_script_security\n}}\n{file}");
        let mut daemon = Daemon::start(&a.host, &Program::ours()?, &file, Daemon::DETAILED)?;
        a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
        daemon.signal(Signal::SIGTERM)?;
        until("it has ended", LIMIT, || Ok(daemon.ended()?.is_some()))?;
        assert_eq!(a.host.read("/run/ended")?, ended);
        let log = daemon.log()?;
        assert_eq!(log.contains(LEFT), wait == 1, "{log}");
    }
    Ok(())
}

const READER: &str = "#!/bin/sh\nwhile read -r line; do echo \"$line\" >> /run/read; done <> /run/told\n";

/// A reload of the same file, on a Backup and on a Master. keepalived 2.2.7 forgets its Masters.
#[test]
fn a_fifo_has_all_states_after_a_reload() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    const KEYWORD: &str = "fifo_write_vrrp_states_on_reload";
    const BACKUP: &str = "INSTANCE \"VI_1\" BACKUP 150\n";
    const MASTER: &str = "INSTANCE \"VI_1\" MASTER 150\n";
    let [ours, theirs] = both()?;
    for (program, keyword, other, before, again) in [
        (&ours, KEYWORD, Some(200), BACKUP, BACKUP),
        (&theirs, KEYWORD, Some(200), BACKUP, BACKUP),
        (&ours, KEYWORD, None, MASTER, MASTER),
        (&theirs, KEYWORD, None, MASTER, ""),
        (&ours, "", Some(200), BACKUP, ""),
        (&theirs, "", Some(200), BACKUP, ""),
    ] {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let peer = Settings::unicast(b.address, a.address, other.unwrap_or(1)).to_string();
        let _peer = match other {
            None => None,
            Some(_) => Some(Daemon::start(&b.host, &ours, &peer, Daemon::DETAILED)?),
        };
        if other.is_some() {
            b.await_mastery(Settings::ADDRESS, a, LIMIT)?;
        }
        // The test's own reader, which no reload ends, and no end of the file.
        a.host.install("/run/reader.sh", READER, 0o755)?;
        a.host.run("mkfifo", &["/run/told"])?;
        let mut reader = a.host.namespace().command("/run/reader.sh").spawn()?;
        let outcome = (|| {
            let global = format!("vrrp_notify_fifo /run/told\n{keyword}");
            let daemon = Daemon::start(&a.host, program, &file(a, b, &global, ""), Daemon::DETAILED)?;
            let first = if other.is_some() {
                String::new()
            } else {
                BACKUP.to_owned()
            };
            let read = |lines: String| {
                until(&format!("{} wrote {lines:?}", program.name()), LIMIT, || {
                    Ok(a.host.read("/run/read")? == lines)
                })
            };
            read(format!("{first}{before}"))?;
            daemon.signal(Signal::SIGHUP)?;
            until("it was read again", LIMIT, || {
                let log = daemon.log()?;
                Ok(log.contains("the configuration is as it was") || log.contains("Reload complete"))
            })?;
            // The last line, so that one too many is seen.
            daemon.stop(LIMIT)?;
            read(format!("{first}{before}{again}INSTANCE \"VI_1\" STOP 150\n"))
        })();
        a.host.crash();
        let _the_daemon_s_drop_may_have = reader.wait();
        outcome?;
    }
    Ok(())
}

/// Bytes that wait in the socket for 224.0.0.18, and adverts it has dropped: `/proc/net/raw`.
fn waiting(host: &Host) -> anyhow::Result<(u64, u64)> {
    let table = host.run("cat", &["/proc/net/raw"])?;
    let line = table.lines().find(|line| line.contains(" 120000E0:0070 "));
    let fields: Vec<&str> = line.context("no socket")?.split_whitespace().collect();
    let queues = fields.get(4).and_then(|queues| queues.split_once(':'));
    let bytes = u64::from_str_radix(queues.context("no queues")?.1, 16)?;
    Ok((bytes, fields.last().context("no drops")?.parse()?))
}

/// A stopped process, and a hundred adverts for it: some 70 KiB as the kernel counts. A buffer of 4000 bytes (which
/// the kernel doubles) cannot hold them, one as the system makes it can.
#[test]
fn a_socket_holds_what_the_file_says() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    /// Priority 100, one address; nobody gets to see it, so its checksum is none.
    const ADVERT: [u8; 12] = [0x31, 51, 100, 1, 0, 100, 0, 0, 192, 0, 2, 100];
    let [ours, theirs] = both()?;
    for (program, global, inside, small) in [
        (&ours, "vrrp_xdp off", "kernel_rx_buf_size 4000", true),
        (&ours, "vrrp_xdp off", "", false),
        (&theirs, "", "kernel_rx_buf_size 4000", true),
        (&theirs, "", "", false),
    ] {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let settings = Settings {
            peer: None,
            inside,
            ..Settings::unicast(a.address, b.address, 150)
        };
        let file = format!("global_defs {{\n{global}\n}}\n{settings}");
        let _daemon = Daemon::start(&a.host, program, &file, Daemon::DETAILED)?;
        a.await_mastery(Settings::ADDRESS, b, LIMIT)?;
        let pid: i32 = a.host.read("/run/keepalived_vrrp.pid")?.trim().parse()?;
        kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
        let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 18), 0);
        let own = b.address;
        b.host.namespace().inside(move || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
            socket.set_multicast_if_v4(&own)?;
            socket.set_multicast_ttl_v4(255)?;
            for _ in 0..100 {
                socket.send_to(&ADVERT, &group.into())?;
            }
            Ok(())
        })?;
        until(&format!("{}: {inside}", program.name()), LIMIT, || {
            let (bytes, dropped) = waiting(&a.host)?;
            ensure!(!small || bytes < 12_000, "{bytes} bytes wait");
            ensure!(small || dropped == 0, "{dropped} dropped");
            Ok(if small { dropped > 0 } else { bytes > 20_000 })
        })?;
    }
    Ok(())
}
