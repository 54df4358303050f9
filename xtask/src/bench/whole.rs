//! Everything in one run, and the table of bars.

use std::fs;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::bars::{Bar, Line, Measured, Rank, Unit};
use super::field::{Field, Player};
use super::flood::Scope;
use super::sample::Samples;
use super::work::{Family, Transport, Work};
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

/// As [`xdp::Row`] and [`tcp`]'s are written: the parts of them that the table shows.
#[derive(Deserialize)]
struct Frame {
    group: String,
    more: Vec<i64>,
}

#[derive(Deserialize)]
struct Transfer {
    mtu: u32,
    way: String,
    setup: String,
    rate: Vec<i64>,
}

/// Run all parts.
pub(super) fn run(players: &[Player], extent: Extent, n: Option<usize>) -> anyhow::Result<Report> {
    if extent != Extent::Smoke {
        // Nothing is compiled while something is measured.
        flood::build_generator()?;
        xdp::worker()?;
    }
    let machine = Machine::here();
    let full = extent == Extent::Full;
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
    let (flood, xdp, tcp) = match extent {
        Extent::Smoke => (Vec::new(), Vec::new(), Vec::new()),
        _ => {
            let flood = flood::run(if full { 3 } else { 1 }, if full { 15 } else { 3 }, Scope::Bars)?;
            flood::print(&flood);
            let xdp = xdp::run(if full { 200 } else { 20 })?;
            xdp::print(&xdp);
            let tcp = if full { tcp::run(3)? } else { Vec::new() };
            tcp::print(&tcp);
            (flood, xdp, tcp)
        }
    };
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

    /// Each bar, in the order in which it matters.
    fn judge(&self) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::new();
        self.takeovers(&mut lines);
        self.steady_work(&mut lines);
        self.ends(&mut lines);
        self.floods(&mut lines);
        self.program(&mut lines)?;
        Ok(lines)
    }

    fn takeovers(&self, lines: &mut Vec<Line>) {
        const MILLI: i64 = 1_000_000;
        let one = Work::one(1, 10);
        let many = Work::one(1_000, 100);
        let ways = [
            (Family::V4, Transport::Unicast),
            (Family::V4, Transport::Multicast),
            (Family::V6, Transport::Unicast),
            (Family::V6, Transport::Multicast),
        ];
        for (family, transport) in ways {
            let work = one.over(family, transport);
            let first = |figures: &failover::Figures| figures.first_announcement.clone();
            self.takeover(
                lines,
                (work, false),
                "first GARP past Master_Down_Interval",
                &first,
                &[
                    (Rank::P50, Bar::AtMost(MILLI / 4)),
                    (Rank::P99, Bar::AtMost(MILLI)),
                    (Rank::P99, Bar::OfTheirs(25)),
                ],
            );
        }
        let first = |figures: &failover::Figures| figures.first_announcement.clone();
        let last = |figures: &failover::Figures| figures.last_announcement.clone();
        let gap = |figures: &failover::Figures| figures.longest_gap.clone();
        self.takeover(
            lines,
            (one, true),
            "first GARP past Master_Down_Interval",
            &first,
            &[
                (Rank::P99, Bar::AtMost(MILLI * 3 / 2)),
                (Rank::P99, Bar::OfTheirs(25)),
            ],
        );
        for (family, transport) in ways {
            let work = many.over(family, transport);
            self.takeover(
                lines,
                (work, false),
                "first GARP",
                &first,
                &[(Rank::P50, Bar::AtMost(MILLI))],
            );
            self.takeover(
                lines,
                (work, false),
                "last GARP",
                &last,
                &[(Rank::P50, Bar::OfKernels(130))],
            );
            self.takeover(
                lines,
                (work, false),
                "longest gap between adverts",
                &gap,
                &[(Rank::Max, Bar::AtMost(150 * MILLI))],
            );
        }
        let most = Work::one(4_000, 100);
        self.takeover(
            lines,
            (most, false),
            "last GARP",
            &last,
            &[(Rank::P50, Bar::OfKernels(130))],
        );
        self.takeover(
            lines,
            (most, false),
            "longest gap between adverts",
            &gap,
            &[(Rank::Max, Bar::AtMost(150 * MILLI))],
        );
    }

    /// The lines of one case, if it was measured; else one that says it was not.
    fn takeover(
        &self,
        lines: &mut Vec<Line>,
        (work, loaded): (Work, bool),
        what: &str,
        samples: &dyn Fn(&failover::Figures) -> Samples,
        bars: &[(Rank, Bar)],
    ) {
        let row = self
            .failover
            .iter()
            .find(|row| row.case.work == work && row.case.loaded == loaded);
        let columns: Vec<(String, Samples)> = row
            .into_iter()
            .flat_map(|row| &row.columns)
            .map(|column| (column.daemon.clone(), samples(&column.figures)))
            .collect();
        let mut measured = split(&columns);
        measured.kernel = row.and_then(|row| Some(&row.kernel.as_ref()?.announced));
        let busy = if loaded { ", 8 busy loops" } else { "" };
        for (rank, bar) in bars {
            let title = format!("{what}: {work}{busy}");
            lines.push(Line::new(&title, Unit::Millis, *rank, *bar, &measured));
        }
    }

    fn steady_work(&self, lines: &mut Vec<Line>) {
        for row in &self.steady {
            let work = row.work;
            let barred = work == Work::many(250, 10);
            let mut add = |what: &str, unit, rank, bar, samples: &dyn Fn(&steady::Column) -> &Samples| {
                let columns: Vec<(String, Samples)> = row
                    .columns
                    .iter()
                    .map(|column| (column.daemon.clone(), samples(column).clone()))
                    .collect();
                let title = format!("{what}: {work}");
                lines.push(Line::new(&title, unit, rank, bar, &split(&columns)));
            };
            let bar = |percent| {
                if barred {
                    Bar::OfTheirs(percent)
                } else {
                    Bar::Shown
                }
            };
            add(
                "CPU of the Backup",
                Unit::Percent,
                Rank::P50,
                bar(25),
                &|column| &column.backup,
            );
            add(
                "CPU of the Master",
                Unit::Percent,
                Rank::P50,
                bar(75),
                &|column| &column.master,
            );
            add(
                "advert jitter",
                Unit::Millis,
                Rank::P99,
                Bar::OfTheirs(25),
                &|column| &column.jitter,
            );
            let bar = match work.instances {
                250 => Bar::AtMost(16 * 1_024),
                _ => Bar::Shown,
            };
            add("resident memory", Unit::Mebibytes, Rank::P50, bar, &|column| {
                &column.resident
            });
        }
    }

    fn ends(&self, lines: &mut Vec<Line>) {
        let mut start = |what: &str, bar, samples: &dyn Fn(&start::Column) -> &Samples| {
            let columns: Vec<(String, Samples)> = self
                .start
                .iter()
                .map(|column| (column.daemon.clone(), samples(column).clone()))
                .collect();
            let title = format!("{what}: {}", start::WORK);
            lines.push(Line::new(&title, Unit::Millis, Rank::P50, bar, &split(&columns)));
        };
        start("start to first advert", Bar::AtMost(100_000_000), &|column| {
            &column.first
        });
        start("reload to new adverts", Bar::Shown, &|column| &column.reloaded);
        for row in &self.release {
            for (what, samples) in [
                (
                    "SIGTERM to priority 0",
                    (|column| &column.said) as fn(&release::Column) -> &Samples,
                ),
                ("SIGTERM to last address gone", |column| &column.gone),
            ] {
                let columns: Vec<(String, Samples)> = row
                    .columns
                    .iter()
                    .map(|column| (column.daemon.clone(), samples(column).clone()))
                    .collect();
                let title = format!("{what}: {}", row.work);
                lines.push(Line::new(
                    &title,
                    Unit::Millis,
                    Rank::P50,
                    Bar::Shown,
                    &split(&columns),
                ));
            }
        }
    }

    fn floods(&self, lines: &mut Vec<Line>) {
        for (stopped, how) in [(false, ""), (true, ", the daemon stopped 0.2 s of each 1.2 s")] {
            let columns = |figure: &dyn Fn(&flood::Row) -> i64| {
                let mut columns: Vec<(String, Samples)> = Vec::new();
                for row in self.flood.iter().filter(|row| row.stopped == stopped) {
                    match columns.iter_mut().find(|(daemon, _)| daemon == row.daemon) {
                        Some((_, samples)) => samples.0.push(figure(row)),
                        None => columns.push((row.daemon.to_owned(), Samples(vec![figure(row)]))),
                    }
                }
                columns
            };
            let cpu = columns(&|row| row.cpu);
            let title = format!("CPU under a flood from an unlisted source{how}");
            lines.push(Line::new(
                &title,
                Unit::Percent,
                Rank::P50,
                Bar::AtMost(1_000),
                &split(&cpu),
            ));
            let takeovers = columns(&|row| i64::try_from(row.verdict.false_takeovers).unwrap_or(i64::MAX));
            let title = format!("false takeovers under that flood{how}");
            lines.push(Line::new(
                &title,
                Unit::Count,
                Rank::Max,
                Bar::AtMost(0),
                &split(&takeovers),
            ));
        }
    }

    fn program(&self, lines: &mut Vec<Line>) -> anyhow::Result<()> {
        let frames: Vec<Frame> =
            serde_json::from_value(self.xdp.clone()).context("reading the frames' figures")?;
        // The dearest of the frames in the group.
        let dearest = frames
            .into_iter()
            .filter(|frame| frame.group == "not VRRP")
            .map(|frame| Samples(frame.more))
            .max_by_key(|more| more.summary().median());
        lines.push(Line::new(
            "non-VRRP frame through the program, past an empty one",
            Unit::Nanos,
            Rank::P50,
            Bar::AtMost(10),
            &Measured {
                ours: dearest.as_ref(),
                ..Measured::default()
            },
        ));
        let transfers: Vec<Transfer> =
            serde_json::from_value(self.tcp.clone()).context("reading the transfers' figures")?;
        for transfer in &transfers {
            let none = transfers.iter().find(|other| {
                other.mtu == transfer.mtu && other.way == transfer.way && other.setup == "no program"
            });
            if !transfer.setup.starts_with("ours") {
                continue;
            }
            let (ours, none) = (
                Samples(transfer.rate.clone()),
                none.map(|none| Samples(none.rate.clone())),
            );
            let title = format!(
                "bulk TCP {}, MTU {}, {}",
                transfer.way, transfer.mtu, transfer.setup
            );
            let measured = Measured {
                ours: Some(&ours),
                theirs: none.iter().map(|none| ("no program", none)).collect(),
                kernel: None,
            };
            lines.push(Line::new(
                &title,
                Unit::Megabits,
                Rank::P50,
                Bar::Shown,
                &measured,
            ));
        }
        Ok(())
    }
}

/// Ours, and the others.
fn split(columns: &[(String, Samples)]) -> Measured<'_> {
    Measured {
        ours: columns
            .iter()
            .find(|(daemon, _)| daemon == flood::OURS)
            .map(|(_, samples)| samples),
        theirs: columns
            .iter()
            .filter(|(daemon, _)| daemon != flood::OURS)
            .map(|(daemon, samples)| (daemon.as_str(), samples))
            .collect(),
        kernel: None,
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
