//! The package on a Debian with systemd: installed, started, reloaded, restarted, upgraded, removed.
//!
//! `cargo xtask test --vm` builds two packages and boots a system for them; see `xtask/src/vm/system.rs`. The feature
//! `vm` keeps these tests out of every other run.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod beside;
mod machine;
mod package;
mod restart;
mod service;
