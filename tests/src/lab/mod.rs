//! Hosts in network namespaces, cables to pull, captures to judge by.
//!
//! ```text
//!   host A ──bond0──┐          ┌──bond0── host B
//!                   ├─ front ──┤
//!   client ──front──┘          └──  (bridges "front" and "back" live in the switch, a namespace of its own)
//! ```
//!
//! * [`Lab`] is the switch and its bridges; [`Host`] a namespace with its own `/etc`, `/run` and
//!   `/usr/local/bin`; [`Port`] the switch's end of a cable: pull it, isolate it, capture on it.
//! * [`Capture`] keeps every frame that crosses a port, stamped by the kernel; [`Frame`] reads them with a
//!   decoder of its own, so that a fault in the daemon's wire code cannot hide.
//! * [`Prober`] is the client that keeps asking.
//! * [`Duo`] is two hosts on one network, ready made, and [`Settings`] a file for each.
//! * [`flood`] sends frames by the hundred thousand, in a namespace and within bounds.
//! * [`AddressWatch`] sees a host's addresses come and go, [`Netlink`] changes them many at a time.
//! * [`Daemon`] is a running `vrrp-daemon`, or Debian's keepalived, started with the same command line.
//! * [`vrrpctl`] asks ours, and [`Said`] is what an operator sees of that.
//!
//! Everything dies with the process, also on `kill -9`: namespaces are held by file descriptors only and
//! children get a parent-death signal. Only a lab made by [`Lab::named`] has names under `/run/netns`.

mod capture;
mod client;
mod control;
mod daemon;
mod duo;
pub mod flood;
mod frame;
mod host;
mod kernel;
mod memory;
mod namespace;
mod neighbour;
mod netlink;
mod pcap;
mod privilege;
mod settings;
mod switch;
mod syscalls;
mod wait;

pub use capture::{Capture, Captured, Direction};
pub use client::{Answer, Outage, Prober};
pub use control::{Said, follow, shell, vrrpctl, vrrpctl_as, vrrpctl_events};
pub use daemon::{Daemon, Program, peer_command, target_dir};
pub use duo::{Duo, Side};
pub use frame::{Advert, Frame};
pub use host::Host;
pub use kernel::{detach_bpf_link, run_xdp};
pub use memory::Memory;
pub use namespace::{Namespace, end_all_on_interrupt};
pub use netlink::{AddressBatch, AddressWatch, Change, Netlink, interface_index};
pub use privilege::{is_root, root_or_skip, skip};
pub use settings::Settings;
pub use switch::{Lab, Port};
pub use syscalls::{SyscallTrace, Syscalls};
pub use wait::{Stamp, until};
