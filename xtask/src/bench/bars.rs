//! Where we mean to be: each bar with what was measured, and whether it was kept.

use serde::Serialize;

use super::sample::{Samples, Summary, decimal};

/// Which figure of a summary a bar is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Rank {
    P50,
    P99,
    Max,
}

/// How figures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    /// From nanoseconds.
    Millis,
    /// From nanoseconds.
    Nanos,
    /// From thousandths of a percent of a core.
    Percent,
    /// From KiB.
    Mebibytes,
    /// From Mbit/s.
    Megabits,
    Count,
}

/// What ours is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    /// At most so much, in the samples' unit.
    AtMost(i64),
    /// At most so many percent of the best of the others.
    OfTheirs(i64),
    /// At most so many percent of what the kernel takes by itself.
    OfKernels(i64),
    /// Nothing: it is shown.
    Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Verdict {
    Pass,
    Fail,
    /// There is no bar.
    Shown,
    /// There is nothing to compare.
    NotMeasured,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) rank: Rank,
    pub(super) unit: Unit,
    pub(super) bar: String,
    pub(super) ours: Summary,
    /// The others', by title.
    pub(super) theirs: Vec<(String, Summary)>,
    /// Ours in percent of what it is compared with.
    pub(super) ratio: Option<i64>,
    pub(super) verdict: Verdict,
    /// Ours differs from the bar by less than its own p90 - p10.
    pub(super) narrow: bool,
}

/// Samples of all who were measured: ours, the others by title, and the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured<'a> {
    pub(super) ours: Option<&'a Samples>,
    pub(super) theirs: Vec<(&'a str, &'a Samples)>,
    pub(super) kernel: Option<&'a Samples>,
}

