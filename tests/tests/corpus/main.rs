//! Realistic configuration files, and the samples of Debian's keepalived package: what keepalived 2.2.7 made of
//! each stands in `tests/data/corpus/outcomes.tsv`, and ours must come to the same, unless `accepted.tsv` there
//! names the file and the reason.
//!
//! `CORPUS_RECORD=1 cargo test -p vrrp-tests --test corpus` runs keepalived on all of them and writes
//! `outcomes.tsv` anew.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

mod files;
mod meaning;
mod mutated;
mod ours;
mod outcome;
mod theirs;

use std::collections::BTreeMap;

use vrrp_daemon::config::Passwords;
use vrrp_tests::lab::{Program, root_or_skip, skip};

use self::outcome::{Accepted, Outcome};

/// Whether ours starts with each file, and the exit status of `-t`.
#[test]
fn ours_comes_to_the_same() {
    let recorded = outcome::recorded();
    let mut accepted = outcome::accepted();
    let mut wrong = Vec::new();
    for file in files::all() {
        let Some(theirs) = recorded.get(&file.name) else {
            wrong.push(format!("{}: not in outcomes.tsv; record it", file.name));
            continue;
        };
        let (loaded, ours) = ours::judge(&file);
        let expected = match accepted.remove(&file.name) {
            Some(Accepted { pending: true, .. }) => continue,
            Some(Accepted { code, runs, .. }) if (code, runs) == (theirs.code, theirs.runs) => {
                wrong.push(format!(
                    "{}: accepted.tsv has it, and it is no difference",
                    file.name
                ));
                continue;
            }
            Some(Accepted { code, runs, .. }) => (code, runs),
            None => (theirs.code, theirs.runs),
        };
        if ours != expected {
            wrong.push(format!(
                "{}: ours (exit status, runs) is {ours:?}, to be {expected:?}; keepalived: {}\n{}",
                file.name,
                theirs.gist,
                loaded
                    .lines()
                    .map(|(_, line)| format!("    {line}\n"))
                    .collect::<String>()
            ));
        }
    }
    // The samples may not be there; a file of our own always is.
    accepted.retain(|name, _| !name.starts_with(files::SAMPLES));
    wrong.extend(
        accepted
            .keys()
            .map(|name| format!("{name}: in accepted.tsv, and there is no such file")),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is on purpose another thing, in `docs/differences.md`; virtual MAC addresses are to come.
const OTHERWISE: &[&str] = &[
    "ipv6-version-2.conf",
    "quirk-address-twice.conf",
    "quirk-addresses-on-one-line.conf",
    "quirk-label-long.conf",
    "quirk-name-of-two-words.conf",
    "quirk-unknown-block.conf",
    "samples/keepalived.conf.conditional_conf",
    "samples/keepalived.conf.vrrp",
    "vmac.conf",
];

/// Virtual routers are understood as keepalived understands them.
#[test]
fn ours_means_the_same() {
    let recorded = outcome::recorded();
    let mut wrong = Vec::new();
    for file in files::all() {
        let (Some(theirs), (loaded, (_, true))) = (recorded.get(&file.name), ours::judge(&file)) else {
            continue;
        };
        let ours = meaning::ours(&loaded.config.unwrap());
        let otherwise = OTHERWISE.contains(&file.name.as_str());
        if theirs.runs && (ours != theirs.means) != otherwise {
            wrong.push(format!(
                "{}:\n  ours {ours:#?}\n  keepalived {:#?}",
                file.name, theirs.means
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `-d` shows is a configuration, and the same one.
#[test]
fn a_dump_is_the_same_configuration() {
    for file in files::all() {
        let (loaded, (_, runs)) = ours::judge(&file);
        if runs {
            let dump = loaded.dump(Passwords::Shown);
            let again = ours::read(&dump);
            let mut config = loaded.config.unwrap();
            // Those are keepalived's, and left out.
            config.global.virtual_servers = 0;
            assert_eq!(again.config, Some(config), "{}:\n{dump}", file.name);
        }
    }
}

/// Every file of our own says first what it is there for.
#[test]
fn each_file_says_what_it_pins() {
    let own = files::own();
    assert!(own.len() >= 40, "{}", own.len());
    for file in own {
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.starts_with("# Pins: "), "{}", file.name);
    }
}

/// The record is true: the keepalived that is here makes the same of every file.
#[test]
fn keepalived_comes_to_what_is_recorded() {
    if !root_or_skip() {
        return;
    }
    let program = match Program::keepalived() {
        Ok(program) => program,
        Err(error) => {
            skip(&format!("{error:#}"));
            return;
        }
    };
    let now: BTreeMap<String, Outcome> = files::all()
        .into_iter()
        .map(|file| (file.name.clone(), theirs::judge(&program, &file).unwrap()))
        .collect();
    if std::env::var_os("CORPUS_RECORD").is_some() {
        outcome::record(&now);
        return;
    }
    let recorded = outcome::recorded();
    let changed: Vec<String> = now
        .iter()
        .filter(|(name, outcome)| recorded.get(*name) != Some(*outcome))
        .map(|(name, outcome)| format!("{name}: {outcome:?}, recorded {:?}", recorded.get(name)))
        .collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}
