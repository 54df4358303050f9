//! `vrrpctl` against a running daemon: planned moves, who may, what is followed, and what a reload says.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use vrrp_tests::lab::{
    Daemon, Duo, Host, Program, Said, Settings, Side, Stamp, root_or_skip, until, vrrpctl, vrrpctl_as,
    vrrpctl_events,
};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(10);
/// 156/256 x 100 ms: VRRPv3, priority 100.
const SKEW: Duration = Duration::from_nanos(60_937_500);
/// The protocol's own granularity, and more than a busy machine takes; together with the skew less than a
/// Master_Down_Interval.
const INTERVAL: Duration = Duration::from_millis(100);

fn start(side: &Side, settings: &Settings) -> anyhow::Result<Daemon> {
    Daemon::start(
        &side.host,
        &Program::ours()?,
        &settings.to_string(),
        Daemon::DETAILED,
    )
}

/// A is Master with priority 200, B its Backup with 100.
fn settle(duo: &Duo, nopreempt: bool) -> anyhow::Result<(Daemon, Daemon)> {
    let (a, b) = (&duo.a, &duo.b);
    let of = |side: &Side, other: &Side, priority| Settings {
        nopreempt,
        ..Settings::unicast(side.address, other.address, priority)
    };
    let on_a = start(a, &of(a, b, 200))?;
    a.await_mastery(VIP, b, LIMIT)?;
    let on_b = start(b, &of(b, a, 100))?;
    until("B follows A", LIMIT, || {
        Ok(instance(&on_b).is_ok_and(|instance| instance["master"]["address"] == "192.0.2.1"))
    })?;
    Ok((on_a, on_b))
}

fn instance(daemon: &Daemon) -> anyhow::Result<Value> {
    Ok(daemon.status()?["instances"][0].clone())
}

fn ask(host: &Host, args: &[&str]) -> Said {
    vrrpctl(host, args).expect("vrrpctl can be started")
}

fn said(code: i32, out: &str) -> Said {
    Said {
        code,
        out: out.to_owned(),
        err: String::new(),
    }
}

#[test]
fn standby_moves_the_master_within_a_skew_and_resume_brings_it_back() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (on_a, on_b) = settle(&duo, false).unwrap();
    let begun = Stamp::now();
    assert_eq!(ask(&a.host, &["standby", "VI_1"]), said(0, "VI_1 stands by\n"));
    let (priority, waited) = duo.takeover(VIP, begun, LIMIT).unwrap();
    assert_eq!(priority, 0, "the last that B heard of A");
    assert!(waited <= SKEW + INTERVAL, "{waited:?} after priority 0");
    b.await_mastery(VIP, a, LIMIT).unwrap();

    // It is preferred, and stays Backup: for more than three Master_Down_Intervals of adverts of a lower priority.
    until("A follows B", LIMIT, || {
        Ok(instance(&on_a)?["master"]["address"] == "192.0.2.2")
    })
    .unwrap();
    b.await_adverts(12, Stamp::now(), LIMIT).unwrap();
    let seen = instance(&on_a).unwrap();
    assert_eq!(seen["state"], "BACKUP");
    assert_eq!(seen["standby"]["left_ms"], Value::Null);
    assert_eq!(seen["standby"]["alone"], false);
    assert_eq!(seen["reason_code"], "standby");
    let explained = ask(&a.host, &["explain", "VI_1"]).out;
    assert!(
        explained.contains("stands by, as asked: it does not become Master until `vrrpctl resume VI_1`"),
        "{explained}"
    );

    assert_eq!(
        ask(&a.host, &["resume", "VI_1"]),
        said(0, "VI_1 takes part again\n")
    );
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let log = on_b.log().unwrap();
    assert!(log.contains("192.0.2.1 stood down with priority 0"), "{log}");
    let again = ask(&a.host, &["resume", "VI_1"]);
    assert_eq!(again.code, 1);
    assert_eq!(
        again.err,
        "vrrpctl: it does not stand by: there is nothing to resume\n"
    );
}

