//! The documents that are made from the daemon's tables, which `cargo xtask docs` writes: of the keywords
//! `docs/compatibility.md` and the manual page vrrp-daemon.conf(5), of the command lines the pages vrrp-daemon(8) and
//! vrrpctl(1), and what shells complete by.

#[path = "../../src/bin/vrrpctl/args.rs"]
#[expect(dead_code, reason = "only its tables are of use here")]
mod args;
mod completions;
mod man;
mod markdown;
mod programs;
#[path = "../../src/bin/vrrpctl/manual.rs"]
mod vrrpctl;

use std::process::ExitCode;

use vrrp_daemon::config::keywords::{Keyword, Shape, Status, Usage};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = match arguments.as_slice() {
        ["compatibility"] => Some(Ok(markdown::compatibility())),
        ["man", "vrrp-daemon.conf"] => Some(Ok(man::page())),
        ["man", "vrrp-daemon"] => Some(programs::daemon()),
        ["man", "vrrpctl"] => Some(programs::tool()),
        [shell, "vrrp-daemon"] => completions::daemon(shell),
        [shell, "vrrpctl"] => completions::tool(shell),
        _ => None,
    };
    match text {
        Some(Ok(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            eprintln!("manual: {error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("manual compatibility | manual man PAGE | manual bash|zsh|fish PROGRAM");
            ExitCode::FAILURE
        }
    }
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
