//! System calls of the protocol thread, counted by strace: for each wake-up, and for each advert sent and received.
//! strace makes a daemon slow, so nothing else is measured meanwhile.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use vrrp_tests::lab::{Daemon, Direction, Host, Port, Stamp, SyscallTrace, until};

use super::Extent;
use super::field::{Field, Player};
use super::sample::decimal;
use super::work::{Seat, Work};

const LIMIT: Duration = Duration::from_secs(30);
/// Adverts that are waited for, of each virtual router.
const ROUNDS: u32 = 50;
const WORKS: [Work; 3] = [Work::one(1, 100), Work::many(20, 10), Work::many(250, 100)];

/// One thread under one amount of work.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) daemon: String,
    /// Else Backup.
    pub(super) master: bool,
    /// Sent, or received.
    pub(super) adverts: usize,
    pub(super) wake_ups: usize,
    pub(super) calls: usize,
    pub(super) sends: usize,
    pub(super) receives: usize,
}

/// Each amount of work, each daemon, in both roles.
pub(super) fn run(field: &Field, players: &[Player], extent: Extent) -> anyhow::Result<Vec<Row>> {
    let works = match extent {
        Extent::Smoke => &WORKS[1..2],
        Extent::Quick | Extent::Full => &WORKS[..],
    };
    let mut rows = Vec::new();
    for work in works {
        for player in players {
            rows.extend(one(field, player, work).with_context(|| format!("{}, {work}", player.title))?);
        }
    }
    Ok(rows)
}

fn one(field: &Field, player: &Player, work: &Work) -> anyhow::Result<[Row; 2]> {
    let addresses: Vec<IpAddr> = work.virtual_addresses();
    let b = Daemon::start(&field.b, &player.program, &work.file(Seat::B), Daemon::QUIET)?;
    let a = Daemon::start(&field.a, &player.program, &work.file(Seat::A), Daemon::QUIET)?;
    until("A holds all addresses and B none", LIMIT, || {
        Ok(field.a.holds_all(&addresses)? && field.b.holds_none(&addresses)?)
    })?;
    let port = field.a_ports.first().context("host A has no interface")?;
    // What belongs to the takeover is over by then.
    adverts(port, work, Direction::FromHost)?;
    let master = count(&field.a, port, work, Direction::FromHost, player)?;
    let backup = count(&field.b, field.b_port()?, work, Direction::ToHost, player)?;
    for daemon in [b, a] {
        daemon.stop(LIMIT)?;
    }
    until("no host holds an address", LIMIT, || {
        Ok(field.a.holds_none(&addresses)? && field.b.holds_none(&addresses)?)
    })?;
    Ok([master, backup])
}

fn count(
    host: &Host,
    port: &Port,
    work: &Work,
    direction: Direction,
    player: &Player,
) -> anyhow::Result<Row> {
    let trace = SyscallTrace::start(host)?;
    let adverts = adverts(port, work, direction)?;
    let counts = trace.finish()?;
    let master = direction == Direction::FromHost;
    Ok(Row {
        work: *work,
        daemon: player.title.clone(),
        master,
        // strace sees the Master's last round in part, the capture all of what it waited for.
        adverts: if master { counts.sent } else { adverts },
        wake_ups: counts.wake_ups,
        calls: counts.all,
        sends: counts.sends,
        receives: counts.receives,
    })
}

/// Wait for some rounds of adverts; how many there were.
fn adverts(port: &Port, work: &Work, direction: Direction) -> anyhow::Result<usize> {
    let wanted = (ROUNDS * work.instances) as usize;
    let capture = port.capture()?;
    let mut seen = 0;
    capture.wait_for("adverts", Stamp::now(), LIMIT, |captured| {
        seen += usize::from(captured.direction == direction && captured.frame().advert().is_some());
        (seen >= wanted).then_some(())
    })?;
    Ok(seen)
}

impl Row {
    /// `calls` for each of `of`, with two decimals.
    pub(super) fn per(calls: usize, of: usize) -> String {
        let hundredths = calls * 100 / of.max(1);
        decimal(i64::try_from(hundredths).unwrap_or(i64::MAX), 1, 100)
    }

    pub(super) const fn role(&self) -> &'static str {
        if self.master { "Master" } else { "Backup" }
    }
}

/// The table.
pub(super) fn print(rows: &[Row]) {
    println!("\nSystem calls of the protocol thread, counted by strace");
    println!(
        "  {:<28}{:<20}{:<8}{:>9}{:>10}{:>14}{:>14}{:>16}",
        "", "", "", "adverts", "wake-ups", "for a wake-up", "for an advert", "sends for a w."
    );
    for row in rows {
        println!(
            "  {:<28}{:<20}{:<8}{:>9}{:>10}{:>14}{:>14}{:>16}",
            row.work.to_string(),
            row.daemon,
            row.role(),
            row.adverts,
            row.wake_ups,
            Row::per(row.calls, row.wake_ups),
            Row::per(row.calls, row.adverts),
            Row::per(row.sends, row.wake_ups),
        );
    }
}
