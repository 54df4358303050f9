//! What the sieges share: two routers and a third host on their network, which attacks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use vrrp_tests::lab::flood::{Flood, Job};
use vrrp_tests::lab::{Daemon, Lab, Program, Side, Stamp, until};

/// Nothing here takes that long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// `vrrp_xdp off`.
pub(crate) const RAW: &str = "global_defs {\n    vrrp_xdp off\n}";

/// A (192.0.2.1) and B (192.0.2.2) are routers, C (192.0.2.3) is not. Their MAC addresses end as the others do. What is
/// captured is what they send.
pub(crate) struct Trio {
    pub(crate) a: Side,
    pub(crate) b: Side,
    pub(crate) c: Side,
    pub(crate) lab: Lab,
}

impl Trio {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        Ok(Self {
            a: side(&lab, "A", 1)?,
            b: side(&lab, "B", 2)?,
            c: side(&lab, "C", 3)?,
            lab,
        })
    }

    /// C sends these, once each.
    pub(crate) fn strike(&self, frames: Vec<Vec<u8>>) -> anyhow::Result<()> {
        self.strike_from("eth0", frames)
    }

    /// The same, from another interface of C's.
    pub(crate) fn strike_from(&self, interface: &str, frames: Vec<Vec<u8>>) -> anyhow::Result<()> {
        let count = u64::try_from(frames.len())?;
        let job = Job {
            interface: interface.to_owned(),
            frames,
            per_second: Some(1_000),
            seconds: 5,
            count,
        };
        let report = Flood::start(&self.c.host, &job)?.finish()?;
        anyhow::ensure!(report.sent == count, "{report:?}");
        Ok(())
    }
}

/// The MAC address of the host with this number.
pub(crate) const fn mac(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, number]
}

fn side(lab: &Lab, name: &str, number: u8) -> anyhow::Result<Side> {
    let address = Ipv4Addr::new(192, 0, 2, number);
    let host = lab.host(name)?;
    let port = lab.connect(&host, "eth0", "front", &[&format!("{address}/24")])?;
    let [.., last] = mac(number);
    let mac = format!("02:00:00:00:00:{last:02x}");
    host.run("ip", &["link", "set", "eth0", "address", &mac])?;
    let capture = port.capture_sent()?;
    Ok(Side {
        host,
        address,
        port,
        capture,
    })
}

pub(crate) fn start(side: &Side, file: &str) -> anyhow::Result<Daemon> {
    Daemon::start(&side.host, &Program::ours()?, file, Daemon::DETAILED)
}

/// Its instance at this place of its file.
pub(crate) fn instance(daemon: &Daemon, at: usize) -> anyhow::Result<serde_json::Value> {
    Ok(daemon.status()?["instances"][at].clone())
}

/// Wait until every instance of `daemon` is in `state`.
pub(crate) fn await_state(daemon: &Daemon, state: &str) -> anyhow::Result<()> {
    let what = format!("host {} is {state}", daemon.host().name());
    until(&what, LIMIT, || {
        // It does not answer before it runs.
        let Ok(status) = daemon.status() else {
            return Ok(false);
        };
        let all = status["instances"].as_array().cloned().unwrap_or_default();
        Ok(!all.is_empty() && all.iter().all(|instance| instance["state"] == state))
    })
}

/// Each on a thread with its name, which a failure shows: they wait more than they work.
pub(crate) fn all_at_once<const N: usize>(cases: [(&str, &(dyn Fn() + Sync)); N]) {
    std::thread::scope(|scope| {
        for (name, case) in cases {
            // A panic in one of them is a panic of the scope, when all have ended.
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, case)
                .unwrap();
        }
    });
}

/// A is Master and B follows it.
pub(crate) fn settle(on_a: &Daemon, on_b: &Daemon) -> anyhow::Result<()> {
    await_state(on_a, "MASTER")?;
    await_state(on_b, "BACKUP")?;
    until("B hears A", LIMIT, || {
        let status = on_b.status()?;
        let all = status["instances"].as_array().cloned().unwrap_or_default();
        let heard = |instance: &serde_json::Value| instance["master"]["address"] == "192.0.2.1";
        Ok(all.iter().all(heard))
    })
}

/// SIGSTOP for all its processes, and SIGCONT after `pause`, which is the very thing that is tried.
pub(crate) fn stop_for(side: &Side, pause: Duration) -> anyhow::Result<()> {
    let processes = side.host.namespace().processes();
    anyhow::ensure!(!processes.is_empty(), "nothing to stop");
    for &pid in &processes {
        kill(pid, Signal::SIGSTOP)?;
    }
    std::thread::sleep(pause);
    for &pid in &processes {
        kill(pid, Signal::SIGCONT)?;
    }
    Ok(())
}

/// Wait until `master` has all of `addresses`, and `backup` none of them.
pub(crate) fn await_holder(master: &Side, backup: &Side, addresses: &[IpAddr]) -> anyhow::Result<()> {
    let what = format!("host {} alone holds {addresses:?}", master.host.name());
    until(&what, LIMIT, || {
        Ok(master.host.holds_all(addresses)? && backup.host.holds_none(addresses)?)
    })
}

/// Of one who is still Master an advert may be under way when another's comes.
const UNDER_WAY: Duration = Duration::from_millis(1);

/// Adverts of `backup` for `vrid` since then that come less than `master_down` after one of `master`, and how often it
/// began to send.
pub(crate) fn takeovers(
    master: &Side,
    backup: &Side,
    vrid: u8,
    since: Stamp,
    master_down: Duration,
) -> (Vec<Duration>, usize) {
    let of = |side: &Side| -> Vec<Stamp> {
        let sent = side.sent(Stamp(0));
        let ours = sent.iter().filter(|(_, advert)| advert.vrid == vrid);
        ours.map(|(at, _)| *at).collect()
    };
    let (masters, backups) = (of(master), of(backup));
    let (mut early, mut begun) = (Vec::new(), 0);
    let mut previous = Stamp(0);
    for at in backups.into_iter().filter(|at| *at >= since) {
        let mut heard = masters.iter().rev().copied().filter(|sent| *sent < at);
        let before = heard.next().unwrap_or(Stamp(0));
        let before_that = heard.next().unwrap_or(Stamp(0));
        let crosses = begun > 0 && previous > before_that && at.since(before) < UNDER_WAY;
        // The first after the Master's last one.
        if (before > previous && !crosses) || begun == 0 {
            begun += 1;
            let waited = at.since(before);
            if waited < master_down {
                early.push(waited);
            }
        }
        previous = at;
    }
    (early, begun)
}
