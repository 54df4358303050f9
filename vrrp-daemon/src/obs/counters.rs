//! The counters of virtual routers, as a table and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::table::table;
use crate::ingress::control::status::{Counters, Frames, Instance, Status};

/// What `vrrpctl counters --json` shows.
#[derive(Debug, Serialize)]
pub struct Counted<'a> {
    /// By virtual router, in the order of the configuration.
    pub instances: Vec<OfInstance<'a>>,
    /// Messages refused that belong to no virtual router of ours, by reason.
    pub refused_elsewhere: &'a BTreeMap<String, u64>,
    /// What the XDP program made of all frames.
    pub frames: &'a Option<Frames>,
}

/// The counters of one virtual router.
#[derive(Debug, Serialize)]
pub struct OfInstance<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its counters.
    pub counters: &'a Counters,
}

/// The counters of `instances`, which are some of `status`.
#[must_use]
pub fn counted<'a>(status: &'a Status, instances: &[&'a Instance]) -> Counted<'a> {
    Counted {
        instances: instances
            .iter()
            .map(|instance| OfInstance {
                name: &instance.name,
                counters: &instance.counters,
            })
            .collect(),
        refused_elsewhere: &status.refused_elsewhere,
        frames: &status.frames,
    }
}

/// One row for each counter; refusals that did not occur are left out.
#[must_use]
pub fn render(counted: &Counted<'_>) -> String {
    let mut rows = vec![["INSTANCE", "COUNTER", "VALUE"].map(str::to_owned)];
    for OfInstance { name, counters } in &counted.instances {
        let mut row = |counter: &str, value: u64| {
            rows.push([(*name).to_owned(), counter.to_owned(), value.to_string()]);
        };
        for (counter, value) in named(counters) {
            row(counter, value);
        }
        for (reason, value) in &counters.refused {
            row(&format!("refused_{reason}"), *value);
        }
    }
    for (reason, value) in counted.refused_elsewhere {
        rows.push(["-".to_owned(), format!("refused_{reason}"), value.to_string()]);
    }
    table(&rows)
}

fn named(counters: &Counters) -> [(&'static str, u64); 13] {
    [
        ("adverts_sent", counters.adverts_sent),
        ("send_failures", counters.send_failures),
        ("adverts_received", counters.adverts_received),
        ("became_master", counters.became_master),
        ("released_master", counters.released_master),
        ("priority_zero_sent", counters.priority_zero_sent),
        ("priority_zero_received", counters.priority_zero_received),
        ("address_list_errors", counters.address_list_errors),
        ("checksum_message_only", counters.checksum_message_only),
        ("checksum_group", counters.checksum_group),
        ("overslept", counters.overslept),
        ("addresses_lost", counters.addresses_lost),
        ("late_adverts", counters.late_adverts),
    ]
}