#[test]
fn the_time_ends_standby_and_nopreempt_leaves_the_master_where_it_is() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (on_a, _on_b) = settle(&duo, true).unwrap();
    assert_eq!(ask(&a.host, &["standby", "--all", "--for", "1s"]).code, 0);
    b.await_mastery(VIP, a, LIMIT).unwrap();
    until("A takes part again", LIMIT, || {
        Ok(instance(&on_a)?["standby"].is_null())
    })
    .unwrap();
    assert!(
        on_a.log()
            .unwrap()
            .contains("(VI_1) the time to stand by is over: takes part again")
    );
    b.await_adverts(12, Stamp::now(), LIMIT).unwrap();
    assert_eq!(instance(&on_a).unwrap()["state"], "BACKUP");
}

#[test]
fn who_stands_by_alone_is_said_to_hold_nothing_back() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let a = &duo.a;
    let on_a = start(a, &Settings::unicast(a.address, duo.b.address, 200)).unwrap();
    a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
    assert_eq!(ask(&a.host, &["check"]).code, 0);
    assert_eq!(ask(&a.host, &["standby", "VI_1"]).code, 0);
    until("the log says that nobody is Master", LIMIT, || {
        Ok(on_a
            .log()?
            .contains("stands by and hears no Master: nobody holds the addresses"))
    })
    .unwrap();
    let checked = ask(&a.host, &["check"]);
    assert_eq!(
        checked,
        said(
            2,
            "VRRP CRITICAL - VI_1: hears no Master; VI_1: stands by | instances=1 master=0 backup=1 fault=0 init=0 \
             standby=1\n"
        )
    );
    assert!(ask(&a.host, &["explain"]).out.contains("NOBODY ELSE is Master"));
    assert_eq!(ask(&a.host, &["resume", "--all"]).code, 0);
    a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// No permission, no daemon, another version, no such name: one line with the remedy, and an exit code each.
#[test]
fn mistakes_are_one_line_with_the_remedy() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let a = &duo.a;
    let absent = ask(&a.host, &["status"]);
    assert_eq!(absent.code, 3);
    assert_eq!(
        absent.err,
        "vrrpctl: no daemon answers on /run/vrrp-daemon/control.sock: No such file or directory (os error 2); start \
         vrrp-daemon, or name its socket with --socket\n"
    );
    let checked = ask(&a.host, &["check"]);
    assert_eq!(checked.code, 3);
    assert!(
        checked.out.starts_with("VRRP UNKNOWN - no daemon answers on "),
        "{checked:?}"
    );
    // Not critical, whatever clap thinks.
    assert_eq!(ask(&a.host, &["check", "--warn", "nonsense"]).code, 3);
    assert_eq!(ask(&a.host, &["nonsense"]).code, 2);
    assert_eq!(ask(&a.host, &["standby"]).code, 2);
    assert_eq!(ask(&a.host, &["standby", "VI_1", "--for", "soon"]).code, 2);

    let group = "root:x:0:\nnogroup:x:65534:\noperators:x:4711:\n";
    a.host.install("/etc/group", group, 0o644).unwrap();
    let settings = Settings {
        before: "global_defs {\n    vrrp_control_group operators\n}\n",
        ..Settings::unicast(a.address, duo.b.address, 200)
    };
    let on_a = start(a, &settings).unwrap();
    a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
    let unknown = ask(&a.host, &["show", "VI_2"]);
    assert_eq!(unknown.code, 1);
    assert_eq!(
        unknown.err,
        "vrrpctl: there is no instance `VI_2`: `vrrpctl status` lists them\n"
    );
    let unknown = ask(&a.host, &["standby", "VI_2"]);
    assert_eq!(unknown.code, 1);
    assert_eq!(
        unknown.err,
        "vrrpctl: there is no instance or sync group `VI_2`: `vrrpctl status` lists them\n"
    );

    let mode = a
        .host
        .run("stat", &["-c", "%a %u %g", "/run/vrrp-daemon/control.sock"])
        .unwrap();
    assert_eq!(mode, "660 0 4711\n");
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=4711"];
    let refused = vrrpctl_as(&a.host, &nobody, &["status"]).unwrap();
    assert_eq!(refused.code, 4);
    assert_eq!(
        refused.err,
        "vrrpctl: not permitted to use /run/vrrp-daemon/control.sock: run it as root, or join the group of that file \
         (vrrp_control_group in global_defs)\n"
    );
    assert_eq!(vrrpctl_as(&a.host, &member, &["status"]).unwrap().code, 0);
    assert_eq!(vrrpctl_as(&a.host, &member, &["garp", "VI_1"]).unwrap().code, 0);
    // The daemon would read it with root's eyes.
    let refused = vrrpctl_as(&a.host, &member, &["config", "diff", "/etc/shadow"]).unwrap();
    assert_eq!(refused.code, 4);
    assert_eq!(
        refused.err,
        "vrrpctl: not permitted: only root may have the daemon read another file, or hand over to a successor: run it as root\n"
    );

    // A mode that somebody loosened changes nothing about who may.
    a.host
        .run("chmod", &["666", "/run/vrrp-daemon/control.sock"])
        .unwrap();
    let refused = vrrpctl_as(&a.host, &nobody, &["status"]).unwrap();
    assert_eq!((refused.code, refused.out.as_str()), (4, ""));
    let refused = vrrpctl_as(&a.host, &nobody, &["standby", "VI_1"]).unwrap();
    assert_eq!((refused.code, refused.out.as_str()), (4, ""));
    // Nor does the group stay when the file does not name it any more.
    let without = Settings {
        before: "",
        ..settings
    };
    a.host.install(Daemon::FILE, without.to_string(), 0o644).unwrap();
    assert_eq!(ask(&a.host, &["reload"]).code, 0);
    assert_eq!(vrrpctl_as(&a.host, &member, &["status"]).unwrap().code, 4);
    assert_eq!(instance(&on_a).unwrap()["state"], "MASTER");
}

