//! The lab itself: what the other tests rely on.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use vrrp_tests::lab::{Direction, Frame, Lab, Prober, Stamp, root_or_skip, until};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn a_partition_and_a_pulled_cable_stop_the_answers() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    let server = lab.host("A").unwrap();
    let client = lab.host("client").unwrap();
    let port = lab.connect(&server, "bond0", "front", &["192.0.2.1/24"]).unwrap();
    lab.connect(&client, "front", "front", &["192.0.2.9/24"]).unwrap();
    let capture = port.capture().unwrap();
    let prober = Prober::start(&client, &[SERVER], Duration::from_millis(10)).unwrap();
    let answers_after = |since: Stamp| {
        until("the server answers", LIMIT, || {
            Ok(prober.first_answer(SERVER, since).is_some())
        })
    };
    answers_after(Stamp(0)).unwrap();

    type Act<'a> = &'a dyn Fn() -> anyhow::Result<()>;
    let faults: [(Act<'_>, Act<'_>, &str); 2] = [
        (&|| port.isolate(), &|| port.heal(), "UP"),
        (&|| port.pull(), &|| port.plug(), "DOWN"),
    ];
    for (break_it, mend_it, carrier) in faults {
        break_it().unwrap();
        let broken = Stamp::now();
        let state = server.run("ip", &["-j", "link", "show", "bond0"]).unwrap();
        until("the silence is 300 ms long", LIMIT, || {
            let outage = prober.longest_outage(SERVER, broken).unwrap();
            Ok(outage.duration(Stamp::now()) >= Duration::from_millis(300))
        })
        .unwrap();
        assert_eq!(prober.first_answer(SERVER, broken), None);
        assert!(state.contains(&format!("\"operstate\":\"{carrier}\"")), "{state}");
        let mended = Stamp::now();
        mend_it().unwrap();
        answers_after(mended).unwrap();
        let outage = prober.longest_outage(SERVER, mended).unwrap();
        assert!(
            outage
                .first
                .is_some_and(|first| first >= mended && outage.last <= broken)
        );
        capture
            .wait_for("a reply after the mending", mended, LIMIT, |captured| {
                matches!(captured.frame(), Frame::Echo { reply: true, .. }).then_some(())
            })
            .unwrap();
    }

    let replies = capture.pick(Stamp(0), |captured| match captured.frame() {
        Frame::Echo {
            source, reply: true, ..
        } => Some((source, captured.direction)),
        _ => None,
    });
    assert!(!replies.is_empty());
    assert!(
        replies
            .iter()
            .all(|(_, reply)| *reply == (SERVER.into(), Direction::FromHost))
    );
    let dropped_requests = capture.pick(Stamp(0), |captured| {
        matches!(captured.frame(), Frame::Echo { reply: true, .. })
            .then_some(())
            .filter(|()| captured.direction == Direction::ToHost)
    });
    assert!(dropped_requests.is_empty());
}

#[test]
fn what_a_host_writes_to_etc_and_run_exists_nowhere_else() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("A").unwrap();
    for path in [
        "/etc/keepalived/lab-test.conf",
        "/run/lab-test.pid",
        "/usr/local/bin/lab-test",
    ] {
        host.install(path, "here\n", 0o755).unwrap();
        assert_eq!(host.run("cat", &[path]).unwrap(), "here\n");
        assert_eq!(host.read(path).unwrap(), "here\n");
        assert!(!Path::new(path).exists(), "{path} got out");
    }
    host.install(
        "/usr/local/bin/lab-script",
        "#!/bin/sh\necho found in PATH\n",
        0o755,
    )
    .unwrap();
    assert_eq!(host.run("lab-script", &[]).unwrap(), "found in PATH\n");
}

#[test]
fn a_crash_leaves_no_process_and_no_zombie_counts() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("A").unwrap();
    let mut child = host
        .namespace()
        .command("sh")
        .args(["-c", "sleep 60 & sleep 60 & wait"])
        .spawn()
        .unwrap();
    until("three processes run", LIMIT, || {
        Ok(host.namespace().processes().len() == 3)
    })
    .unwrap();
    host.crash();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "killed, not ended");
    until("all are gone", LIMIT, || {
        Ok(host.namespace().processes().is_empty())
    })
    .unwrap();
}
