//! Turns what the kernel and the world say into `proto`'s inputs.

pub mod control;
pub mod judge;
pub mod links;
pub mod raw;
