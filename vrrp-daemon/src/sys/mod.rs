//! Thin, safe wrappers around what the kernel offers. No protocol in here.
//!
//! `unsafe` is opened in the files that say so in their first lines, and nowhere else.

pub mod address;
pub mod caps;
pub mod clock;
pub mod datagrams;
pub mod directory;
pub mod doorbell;
pub mod ethtool;
pub mod filter;
pub mod interface;
pub mod local_time;
pub mod netlink;
pub mod packet_sock;
pub mod peer;
pub mod pidfd;
pub mod process;
pub mod rawsock;
pub mod ready;
pub mod route;
pub mod rule;
pub mod sched;
#[cfg(test)]
pub(crate) mod scratch;
pub mod scripts;
pub mod sockopt;
pub mod timer;
