//! A Master is told to end: when it says so (priority 0), and when its last address is gone.

use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use serde::Serialize;
use vrrp_tests::lab::{AddressWatch, Change, Daemon, Stamp, until};

use super::Extent;
use super::field::{Field, Player};
use super::progress::Progress;
use super::sample::{Samples, Summary};
use super::trace::{Event, nanos};
use super::work::{Seat, Work};

const LIMIT: Duration = Duration::from_secs(30);

/// In nanoseconds after SIGTERM was sent.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    pub(super) daemon: String,
    pub(super) said: Samples,
    pub(super) gone: Samples,
    /// Times that something else than an advert was sent before the one with priority 0, or an address was gone.
    pub(super) out_of_order: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) columns: Vec<Column>,
}

/// So many ends of each, by turns.
pub(super) fn run(
    field: &Field,
    players: &[Player],
    extent: Extent,
    n: Option<usize>,
) -> anyhow::Result<Vec<Row>> {
    let (trials, works): (usize, &[Work]) = match extent {
        Extent::Smoke => (1, &[Work::one(1, 100)]),
        Extent::Quick => (2, &[Work::one(1_000, 100)]),
        Extent::Full => (10, &[Work::one(1, 10), Work::one(1_000, 100)]),
    };
    let trials = n.unwrap_or(trials);
    let progress = Progress::new("release", works.len() * trials * players.len());
    let mut rows = Vec::new();
    for work in works {
        let mut columns: Vec<Column> = players
            .iter()
            .map(|player| Column {
                daemon: player.title.clone(),
                said: Samples::default(),
                gone: Samples::default(),
                out_of_order: 0,
            })
            .collect();
        for _ in 0..trials {
            for (player, column) in players.iter().zip(&mut columns) {
                progress.say(&format!("{}, {work}", player.title));
                one(field, player, work, column).with_context(|| format!("{}, {work}", player.title))?;
                progress.step();
            }
        }
        rows.push(Row { work: *work, columns });
    }
    Ok(rows)
}

/// Nobody takes over: to add addresses on one host delays their removal on another, for the kernel has one routing lock.
fn one(field: &Field, player: &Player, work: &Work, column: &mut Column) -> anyhow::Result<()> {
    let addresses = work.virtual_addresses();
    let daemon = Daemon::start(&field.b, &player.program, &work.file(Seat::B), Daemon::QUIET)?;
    let capture = field.b_port()?.capture()?;
    let watch = AddressWatch::start(&field.b)?;
    until("B holds all addresses", LIMIT, || field.b.holds_all(&addresses))?;
    let since = Stamp::now();
    let mut seen = 0;
    capture.wait_for("adverts of B", since, LIMIT, |captured| {
        seen += u64::from(captured.frame().advert().is_some());
        (seen == 3).then_some(())
    })?;

    let told = Stamp::now();
    daemon.signal(Signal::SIGTERM)?;
    let gone = watch.wait_for(Change::Removed, &addresses, told, LIMIT)?;
    let (said, ()) = capture.wait_for("an advert with priority 0", told, LIMIT, |captured| {
        let event = Event::of(captured)?;
        (event.ours && event.advert()?.priority == 0).then_some(())
    })?;
    let first_gone = watch.first(Change::Removed, told);
    let other = Event::all(&capture, told)
        .iter()
        .any(|event| event.ours && event.at < said && event.advert().is_none());
    column.said.0.push(nanos(told, said));
    column.gone.0.push(nanos(told, gone));
    column.out_of_order += u64::from(other || first_gone.is_some_and(|first| first < said));
    daemon.stop(LIMIT)?;
    until("B holds no address", LIMIT, || field.b.holds_none(&addresses))
}

/// The table.
pub(super) fn print(rows: &[Row]) {
    println!("\nA Master ends: ms after SIGTERM");
    for Row { work, columns } in rows {
        println!("\n{work}");
        Summary::print_head();
        for column in columns {
            let daemon = &column.daemon;
            let (said, gone) = (column.said.summary(), column.gone.summary());
            said.print_millis(&format!("{daemon}, priority 0"));
            gone.print_millis(&format!("{daemon}, last address gone"));
            if column.out_of_order > 0 {
                println!(
                    "  {daemon}: priority 0 was not first {} times",
                    column.out_of_order
                );
            }
        }
    }
}
