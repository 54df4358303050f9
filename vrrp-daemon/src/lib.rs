//! The daemon's parts, floor by floor; see ARCHITECTURE.md.
//!
//! A module uses floors below it, never one above and never sideways (checked by `cargo xtask lint`).

// What comes from outside cannot panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

// F1
pub mod proto;
// F2
pub mod config;
pub mod sys;
pub mod xdp;
// F3
pub mod effects;
pub mod ingress;
pub mod track;
// F4
pub mod runtime;
// F5
pub mod cli;
pub mod obs;
