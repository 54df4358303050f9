//! VRRP itself, without I/O: `(now, Input)` in, [`Effect`]s and one next deadline out.
//!
//! Nothing in here reads a clock, a socket, a file, a random number or a logger (`cargo xtask lint` checks
//! it). RFC 9568 says Active and Backup; this project, like keepalived's users, says Master and Backup:
//!
//! | RFC 9568 | here |
//! |---|---|
//! | Initialize | [`State::Init`] |
//! | Backup | [`State::Backup`] |
//! | Active | [`State::Master`] |
//! | (none) | [`State::Fault`]: something tracked without a weight is down |
//!
//! The contract of [`Vrrp`], in the manner of quinn-proto: hand over one input, carry out the
//! effects **in their order**, and only then hand over the next. `now` never goes backwards. A spurious
//! [`Input::Tick`] does nothing.
#![deny(clippy::wildcard_enum_match_arm, clippy::indexing_slicing)]

mod backup;
pub mod counters;
mod deadlines;
pub mod effect;
mod election;
mod hold;
pub mod input;
mod instance;
mod master;
pub mod model;
pub mod record;
pub mod reload;
mod remarks;
pub mod router;
mod tracking;

pub use effect::{Effect, NotifyState, Reason, Remark, Subject};
pub use hold::HoldNews;
pub use input::{Clue, Heard, Input, LinkState, ScriptState};
pub use model::{FileId, GroupId, LinkId, Model, ProcessId, RouterId, ScriptId, UnitId};
pub use reload::Correspondence;
pub use router::estate::{Estate, Unfit};
pub use router::{Outlook, StandbySeen, State, Vrrp};
pub use tracking::Share;

#[cfg(test)]
mod tests;
