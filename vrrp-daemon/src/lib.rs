//! The daemon's parts, floor by floor; see ARCHITECTURE.md.
//!
//! A module uses floors below it, never one above and never sideways (checked by `cargo xtask lint`).

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
