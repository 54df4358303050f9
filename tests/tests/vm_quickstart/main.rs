//! What the documents do with systemd and the package, command by command, on two hosts that have nothing but a Debian.
//!
//! `cargo xtask test --vm systemd` boots a guest for it; in that the hosts are containers, each with a systemd of its own. They
//! are booted once, and made bare again before each document.

mod container;
mod pair;

use std::time::Instant;

use vrrp_tests::document::{Document, Runner, documents, play};

#[test]
fn every_command_that_takes_systemd_answers_what_its_document_says() {
    assert_eq!(
        std::env::var("VRRP_VM").as_deref(),
        Ok("1"),
        "this runs in a virtual machine only: `cargo xtask test --vm systemd`"
    );
    let mut pair = pair::Pair::boot().unwrap();
    let mut wrong = Vec::new();
    for name in documents(Runner::System) {
        let begun = Instant::now();
        pair::progress(name);
        pair.make_bare().unwrap();
        if let Err(error) = play(&Document::read(name).unwrap(), Runner::System, &mut pair) {
            pair::progress(&format!("{error:#}"));
            wrong.push(format!("{error:#}\n{}", pair.journals()));
        }
        pair::progress(&format!("{name}: {} s", begun.elapsed().as_secs()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
