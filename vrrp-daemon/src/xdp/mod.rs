//! The XDP path: the program that judges and stamps adverts before the network stack, its maps, and the
//! devices it is attached to.
//!
//! Everything here lives as long as the process: programs, maps and links are file descriptors, nothing is
//! pinned, so nothing stays behind after `kill -9`. Whatever fails, the raw sockets still hear every advert;
//! each error says in one line why, and what would help.

mod attach;
mod blind;
mod cells;
mod copies;
mod events;
mod grace;
mod index;
mod link;
mod liveness;
mod loader;
mod maps;
mod object;
mod refusals;
mod seats;
mod shared;
mod table;
mod tallies;
#[cfg(feature = "xdp-log")]
mod verdicts;

pub use attach::{AttachError, Attached, Mode};
pub use events::Event;
pub use liveness::{Arrivals, Life};
pub use loader::{XdpError, XdpPath};
pub use maps::{MapsError, Place};
pub use object::embedded;
pub use tallies::Counters;