/// Raw bytes at the socket, as anything but `vrrpctl` may send.
#[test]
fn garbage_at_the_socket_disturbs_nobody() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let a = &duo.a;
    let (on_a, _on_b) = settle(&duo, false).unwrap();
    let connect = || {
        let stream = a.host.namespace().inside(|| {
            let stream = UnixStream::connect("/run/vrrp-daemon/control.sock")?;
            stream.set_read_timeout(Some(LIMIT))?;
            Ok(stream)
        });
        stream.unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..4 {
        // A megabyte, half a request, and one that never reads what it asks for.
        let mut megabyte = connect();
        let _cut_off = megabyte.write_all(&vec![b'x'; 1 << 20]);
        let mut half = connect();
        half.write_all(b"{\"v\":1,\"cmd\"").unwrap();
        let mut deaf = connect();
        for _ in 0..50 {
            let _may_be_dropped = deaf.write_all(b"{\"v\":1,\"cmd\":\"status\"}\n");
        }
        held.extend([megabyte, half, deaf]);
    }
    let mut newer = connect();
    newer.write_all(b"{\"v\":7,\"cmd\":\"teleport\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(&newer).read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "{\"v\":1,\"error\":\"version 7 is not spoken here, but 1: use the vrrpctl that came with the daemon\"}\n"
    );
    assert_eq!(instance(&on_a).unwrap()["state"], "MASTER");
    a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    let log = on_a.log().unwrap();
    assert!(!log.contains("Entering BACKUP STATE:"), "{log}");
}

#[test]
fn events_are_followed_as_they_come() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (_on_a, _on_b) = settle(&duo, false).unwrap();
    let mut follower = vrrpctl_events(&b.host, &["--json"]).unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut plain = vrrpctl_events(&b.host, &[]).unwrap();
    let mut words = BufReader::new(plain.stdout.take().unwrap()).lines();
    assert_eq!(ask(&a.host, &["standby", "VI_1"]).code, 0);
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(event["kind"], "transition");
    assert_eq!(event["subject"], "VI_1");
    assert_eq!(
        (&event["from"], &event["to"]),
        (&Value::from("BACKUP"), &Value::from("MASTER"))
    );
    assert_eq!(event["reason"], "master-released");
    assert_eq!(event["source"], "192.0.2.1");
    assert_eq!(
        (&event["vrid"], &event["interface"]),
        (&51.into(), &"eth0".into())
    );
    // The skew time of priority 100, at an interval of 100 ms, is 60.937 ms: older than that, and then some.
    assert!(event["age_us"].as_u64() >= Some(60_937), "{event}");
    assert!(event["took_us"].is_u64(), "{event}");
    let line = words.next().unwrap().unwrap();
    assert!(
        line.contains(
            "(VI_1) Entering MASTER STATE: 192.0.2.1 stood down with priority 0; was BACKUP, last advert of 192.0.2.1 "
        ),
        "{line}"
    );
    follower.kill().unwrap();
    plain.kill().unwrap();
    follower.wait().unwrap();
    plain.wait().unwrap();
}

