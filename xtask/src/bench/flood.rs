//! Floods on a host that is Backup for one virtual router and Master for another.
//!
//! Judged by captures of what the hosts send: a takeover by the Backup is an advert of it, and what a Master owes is an
//! advert per interval. Generator, switch and both hosts share the machine's cores: the daemon's CPU and the
//! generator's rate are to be read together, and the other host's missed adverts, which nobody floods, tell
//! what the machine itself was late with.

mod judge;
mod stage;

use std::ffi::OsString;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use vrrp_tests::lab::Program;
use vrrp_tests::lab::flood::{Flood, Job, Kind};

use judge::Verdict;
use stage::{Captures, Guard, Running, Stage};

use crate::paths::workspace_root;

/// The rate of frames that are the same as the current Master's.
const SAME_BYTES_PER_SECOND: u64 = 100_000;
/// The most CPU that floods which are dropped in the kernel may cost, in thousandths of a percent of one core.
const CPU_BAR: i64 = 1_000;
const BARRED: [Kind; 3] = [Kind::Unlisted, Kind::BadChecksum, Kind::UnknownVrid];

/// The column that has bars.
const OURS: &str = "vrrp-daemon";
/// The advert intervals, as keepalived's language has them and in centiseconds.
const INTERVALS: [(&str, u16); 2] = [("0.01", 1), ("1", 100)];

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// Nothing: what the roles cost by themselves.
    Quiet,
    /// At the generator's full rate.
    Kind(Kind),
    /// The current Master's last advert.
    SameBytes,
}

/// One flood.
#[derive(Serialize)]
pub(super) struct Row {
    daemon: &'static str,
    interval_ms: u64,
    flood: &'static str,
    seconds: u64,
    /// Frames per second that the generator sent, and that the host's interface counted.
    sent: u64,
    arrived: u64,
    /// Of the flooded daemon, in thousandths of a percent of one core.
    cpu: i64,
    verdict: Verdict,
    kept: Option<bool>,
}

/// `rounds` times each flood on each daemon.
pub(super) fn run(rounds: usize, quick: bool) -> anyhow::Result<Vec<Row>> {
    build_generator()?;
    let seconds = if quick { 3 } else { 20 };
    let stage = Stage::build()?;
    let keepalived = Program::keepalived()?;
    let players = [
        (OURS, Program::release()?, Guard::None),
        ("keepalived", keepalived.clone(), Guard::None),
        (
            "keepalived, checks sources",
            keepalived.clone(),
            Guard::SourceCheck,
        ),
        ("keepalived behind nftables", keepalived, Guard::Nftables),
    ];
    let mut rows = Vec::new();
    for round in 1..=rounds {
        for (interval, centis) in INTERVALS {
            for (name, program, guard) in &players {
                eprintln!("flood {round}/{rounds}: {name}, every {interval} s");
                let running = stage
                    .start(program, *guard, interval)
                    .with_context(|| format!("starting {name}"))?;
                for load in Load::all() {
                    let row = one(&stage, &running, name, load, (centis, seconds))?;
                    row.print();
                    rows.push(row);
                }
                running.stop()?;
            }
        }
    }
    Ok(rows)
}

impl Load {
    fn all() -> impl Iterator<Item = Self> {
        let kinds = Kind::ALL.into_iter().map(Self::Kind);
        [Self::Quiet].into_iter().chain(kinds).chain([Self::SameBytes])
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "no flood",
            Self::Kind(kind) => kind.name(),
            Self::SameBytes => "Master's own bytes",
        }
    }

    /// What is to be sent, and how fast; `None` for nothing.
    fn job(
        self,
        stage: &Stage,
        captures: &Captures,
        centis: u16,
        seconds: u64,
    ) -> anyhow::Result<Option<Job>> {
        let (frames, per_second) = match self {
            Self::Quiet => return Ok(None),
            Self::Kind(kind) => (kind.frames(&stage.target(centis)?), None),
            Self::SameBytes => (vec![captures.masters_frame(stage)?], Some(SAME_BYTES_PER_SECOND)),
        };
        Ok(Some(Job {
            interface: "eth0".to_owned(),
            frames,
            per_second,
            seconds,
            count: Job::MAX_COUNT,
        }))
    }

    fn is_barred(self) -> bool {
        matches!(self, Self::Kind(kind) if BARRED.contains(&kind))
    }
}

/// One flood, from a state in which each host is Master for its own.
fn one(
    stage: &Stage,
    running: &Running<'_>,
    daemon: &'static str,
    load: Load,
    (centis, seconds): (u16, u64),
) -> anyhow::Result<Row> {
    running.settle()?;
    let captures = running.capture()?;
    let job = load.job(stage, &captures, centis, seconds)?;
    let interval = Duration::from_millis(u64::from(centis) * 10);
    let before = running.state()?;
    let sent = match &job {
        Some(job) => Flood::start(&stage.generator, job)?.finish()?.per_second,
        None => {
            thread::sleep(Duration::from_secs(seconds));
            0
        }
    };
    let after = running.state()?;
    let verdict = captures.judge(before.at, after.at, interval);
    let cpu = after.cpu_share(&before);
    let kept = verdict.takeovers == 0 && verdict.missed == 0 && (!load.is_barred() || cpu <= CPU_BAR);
    Ok(Row {
        daemon,
        interval_ms: u64::from(centis) * 10,
        flood: load.name(),
        seconds,
        sent,
        arrived: after.arrived_per_second(&before),
        cpu,
        verdict,
        kept: (daemon == OURS).then_some(kept),
    })
}

/// Optimised, for it shares the cores with what it floods.
fn build_generator() -> anyhow::Result<()> {
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
        .current_dir(workspace_root())
        .args([
            "build",
            "--release",
            "--package",
            "vrrp-tests",
            "--bin",
            "vrrp-flood",
        ])
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "vrrp-flood did not build");
    Ok(())
}

/// The table.
pub(super) fn print(rows: &[Row]) {
    println!("\nFloods of a host that is Backup for one virtual router and Master for another");
    println!(
        "  {:<28}{:>6}  {:<22}{:>9}{:>9}{:>8}{:>11}{:>8}{:>10}{:>8}",
        "", "ms", "", "sent/s", "came/s", "CPU %", "takeovers", "missed", "gap ms", "other"
    );
    for row in rows {
        row.print();
    }
    println!(
        "  missed: adverts that the flooded Master did not send; gap: between two of them at most; \
         other: those that the other host, not flooded, did not send"
    );
}

impl Row {
    fn print(&self) {
        let verdict = match self.kept {
            None => "",
            Some(true) => "kept",
            Some(false) => "MISSED",
        };
        println!(
            "  {:<28}{:>6}  {:<22}{:>9}{:>9}{:>8}{:>11}{:>8}{:>10}{:>8}  {verdict}",
            self.daemon,
            self.interval_ms,
            self.flood,
            self.sent,
            self.arrived,
            format!("{}.{:02}", self.cpu / 1_000, self.cpu % 1_000 / 10),
            self.verdict.takeovers,
            self.verdict.missed,
            format!(
                "{}.{}",
                self.verdict.longest_gap_us / 1_000,
                self.verdict.longest_gap_us % 1_000 / 100
            ),
            self.verdict.missed_elsewhere,
        );
    }
}
