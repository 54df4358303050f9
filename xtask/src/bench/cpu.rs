//! What following and sending adverts costs, nothing else going on.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use vrrp_tests::lab::{Daemon, until};

use super::field::{Field, Player};
use super::ratio;
use super::sample::{Samples, Summary};
use super::work::{Seat, Work};

/// 250 instances at 10 ms, for which the bars are.
pub(super) const HARD: Work = Work::many(250, 10);

const LIMIT: Duration = Duration::from_secs(20);

/// One daemon's figures, in thousandths of a percent of one core.
#[derive(Serialize)]
pub(super) struct Column {
    pub(super) daemon: String,
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
    let addresses = work.virtual_addresses();
    let mut columns: Vec<Column> = players
        .iter()
        .map(|player| Column {
            daemon: player.title.clone(),
            master: Samples::default(),
            backup: Samples::default(),
        })
        .collect();
    for round in 1..=rounds {
        for (Player { title, program }, column) in players.iter().zip(&mut columns) {
            eprintln!("cpu {round}/{rounds}: {title}, {work}, for {} s", phase.as_secs());
            let b = Daemon::start(&field.b, program, &work.file(Seat::B, ""), Daemon::QUIET)?;
            let a = Daemon::start(&field.a, program, &work.file(Seat::A, ""), Daemon::QUIET)?;
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
    println!("\nCPU of the daemon, {work}, in % of one core");
    Summary::print_head();
    for column in columns {
        let daemon = &column.daemon;
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
