//! The hosts of the flood bench and what runs on them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use vrrp_tests::lab::flood::Target;
use vrrp_tests::lab::{Capture, Daemon, Host, Lab, Port, Program, Stamp, peer_command, until};

use super::judge::{Sent, Verdict};
use super::{RUNNING, STANDSTILL};
use crate::bench::tcp::Received;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The flooded one.
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
/// A is Master for the first, B for the second.
const OF_A: u8 = 51;
const OF_B: u8 = 52;
const UNKNOWN: u8 = 99;
const LIMIT: Duration = Duration::from_secs(30);

/// What keeps strangers' adverts away from keepalived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Nothing; our daemon always checks the source.
    None,
    /// `vrrp_check_unicast_src`.
    SourceCheck,
    /// A rule that drops VRRP from everyone but the peer.
    Nftables,
}

/// A and B, and the host that floods.
pub(super) struct Stage {
    a: Host,
    a_port: Port,
    b: Host,
    b_port: Port,
    pub(super) generator: Host,
    _lab: Lab,
}

impl Stage {
    pub(super) fn build() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        let (a, b, generator) = (lab.host("A")?, lab.host("B")?, lab.host("C")?);
        lab.connect(&generator, "eth0", "front", &["192.0.2.3/24"])?;
        Ok(Self {
            a_port: lab.connect(&a, "eth0", "front", &[&format!("{A}/24")])?,
            b_port: lab.connect(&b, "eth0", "front", &[&format!("{B}/24")])?,
            a,
            b,
            generator,
            _lab: lab,
        })
    }

    /// Whom the floods are for.
    pub(super) fn target(&self, interval: u16) -> anyhow::Result<Target> {
        Ok(Target {
            mac: mac(&self.b)?,
            sender_mac: mac(&self.generator)?,
            address: B,
            peer: A,
            stranger: STRANGER,
            routers: vec![(OF_A, address(OF_A)), (OF_B, address(OF_B))],
            unknown_vrid: UNKNOWN,
            interval,
        })
    }

    /// Both daemons, in their roles.
    pub(super) fn start(
        &self,
        program: &Program,
        guard: Guard,
        interval: &str,
    ) -> anyhow::Result<Running<'_>> {
        self.firewall("flush ruleset")?;
        if guard == Guard::Nftables {
            self.firewall(&format!(
                "table inet vrrp {{ chain input {{ type filter hook input priority 0; \
                 ip protocol 112 ip saddr != {A} drop; }}; }}"
            ))?;
        }
        let file = |own, peer, priorities| file(own, peer, priorities, guard, interval);
        let running = Running {
            stage: self,
            daemon_b: Daemon::start(&self.b, program, &file(B, A, [100, 200]), Daemon::QUIET)?,
            daemon_a: Daemon::start(&self.a, program, &file(A, B, [200, 100]), Daemon::QUIET)?,
        };
        running.settle()?;
        Ok(running)
    }

    /// Do `work` while B's daemon stands still for a while again and again.
    pub(super) fn halting<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.b.namespace().pause();
                    thread::sleep(STANDSTILL);
                    self.b.namespace().resume();
                    thread::sleep(RUNNING);
                }
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            result
        })
    }

    /// On B, in its own namespace.
    fn firewall(&self, rules: &str) -> anyhow::Result<()> {
        let output = peer_command(&self.b, "usr/sbin/nft")?
            .arg(rules)
            .output()
            .context("running nft")?;
        ensure!(
            output.status.success(),
            "nft: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Both virtual routers, VRRPv3 by unicast.
fn file(own: Ipv4Addr, peer: Ipv4Addr, priorities: [u8; 2], guard: Guard, interval: &str) -> String {
    let mut text = String::from("global_defs {\n    router_id flood\n");
    if guard == Guard::SourceCheck {
        text.push_str("    vrrp_check_unicast_src\n");
    }
    text.push_str("}\n");
    for (vrid, priority) in [OF_A, OF_B].into_iter().zip(priorities) {
        text.push_str(&format!(
            "vrrp_instance V{vrid} {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    version 3
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
        {}/24
    }}
}}
",
            address(vrid)
        ));
    }
    text
}

/// The address of a virtual router.
const fn address(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 100 + vrid)
}

/// Both daemons at work.
pub(super) struct Running<'a> {
    stage: &'a Stage,
    daemon_a: Daemon,
    daemon_b: Daemon,
}

