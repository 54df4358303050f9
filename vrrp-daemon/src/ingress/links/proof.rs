//! Whether an interface has received a frame since it came up, by the counters of its device. No I/O.
//!
//! What is sent to a group does not count where the device counts it apart: BPDUs and LLDP come from the switch at the
//! other end of the cable, and come through a port that does not forward yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use vrrp_common::time::MonoNanos;

/// What a device has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    frames: u64,
    /// Of these, to a group; 0 where that is not counted.
    multicast: u64,
}

impl Received {
    /// As the kernel tells; `None` if it does not.
    pub(super) fn read(link: &LinkMessage) -> Option<Self> {
        link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Stats64(stats) => Some(Self {
                frames: stats.rx_packets,
                multicast: stats.multicast,
            }),
            _ => None,
        })
    }

    /// Whether a frame came in since `base` that was not sent to a group.
    fn is_more_than(self, base: Self) -> bool {
        // A driver that starts its device anew may count from 0 again.
        let grown = |now: u64, base: u64| now.checked_sub(base).unwrap_or(now);
        let frames = grown(self.frames, base.frames);
        let multicast = grown(self.multicast, base.multicast);
        // A device that counts more multicast than frames counts what it threw away, and says nothing about the rest.
        frames > 0 && frames != multicast
    }
}

/// A device that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Up {
    /// Its index.
    pub(super) ifindex: u32,
    /// What it has received, if it counts.
    pub(super) received: Option<Received>,
}

/// What is known of every interface, by name. It outlives a watch: a reload makes none proven that is not.
#[derive(Clone, Debug, Default)]
pub struct Proofs(Arc<Mutex<HashMap<String, Proof>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Down,
    Unproven {
        ifindex: u32,
        base: Received,
        since: MonoNanos,
    },
    Proven {
        ifindex: u32,
    },
}

/// What an interface's counters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is not up.
    Down,
    /// Nothing has come in since it came up.
    Unproven {
        /// When it came up, or was seen up first.
        since: MonoNanos,
    },
    /// Something has, or it does not count.
    Proven,
}

impl Proofs {
    /// Look at an interface. One that is up when it is seen first
    /// has not just come up: whatever it has received counts.
    pub(super) fn look(&self, name: &str, up: Option<Up>, now: MonoNanos) -> Seen {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(name).copied();
        let (after, seen) = settle(before, up, now);
        if before != Some(after) {
            known.insert(name.to_owned(), after);
        }
        seen
    }
}

fn settle(before: Option<Proof>, up: Option<Up>, now: MonoNanos) -> (Proof, Seen) {
    let Some(Up {
        ifindex: index,
        received,
    }) = up
    else {
        return (Proof::Down, Seen::Down);
    };
    let (base, since) = match before {
        Some(Proof::Proven { ifindex }) if ifindex == index => {
            return (Proof::Proven { ifindex }, Seen::Proven);
        }
        Some(Proof::Unproven { ifindex, base, since }) if ifindex == index => (base, since),
        Some(Proof::Down | Proof::Unproven { .. } | Proof::Proven { .. }) => {
            (received.unwrap_or_default(), now)
        }
        None => (Received::default(), now),
    };
    if received.is_none_or(|received| received.is_more_than(base)) {
        return (Proof::Proven { ifindex: index }, Seen::Proven);
    }
    let unproven = Proof::Unproven {
        ifindex: index,
        base,
        since,
    };
    (unproven, Seen::Unproven { since })
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::MonoNanos;

    use super::{Proofs, Received, Seen, Up};

    fn up(ifindex: u32, frames: u64, multicast: u64) -> Option<Up> {
        let received = Some(Received { frames, multicast });
        Some(Up { ifindex, received })
    }

    /// Seconds, and what an interface has received if it is up; what that says.
    fn play(steps: &[(u64, Option<Up>, Seen)]) {
        let proofs = Proofs::default();
        for (at, up, seen) in steps {
            assert_eq!(proofs.look("eth0", *up, MonoNanos(*at)), *seen, "{at}: {up:?}");
        }
    }

    fn unproven(since: u64) -> Seen {
        Seen::Unproven {
            since: MonoNanos(since),
        }
    }

    /// It may run since long, and the daemon has just begun.
    #[test]
    fn seen_up_first_whatever_it_received_counts() {
        play(&[(5, up(2, 1, 0), Seen::Proven)]);
        play(&[(5, up(2, 900, 899), Seen::Proven)]);
        play(&[(5, up(2, 900, 901), Seen::Proven)]);
        let uncounted = Up {
            ifindex: 2,
            received: None,
        };
        play(&[(5, Some(uncounted), Seen::Proven)]);
        play(&[
            (5, up(2, 0, 0), unproven(5)),
            (6, up(2, 7, 7), unproven(5)),
            (7, up(2, 8, 7), Seen::Proven),
            (8, up(2, 8, 7), Seen::Proven),
        ]);
    }

    #[test]
    fn once_it_was_down_growth_counts() {
        play(&[
            (1, up(2, 900, 100), Seen::Proven),
            (2, None, Seen::Down),
            (3, up(2, 901, 100), unproven(3)),
            (4, up(2, 903, 102), unproven(3)),
            (5, up(2, 904, 102), Seen::Proven),
        ]);
        // It was not there, or not up, when the daemon began.
        play(&[
            (1, None, Seen::Down),
            (2, up(2, 3, 0), unproven(2)),
            (3, up(2, 4, 0), Seen::Proven),
        ]);
    }

    #[test]
    fn another_device_of_the_same_name_is_another() {
        play(&[
            (1, up(2, 900, 100), Seen::Proven),
            (2, up(3, 0, 0), unproven(2)),
            (3, up(3, 1, 0), Seen::Proven),
        ]);
    }

    #[test]
    fn counters_that_begin_again_do_not_hide_a_frame() {
        play(&[
            (1, None, Seen::Down),
            (2, up(2, 900, 100), unproven(2)),
            (3, up(2, 2, 1), Seen::Proven),
        ]);
    }

    /// A reload: another watch goes on with the same.
    #[test]
    fn what_is_known_is_shared() {
        let proofs = Proofs::default();
        assert_eq!(proofs.look("eth0", None, MonoNanos(1)), Seen::Down);
        let up = up(2, 900, 0);
        assert_eq!(proofs.clone().look("eth0", up, MonoNanos(2)), unproven(2));
        assert_eq!(proofs.look("eth0", up, MonoNanos(3)), unproven(2));
        assert_eq!(proofs.look("eth1", up, MonoNanos(3)), Seen::Proven);
    }
}