impl Rank {
    pub(super) const fn of(self, summary: &Summary) -> i64 {
        match self {
            Self::P50 => summary.p50,
            Self::P99 => summary.p99,
            Self::Max => summary.max,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}

impl Unit {
    pub(super) fn show(self, value: i64) -> String {
        match self {
            Self::Millis => decimal(value, 1_000, 1_000),
            Self::Percent => decimal(value, 10, 100),
            Self::Mebibytes => decimal(value * 100 / 1_024, 1, 100),
            Self::Nanos | Self::Megabits | Self::Count => value.to_string(),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Millis => "ms",
            Self::Nanos => "ns",
            Self::Percent => "% of a core",
            Self::Mebibytes => "MiB",
            Self::Megabits => "Mbit/s",
            Self::Count => "",
        }
    }
}

impl Line {
    pub(super) fn new(what: &str, unit: Unit, rank: Rank, bar: Bar, measured: &Measured<'_>) -> Self {
        let ours = measured.ours.map(Samples::summary).unwrap_or_default();
        let theirs: Vec<(String, Summary)> = measured
            .theirs
            .iter()
            .map(|(title, samples)| ((*title).to_owned(), samples.summary()))
            .collect();
        let kernel = measured.kernel.map(Samples::summary);
        let best = theirs.iter().map(|(_, summary)| rank.of(summary)).min();
        let (limit, against) = match bar {
            Bar::AtMost(limit) => (Some(limit), best),
            Bar::OfTheirs(percent) => (best.map(|best| best * percent / 100), best),
            Bar::OfKernels(percent) => {
                let kernel = kernel.as_ref().map(|kernel| rank.of(kernel));
                (kernel.map(|kernel| kernel * percent / 100), kernel)
            }
            Bar::Shown => (None, best),
        };
        let value = rank.of(&ours);
        let verdict = match (bar, limit) {
            _ if ours.count() == 0 => Verdict::NotMeasured,
            (Bar::Shown, _) => Verdict::Shown,
            (_, None) => Verdict::NotMeasured,
            (_, Some(limit)) if value <= limit => Verdict::Pass,
            (_, Some(_)) => Verdict::Fail,
        };
        Self {
            what: what.to_owned(),
            rank,
            unit,
            bar: bar.show(unit, rank, limit),
            narrow: rank == Rank::P50 && limit.is_some_and(|limit| (limit - value).abs() < ours.spread()),
            ratio: against
                .filter(|against| *against > 0 && ours.count() > 0)
                .map(|against| value * 100 / against),
            ours,
            theirs,
            verdict,
        }
    }

    /// The last column.
    pub(super) fn verdict(&self) -> String {
        let word = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "FAIL",
            Verdict::Shown => "",
            Verdict::NotMeasured => "not measured",
        };
        match (self.verdict, self.narrow) {
            (Verdict::Pass | Verdict::Fail, true) => format!("{word}, spread wider than the margin"),
            _ => word.to_owned(),
        }
    }

    /// p50, p90, p99 and max of one of them.
    pub(super) fn ranks(&self, summary: &Summary) -> [String; 4] {
        [summary.p50, summary.p90, summary.p99, summary.max].map(|value| self.unit.show(value))
    }
}

impl Bar {
    fn show(self, unit: Unit, rank: Rank, limit: Option<i64>) -> String {
        let limit = limit.map_or_else(String::new, |limit| unit.show(limit));
        let name = rank.name();
        match self {
            Self::AtMost(_) => format!("{name} ≤ {limit}"),
            Self::OfTheirs(percent) => format!("{name} ≤ {percent} % of theirs: {limit}"),
            Self::OfKernels(percent) => format!("{name} ≤ {percent} % of the kernel's own: {limit}"),
            Self::Shown => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, Line, Measured, Rank, Unit, Verdict};
    use crate::bench::sample::Samples;

    fn line(bar: Bar, ours: &[i64], theirs: &[i64], kernel: &[i64]) -> Line {
        let (ours, theirs, kernel) = (
            Samples(ours.to_vec()),
            Samples(theirs.to_vec()),
            Samples(kernel.to_vec()),
        );
        let measured = Measured {
            ours: Some(&ours),
            theirs: vec![("keepalived", &theirs)],
            kernel: Some(&kernel),
        };
        Line::new("takeover", Unit::Millis, Rank::P50, bar, &measured)
    }

    #[test]
    fn a_bar_is_judged_on_the_median() {
        let kept = line(
            Bar::AtMost(250_000),
            &[100_000, 200_000, 900_000],
            &[800_000],
            &[],
        );
        assert_eq!((kept.verdict, kept.ratio), (Verdict::Pass, Some(25)));
        assert_eq!(kept.bar, "p50 ≤ 0.250");
        assert_eq!(kept.verdict(), "pass, spread wider than the margin");
        let missed = line(
            Bar::AtMost(250_000),
            &[300_000, 300_000, 300_000],
            &[800_000],
            &[],
        );
        assert_eq!(
            (missed.verdict, missed.verdict().as_str()),
            (Verdict::Fail, "FAIL")
        );
    }

    #[test]
    fn ratios_are_to_the_others_or_to_the_kernel() {
        let theirs = line(Bar::OfTheirs(25), &[201], &[800], &[100]);
        assert_eq!((theirs.verdict, theirs.ratio), (Verdict::Fail, Some(25)));
        let kernels = line(Bar::OfKernels(130), &[130], &[800], &[100]);
        assert_eq!((kernels.verdict, kernels.ratio), (Verdict::Pass, Some(130)));
    }

    #[test]
    fn what_was_not_measured_is_not_passed() {
        assert_eq!(line(Bar::AtMost(1), &[], &[1], &[]).verdict, Verdict::NotMeasured);
        let none = Measured::default();
        let line = Line::new("x", Unit::Count, Rank::Max, Bar::OfTheirs(25), &none);
        assert_eq!((line.verdict, line.ratio), (Verdict::NotMeasured, None));
    }

    #[test]
    fn units_are_shown_with_their_decimals() {
        assert_eq!(Unit::Millis.show(36_093_750), "36.093");
        assert_eq!(Unit::Percent.show(12_345), "12.34");
        assert_eq!(Unit::Mebibytes.show(16_384), "16.00");
        assert_eq!(Unit::Nanos.show(-3), "-3");
    }
}
