//! What following and sending adverts costs, nothing else going on.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use vrrp_tests::lab::{Daemon, until};

use super::sample::{Samples, Summary};
use super::{Field, Player, config, ratio, vip};

/// How many instances, and how often they advertise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) instances: u8,
    /// `advert_int`, in seconds.
    pub(super) interval: &'static str,
}

/// What the whole bench has.
pub(super) const USUAL: Work = Work {
    instances: 50,
    interval: "0.1",
};
/// What `bench cpu` adds: 250 instances at 10 ms, for which the bars are.
pub(super) const HARD: Work = Work {
    instances: 250,
    interval: "0.01",
};

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
    work: Work,
    rounds: usize,
    phase: Duration,
) -> anyhow::Result<Vec<Column>> {
    let addresses: Vec<IpAddr> = (1..=work.instances).map(|vrid| IpAddr::V4(vip(vrid))).collect();
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
            eprintln!(
                "cpu {round}/{rounds}: {name}, {} instances every {} s, for {} s",
                work.instances,
                work.interval,
                phase.as_secs()
            );
            let file = |own, peer, priority| config(own, peer, priority, work.interval, work.instances);
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

/// The table of one amount of work.
pub(super) fn print(work: Work, columns: &[Column]) {
    println!(
        "\nCPU of the daemon, {} instances, an advert every {} s, in % of one core",
        work.instances, work.interval
    );
    Summary::print_head();
    for column in columns {
        let daemon = column.daemon;
        column
            .master
            .summary()
            .print_percent(&format!("{daemon}, Master"));
        column
            .backup
            .summary()
            .print_percent(&format!("{daemon}, Backup"));
    }
    ratio("Master", columns.iter().map(|column| column.master.summary()));
    ratio("Backup", columns.iter().map(|column| column.backup.summary()));
}

/// Thousandths of a percent.
fn share(used: Duration, of: Duration) -> i64 {
    i64::try_from(used.as_nanos() * 100_000 / of.as_nanos().max(1)).unwrap_or(i64::MAX)
}
