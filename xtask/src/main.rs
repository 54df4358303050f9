//! The project's own commands. Each verb is one file; this one only dispatches, and `paths` says where things
//! are.

mod abi;
mod bench;
mod build;
mod demo;
mod docs;
mod lint;
mod package;
mod paths;
mod setup;
mod test;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set up, build, show, test and measure the project"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install what building and testing need
    Setup(setup::Args),
    /// Build the XDP program and the daemon with it embedded
    Build(build::Args),
    /// Two hosts, four addresses, a master that dies: watch the takeover
    Demo(demo::Args),
    /// Run all tests
    Test(test::Args),
    /// Measure beside keepalived
    Bench(bench::Args),
    /// Write the documents that are made from the keyword table
    Docs(docs::Args),
    /// Write down the layout shared with the XDP program, after `ABI_VERSION` was raised
    Abi(abi::Args),
    /// Build the Debian package and the tarball
    Package(package::Args),
    /// Formatting, clippy, floors, purity of proto
    Lint(lint::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Setup(args) => setup::run(args),
        Verb::Build(args) => build::run(args),
        Verb::Demo(args) => demo::run(args),
        Verb::Test(args) => test::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Docs(args) => docs::run(args),
        Verb::Abi(args) => abi::run(args),
        Verb::Package(args) => package::run(args),
        Verb::Lint(args) => lint::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `{:?}`: a backtrace of xtask helps nobody whose demo failed.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
