//! How soon after its start a daemon sends its first advert, and its last first one; how soon after a reload all adverts
//! say what is new, and whether any came late meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use serde::Serialize;
use vrrp_tests::lab::{Capture, Daemon, Stamp, until};

use super::Extent;
use super::field::{Field, Player};
use super::progress::Progress;
use super::sample::{Samples, Summary};
use super::trace::{Advert, Event, gaps, nanos};
use super::work::{Seat, Work};

const LIMIT: Duration = Duration::from_secs(30);
/// The owner of the addresses need not wait for anybody: it is Master at once.
pub(super) const WORK: Work = Work::many(250, 10);

/// In nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    pub(super) daemon: String,
    /// From before the process is made until the first advert, and until each virtual router has sent one.
    pub(super) first: Samples,
    pub(super) all: Samples,
    /// From SIGHUP until all adverts have the new priority.
    pub(super) reloaded: Samples,
    /// The longest time between two adverts of a virtual router meanwhile.
    pub(super) gap: Samples,
}

/// So many starts, and as many reloads, of each, by turns.
pub(super) fn run(
    field: &Field,
    players: &[Player],
    extent: Extent,
    n: Option<usize>,
) -> anyhow::Result<Vec<Column>> {
    let trials = n.unwrap_or(match extent {
        Extent::Smoke => 1,
        Extent::Quick => 3,
        Extent::Full => 20,
    });
    let progress = Progress::new("start", trials * players.len());
    let mut columns: Vec<Column> = players
        .iter()
        .map(|player| Column {
            daemon: player.title.clone(),
            first: Samples::default(),
            all: Samples::default(),
            reloaded: Samples::default(),
            gap: Samples::default(),
        })
        .collect();
    for _ in 0..trials {
        for (player, column) in players.iter().zip(&mut columns) {
            progress.say(&player.title);
            one(field, player, column).with_context(|| player.title.clone())?;
            progress.step();
        }
    }
    Ok(columns)
}

fn one(field: &Field, player: &Player, column: &mut Column) -> anyhow::Result<()> {
    let addresses = WORK.virtual_addresses();
    let capture = field
        .a_ports
        .first()
        .context("host A has no interface")?
        .capture()?;
    let begun = Stamp::now();
    let daemon = Daemon::start(&field.a, &player.program, &WORK.file(Seat::OWNER), Daemon::QUIET)?;
    let (first, ()) = capture.wait_for("the first advert", begun, LIMIT, |captured| {
        captured.frame().advert().map(drop)
    })?;
    let all = everyone(&capture, begun, |_| true)?;
    column.first.0.push(nanos(begun, first));
    column.all.0.push(nanos(begun, all));
    until("A holds all addresses", LIMIT, || field.a.holds_all(&addresses))?;

    field.a.install(Daemon::FILE, WORK.file(Seat::A), 0o644)?;
    let told = Stamp::now();
    daemon.signal(Signal::SIGHUP)?;
    let priority = Seat::A.priority;
    let reloaded = everyone(&capture, told, |advert| advert.priority == priority)?;
    everyone(&capture, reloaded, |_| true)?;
    let sent: Vec<Event> = Event::all(&capture, told)
        .into_iter()
        .filter(|event| event.ours)
        .collect();
    column.reloaded.0.push(nanos(told, reloaded));
    column
        .gap
        .0
        .push(gaps(sent.iter()).into_iter().max().unwrap_or_default());
    daemon.stop(LIMIT)?;
    until("A holds no address", LIMIT, || field.a.holds_none(&addresses))
}

/// Wait until each virtual router has sent an advert like this: when the last of them did.
fn everyone(capture: &Capture, since: Stamp, like: impl Fn(Advert) -> bool) -> anyhow::Result<Stamp> {
    let mut seen = HashSet::new();
    let (at, ()) = capture.wait_for("adverts of all virtual routers", since, LIMIT, |captured| {
        let event = Event::of(captured)?;
        let advert = event.advert()?;
        if event.ours && like(advert) {
            seen.insert(advert.vrid);
        }
        (seen.len() >= WORK.instances as usize).then_some(())
    })?;
    Ok(at)
}

/// The table.
pub(super) fn print(columns: &[Column]) {
    println!("\nStart and reload, {WORK}, in ms");
    Summary::print_head();
    for column in columns {
        let daemon = &column.daemon;
        for (what, samples) in [
            ("first advert", &column.first),
            ("an advert of each", &column.all),
            ("reload: all say what is new", &column.reloaded),
            ("reload: longest gap", &column.gap),
        ] {
            samples.summary().print_millis(&format!("{what}, {daemon}"));
        }
    }
}
