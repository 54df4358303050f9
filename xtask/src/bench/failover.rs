//! How long after Master_Down_Interval the Backup's first advert and first gratuitous ARP leave it.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use vrrp_tests::lab::{Daemon, Direction, Frame, Program, Stamp, until};

use super::sample::Samples;
use super::{Field, Player, config, vip};

/// Master_Down_Interval of the judged Backup, priority 100 at 10 ms: 3 x 10 ms + 156/256 x 10 ms.
const MASTER_DOWN_NS: i64 = 36_093_750;
const LIMIT: Duration = Duration::from_secs(10);
const VRID: u8 = 1;

/// One daemon's figures, in nanoseconds past Master_Down_Interval.
#[derive(Serialize)]
pub(super) struct Column {
    pub(super) daemon: &'static str,
    pub(super) advert: Samples,
    pub(super) announcement: Samples,
}

/// `n` failovers of each, alternately.
pub(super) fn run(field: &Field, players: &[Player], n: usize) -> anyhow::Result<Vec<Column>> {
    let mut columns: Vec<Column> = players
        .iter()
        .map(|(daemon, _)| Column {
            daemon,
            advert: Samples::default(),
            announcement: Samples::default(),
        })
        .collect();
    for trial in 1..=n {
        eprint!("failover {trial}/{n}:");
        for ((name, program), column) in players.iter().zip(&mut columns) {
            let (advert, announcement) =
                one(field, program).with_context(|| format!("failover {trial} of {name}"))?;
            eprint!("  {name} {} us", announcement / 1_000);
            column.advert.0.push(advert);
            column.announcement.0.push(announcement);
        }
        eprintln!();
    }
    Ok(columns)
}

/// Both start, A becomes Master, A is cut off and killed: when B's first advert and announcement left it,
/// in nanoseconds past Master_Down_Interval.
fn one(field: &Field, program: &Program) -> anyhow::Result<(i64, i64)> {
    let address = vip(VRID);
    let virtual_address = [IpAddr::V4(address)];
    let b = Daemon::start(&field.b, program, &config(2, 1, 100, "0.01", 1), Daemon::QUIET)?;
    let a = Daemon::start(&field.a, program, &config(1, 2, 200, "0.01", 1), Daemon::QUIET)?;
    until("A holds the address and B does not", LIMIT, || {
        Ok(field.a.holds_all(&virtual_address)? && field.b.holds_none(&virtual_address)?)
    })?;
    let capture = field.b_port.capture()?;
    let settled = Stamp::now();
    // A has been Master for a while, its announcements are over, B has followed it.
    capture.wait_for("30 adverts of A", settled, LIMIT, {
        let mut seen = 0;
        move |captured| {
            captured.frame().advert()?;
            seen += 1;
            (captured.direction == Direction::ToHost && seen > 30).then_some(())
        }
    })?;

    field.a_port.isolate()?;
    let cut = Stamp::now();
    a.crash();
    let (announced, ()) = capture.wait_for("B's gratuitous ARP", cut, LIMIT, |captured| {
        match captured.frame() {
            Frame::GratuitousArp { address: of, .. }
                if of == address && captured.direction == Direction::FromHost =>
            {
                Some(())
            }
            _ => None,
        }
    })?;
    let adverts = capture.pick(settled, |captured| {
        captured.frame().advert().map(|_| captured.direction)
    });
    let first = |wanted: Direction| {
        adverts
            .iter()
            .find(|(at, direction)| *at >= cut && *direction == wanted)
            .map(|(at, _)| *at)
    };
    let taken = first(Direction::FromHost).unwrap_or(announced);
    let (last, _) = adverts
        .iter()
        .rfind(|(at, direction)| *direction == Direction::ToHost && *at < taken.min(announced))
        .context("no advert of A was captured")?;

    b.crash();
    // What they died with is removed by us, so that both daemons start from the same.
    for host in [&field.a, &field.b] {
        if !host.holds_none(&virtual_address)? {
            host.run("ip", &["addr", "del", &format!("{address}/24"), "dev", "eth0"])?;
        }
    }
    field.a_port.heal()?;
    Ok((past(*last, taken), past(*last, announced)))
}

/// Nanoseconds by which `event` came later than Master_Down_Interval after `last`.
fn past(last: Stamp, event: Stamp) -> i64 {
    i64::try_from(event.since(last).as_nanos()).unwrap_or(i64::MAX) - MASTER_DOWN_NS
}
