//! What following and sending adverts costs, nothing else going on: CPU and memory of both daemons; and how punctual the
//! adverts are.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use vrrp_tests::lab::{Daemon, Stamp, until};

use super::field::{Field, Player};
use super::progress::Progress;
use super::sample::{Samples, Summary, thinned};
use super::trace::{Event, gaps};
use super::work::{Seat, Work};
use super::{Extent, ratio};

const LIMIT: Duration = Duration::from_secs(60);
/// After the last address was taken, until everything that belongs to the takeover is over.
const SETTLING: Duration = Duration::from_secs(2);

/// The amounts of work, the one with bars for CPU first.
const WORKS: [Work; 5] = [
    Work::many(250, 10),
    Work::many(250, 100),
    Work::one(1, 10),
    Work::one(1, 100),
    Work::many(1_000, 100),
];

/// One daemon's figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    pub(super) daemon: String,
    /// CPU in thousandths of a percent of one core.
    pub(super) master: Samples,
    pub(super) backup: Samples,
    /// Of the Master, in KiB: `VmRSS` of all its processes, then `VmRSS` and `VmLck` of the protocol process.
    pub(super) resident: Samples,
    pub(super) protocol: Samples,
    pub(super) locked: Samples,
    /// How far the time between two adverts of a virtual router was from the interval, in nanoseconds.
    #[serde(serialize_with = "thinned")]
    pub(super) jitter: Samples,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) columns: Vec<Column>,
}

/// Steady phases of each amount of work, the daemons taking turns.
pub(super) fn run(players: &[Player], extent: Extent, n: Option<usize>) -> anyhow::Result<Vec<Row>> {
    let (rounds, phase, works) = match extent {
        Extent::Smoke => (1, Duration::from_secs(1), &WORKS[1..2]),
        Extent::Quick => (1, Duration::from_secs(2), &WORKS[..3]),
        Extent::Full => (3, Duration::from_secs(5), &WORKS[..]),
    };
    let rounds = n.unwrap_or(rounds);
    let progress = Progress::new("steady", works.len() * rounds * players.len());
    let mut rows = Vec::new();
    for work in works {
        let field = Field::build(work)?;
        let mut columns: Vec<Column> = players.iter().map(|player| Column::new(&player.title)).collect();
        for _ in 0..rounds {
            for (player, column) in players.iter().zip(&mut columns) {
                progress.say(&format!("{}, {work}", player.title));
                one(&field, player, work, phase, column)
                    .with_context(|| format!("{}, {work}", player.title))?;
                progress.step();
            }
        }
        rows.push(Row { work: *work, columns });
    }
    Ok(rows)
}

fn one(
    field: &Field,
    player: &Player,
    work: &Work,
    phase: Duration,
    column: &mut Column,
) -> anyhow::Result<()> {
    let addresses: Vec<IpAddr> = work.virtual_addresses();
    let b = Daemon::start(&field.b, &player.program, &work.file(Seat::B), Daemon::QUIET)?;
    let a = Daemon::start(&field.a, &player.program, &work.file(Seat::A), Daemon::QUIET)?;
    until("A holds all addresses and B none", LIMIT, || {
        Ok(field.a.holds_all(&addresses)? && field.b.holds_none(&addresses)?)
    })?;
    thread::sleep(SETTLING);

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
    let (all, protocol) = (a.memory(), a.protocol_memory()?);
    column.resident.0.push(i64::try_from(all.resident)?);
    column.protocol.0.push(i64::try_from(protocol.resident)?);
    column.locked.0.push(i64::try_from(protocol.locked)?);
    column.jitter.0.extend(jitter(field, work, phase)?);

    for daemon in [b, a] {
        daemon.stop(LIMIT)?;
    }
    until("no host holds an address", LIMIT, || {
        Ok(field.a.holds_none(&addresses)? && field.b.holds_none(&addresses)?)
    })
}

/// Apart from the CPU time: capturing takes some, too.
fn jitter(field: &Field, work: &Work, phase: Duration) -> anyhow::Result<Vec<i64>> {
    let since = Stamp::now();
    let captures = field
        .a_ports
        .iter()
        .map(|port| port.capture_sent())
        .collect::<anyhow::Result<Vec<_>>>()?;
    thread::sleep(phase);
    let interval = i64::from(work.interval_ms) * 1_000_000;
    let mut all = Vec::new();
    for capture in captures {
        let sent: Vec<Event> = Event::all(&capture, since)
            .into_iter()
            .filter(|event| event.ours)
            .collect();
        all.extend(gaps(sent.iter()).into_iter().map(|gap| (gap - interval).abs()));
    }
    Ok(all)
}

impl Column {
    fn new(daemon: &str) -> Self {
        Self {
            daemon: daemon.to_owned(),
            master: Samples::default(),
            backup: Samples::default(),
            resident: Samples::default(),
            protocol: Samples::default(),
            locked: Samples::default(),
            jitter: Samples::default(),
        }
    }
}

/// Thousandths of a percent.
fn share(used: Duration, of: Duration) -> i64 {
    i64::try_from(used.as_nanos() * 100_000 / of.as_nanos().max(1)).unwrap_or(i64::MAX)
}

/// The tables.
pub(super) fn print(rows: &[Row]) {
    for Row { work, columns } in rows {
        println!("\n{work}, steady");
        Summary::print_head();
        for column in columns {
            let daemon = &column.daemon;
            let (master, backup) = (column.master.summary(), column.backup.summary());
            master.print_percent(&format!("{daemon}, Master, % of a core"));
            backup.print_percent(&format!("{daemon}, Backup, % of a core"));
            for (what, samples) in [
                ("VmRSS of all processes", &column.resident),
                ("VmRSS of the protocol's", &column.protocol),
                ("VmLck of the protocol's", &column.locked),
            ] {
                samples.summary().print_plain(&format!("{daemon}, {what}, KiB"));
            }
            let jitter = column.jitter.summary();
            jitter.print_millis(&format!("{daemon}, advert jitter, ms"));
        }
        ratio(
            "Master's CPU",
            columns.iter().map(|column| column.master.summary()),
        );
        ratio(
            "Backup's CPU",
            columns.iter().map(|column| column.backup.summary()),
        );
    }
}
