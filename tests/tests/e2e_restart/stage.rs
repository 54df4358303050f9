//! Two hosts, and a daemon that is restarted as its service manager would do it: announced by `vrrpctl handover`, ended
//! by SIGTERM to the process that was started, and started again.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use vrrp_tests::lab::{AddressWatch, Change, Daemon, Duo, Program, Settings, Side, Stamp, until, vrrpctl};

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const VIP: Ipv4Addr = Settings::ADDRESS;

pub(crate) fn start(side: &Side, file: &str) -> anyhow::Result<Daemon> {
    Daemon::start(&side.host, &Program::ours()?, file, Daemon::DETAILED)
}

/// The files of A, which is preferred, and of B.
pub(crate) fn pair(duo: &Duo, settings: Settings) -> [Settings; 2] {
    let (a, b) = (&duo.a, &duo.b);
    let multicast = settings.peer.is_none();
    let of = |own: &Side, other: &Side, priority| Settings {
        own: own.address,
        peer: (!multicast).then_some(other.address),
        priority,
        ..settings
    };
    [of(a, b, 200), of(b, a, 100)]
}

/// A is Master, B its Backup, both for a while.
pub(crate) fn settle(duo: &Duo, of_a: &str, of_b: &str) -> anyhow::Result<(Daemon, Daemon)> {
    let (a, b) = (&duo.a, &duo.b);
    let on_b = start(b, of_b)?;
    let on_a = start(a, of_a)?;
    a.await_mastery(VIP, b, LIMIT)?;
    a.await_adverts(3, Stamp::now(), LIMIT)?;
    Ok((on_a, on_b))
}

/// The protocol process of a host, by its pid file.
pub(crate) fn protocol_process(side: &Side) -> anyhow::Result<Pid> {
    let text = side.host.read("/run/keepalived_vrrp.pid")?;
    let pid = text.lines().next().context("no pid file")?.parse()?;
    Ok(Pid::from_raw(pid))
}

/// Ask the daemon to expect a successor.
pub(crate) fn announce(side: &Side, lease: &str) -> anyhow::Result<()> {
    let said = vrrpctl(&side.host, &["handover", "--lease", lease])?;
    ensure!(said.code == 0, "{said:?}");
    Ok(())
}

/// SIGTERM, and wait until the process that was started has ended.
pub(crate) fn terminate(mut daemon: Daemon) -> anyhow::Result<()> {
    daemon.signal(Signal::SIGTERM)?;
    let mut status = None;
    until("the parent process ends", LIMIT, || {
        status = daemon.ended()?;
        Ok(status.is_some())
    })?;
    let status = status.context("no status")?;
    ensure!(status.success(), "{status}; its log:\n{}", daemon.log()?);
    daemon.let_go();
    Ok(())
}

/// The script runners of a host.
pub(crate) fn script_runners(side: &Side) -> Vec<Pid> {
    let named = |pid: &Pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "vrrp-scripts\n")
    };
    side.host
        .namespace()
        .processes()
        .into_iter()
        .filter(named)
        .collect()
}

/// The first half of a restart: only the protocol process of the old daemon is left, with its script runner, for so long
/// at most.
pub(crate) fn leave(side: &Side, daemon: Daemon, lease: &str) -> anyhow::Result<Pid> {
    let left = protocol_process(side)?;
    announce(side, lease)?;
    terminate(daemon)?;
    let runners = script_runners(side);
    ensure!(runners.len() == 1, "{runners:?}");
    let mut others = side.host.namespace().processes();
    others.retain(|pid| !runners.contains(pid));
    ensure!(others == [left], "{others:?}");
    Ok(left)
}

/// Wait until the log says it.
pub(crate) fn until_said(daemon: &Daemon, what: &str) -> anyhow::Result<()> {
    until(&format!("the log says `{what}`"), LIMIT, || {
        Ok(daemon.log()?.contains(what))
    })
}

pub(crate) const TOOK_OVER: &str = "without a pause";

/// What the others see of a host from now on.
pub(crate) struct Witness<'d> {
    duo: &'d Duo,
    addresses: AddressWatch,
    since: Stamp,
}

impl<'d> Witness<'d> {
    pub(crate) fn begin(duo: &'d Duo) -> anyhow::Result<Self> {
        Ok(Self {
            duo,
            addresses: AddressWatch::start(&duo.a.host)?,
            since: Stamp::now(),
        })
    }

    /// A's adverts that reached B say that A is Master, and B never said anything; A's addresses never left. Answers the
    /// longest gap between two adverts of A.
    pub(crate) fn nothing_happened(&self) -> anyhow::Result<Duration> {
        let heard = self.duo.b.heard(self.since);
        let other: Vec<_> = heard
            .iter()
            .filter(|(_, advert)| advert.priority != 200)
            .collect();
        ensure!(other.is_empty(), "A said: {other:?}");
        let of_b = self.duo.b.sent(self.since);
        ensure!(of_b.is_empty(), "B said: {of_b:?}");
        let gone = self.addresses.order(Change::Removed, self.since);
        ensure!(gone.is_empty(), "A lost {gone:?}");
        let gaps = heard.windows(2).map(|pair| pair[1].0.since(pair[0].0));
        Ok(gaps.max().unwrap_or_default())
    }
}

pub(crate) fn vip() -> [IpAddr; 1] {
    [IpAddr::V4(VIP)]
}
