//! The examples' deployment: two cards in a sync group, notify scripts, a monitor script, and a cable that
//! somebody pulls.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use vrrp_tests::lab::{Daemon, Host, Lab, Port, Program, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(15);
const VIPS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(20, 31, 250, 13)),
    IpAddr::V4(Ipv4Addr::new(20, 31, 250, 14)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 10, 13)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 10, 14)),
];
/// Slow on purpose: two calls that overlap would leave two begins in a row.
const NOTIFY: &str = "#!/bin/sh
echo \"begin $1\" >>/run/notify.log
sleep 0.2
echo \"end $1\" >>/run/notify.log
";

fn example(name: &str) -> anyhow::Result<String> {
    Ok(fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples")
            .join(name),
    )?)
}

fn machine(lab: &Lab, name: &str, last: u8) -> anyhow::Result<(Host, Port)> {
    let host = lab.host(name)?;
    let front = lab.connect(&host, "bond0", "front", &[&format!("20.31.250.{last}/24")])?;
    lab.connect(&host, "eth2", "back", &[&format!("192.168.10.{last}/24")])?;
    host.install("/etc/keepalived/notify.sh", NOTIFY, 0o755)?;
    host.install(
        "/usr/local/bin/monitor_service.sh",
        example("monitor_service.sh")?,
        0o755,
    )?;
    Ok((host, front))
}

/// The states of VI_1, VI_2 and VG_1, by `vrrpctl status --json`.
fn states(host: &Host) -> anyhow::Result<[String; 3]> {
    let Program::Ours { binary } = Program::ours()? else {
        anyhow::bail!("not our daemon");
    };
    let vrrpctl = binary.with_file_name("vrrpctl");
    let text = host.run(&vrrpctl.display().to_string(), &["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(&text)?;
    let state = |list: &str, index: usize, name: &str| {
        let entry = &status[list][index];
        assert_eq!(entry["name"], name, "{text}");
        entry["state"].as_str().unwrap_or("none").to_owned()
    };
    Ok([
        state("instances", 0, "VI_1"),
        state("instances", 1, "VI_2"),
        state("groups", 0, "VG_1"),
    ])
}

fn notified(host: &Host) -> anyhow::Result<Vec<String>> {
    Ok(host.read("/run/notify.log")?.lines().map(str::to_owned).collect())
}

#[test]
fn a_pulled_cable_moves_the_group_and_tells_the_scripts_in_order() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    lab.network("back").unwrap();
    let (a, a_front) = machine(&lab, "A", 10).unwrap();
    let (b, _) = machine(&lab, "B", 11).unwrap();
    let program = Program::ours().unwrap();
    let start = |host: &Host, file: &str| {
        Daemon::start(host, &program, &example(file).unwrap(), Daemon::DETAILED).unwrap()
    };
    let _on_a = start(&a, "node-a.conf");
    until("A has all four addresses", LIMIT, || a.holds_all(&VIPS)).unwrap();
    let _on_b = start(&b, "node-b.conf");
    until("B is Backup", LIMIT, || {
        Ok(states(&b).is_ok_and(|states| states == ["BACKUP"; 3]))
    })
    .unwrap();
    assert_eq!(states(&a).unwrap(), ["MASTER"; 3]);

    let pulled = Stamp::now();
    a_front.pull().unwrap();
    until("B has all four addresses and A none", LIMIT, || {
        Ok(b.holds_all(&VIPS)? && a.holds_none(&VIPS)?)
    })
    .unwrap();
    assert_eq!(states(&b).unwrap(), ["MASTER"; 3]);
    assert_eq!(states(&a).unwrap(), ["FAULT"; 3]);
    // 3 x 1 s + 156/256 s of the instance that could not say good-bye, and one interval.
    assert!(Stamp::now().since(pulled) < Duration::from_millis(4_609 + 500));

    a_front.plug().unwrap();
    let expected = [
        "begin backup",
        "end backup",
        "begin master",
        "end master",
        "begin fault",
        "end fault",
        "begin backup",
        "end backup",
    ];
    until("A's script was called four times", LIMIT, || {
        Ok(notified(&a)?.len() >= expected.len())
    })
    .unwrap();
    assert_eq!(notified(&a).unwrap(), expected);
    assert_eq!(states(&a).unwrap(), ["BACKUP"; 3]);
    assert_eq!(
        notified(&b).unwrap(),
        ["begin backup", "end backup", "begin master", "end master"]
    );
    assert!(b.holds_all(&VIPS).unwrap() && a.holds_none(&VIPS).unwrap());
}
