//! What can be seen of a daemon from outside, in lines that are the same for two programs that do the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use vrrp_tests::lab::{Advert, Capture, Direction, Frame, Host, Stamp};

use super::stage::TOLD;

/// After one event. Order counts within a line, and says nothing between lines: programs may start two scripts
/// at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace(pub(crate) BTreeSet<String>);

impl Trace {
    /// Whether all of these lines are there.
    pub(crate) fn has(&self, lines: &[&str]) -> bool {
        lines.iter().all(|line| self.0.contains(*line))
    }

    /// Without what depends on which advert was under way: the number of announcements after a contention, and whether
    /// there was one that was answered.
    pub(crate) fn uncounted(self) -> Self {
        let line = |line: String| match line.split_once(": ") {
            Some((what, _)) if what.starts_with("announces ") => what.to_owned(),
            _ => line,
        };
        let lines = self.0.into_iter();
        Self(
            lines
                .filter(|line| !line.starts_with("told lower ") && !line.starts_with("answers "))
                .map(line)
                .collect(),
        )
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// Where a step begins.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    /// When.
    pub(crate) at: Stamp,
    /// How long the scripts' file was.
    pub(crate) told: usize,
    /// The last priority each virtual router was advertised with.
    pub(crate) priorities: BTreeMap<String, u8>,
}

/// Everything on host A since the step began. A router that advertised within the last `quiet` goes on.
pub(crate) fn take(host: &Host, capture: &Capture, begin: &Begin, quiet: Duration) -> anyhow::Result<Trace> {
    let mut lines = BTreeSet::new();
    let calls = host.read(TOLD)?;
    lines.extend(scripts(calls.get(begin.told..).unwrap_or_default()));
    for link in ["eth0", "eth1"] {
        lines.extend(held(host, link)?);
    }
    lines.extend(routes(host)?);
    lines.extend(adverts(capture, begin, quiet));
    lines.extend(answers(capture, begin.at));
    lines.extend(announced(capture, begin.at));
    Ok(Trace(lines))
}

/// The last priority that each virtual router was advertised with.
pub(crate) fn priorities(capture: &Capture) -> BTreeMap<String, u8> {
    sent(capture, Stamp(0))
        .into_iter()
        .map(|(_, advert)| (form(&advert), advert.priority))
        .collect()
}

/// The calls of each script for each subject, in their order: `told INSTANCE VI_1: MASTER 200, BACKUP 200`.
fn scripts(calls: &str) -> Vec<String> {
    let mut subjects: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in calls.lines() {
        let words: Vec<&str> = call.split(' ').collect();
        let (subject, said) = words.split_at(words.len().min(2));
        subjects
            .entry(subject.join(" "))
            .or_default()
            .push(said.join(" "));
    }
    subjects
        .into_iter()
        .map(|(subject, said)| format!("told {subject}: {}", said.join(", ")))
        .collect()
}

/// The addresses of an interface, as iproute2 shows them, those the lab put there excepted.
fn held(host: &Host, link: &str) -> anyhow::Result<Vec<String>> {
    const OF_THE_LAB: [&str; 3] = ["192.0.2.1", "198.51.100.1", "2001:db8::8"];
    let text = host.run("ip", &["-j", "addr", "show", "dev", link])?;
    let listing: serde_json::Value = serde_json::from_str(&text)?;
    let addresses = listing[0]["addr_info"].as_array().context("ip -j addr")?;
    let shown = |address: &serde_json::Value| {
        let local = address["local"].as_str()?;
        // The kernel's own, by the interface's hardware address.
        let own = OF_THE_LAB.contains(&local) || address["protocol"] == "kernel_ll";
        if own || (local.starts_with("fe80::") && address["dadfailed"].is_null() && local.contains("ff:fe")) {
            return None;
        }
        let mut line = format!("holds {local}/{} on {link}", address["prefixlen"]);
        for key in ["scope", "label", "broadcast"] {
            if let Some(value) = address[key].as_str() {
                line.push_str(&format!(" {key} {value}"));
            }
        }
        for flag in [
            "secondary",
            "nodad",
            "deprecated",
            "home",
            "mngtmpaddr",
            "noprefixroute",
            "autojoin",
        ] {
            if address[flag] == true {
                line.push_str(&format!(" {flag}"));
            }
        }
        Some(line)
    };
    Ok(addresses.iter().filter_map(shown).collect())
}

/// Routes and rules that neither the kernel nor the lab made.
fn routes(host: &Host) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        let text = host.run("ip", &[family, "route", "show", "table", "all"])?;
        lines.extend(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.contains("proto kernel") && !line.starts_with("multicast"))
                .filter(|line| !line.is_empty())
                .map(|line| format!("route {line}")),
        );
        let text = host.run("ip", &[family, "rule", "show"])?;
        lines.extend(
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .filter(|line| !["0:", "32766:", "32767:"].iter().any(|own| line.starts_with(own)))
                .map(|line| format!("rule {line}")),
        );
    }
    Ok(lines)
}

