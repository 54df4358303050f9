//! What the daemon and its XDP program both need to know about VRRP: identifiers, units, wire
//! formats and the layout of the maps they share.
//!
//! `no_std`, no allocation, no `unsafe` outside [`abi`]. Everything here is a pure function of its
//! arguments.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::wildcard_enum_match_arm
    )
)]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod id;
pub mod time;
pub mod timers;
pub mod wire;
