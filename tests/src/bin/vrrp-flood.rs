//! Sends the frames it is given, many times, in a network namespace of its own: see `vrrp_tests::lab::flood`.

#![deny(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match vrrp_tests::lab::flood::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vrrp-flood: {error:#}");
            ExitCode::FAILURE
        }
    }
}
