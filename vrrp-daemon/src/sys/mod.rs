//! (to be written)
pub mod process;
