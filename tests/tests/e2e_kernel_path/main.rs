//! What the daemon knows of adverts that another host forges: counted to the last one, told apart, named by their MAC
//! address; and the keywords for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod conflicts;
mod exact;
mod forge;
mod knobs;
mod pass;

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Program, Settings, Side, until};

const LIMIT: Duration = Duration::from_secs(15);

fn start(side: &Side, settings: &str) -> Daemon {
    Daemon::start(&side.host, &Program::ours().unwrap(), settings, Daemon::DETAILED).unwrap()
}

fn instance(daemon: &Daemon) -> serde_json::Value {
    daemon.status().unwrap()["instances"][0].clone()
}

/// The MAC address of a host's eth0.
fn card(side: &Side) -> String {
    let shown = side
        .host
        .run("ip", &["-j", "link", "show", "dev", "eth0"])
        .unwrap();
    let links: serde_json::Value = serde_json::from_str(&shown).unwrap();
    links[0]["address"].as_str().unwrap().to_owned()
}

/// The daemon follows nobody yet and hears: it is Backup, on this receive path.
fn await_backup(daemon: &Daemon, path: &str) {
    until("it is Backup", LIMIT, || {
        let Ok(status) = daemon.status() else {
            return Ok(false);
        };
        let instance = &status["instances"][0];
        Ok(instance["state"] == "BACKUP" && instance["receive_path"] == path)
    })
    .unwrap();
}

/// VRID 51 on B with the other host as its peer: 40 s between adverts, so that no timer ends while a test runs.
const fn patient(duo: &vrrp_tests::lab::Duo) -> Settings {
    let mut settings = Settings::unicast(duo.b.address, duo.a.address, 100);
    settings.interval = "40";
    settings.nopreempt = true;
    settings
}

/// All that the daemon says became of good adverts: read, or replaced by a newer one before it looked.
fn good(instance: &serde_json::Value) -> u64 {
    let senders = instance["senders"].as_array().unwrap();
    let unread: u64 = senders.iter().map(|sender| number(&sender["unread"])).sum();
    number(&instance["counters"]["adverts_received"]) + unread
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().unwrap()
}

/// The counts in an object or in pairs, added up.
fn sum(value: &serde_json::Value) -> u64 {
    let counts: Vec<u64> = match value {
        serde_json::Value::Object(counts) => counts.values().map(number).collect(),
        serde_json::Value::Array(pairs) => pairs.iter().map(|pair| number(&pair[1])).collect(),
        _ => panic!("{value}"),
    };
    counts.iter().sum()
}
