//! The documents that are made from the keyword table: `docs/compatibility.md` and the manual page
//! vrrp-daemon.conf(5). `cargo xtask docs` writes them.

mod man;
mod markdown;

use std::process::ExitCode;

use vrrp_daemon::config::keywords::{Keyword, Shape, Status, Usage};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let text = match (arguments.next().as_deref(), arguments.next()) {
        (Some("compatibility"), None) => markdown::compatibility(),
        (Some("man"), None) => man::page(),
        _ => {
            eprintln!("manual compatibility | manual man");
            return ExitCode::FAILURE;
        }
    };
    print!("{text}");
    ExitCode::SUCCESS
}

/// What follows a keyword, as a reader of manuals knows it.
const fn follows(shape: Shape) -> &'static str {
    match shape {
        Shape::Flag => "",
        Shape::Bool => "[on|off]",
        Shape::Number => "N",
        Shape::Seconds => "SECONDS",
        Shape::Address => "ADDRESS",
        Shape::Word => "WORD",
        Shape::Words => "WORD…",
        Shape::Command => "\"COMMAND\"",
        Shape::Block(_) => "{ … }",
        Shape::Named(_) => "NAME { … }",
        Shape::Entries => "{ ENTRY … }",
        Shape::Any => "…",
    }
}

/// What becomes of a keyword here; the second part says more.
fn outcome(keyword: &Keyword) -> (&'static str, String) {
    match keyword.status {
        Status::Works(_) => ("works", String::new()),
        Status::Needless(why) => ("accepted", why.to_owned()),
        Status::Missing(what) if keyword.to_come => ("to come", what.to_owned()),
        Status::Missing(what) => ("accepted, not done", what.to_owned()),
        Status::LoadBalancer => ("skipped", "for `keepalived -C`".to_owned()),
        Status::Refused(remedy) => ("refused", remedy.to_owned()),
    }
}

const fn usage(usage: Usage) -> &'static str {
    match usage {
        Usage::Everywhere => "A",
        Usage::Common => "B",
        Usage::Rare => "C",
    }
}
