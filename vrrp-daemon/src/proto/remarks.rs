//! Limits what a neighbour's packets can make us write.

use vrrp_common::id::Vrid;
use vrrp_common::time::{MonoNanos, Nanos};

use super::effect::Remark;
use super::input::Clue;

/// After this long a kind may be said again.
const AGAIN: Nanos = Nanos::from_secs(60);

/// Which kinds were said since the last change of state, or in the last minute.
///
/// A change of Master does not reset it: two sources that take turns would otherwise buy a line per packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    kinds: u32,
    since: MonoNanos,
}

impl Said {
    /// Whether `remark` may be said now.
    pub(super) fn admits(&mut self, now: MonoNanos, remark: &Remark) -> bool {
        let Some(kind) = kind(remark) else {
            return true;
        };
        if now >= self.since + AGAIN {
            *self = Self { kinds: 0, since: now };
        }
        let first = self.kinds & (1 << kind) == 0;
        self.kinds |= 1 << kind;
        first
    }

    /// The state changed: everything is news again.
    pub(super) fn reset(&mut self, now: MonoNanos) {
        *self = Self { kinds: 0, since: now };
    }
}

/// Which unknown VRIDs were named in the last minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unknown {
    named: [u64; 4],
    since: MonoNanos,
}

impl Unknown {
    /// Whether this one may be named now.
    pub(super) fn admits(&mut self, now: MonoNanos, vrid: Vrid) -> bool {
        if now >= self.since + AGAIN {
            *self = Self {
                named: [0; 4],
                since: now,
            };
        }
        let (word, bit) = (usize::from(vrid.value() / 64), vrid.value() % 64);
        let Some(word) = self.named.get_mut(word) else {
            return false;
        };
        let first = *word & (1 << bit) == 0;
        *word |= 1 << bit;
        first
    }
}

/// The bit of a limited kind; `None` for what only our own host can cause, and rarely.
fn kind(remark: &Remark) -> Option<u8> {
    match remark {
        // One bit for each of the fifteen rungs.
        Remark::Refused { refusal, .. } => Some(refusal.number()),
        Remark::IntervalAdopted { .. } => Some(16),
        Remark::IntervalTooLong { .. } => Some(17),
        Remark::AddressesDiffer { .. } => Some(18),
        Remark::LowerPriority { .. } => Some(19),
        Remark::PreemptPending { .. } => Some(20),
        Remark::TwoOwners { .. } => Some(21),
        Remark::SameAddress { .. } => Some(22),
        Remark::AddressesRefused { .. } => Some(23),
        Remark::Stranger { clue, .. } => match clue {
            // Limited by VRID, see `Unknown`.
            Clue::UnknownVrid => None,
            Clue::OurAddress => Some(24),
            Clue::Multicast => Some(25),
            Clue::Unicast => Some(26),
        },
        Remark::IntervalTooShort { .. } => Some(27),
        Remark::Late { .. } => Some(28),
        Remark::Overslept { .. }
        | Remark::LinkHold { .. }
        | Remark::SendFailed { .. }
        | Remark::SendRecovered
        | Remark::Standby { .. }
        | Remark::StandbyAlone
        | Remark::Resumed { .. }
        | Remark::PriorityChanged { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv4Addr};

    use vrrp_common::id::Vrid;
    use vrrp_common::time::{MonoNanos, Nanos};
    use vrrp_common::wire::ladder::Refusal;

    use super::{Said, Unknown, kind};
    use crate::proto::effect::Remark;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const START: MonoNanos = MonoNanos(1_000_000_000);

    fn refused(refusal: Refusal) -> Remark {
        Remark::Refused {
            source: SOURCE,
            mac: None,
            refusal,
        }
    }

    #[test]
    fn once_a_minute_or_after_a_change_of_state() {
        let mut said = Said::default();
        said.reset(START);
        assert!(said.admits(START, &refused(Refusal::Ttl)));
        assert!(!said.admits(START, &refused(Refusal::Ttl)));
        assert!(said.admits(START, &refused(Refusal::Checksum)));
        assert!(!said.admits(START + Nanos::from_millis(59_999), &refused(Refusal::Ttl)));
        assert!(said.admits(START + Nanos::from_secs(60), &refused(Refusal::Ttl)));
        said.reset(START + Nanos::from_secs(61));
        assert!(said.admits(START + Nanos::from_secs(61), &refused(Refusal::Ttl)));
    }

    #[test]
    fn each_unknown_vrid_once_a_minute() {
        let mut unknown = Unknown::default();
        for vrid in [1, 63, 64, 255] {
            let vrid = Vrid::new(vrid).unwrap();
            assert!(unknown.admits(START, vrid));
            assert!(!unknown.admits(START + Nanos::from_secs(58), vrid));
        }
        assert!(unknown.admits(START + Nanos::from_secs(60), Vrid::new(64).unwrap()));
    }

    #[test]
    fn own_failures_are_never_withheld() {
        let mut said = Said::default();
        for _ in 0..3 {
            assert!(said.admits(START, &Remark::SendFailed { errno: 1 }));
        }
    }

    #[test]
    fn every_limited_kind_has_its_own_bit() {
        let mut kinds: Vec<_> = Refusal::ALL
            .into_iter()
            .map(|refusal| kind(&refused(refusal)))
            .collect();
        kinds.extend([
            kind(&Remark::AddressesDiffer {
                source: SOURCE,
                mac: None,
            }),
            kind(&Remark::TwoOwners {
                source: SOURCE,
                mac: None,
            }),
            kind(&Remark::SameAddress {
                source: SOURCE,
                mac: None,
            }),
            kind(&Remark::AddressesRefused { failed: 1 }),
        ]);
        assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len());
        assert!(kinds.into_iter().all(|kind| kind.is_some_and(|bit| bit < 32)));
    }
}
