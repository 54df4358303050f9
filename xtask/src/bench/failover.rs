//! A Master is cut off without its noticing: how long after Master_Down_Interval the Backup has advertised, has announced
//! its first address, has announced them all; and how soon it gives them back.

use std::fmt;

use anyhow::Context;
use serde::Serialize;

use super::Extent;
use super::field::{Field, Player};
use super::flood::OURS;
use super::limit::{Cost, Limit};
use super::pair::{Pair, Trial};
use super::progress::Progress;
use super::sample::{Samples, Summary};
use super::work::{Family, Transport, Work};

/// Trials of one daemon before the other has its turn.
const TURN: usize = 10;
/// From so many addresses on, what the kernel takes for them is measured, too.
const MANY: u32 = 200;

/// What is measured, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    pub(super) work: Work,
    /// Busy loops share the machine.
    pub(super) loaded: bool,
    #[serde(skip)]
    trials: usize,
}

/// What one daemon did, in nanoseconds: past Master_Down_Interval, if not said otherwise.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) first_advert: Samples,
    pub(super) first_announcement: Samples,
    pub(super) last_announcement: Samples,
    /// The longest time between two adverts, from the first on.
    pub(super) longest_gap: Samples,
    /// From the returned Master's first advert to the end of the last address.
    pub(super) given_back: Samples,
    /// Takeovers before the Master was cut off, because it was late: these have no figures.
    pub(super) master_late: u64,
    /// Takeovers before their time.
    pub(super) too_early: u64,
    /// Turns that came to no end.
    pub(super) given_up: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Column {
    pub(super) daemon: String,
    pub(super) figures: Figures,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) case: Case,
    pub(super) columns: Vec<Column>,
    /// What the kernel takes by itself, in the same turns.
    pub(super) kernel: Option<Cost>,
}

impl Case {
    const fn new(work: Work, loaded: bool, trials: usize) -> Self {
        Self { work, loaded, trials }
    }

    /// What there is to measure, with the trials that are worth their time.
    pub(super) fn all(extent: Extent) -> Vec<Self> {
        const V6: Work = Work::one(1, 10).over(Family::V6, Transport::Unicast);
        const GROUP: Work = Work::one(1, 10).over(Family::V4, Transport::Multicast);
        const GROUP_V6: Work = Work::one(1, 10).over(Family::V6, Transport::Multicast);
        let thousand = |like: Work| Work {
            addresses: 1_000,
            interval_ms: 100,
            ..like
        };
        let one = Work::one(1, 10);
        match extent {
            // Nobody loses a mastership at this interval because others use the machine.
            Extent::Smoke => vec![
                Self::new(Work::one(1, 100), false, 2),
                Self::new(thousand(GROUP), false, 1),
            ],
            Extent::Quick => vec![
                Self::new(one, false, 10),
                Self::new(one, true, 10),
                Self::new(thousand(one), false, 3),
                Self::new(V6, false, 3),
                Self::new(GROUP, false, 3),
                Self::new(thousand(V6), false, 2),
            ],
            Extent::Full => {
                let mut all = Vec::new();
                for loaded in [false, true] {
                    for (interval_ms, trials) in [(10, 5), (100, 5), (1_000, 1)] {
                        for addresses in [1, 200, 1_000] {
                            let trials = match (addresses, interval_ms) {
                                // A p99 takes a hundred (`--n 100`), and ten minutes.
                                (1, 10) => 30,
                                (1_000, 100) => 10,
                                _ => trials,
                            };
                            all.push(Self::new(Work::one(addresses, interval_ms), loaded, trials));
                        }
                    }
                }
                for like in [V6, GROUP, GROUP_V6] {
                    all.push(Self::new(like, false, 10));
                    all.push(Self::new(thousand(like), false, 5));
                }
                all.push(Self::new(Work::one(4_000, 100), false, 3));
                all
            }
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.work)?;
        if self.loaded {
            write!(f, ", 8 busy loops")?;
        }
        Ok(())
    }
}

