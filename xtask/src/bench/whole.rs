//! Everything in one run.

use std::fs;

use anyhow::ensure;
use serde::Serialize;

use super::bars::Line;
use super::field::{Field, Player};
use super::flood::Scope;
use super::{Extent, failover, flood, profile, release, start, steady, tcp, xdp};

/// What was measured, where and when.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) lines: Vec<Line>,
    pub(super) failover: Vec<failover::Row>,
    pub(super) steady: Vec<steady::Row>,
    pub(super) release: Vec<release::Row>,
    pub(super) start: Vec<start::Column>,
    pub(super) profile: Vec<profile::Row>,
    pub(super) flood: Vec<flood::Row>,
    pub(super) xdp: serde_json::Value,
    pub(super) tcp: serde_json::Value,
}

/// What the figures were taken on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// UTC.
    pub(super) date: String,
    pub(super) command: String,
    /// Of the last minute, before the bench began: others on the machine show here.
    pub(super) load: String,
}

/// Run all parts.
pub(super) fn run(players: &[Player], extent: Extent, n: Option<usize>) -> anyhow::Result<Report> {
    if extent != Extent::Smoke {
        // Nothing is compiled while something is measured.
        flood::build_generator()?;
        xdp::worker()?;
    }
    let machine = Machine::here();
    // These need a program that fits: if it does not, that shows at once.
    let xdp = match extent {
        Extent::Smoke => Vec::new(),
        Extent::Quick => xdp::run(20)?,
        Extent::Full => xdp::run(60)?,
    };
    xdp::print(&xdp);
    let tcp = match extent {
        Extent::Smoke | Extent::Quick => Vec::new(),
        Extent::Full => tcp::run(3)?,
    };
    tcp::print(&tcp);
    let field = Field::with_interfaces(1)?;
    let failover = failover::run(&field, players, extent, n)?;
    failover::print(&failover);
    let release = release::run(&field, players, extent, n)?;
    release::print(&release);
    let start = start::run(&field, players, extent, n)?;
    start::print(&start);
    let profile = profile::run(&field, players, extent)?;
    profile::print(&profile);
    drop(field);
    let steady = steady::run(players, extent, n)?;
    steady::print(&steady);
    let flood = match extent {
        Extent::Smoke => Vec::new(),
        Extent::Quick => flood::run(1, 3, Scope::Bars)?,
        Extent::Full => flood::run(2, 15, Scope::Bars)?,
    };
    flood::print(&flood);
    let mut report = Report {
        machine,
        lines: Vec::new(),
        failover,
        steady,
        release,
        start,
        profile,
        flood,
        xdp: serde_json::to_value(xdp)?,
        tcp: serde_json::to_value(tcp)?,
    };
    report.lines = report.judge()?;
    Ok(report)
}

impl Report {
    /// What must hold however busy the machine is: everything was measured, no takeover of ours came before its time,
    /// and priority 0 was the first that was heard of an end.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let ours = |daemon: &str| daemon == flood::OURS;
        for row in &self.failover {
            for column in row.columns.iter().filter(|column| ours(&column.daemon)) {
                let figures = &column.figures;
                let seen = figures.first_advert.0.len();
                ensure!(figures.too_early == 0, "{}: a takeover before its time", row.case);
                ensure!(
                    seen > 0 || figures.master_late > 0,
                    "{}: no takeover was seen",
                    row.case
                );
            }
        }
        for row in &self.release {
            for column in row.columns.iter().filter(|column| ours(&column.daemon)) {
                ensure!(!column.gone.0.is_empty(), "{}: no end was seen", row.work);
                ensure!(column.out_of_order == 0, "{}: priority 0 was not first", row.work);
            }
        }
        let started = self.start.iter().filter(|column| ours(&column.daemon));
        ensure!(
            started.map(|column| column.first.0.len()).sum::<usize>() > 0,
            "no start was seen"
        );
        for row in &self.steady {
            for column in row.columns.iter().filter(|column| ours(&column.daemon)) {
                let seen = column.jitter.0.len();
                ensure!(
                    seen >= row.work.instances as usize,
                    "{}: {seen} adverts were seen",
                    row.work
                );
            }
        }
        Ok(())
    }
}

impl Machine {
    fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let processor = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        let output = std::process::Command::new("date")
            .args(["--utc", "+%Y-%m-%d %H:%M"])
            .output();
        Self {
            processor: processor.to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: output.map_or_else(
                |_| String::new(),
                |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            ),
            command: std::env::args()
                .skip(1)
                .fold("cargo xtask".to_owned(), |line, word| format!("{line} {word}")),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}
