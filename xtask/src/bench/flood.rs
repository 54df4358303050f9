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

pub(super) use judge::Verdict;
use stage::{Captures, Guard, Running, Stage};

use crate::paths::workspace_root;

/// The rate of frames that are the same as the current Master's.
const SAME_BYTES_PER_SECOND: u64 = 100_000;
/// The most CPU that floods which are dropped in the kernel may cost, in thousandths of a percent of one core.
const CPU_BAR: i64 = 1_000;
const BARRED: [Kind; 3] = [Kind::Unlisted, Kind::BadChecksum, Kind::UnknownVrid];

/// The column that has bars.
pub(super) const OURS: &str = "vrrp-daemon";
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
    pub(super) daemon: &'static str,
    interval_ms: u64,
    flood: &'static str,
    /// The flooded daemon is stopped for a while again and again.
    pub(super) stopped: bool,
    seconds: u64,
    /// Frames per second that the generator sent, and that the host's interface counted.
    pub(super) sent: u64,
    arrived: u64,
    /// Of the flooded daemon, in thousandths of a percent of one core.
    pub(super) cpu: i64,
    pub(super) verdict: Verdict,
    kept: Option<bool>,
}

/// How long the flooded daemon stands still, and runs, where it is stopped again and again.
const STANDSTILL: Duration = Duration::from_millis(200);
const RUNNING: Duration = Duration::from_millis(1_000);

/// Which floods, of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    /// Those with bars, on ours and on the keepalived that defends itself best, at the shorter interval.
    Bars,
}

/// `rounds` times each flood on each daemon, of so many seconds.
pub(super) fn run(rounds: usize, seconds: u64, scope: Scope) -> anyhow::Result<Vec<Row>> {
    build_generator()?;
    let stage = Stage::build()?;
    let keepalived = Program::keepalived()?;
    let players = [
        (OURS, Program::release()?, Guard::None),
        (
            "keepalived, checks sources",
            keepalived.clone(),
            Guard::SourceCheck,
        ),
        ("keepalived", keepalived.clone(), Guard::None),
        ("keepalived behind nftables", keepalived, Guard::Nftables),
    ];
    let (players, intervals): (&[_], &[_]) = match scope {
        Scope::All => (&players, &INTERVALS),
        Scope::Bars => (&players[..2], &INTERVALS[..1]),
    };
    let mut rows = Vec::new();
    for round in 1..=rounds {
        for &(interval, centis) in intervals {
            for (name, program, guard) in players {
                eprintln!("flood {round}/{rounds}: {name}, every {interval} s");
                let running = stage
                    .start(program, *guard, interval)
                    .with_context(|| format!("starting {name}"))?;
                for (load, stopped) in scope.loads() {
                    let row = one(&stage, &running, name, (load, stopped), (centis, seconds))?;
                    if scope == Scope::All {
                        row.print();
                    }
                    rows.push(row);
                }
                running.stop()?;
            }
        }
    }
    Ok(rows)
}

impl Scope {
    /// What to flood with, and whether the flooded daemon is stopped again and again meanwhile.
    fn loads(self) -> Vec<(Load, bool)> {
        let unlisted = Load::Kind(Kind::Unlisted);
        match self {
            Self::All => Load::all()
                .map(|load| (load, false))
                .chain([(Load::Quiet, true), (unlisted, true)])
                .collect(),
            Self::Bars => vec![(unlisted, false), (unlisted, true)],
        }
    }
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
    (load, stopped): (Load, bool),
    (centis, seconds): (u16, u64),
) -> anyhow::Result<Row> {
    running.settle()?;
    let captures = running.capture()?;
    let job = load.job(stage, &captures, centis, seconds)?;
    let interval = Duration::from_millis(u64::from(centis) * 10);
    let before = running.state()?;
    let flood = || match &job {
        Some(job) => Ok(Flood::start(&stage.generator, job)?.finish()?.per_second),
        None => {
            thread::sleep(Duration::from_secs(seconds));
            Ok(0)
        }
    };
    let sent = if stopped { stage.halting(flood) } else { flood() }?;
    let after = running.state()?;
    let verdict = captures.judge(before.at, after.at, interval);
    let cpu = after.cpu_share(&before);
    // While it stands still it sends nothing, and the other host rightly takes its addresses.
    let mastership = match stopped {
        true => verdict.false_takeovers == 0,
        false => verdict.takeovers == 0 && verdict.missed == 0,
    };
    let kept = mastership && (!load.is_barred() || cpu <= CPU_BAR);
    Ok(Row {
        daemon,
        interval_ms: u64::from(centis) * 10,
        flood: load.name(),
        stopped,
        seconds,
        sent,
        arrived: after.arrived_per_second(&before),
        cpu,
        verdict,
        kept: (daemon == OURS).then_some(kept),
    })
}

/// Optimised, for it shares the cores with what it floods.
pub(super) fn build_generator() -> anyhow::Result<()> {
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
        "  {:<28}{:>6}  {:<26}{:>9}{:>9}{:>8}{:>11}{:>8}{:>10}{:>8}",
        "", "ms", "", "sent/s", "came/s", "CPU %", "takeovers", "missed", "gap ms", "other"
    );
    for row in rows {
        row.print();
    }
    println!(
        "  stopped: the daemon stands still for 0.2 s of each 1.2 s; it may then lose its own, and must not take the other's\n  \
         missed: adverts that the flooded Master did not send; gap: between two of them at most; \
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
            "  {:<28}{:>6}  {:<26}{:>9}{:>9}{:>8}{:>11}{:>8}{:>10}{:>8}  {verdict}",
            self.daemon,
            self.interval_ms,
            if self.stopped {
                format!("{}, stopped", self.flood)
            } else {
                self.flood.to_owned()
            },
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