/// What the daemon did last is what its followers are told last.
#[test]
fn who_follows_sees_the_daemon_give_up_at_a_stop() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let a = &duo.a;
    let (on_a, _on_b) = settle(&duo, false).unwrap();
    let plain = vrrpctl_events(&a.host, &[]).unwrap();
    let follower = vrrpctl_events(&a.host, &["--json"]).unwrap();
    assert!(on_a.stop(LIMIT).unwrap().success());

    let told = follower.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    let told: Vec<Value> = String::from_utf8(told.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [.., released, last] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(released["subject"], "VI_1");
    assert_eq!(released["from"], "MASTER");
    assert_eq!(released["to"], "INIT");
    assert_eq!(released["reason"], "shutdown");
    assert_eq!(*last, serde_json::json!({"ended": "stopped"}));

    let told = plain.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.ends_with("-- the daemon has stopped\n"), "{told}");
}

/// A crash is no end: who follows has to know.
#[test]
fn who_follows_is_told_that_the_daemon_is_gone_without_a_word() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (on_a, _on_b) = settle(&duo, false).unwrap();
    let follower = vrrpctl_events(&duo.a.host, &[]).unwrap();
    let pid = on_a.status().unwrap()["daemon"]["pid"].as_i64().unwrap();
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    let told = follower.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(3));
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "");
}

#[test]
fn a_reload_says_what_came_of_it_and_what_it_would_change() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let a = &duo.a;
    let settings = Settings {
        version: 2,
        interval: "1",
        password: Some("s3cret"),
        ..Settings::unicast(a.address, duo.b.address, 200)
    };
    let on_a = start(a, &settings).unwrap();
    a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
    assert_eq!(
        ask(&a.host, &["config", "diff"]),
        said(0, "a reload would change nothing\n")
    );
    assert_eq!(
        ask(&a.host, &["reload"]),
        said(0, "reloaded: the configuration is as it was\n")
    );
    let shown = ask(&a.host, &["config", "show"]);
    assert_eq!(shown.code, 0);
    assert!(shown.out.contains("priority 200"), "{}", shown.out);
    assert!(shown.out.contains("auth_pass ********"), "{}", shown.out);

    let other = Settings {
        priority: 210,
        password: Some("0ther"),
        ..settings
    };
    a.host.install(Daemon::FILE, other.to_string(), 0o644).unwrap();
    let diff = ask(&a.host, &["config", "diff"]);
    assert_eq!(
        diff,
        said(
            6,
            "~ instance VI_1\n    priority 200 -> 210\n    authentication\n"
        )
    );
    let json = ask(&a.host, &["config", "diff", "--json"]).json().unwrap();
    assert_eq!(json["changes"][0]["kind"], "changed");
    a.host
        .install("/etc/other.conf", settings.to_string(), 0o644)
        .unwrap();
    assert_eq!(ask(&a.host, &["config", "diff", "/etc/other.conf"]).code, 0);
    assert_eq!(ask(&a.host, &["config", "check"]).code, 0);
    assert_eq!(ask(&a.host, &["reload"]), said(0, "reloaded\n"));
    assert!(ask(&a.host, &["config", "show"]).out.contains("priority 210"));

    // A typo that stops a start.
    let bad = other
        .to_string()
        .replace("virtual_router_id 51", "virtual_router_id 0");
    a.host.install(Daemon::FILE, &bad, 0o644).unwrap();
    let refused = ask(&a.host, &["reload"]);
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.err,
        "vrrpctl: NOT reloaded, the old configuration runs on: the log says why\n"
    );
    assert!(
        refused.out.contains("`0` is not a virtual router id"),
        "no diagnostic: {}",
        refused.out
    );
    assert_eq!(ask(&a.host, &["config", "check"]).code, 1);
    let diff = ask(&a.host, &["config", "diff"]);
    assert_eq!(diff.code, 1);
    assert!(
        diff.out
            .ends_with("a reload would be refused: the file cannot run\n")
    );
    let warned = ask(&a.host, &["check"]);
    assert_eq!(warned.code, 1, "{warned:?}");

    // The password stands in nothing that any command says, nor in what goes over the socket.
    for command in [
        &["status", "--json"][..],
        &["show", "VI_1"],
        &["explain"],
        &["peers", "--json"],
        &["counters"],
        &["config", "show", "--json"],
        &["config", "diff", "--json"],
        &["config", "check", "--json"],
        &["reload", "--json"],
    ] {
        let Said { out, err, .. } = ask(&a.host, command);
        for secret in ["s3cret", "0ther"] {
            assert!(
                !out.contains(secret) && !err.contains(secret),
                "{command:?}: {out}{err}"
            );
        }
    }
    let log = on_a.log().unwrap();
    assert!(!log.contains("s3cret") && !log.contains("0ther"), "{log}");
}

