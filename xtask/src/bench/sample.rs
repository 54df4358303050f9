//! Figures and what to say of them.

use serde::Serialize;

/// Every figure of one column, in the order taken. May be negative: a takeover can come before its time.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Samples(pub(super) Vec<i64>);

/// Order statistics: nearest rank, so that each is a figure that was really seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    n: usize,
    p10: i64,
    p50: i64,
    p90: i64,
    max: i64,
}

impl Samples {
    pub(super) fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).copied().unwrap_or_default()
        };
        Summary {
            n: sorted.len(),
            p10: rank(10),
            p50: rank(50),
            p90: rank(90),
            max: rank(100),
        }
    }
}

impl Summary {
    pub(super) const fn median(&self) -> i64 {
        self.p50
    }

    pub(super) const fn count(&self) -> usize {
        self.n
    }

    pub(super) const fn p90(&self) -> i64 {
        self.p90
    }

    /// p90 - p10.
    pub(super) const fn spread(&self) -> i64 {
        self.p90 - self.p10
    }

    pub(super) fn print_head() {
        println!(
            "  {:<38}{:>4}{:>10}{:>10}{:>10}{:>12}",
            "", "n", "p50", "p90", "max", "p90 - p10"
        );
    }

    /// Nanoseconds, shown as milliseconds with three decimals.
    pub(super) fn print_millis(&self, title: &str) {
        self.print(title, 1_000, 1_000);
    }

    /// Thousandths of a percent, shown as percent with two decimals.
    pub(super) fn print_percent(&self, title: &str) {
        self.print(title, 10, 100);
    }

    fn print(&self, title: &str, step: i64, decimals: i64) {
        let cell = |value: i64| {
            let value = value / step;
            let sign = if value < 0 { "-" } else { "" };
            let (whole, rest) = (value.abs() / decimals, value.abs() % decimals);
            let width = decimals.ilog10() as usize;
            format!("{sign}{whole}.{rest:0width$}")
        };
        println!(
            "  {title:<38}{:>4}{:>10}{:>10}{:>10}{:>12}",
            self.n,
            cell(self.p50),
            cell(self.p90),
            cell(self.max),
            cell(self.p90 - self.p10)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn ranks_are_figures_that_were_seen() {
        let summary = Samples(vec![30, 10, 20, 40, 1_000]).summary();
        assert_eq!(
            (summary.n, summary.p10, summary.p50, summary.p90, summary.max),
            (5, 10, 30, 1_000, 1_000)
        );
        let even = Samples((1..=20).rev().collect()).summary();
        assert_eq!((even.p10, even.p50, even.p90, even.max), (2, 10, 18, 20));
    }
}
