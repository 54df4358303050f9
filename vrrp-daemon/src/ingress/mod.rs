//! (to be written)
pub mod control;