/// The changes of each virtual router's priority, every good-bye among them, and whether it goes on:
/// `sends VRID 51 …: 150, 0` and `goes on with VRID 51 …`.
fn adverts(capture: &Capture, begin: &Begin, quiet: Duration) -> Vec<String> {
    let mut changes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut going_on = BTreeSet::new();
    let mut last = begin.priorities.clone();
    let now = Stamp::now();
    for (at, advert) in sent(capture, begin.at) {
        let form = form(&advert);
        if now.since(at) < quiet && advert.priority != 0 {
            going_on.insert(format!("goes on with {form}"));
        }
        let before = last.insert(form.clone(), advert.priority);
        // How many adverts came before a change is a matter of time.
        if before != Some(advert.priority) || advert.priority == 0 {
            changes.entry(form).or_default().push(advert.priority.to_string());
        }
    }
    changes
        .into_iter()
        .map(|(form, priorities)| format!("sends {form}: {}", priorities.join(", ")))
        .chain(going_on)
        .collect()
}

/// Adverts that were out of turn, just after one was heard. Told only where the interval leaves time to tell.
fn answers(capture: &Capture, since: Stamp) -> BTreeSet<String> {
    const AT_ONCE: Duration = Duration::from_millis(200);
    let heard = capture.pick(since, |captured| {
        let heard = captured.direction == Direction::ToHost;
        heard.then(|| captured.frame().advert()).flatten()
    });
    let after_one = |at: Stamp| {
        heard
            .iter()
            .any(|(arrived, _)| at > *arrived && at.since(*arrived) < AT_ONCE)
    };
    let mut last = BTreeMap::new();
    let mut answers = BTreeSet::new();
    for (at, advert) in sent(capture, Stamp(0)) {
        let form = form(&advert);
        let early = last
            .insert(form.clone(), at)
            .is_some_and(|before| at.since(before).as_millis() < u128::from(advert.interval_ms) * 4 / 5);
        if early && advert.interval_ms >= 1_000 && advert.priority != 0 && after_one(at) {
            answers.insert(format!("answers with {form}"));
        }
    }
    answers
}

/// How long ago a Master sent its last advert.
pub(crate) fn last_sent(capture: &Capture) -> Option<Duration> {
    let (at, _) = sent(capture, Stamp(0)).pop()?;
    Some(Stamp::now().since(at))
}

fn sent(capture: &Capture, since: Stamp) -> Vec<(Stamp, Advert)> {
    capture.pick(since, |captured| {
        let sent = captured.direction == Direction::FromHost;
        sent.then(|| captured.frame().advert()).flatten()
    })
}

fn form(advert: &Advert) -> String {
    let addresses: Vec<String> = advert.addresses.iter().map(IpAddr::to_string).collect();
    // Made from the interface's hardware address, which is another in every lab.
    let source = match advert.source {
        IpAddr::V6(address) if address.is_unicast_link_local() => "its link-local".to_owned(),
        address => address.to_string(),
    };
    // Version 2 ends with its authentication data.
    let password = match (advert.version, advert.pdu.get(4), advert.pdu.len().checked_sub(8)) {
        (2, Some(&kind @ 1..), Some(data)) => {
            format!(
                " authentication {kind} {:?}",
                String::from_utf8_lossy(&advert.pdu[data..])
            )
        }
        _ => String::new(),
    };
    format!(
        "v{} VRID {} every {} ms from {source} to {} ttl {} [{}]{password}",
        advert.version,
        advert.vrid,
        advert.interval_ms,
        advert.destination,
        advert.ttl,
        addresses.join(" ")
    )
}

/// Which addresses were announced, and how many times.
fn announced(capture: &Capture, since: Stamp) -> Vec<String> {
    let mut times: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for (_, address) in capture.pick(since, |captured| match (captured.direction, captured.frame()) {
        (Direction::FromHost, Frame::GratuitousArp { address, .. }) => Some(IpAddr::V4(address)),
        (Direction::FromHost, Frame::UnsolicitedNa { address, .. }) => Some(IpAddr::V6(address)),
        _ => None,
    }) {
        *times.entry(address).or_default() += 1;
    }
    times
        .into_iter()
        .map(|(address, times)| format!("announces {address}: {times}"))
        .collect()
}
