//! The commands of the documents, run; `vrrp_tests::document` says how. One test for each document, and one that fails if a
//! document has a command that nobody runs.
//!
//! When something differs, the document as the commands answer now is left under `target`.

mod build;
mod hosts;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use vrrp_tests::document::{Document, Runner, complete, documents, play};
use vrrp_tests::lab::root_or_skip;

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("every_command_has_somebody_who_runs_it", || {
        complete().map_err(|error| format!("{error:#}").into())
    })];
    for name in documents(Runner::Hosts) {
        trials.push(Trial::test(name, move || {
            if root_or_skip() {
                let document = Document::read(name)?;
                play(&document, Runner::Hosts, &mut hosts::Hosts::new()?)
                    .map_err(|error| format!("{error:#}"))?;
            }
            Ok(())
        }));
    }
    for name in documents(Runner::Build) {
        trials.push(Trial::test(format!("{name}_builds"), move || {
            build::check(&Document::read(name)?).map_err(|error| format!("{error:#}").into())
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
