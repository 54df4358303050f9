//! What following and sending adverts costs, nothing else going on.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use vrrp_tests::lab::{Daemon, until};

use super::sample::Samples;
use super::{Field, Player, config, vip};

const INSTANCES: u8 = 50;
const LIMIT: Duration = Duration::from_secs(20);

/// One daemon's figures, in thousandths of a percent of one core.
#[derive(Serialize)]
pub(super) struct Column {
    pub(super) daemon: &'static str,
    pub(super) master: Samples,
    pub(super) backup: Samples,
}

/// `rounds` steady phases of each, alternately.
pub(super) fn run(
    field: &Field,
    players: &[Player],
    rounds: usize,
    phase: Duration,
) -> anyhow::Result<Vec<Column>> {
    let addresses: Vec<IpAddr> = (1..=INSTANCES)
        .map(|vrid| IpAddr::V4(Ipv4Addr::new(192, 0, 2, vip(vrid))))
        .collect();
    let mut columns: Vec<Column> = players
        .iter()
        .map(|(daemon, _)| Column {
            daemon,
            master: Samples::default(),
            backup: Samples::default(),
        })
        .collect();
    for round in 1..=rounds {
        for ((name, program), column) in players.iter().zip(&mut columns) {
            eprintln!("cpu {round}/{rounds}: {name}, {} s", phase.as_secs());
            let file = |own, peer, priority| config(own, peer, priority, "0.1", INSTANCES);
            let b = Daemon::start(&field.b, program, &file(2, 1, 100), Daemon::QUIET)?;
            let a = Daemon::start(&field.a, program, &file(1, 2, 200), Daemon::QUIET)?;
            until("A holds all addresses and B none", LIMIT, || {
                Ok(field.a.holds_all(&addresses)? && field.b.holds_none(&addresses)?)
            })?;
            // keepalived announces a second time after 5 s: that is not the steady phase.
            thread::sleep(Duration::from_secs(6));
            let (begun, a_before, b_before) = (Instant::now(), a.cpu(), b.cpu());
            thread::sleep(phase);
            let (took, a_after, b_after) = (begun.elapsed(), a.cpu(), b.cpu());
            column
                .master
                .0
                .push(share(a_after.saturating_sub(a_before), took));
            column
                .backup
                .0
                .push(share(b_after.saturating_sub(b_before), took));
            for daemon in [a, b] {
                daemon.stop(LIMIT)?;
            }
            until("no host holds an address", LIMIT, || {
                Ok(field.a.holds_none(&addresses)? && field.b.holds_none(&addresses)?)
            })?;
        }
    }
    Ok(columns)
}

/// Thousandths of a percent.
fn share(used: Duration, of: Duration) -> i64 {
    i64::try_from(used.as_nanos() * 100_000 / of.as_nanos().max(1)).unwrap_or(i64::MAX)
}
