//! `vrrpctl check`: how things stand, for a monitoring system, in the Nagios convention.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::phrase::state_name;
use crate::ingress::control::status::{Instance, ReceivePath, ReloadResult, Status, TrackedOutcome};
use crate::proto::State;

/// What can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// An instance is in FAULT
    Fault,
    /// An instance has not begun the election
    Init,
    /// A Backup hears no Master
    NoMaster,
    /// A Master lacks one of its addresses
    AddressMissing,
    /// A host that is not Master has one of the addresses
    AddressLeft,
    /// An instance stands by (vrrpctl standby)
    Standby,
    /// Something tracked fails
    Tracked,
    /// The last reload was refused
    ReloadRefused,
    /// An instance receives by raw socket alone
    Raw,
    /// An instance is Master
    Master,
    /// An instance is Backup
    Backup,
}

/// How bad it is; the number is the plugin's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// Nothing of what is looked for: 0.
    Ok,
    /// 1.
    Warning,
    /// 2.
    Critical,
}

impl Level {
    /// The plugin's exit status.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        })
    }
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The worst.
    pub status: Level,
    /// Each thing, the worst first.
    pub findings: Vec<Finding>,
    /// How many instances are in which state.
    pub counts: Counts,
}

/// One thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was looked for.
    pub condition: Condition,
    /// In words, with the instance.
    pub text: String,
}

/// How many instances are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All that were looked at.
    pub instances: usize,
    /// MASTER
    pub master: usize,
    /// BACKUP
    pub backup: usize,
    /// FAULT
    pub fault: usize,
    /// INIT
    pub init: usize,
    /// Of these, those that stand by.
    pub standby: usize,
}

/// Look at `instances`, which are some of `status`. What is in both lists is critical.
#[must_use]
pub fn verdict(status: &Status, instances: &[&Instance], warn: &[Condition], crit: &[Condition]) -> Verdict {
    let mut findings = Vec::new();
    for (level, conditions) in [(Level::Critical, crit), (Level::Warning, warn)] {
        for condition in conditions {
            if level == Level::Warning && crit.contains(condition) {
                continue;
            }
            let mut found = |text: Option<String>| {
                findings.extend(text.map(|text| Finding {
                    level,
                    condition: *condition,
                    text,
                }));
            };
            found(of_daemon(*condition, status));
            for instance in instances {
                found(of_instance(*condition, instance).map(|text| format!("{}: {text}", instance.name)));
            }
        }
    }
    let count = |state| {
        instances
            .iter()
            .filter(|instance| instance.state == state)
            .count()
    };
    Verdict {
        status: findings
            .iter()
            .map(|finding| finding.level)
            .max()
            .unwrap_or(Level::Ok),
        findings,
        counts: Counts {
            instances: instances.len(),
            master: count(State::Master),
            backup: count(State::Backup),
            fault: count(State::Fault),
            init: count(State::Init),
            standby: instances
                .iter()
                .filter(|instance| instance.standby.is_some())
                .count(),
        },
    }
}

fn of_daemon(condition: Condition, status: &Status) -> Option<String> {
    let refused = |result| result == ReloadResult::Refused;
    let last = status.daemon.last_reload.as_ref();
    (condition == Condition::ReloadRefused && last.is_some_and(|reload| refused(reload.result)))
        .then(|| "the last reload was refused, the old configuration runs on".to_owned())
}

fn of_instance(condition: Condition, instance: &Instance) -> Option<String> {
    let state = instance.state;
    match condition {
        Condition::Fault => (state == State::Fault).then(|| format!("FAULT ({})", instance.reason)),
        Condition::Init => (state == State::Init).then(|| "INIT".to_owned()),
        Condition::NoMaster => no_master(instance),
        Condition::AddressMissing => addresses(instance, state == State::Master, false, "missing"),
        Condition::AddressLeft => addresses(instance, state != State::Master, true, "left behind"),
        Condition::Standby => instance.standby.as_ref().map(|_| "stands by".to_owned()),
        Condition::Tracked => tracked(instance),
        Condition::Raw => {
            (instance.receive_path == ReceivePath::Raw).then(|| "receives without XDP".to_owned())
        }
        Condition::Master => (state == State::Master).then(|| state_name(state).to_owned()),
        Condition::Backup => (state == State::Backup).then(|| state_name(state).to_owned()),
        Condition::ReloadRefused => None,
    }
}

/// A Backup that has just begun to listen is given the time that it takes.
fn no_master(instance: &Instance) -> Option<String> {
    let waited = instance.since_ms > instance.master_down_us / 1000;
    let nobody = instance.state == State::Backup && instance.master.is_none() && waited;
    let alone = instance.standby.as_ref().is_some_and(|standby| standby.alone);
    (nobody || alone).then(|| "hears no Master".to_owned())
}

/// The addresses whose presence is `present`, if that is wrong.
fn addresses(instance: &Instance, applies: bool, present: bool, word: &str) -> Option<String> {
    let wrong: Vec<String> = instance
        .addresses
        .iter()
        .filter(|address| address.present == present)
        .map(|address| address.address.to_string())
        .collect();
    (applies && !wrong.is_empty()).then(|| format!("{} {word}", wrong.join(" ")))
}

fn tracked(instance: &Instance) -> Option<String> {
    let failing: Vec<String> = instance
        .tracked
        .iter()
        .filter(|tracked| match tracked.outcome {
            TrackedOutcome::Fault => true,
            TrackedOutcome::Adds(share) => {
                share < 0 || (share == 0 && tracked.weight > 0 && !tracked.reverse)
            }
            TrackedOutcome::Unknown => false,
        })
        .map(|tracked| format!("{} {}", tracked.kind.name(), tracked.name))
        .collect();
    (!failing.is_empty()).then(|| format!("{} fails", failing.join(", ")))
}

/// One line, with the counts as performance data.
#[must_use]
pub fn render(verdict: &Verdict) -> String {
    let counts = verdict.counts;
    let words = match verdict.findings.is_empty() {
        true => format!("{} MASTER, {} BACKUP", counts.master, counts.backup),
        false => {
            let texts: Vec<&str> = verdict
                .findings
                .iter()
                .map(|finding| finding.text.as_str())
                .collect();
            // The bar begins the performance data.
            texts.join("; ").replace('|', "/")
        }
    };
    format!(
        "VRRP {} - {words} | instances={} master={} backup={} fault={} init={} standby={}\n",
        verdict.status,
        counts.instances,
        counts.master,
        counts.backup,
        counts.fault,
        counts.init,
        counts.standby
    )
}

#[cfg(test)]
mod tests;
