//! What came of a file, and the tables that say so: a line each, fields parted by tabs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::files;

/// What keepalived made of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The exit status of `-t`.
    pub(crate) code: u8,
    /// Whether it starts with the file.
    pub(crate) runs: bool,
    /// Lines that `-t` prints.
    pub(crate) remarks: usize,
    /// The first of them, shortened.
    pub(crate) gist: String,
    /// What each virtual router is to be; see [`super::meaning`].
    pub(crate) means: Vec<String>,
}

/// What ours makes of a file, where that is another thing on purpose.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) code: u8,
    pub(crate) runs: bool,
    /// It is on no purpose, and to go.
    pub(crate) pending: bool,
}

const HEAD: &str = "# What keepalived 2.2.7 made of each file. Made by `CORPUS_RECORD=1 cargo test -p vrrp-tests --test corpus`.\n\
                    # file\texit status of -t\tstarts with it\tremarks of -t\tthe first ones\n";

const MEANINGS: &str = "# What the virtual routers of each file are to be, as keepalived 2.2.7's -d shows it; made with outcomes.tsv.\n\
                        # garp: delay/repeat/refresh/refresh repeat/lower priority delay/lower priority repeat. Addresses, then \
                        excluded ones.\n";

/// By file.
pub(crate) fn recorded() -> BTreeMap<String, Outcome> {
    let mut means: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows("meanings.tsv") {
        let [file, meaning] = row.try_into().unwrap();
        means.entry(file).or_default().push(meaning);
    }
    rows("outcomes.tsv")
        .into_iter()
        .map(|row| {
            let [file, code, runs, remarks, gist] = row.try_into().unwrap();
            let outcome = Outcome {
                code: code.parse().unwrap(),
                runs: is_yes(&runs),
                remarks: remarks.parse().unwrap(),
                gist,
                means: means.remove(&file).unwrap_or_default(),
            };
            (file, outcome)
        })
        .collect()
}

/// By file.
pub(crate) fn accepted() -> BTreeMap<String, Accepted> {
    rows("accepted.tsv")
        .into_iter()
        .map(|row| {
            let [file, code, runs, reason] = row.try_into().unwrap();
            assert!(reason.len() > 20, "{file}: give the reason");
            let accepted = Accepted {
                code: code.parse().unwrap(),
                runs: is_yes(&runs),
                pending: reason.starts_with("not yet"),
            };
            (file, accepted)
        })
        .collect()
}

pub(crate) fn record(outcomes: &BTreeMap<String, Outcome>) {
    let mut text = HEAD.to_owned();
    let mut meanings = MEANINGS.to_owned();
    for (file, outcome) in outcomes {
        let Outcome {
            code,
            runs,
            remarks,
            gist,
            means,
        } = outcome;
        for meaning in means {
            writeln!(meanings, "{file}\t{meaning}").unwrap();
        }
        let runs = if *runs { "yes" } else { "no" };
        writeln!(text, "{file}\t{code}\t{runs}\t{remarks}\t{gist}").unwrap();
    }
    fs::write(files::folder().join("outcomes.tsv"), text).unwrap();
    fs::write(files::folder().join("meanings.tsv"), meanings).unwrap();
}

fn is_yes(field: &str) -> bool {
    assert!(matches!(field, "yes" | "no"), "{field}");
    field == "yes"
}

fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(files::folder().join(name)).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}
