//! Figures and what to say of them.

use serde::{Serialize, Serializer};

/// Every figure of one column, in the order taken. May be negative: a takeover can come before its time.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Samples(pub(super) Vec<i64>);

/// Order statistics: nearest rank, so that each is a figure that was really seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) n: usize,
    pub(super) p10: i64,
    pub(super) p50: i64,
    pub(super) p90: i64,
    pub(super) p99: i64,
    pub(super) max: i64,
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
            p99: rank(99),
            max: rank(100),
        }
    }
}

/// Write `samples` as how many they are and a thousand and one of them, the smallest, largest and each thousandth between.
pub(super) fn thinned<S: Serializer>(samples: &Samples, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Thinned {
        n: usize,
        permille: Vec<i64>,
    }
    let n = samples.0.len();
    samples_permille(samples)
        .map_or_else(
            || Thinned {
                n,
                permille: samples.0.clone(),
            },
            |permille| Thinned { n, permille },
        )
        .serialize(serializer)
}

/// `None` for a thousand or fewer.
fn samples_permille(samples: &Samples) -> Option<Vec<i64>> {
    let mut sorted = samples.0.clone();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1).filter(|last| *last > 1_000)?;
    (0..=1_000)
        .map(|rank| sorted.get(last * rank / 1_000).copied())
        .collect()
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
            "  {:<44}{:>7}{:>11}{:>11}{:>11}{:>11}",
            "", "n", "p50", "p90", "p99", "max"
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

    /// As they are.
    pub(super) fn print_plain(&self, title: &str) {
        self.print(title, 1, 1);
    }

    fn print(&self, title: &str, step: i64, decimals: i64) {
        let cell = |value: i64| decimal(value, step, decimals);
        println!(
            "  {title:<44}{:>7}{:>11}{:>11}{:>11}{:>11}",
            self.n,
            cell(self.p50),
            cell(self.p90),
            cell(self.p99),
            cell(self.max)
        );
    }
}

/// `value / step`, of which `decimals` (a power of ten) are a whole one: 1234567 by 1000 and 1000 is 1.234.
pub(super) fn decimal(value: i64, step: i64, decimals: i64) -> String {
    let value = value / step;
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / decimals, value.abs() % decimals);
    let width = decimals.ilog10() as usize;
    match decimals {
        1 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{rest:0width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Samples, decimal, samples_permille};

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

    #[test]
    fn the_hundredth_rank_takes_a_hundred() {
        let hundred = Samples((1..=100).collect()).summary();
        assert_eq!(
            (hundred.p50, hundred.p90, hundred.p99, hundred.max),
            (50, 90, 99, 100)
        );
        let ten = Samples((1..=10).collect()).summary();
        assert_eq!((ten.p50, ten.p90, ten.p99, ten.max), (5, 9, 10, 10));
        assert_eq!(Samples::default().summary().p50, 0);
    }

    #[test]
    fn decimals_are_cut_and_keep_their_sign() {
        assert_eq!(decimal(1_234_567, 1_000, 1_000), "1.234");
        assert_eq!(decimal(-45_678, 1_000, 1_000), "-0.045");
        assert_eq!(decimal(7_654, 10, 100), "7.65");
        assert_eq!(decimal(16_999, 1_000, 1), "16");
    }

    #[test]
    fn many_samples_are_thinned_to_a_thousand_and_one() {
        let many = Samples((0..=5_000).rev().collect());
        let thinned = samples_permille(&many).unwrap();
        assert_eq!(thinned.len(), 1_001);
        assert_eq!(thinned[..3], [0, 5, 10]);
        assert_eq!(thinned[1_000], 5_000);
        assert_eq!(samples_permille(&Samples(vec![3, 1, 2])), None);
    }
}