/// Each case by turns, with so many trials, or as many as it is worth.
pub(super) fn run(
    field: &Field,
    players: &[Player],
    extent: Extent,
    n: Option<usize>,
) -> anyhow::Result<Vec<Row>> {
    let cases = Case::all(extent);
    let trials = |case: &Case| n.unwrap_or(case.trials);
    let progress = Progress::new(
        "failover",
        cases.iter().map(trials).sum::<usize>() * players.len(),
    );
    let mut rows = Vec::new();
    for case in cases {
        let mut columns: Vec<Column> = players
            .iter()
            .map(|player| Column {
                daemon: player.title.clone(),
                figures: Figures::default(),
            })
            .collect();
        let mut kernel = (case.work.addresses >= MANY).then(Cost::default);
        let mut left = trials(&case);
        while left > 0 {
            let turn = left.min(TURN);
            left -= turn;
            if let Some(cost) = &mut kernel {
                progress.say(&format!("the kernel's own cost, {case}"));
                let limit = Limit::prepare(field, &case.work)?;
                let load = case.loaded.then(|| field.load()).transpose()?;
                (0..turn).try_for_each(|_| limit.measure(cost))?;
                drop(load);
            }
            for (player, column) in players.iter().zip(&mut columns) {
                progress.say(&format!("{}, {case}", player.title));
                let taken = take_turn(field, player, case, turn, &mut column.figures, &progress)
                    .with_context(|| format!("{}, {case}", player.title));
                match taken {
                    // An hour's figures are not lost because a peer does not come to rest on a busy machine.
                    Err(error) if player.title != OURS => {
                        eprintln!("given up: {error:#}");
                        column.figures.given_up += 1;
                        field.sweep(&case.work)?;
                    }
                    taken => taken?,
                }
            }
        }
        rows.push(Row {
            case,
            columns,
            kernel,
        });
    }
    Ok(rows)
}

fn take_turn(
    field: &Field,
    player: &Player,
    case: Case,
    trials: usize,
    figures: &mut Figures,
    progress: &Progress,
) -> anyhow::Result<()> {
    let pair = Pair::start(field, player, case.work)?;
    let load = case.loaded.then(|| field.load()).transpose()?;
    for _ in 0..trials {
        figures.push(&pair.trial()?);
        progress.step();
    }
    drop(load);
    pair.stop()
}

impl Figures {
    fn push(&mut self, trial: &Trial) {
        match trial {
            Trial::Clean { takeover, given_back } => {
                self.first_advert.0.push(takeover.first_advert);
                self.first_announcement.0.push(takeover.first_announcement);
                self.last_announcement.0.push(takeover.last_announcement);
                self.longest_gap.0.push(takeover.longest_gap);
                self.given_back.0.push(*given_back);
            }
            Trial::MasterLate => self.master_late += 1,
            Trial::TooEarly => self.too_early += 1,
        }
    }
}

/// The table.
pub(super) fn print(rows: &[Row]) {
    println!("\nThe Master is cut off: ms past Master_Down_Interval, captured at the new Master's port");
    for row in rows {
        println!("\n{}", row.case);
        Summary::print_head();
        for (what, samples) in FIGURES {
            for column in &row.columns {
                samples(&column.figures)
                    .summary()
                    .print_millis(&format!("{what}, {}", column.daemon));
            }
        }
        if let Some(cost) = &row.kernel {
            for (what, samples) in [
                ("kernel: one batched add", &cost.add),
                ("kernel: add, then announce", &cost.announced),
                ("kernel: one batched removal", &cost.remove),
            ] {
                samples.summary().print_millis(what);
            }
        }
        for Column { daemon, figures } in &row.columns {
            if figures.master_late > 0 {
                println!(
                    "  {daemon} as Master was late for its own Backup {} times",
                    figures.master_late
                );
            }
            if figures.given_up > 0 {
                println!("  {daemon} did not come to rest, {} times", figures.given_up);
            }
            if figures.too_early > 0 {
                println!("  {daemon} took over TOO EARLY {} times", figures.too_early);
            }
        }
    }
}

/// A figure's name, and where it is.
type Figure = (&'static str, fn(&Figures) -> &Samples);

const FIGURES: [Figure; 5] = [
    ("first advert", |figures| &figures.first_advert),
    ("first GARP", |figures| &figures.first_announcement),
    ("last GARP", |figures| &figures.last_announcement),
    ("longest gap", |figures| &figures.longest_gap),
    ("given back", |figures| &figures.given_back),
];
