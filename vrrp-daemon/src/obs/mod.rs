//! What is shown of the daemon: log lines ([`phrase`], [`log`]) and the status table.

pub mod log;
pub mod phrase;
pub mod replay;
pub mod status;
