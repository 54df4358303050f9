//! What is shown of the daemon: log lines ([`phrase`], [`log`]), and what `vrrpctl` makes of its answers.

pub mod counters;
pub mod event;
pub mod explain;
pub mod log;
pub mod peers;
pub mod phrase;
pub mod replay;
pub mod span;
pub mod status;
mod table;
pub mod verdict;
