//! Each bar with what was measured for it.

use anyhow::Context;
use serde::Deserialize;

use super::bars::{Bar, Line, Measured, Rank, Unit};
use super::sample::Samples;
use super::whole::Report;
use super::work::{Family, Transport, Work};
use super::{failover, flood, release, start, steady};

/// As `bench xdp` and `bench tcp` write their rows: the parts of them that the table shows.
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

impl Report {
    /// Each bar, in the order in which it matters.
    pub(super) fn judge(&self) -> anyhow::Result<Vec<Line>> {
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
            add(
                "resident memory of the protocol process",
                Unit::Mebibytes,
                Rank::P50,
                bar,
                &|column| &column.protocol,
            );
            add(
                "resident memory of all processes",
                Unit::Mebibytes,
                Rank::P50,
                Bar::Shown,
                &|column| &column.resident,
            );
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