#[test]
fn garp_and_the_level_of_the_log() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (on_a, _on_b) = settle(&duo, false).unwrap();
    let begun = Stamp::now();
    assert_eq!(
        ask(&a.host, &["garp", "VI_1"]),
        said(0, "VI_1 announces its addresses again\n")
    );
    a.await_announcement(VIP, begun, LIMIT).unwrap();
    let refused = ask(&b.host, &["garp", "--all"]);
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.err,
        "vrrpctl: it is not Master: only a Master announces addresses\n"
    );

    // INFO lines stop, and come again.
    assert_eq!(
        ask(&a.host, &["log-level", "warn"]),
        said(0, "logs from level warn up\n")
    );
    let before = on_a.log().unwrap();
    assert_eq!(ask(&a.host, &["standby", "VI_1"]).code, 0);
    b.await_mastery(VIP, a, LIMIT).unwrap();
    assert_eq!(ask(&a.host, &["log-level", "info"]).code, 0);
    assert_eq!(ask(&a.host, &["resume", "VI_1"]).code, 0);
    until("the log has the resume", LIMIT, || {
        Ok(on_a.log()?.contains("takes part again, as asked"))
    })
    .unwrap();
    let log = on_a.log().unwrap();
    let (_, since) = log.split_at(before.len());
    assert!(!since.contains("stands by until"), "{since}");
    assert!(!since.contains("sent 0 priority"), "{since}");
}

/// The other routers, from what the kernel counted between their adverts.
#[test]
fn peers_are_judged_by_the_gaps_between_their_adverts() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (_on_a, _on_b) = settle(&duo, false).unwrap();
    let found =
        || -> anyhow::Result<Value> { Ok(vrrpctl(&duo.b.host, &["peers", "--json"])?.json()?[0].clone()) };
    until("20 gaps are counted", LIMIT, || {
        Ok(found()?["gaps"]["count"].as_u64() >= Some(20))
    })
    .unwrap();
    let peer = found().unwrap();
    assert_eq!(peer["source"], "192.0.2.1");
    assert_eq!(peer["master"], true);
    assert_eq!(peer["priority"], 200);
    assert_eq!(peer["interval_us"], 100_000);
    assert_eq!(peer["gaps"]["lost_at_least"], 0);
    let text = vrrpctl(&duo.b.host, &["peers"]).unwrap().out;
    assert!(text.starts_with("INSTANCE  SENDER     ROLE    LAST"), "{text}");
    let counters = vrrpctl(&duo.b.host, &["counters", "VI_1"]).unwrap().out;
    assert!(counters.contains("adverts_received"), "{counters}");
}
