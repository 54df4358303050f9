//! `docs/compatibility.md`.

use std::fmt::Write as _;

use vrrp_daemon::config::keywords::{Block, Entry, Keyword, Status};

use super::{follows, outcome, usage};

const INTRODUCTION: &str = "\
# Compatibility with keepalived

<!-- Made by `cargo xtask docs` from the keyword table (vrrp-daemon/src/config/keywords). -->

Every keyword of keepalived's configuration language, block by block, and what becomes of it here. The reference is
keepalived 2.2.7, Debian 12's; keywords that it does not know are those of 2.4.3.

* **follows**: what stands after the keyword. `SECONDS` may have decimals, `N` is a whole number.
* **default**: what holds without it.
* **since**: the keepalived version that brought it; empty: 2.2.7 has it; `after 2.2.7`: 2.4.3 has it; `here only`: our own.
* **use**: A stands in nearly every file, B in many, C in few.
* **here**: `works`: does what it does in keepalived. `accepted`: read silently, for nothing here depends on it. `accepted, not
  done`: read with one warning that says what is not done. `to come`: so for now, but it is to be done. `skipped`: of the load balancer, which `keepalived -C` runs.
  `refused`: the daemon does not start with it, for going on without it would be dangerous.

A keyword that is in no table is a warning and is skipped, with its block if it has one; the daemon starts. Where a keyword works
and something still differs, [differences.md](differences.md) says what keepalived does, what happens here, and why.
";

pub(crate) fn compatibility() -> String {
    let mut text = INTRODUCTION.to_owned();
    totals(&mut text);
    for block in Block::ALL {
        let title = match block {
            Block::Root => "The file's top level".to_owned(),
            _ => format!("`{}`", block.name()),
        };
        table(&mut text, &title, "keyword", block.keywords());
    }
    text.push_str("\n# Words of entries\n");
    for entry in Entry::ALL {
        table(&mut text, entry.name(), "word", entry.words());
    }
    text
}

fn totals(text: &mut String) {
    let keywords = || Block::ALL.into_iter().flat_map(Block::keywords);
    let count = |wanted: fn(Status) -> bool| keywords().filter(|keyword| wanted(keyword.status)).count();
    let to_come = keywords().filter(|keyword| keyword.to_come).count();
    let _infallible = writeln!(
        text,
        "\nOf {} keywords {} work, {} are accepted silently, {} are accepted with a warning and {} more until \
         they are done, {} are the load balancer's, {} refused.",
        keywords().count(),
        count(|status| matches!(status, Status::Works(_))),
        count(|status| matches!(status, Status::Needless(_))),
        count(|status| matches!(status, Status::Missing(_))) - to_come,
        to_come,
        count(|status| matches!(status, Status::LoadBalancer)),
        count(|status| matches!(status, Status::Refused(_))),
    );
}

fn table(text: &mut String, title: &str, first: &str, keywords: &[Keyword]) {
    let _infallible = writeln!(
        text,
        "\n## {title}\n\n| {first} | follows | default | since | use | here | what it does |\n|---|---|---|---|---|---|---|"
    );
    for keyword in keywords {
        let (verdict, more) = outcome(keyword);
        let here = if more.is_empty() {
            verdict.to_owned()
        } else {
            format!("{verdict}: {more}")
        };
        let doc = match keyword.instead {
            Some(instead) => format!("{}; deprecated, use {instead}", keyword.doc),
            None => keyword.doc.to_owned(),
        };
        let follows = match follows(keyword.shape) {
            "" => String::new(),
            follows => format!("`{follows}`"),
        };
        let cells = [
            format!("`{}`", keyword.name),
            follows,
            keyword.default.to_owned(),
            keyword.since.to_owned(),
            usage(keyword.usage).to_owned(),
            here,
            doc,
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _infallible = writeln!(text, "| {} |", cells.join(" | "));
    }
}
