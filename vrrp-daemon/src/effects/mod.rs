//! (to be written)
pub mod notify;