impl Running<'_> {
    /// Wait until each host is Master where it should be.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        let [of_a, of_b] = [OF_A, OF_B].map(|vrid| [IpAddr::V4(address(vrid))]);
        let Stage { a, b, .. } = self.stage;
        until("each host is Master for its own virtual router", LIMIT, || {
            Ok(a.holds_all(&of_a)? && a.holds_none(&of_b)? && b.holds_all(&of_b)? && b.holds_none(&of_a)?)
        })
    }

    /// Capture what both send, from now on.
    pub(super) fn capture(&self) -> anyhow::Result<Captures> {
        Ok(Captures {
            a: self.stage.a_port.capture_sent()?,
            b: self.stage.b_port.capture_sent()?,
        })
    }

    /// The flooded host at this moment.
    pub(super) fn state(&self) -> anyhow::Result<State> {
        Ok(State {
            at: Stamp::now(),
            cpu: self.daemon_b.cpu(),
            frames: Received::of(&self.stage.b)?.packets,
        })
    }

    /// Stop both, and wait until their addresses are gone.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.daemon_a.stop(LIMIT)?;
        self.daemon_b.stop(LIMIT)?;
        let addresses = [OF_A, OF_B].map(|vrid| IpAddr::V4(address(vrid)));
        until("no host holds an address", LIMIT, || {
            Ok(self.stage.a.holds_none(&addresses)? && self.stage.b.holds_none(&addresses)?)
        })
    }
}

/// The flooded host at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) at: Stamp,
    /// CPU time of its daemon.
    cpu: Duration,
    /// Frames its interface has received.
    frames: u64,
}

impl State {
    /// Thousandths of a percent of one core since `before`.
    pub(super) fn cpu_share(&self, before: &Self) -> i64 {
        let used = self.cpu.saturating_sub(before.cpu).as_nanos();
        let of = self.at.since(before.at).as_nanos().max(1);
        i64::try_from(used * 100_000 / of).unwrap_or(i64::MAX)
    }

    /// Frames per second since `before`.
    pub(super) fn arrived_per_second(&self, before: &Self) -> u64 {
        let frames = u128::from(self.frames.saturating_sub(before.frames));
        let of = self.at.since(before.at).as_nanos().max(1);
        u64::try_from(frames * 1_000_000_000 / of).unwrap_or(u64::MAX)
    }
}

/// What both hosts send.
pub(super) struct Captures {
    a: Capture,
    b: Capture,
}

impl Captures {
    /// An advert of the current Master, as B receives it, from the generator's hardware address.
    pub(super) fn masters_frame(&self, stage: &Stage) -> anyhow::Result<Vec<u8>> {
        let (_, mut frame) = self.a.wait_for("an advert of A", Stamp(0), LIMIT, |captured| {
            (captured.frame().advert()?.vrid == OF_A).then(|| captured.bytes.clone())
        })?;
        frame
            .get_mut(6..12)
            .context("the advert has no Ethernet header")?
            .copy_from_slice(&mac(&stage.generator)?);
        Ok(frame)
    }

    pub(super) fn judge(&self, since: Stamp, until: Stamp, interval: Duration) -> Verdict {
        let sent = |capture: &Capture, vrid: u8| Sent {
            at: capture
                .pick(since, |captured| {
                    (captured.frame().advert()?.vrid == vrid && captured.at <= until).then_some(())
                })
                .into_iter()
                .map(|(at, ())| at)
                .collect(),
            since,
            until,
            interval,
        };
        let flooded = sent(&self.b, OF_B);
        let false_takeovers = sent(&self.b, OF_A).takeovers();
        Verdict {
            false_takeovers,
            takeovers: false_takeovers + sent(&self.a, OF_B).takeovers(),
            missed: flooded.missed(),
            longest_gap_us: flooded.longest_us(),
            missed_elsewhere: sent(&self.a, OF_A).missed(),
        }
    }
}

/// The hardware address of the host's `eth0`.
fn mac(host: &Host) -> anyhow::Result<[u8; 6]> {
    let text = host.run("ip", &["-j", "link", "show", "dev", "eth0"])?;
    let links: serde_json::Value = serde_json::from_str(&text)?;
    let address = links
        .pointer("/0/address")
        .and_then(serde_json::Value::as_str)
        .context("`ip -j link` shows no address")?;
    let bytes: Vec<u8> = address
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()?;
    bytes.try_into().ok().context("an address of six bytes")
}
