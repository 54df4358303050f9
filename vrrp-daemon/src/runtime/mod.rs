//! (to be written)
pub mod service;
