//! (to be written)
pub mod pidfile;
pub mod service;
pub mod supervisor;
