//! What the daemon tells the kernel: the rules of virtual routers and of their peers.

use core::net::IpAddr;

use super::index::{mix, pair};
use super::{AddressWords, MAX_PDU, address_words, family_byte};
use crate::id::{Family, Version, Vrid};
use crate::time::{Centis, Nanos};
use crate::wire::auth::Auth;
use crate::wire::ethernet::{EtherType, Mac};
use crate::wire::ladder::TtlRange;

/// What names a virtual router on the wire. The destination is part of it, so a frame for another host (or
/// another group) finds nothing and passes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterKey {
    /// The device the program is attached to.
    pub ifindex: u32,
    /// VLAN tags in the frame ([`with_tag`]); 0 without a tag (or with a priority tag).
    pub vlan: u32,
    /// Our unicast source, or the group.
    pub destination: AddressWords,
    /// [`family_byte`].
    pub family: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Zero.
    pub pad: [u8; 2],
}

impl RouterKey {
    /// What its entry in [`ROUTER_INDEX`](super::ROUTER_INDEX) is found by.
    #[inline(always)]
    #[must_use]
    pub const fn hash(&self) -> u64 {
        let [a, b, c, d] = self.destination;
        let name = u32::from_be_bytes([0, 0, self.family, self.vrid]);
        mix(pair(self.ifindex, self.vlan), pair(a ^ c, b ^ d ^ name))
    }

    /// The key of a virtual router whose adverts reach `ifindex` behind these VLAN tags.
    #[must_use]
    pub const fn new(ifindex: u32, vlan: u32, vrid: Vrid, destination: IpAddr) -> Self {
        Self {
            ifindex,
            vlan,
            destination: address_words(destination),
            family: family_byte(Family::of(destination)),
            vrid: vrid.value(),
            pad: [0; 2],
        }
    }
}

/// `outer` ([`RouterKey::vlan`]) and behind it one more tag: 13 bits of it, the VLAN identifier, and above it whether it
/// is a service tag (802.1ad), whose VLANs are others than those of 802.1Q. The identifier 0 is a priority tag, which
/// says of no VLAN.
#[inline(always)]
#[must_use]
pub const fn with_tag(outer: u32, ethertype: EtherType, control: u16) -> u32 {
    let [high, low] = control.to_be_bytes();
    let vlan = u32::from_be_bytes([0, 0, high & 0x0f, low]);
    if vlan == 0 {
        return outer;
    }
    let service = if ethertype.0 == EtherType::SERVICE_VLAN.0 {
        1 << 12
    } else {
        0
    };
    outer << 13 | service | vlan
}

/// What the kernel demands of an advert for a virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterRules {
    /// The shortest time between two adverts of one sender for which the daemon is woken, in nanoseconds, after
    /// a burst of [`BURST`].
    pub spacing: u64,
    /// With [`RouterRules::CHECK_SOURCE`]: the [`source_bit`]s of all who may send. Who has none of them is not among
    /// them; who has one may be.
    pub sources: u64,
    /// Of refusals of one kind the daemon is shown one in so many ticks of the kernel's clock (`jiffies`), on each CPU.
    pub shown_every: u64,
    /// Number of the router in [`PeerKey`] and [`Record`](super::Record); never given twice while a program is loaded.
    pub slot: u32,
    /// Where senders without a [`PeerRules`] sit, all of them together.
    pub seat: u32,
    /// VRRPv2's password, if `auth_type` is 1.
    pub password: [u8; 8],
    /// Our interval in centiseconds.
    pub interval: u16,
    /// [`RouterRules::CHECK_SOURCE`], [`RouterRules::PASS_ACCEPTED`], [`RouterRules::CHECK_MAC`].
    pub flags: u16,
    /// 2 or 3.
    pub version: u8,
    /// VRRPv2's Auth Type.
    pub auth_type: u8,
    /// Lowest TTL accepted, unless [`RouterRules::CHECK_SOURCE`]: then the peer's counts.
    pub ttl_min: u8,
    /// Highest TTL accepted, likewise.
    pub ttl_max: u8,
    /// The device's own address, with [`RouterRules::CHECK_MAC`]: a unicast frame to another one is not ours,
    /// whatever IP address is in it.
    pub mac: [u8; 6],
    /// Zero.
    pub pad: [u8; 2],
}

impl RouterRules {
    /// Only sources with a [`PeerRules`] may send.
    pub const CHECK_SOURCE: u16 = 1;
    /// Accepted adverts go on to the stack too, where tcpdump sees them.
    pub const PASS_ACCEPTED: u16 = 2;
    /// `mac` is known.
    pub const CHECK_MAC: u16 = 4;

    /// Rules that depend on the configuration alone. `slot` and `seat` are still to be given.
    #[must_use]
    pub fn new(version: Version, interval: Centis, auth: Auth, ttl: TtlRange, flags: u16) -> Self {
        Self {
            spacing: spacing(interval),
            sources: 0,
            shown_every: 0,
            slot: 0,
            seat: super::NO_SEAT,
            password: match auth {
                Auth::None => [0; 8],
                Auth::Pass(password) => password,
            },
            interval: interval.value(),
            flags,
            version: version.number(),
            auth_type: auth.wire_type(),
            ttl_min: ttl.min,
            ttl_max: ttl.max,
            mac: [0; 6],
            pad: [0; 2],
        }
    }
}

/// The bit of a source address in [`RouterRules::sources`], a Bloom filter with one hash function.
#[inline(always)]
#[must_use]
pub const fn source_bit(source: &AddressWords) -> u64 {
    let [a, b, c, d] = *source;
    // The last byte on the wire differs between neighbours, wherever the machine has it in the word.
    let mixed = (a ^ b ^ c ^ d).wrapping_mul(0x9e37_79b1);
    1 << (mixed >> 26)
}

/// For so many adverts of one sender the daemon is woken at once; after them at the rate of
/// [`ADVERTS_PER_INTERVAL`].
pub const BURST: u64 = 32;
/// So many adverts of one sender in one interval may wake the daemon. An honest one sends one, and a few more when
/// something changes.
pub const ADVERTS_PER_INTERVAL: u64 = 4;

/// [`RouterRules::spacing`] for an interval.
fn spacing(interval: Centis) -> u64 {
    let Nanos(interval) = interval.nanos();
    interval / ADVERTS_PER_INTERVAL
}

/// A sender of adverts for one virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// [`RouterRules::slot`].
    pub slot: u32,
    /// IP source.
    pub source: AddressWords,
}

impl PeerKey {
    /// What its entry in [`PEER_INDEX`](super::PEER_INDEX) is found by.
    #[inline(always)]
    #[must_use]
    pub const fn hash(&self) -> u64 {
        let [a, b, c, d] = self.source;
        mix(pair(self.slot, b ^ c), pair(a, d))
    }
}

/// What the kernel is told of a sender.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRules {
    /// Its place in [`SEEN`](super::SEEN) and [`KEPT`](super::KEPT).
    pub seat: u32,
    /// The only Ethernet source accepted, with `pinned`.
    pub mac: [u8; 6],
    /// Lowest TTL accepted from a listed peer.
    pub ttl_min: u8,
    /// Highest TTL accepted from a listed peer.
    pub ttl_max: u8,
    /// 1: `mac` counts. 0: any.
    pub pinned: u8,
    /// Zero.
    pub pad: [u8; 3],
}

impl PeerRules {
    /// The rules for who sits in `seat`.
    #[must_use]
    pub fn new(seat: u32, ttl: TtlRange, mac: Option<Mac>) -> Self {
        Self {
            seat,
            mac: mac.unwrap_or_default().0,
            ttl_min: ttl.min,
            ttl_max: ttl.max,
            pinned: u8::from(mac.is_some()),
            pad: [0; 3],
        }
    }
}

/// A cell of [`PEERS`](super::PEERS).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom it is for.
    pub key: PeerKey,
    /// What is demanded of it.
    pub rules: PeerRules,
}

/// The Master that the daemon follows, and the advert of it that is no news. Its rules stand beside it, so that one
/// look-up finds all that judging it takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// A gap between two adverts from this one on is news, in nanoseconds.
    pub late_after: u64,
    /// Its IP source.
    pub source: AddressWords,
    /// As in [`PEERS`](super::PEERS). With [`NO_SEAT`](super::NO_SEAT) nobody is followed.
    pub peer: PeerRules,
    /// Bytes of `message` that count; 0: none is known.
    pub len: u16,
    /// Zero.
    pub pad: [u8; 6],
    /// One that the daemon has accepted by the same rules, zeros behind it. It is no news while
    /// [`PeerSeen::hushed`](super::PeerSeen::hushed) says so.
    pub message: [u8; MAX_PDU],
}

impl Known {
    /// Nobody is followed.
    pub const NOBODY: Self = Self {
        late_after: 0,
        source: [0; 4],
        peer: PeerRules {
            seat: super::NO_SEAT,
            mac: [0; 6],
            ttl_min: 0,
            ttl_max: 0,
            pinned: 0,
            pad: [0; 3],
        },
        len: 0,
        pad: [0; 6],
        message: [0; MAX_PDU],
    };

    /// `message` of `source` may be no news, unless it comes `late_after` after the one before. `None` for one that is too
    /// long.
    #[must_use]
    pub fn new(source: AddressWords, peer: PeerRules, message: &[u8], late_after: Nanos) -> Option<Self> {
        let mut known = Self {
            late_after: late_after.0,
            source,
            peer,
            len: u16::try_from(message.len()).ok()?,
            ..Self::NOBODY
        };
        known.message.get_mut(..message.len())?.copy_from_slice(message);
        Some(known)
    }
}

/// All that the kernel is told of a virtual router: a cell of [`ROUTERS`](super::ROUTERS).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Router {
    /// Its demands.
    pub rules: RouterRules,
    /// Whom it is for. The devices of a bond have entries in the index that point here too, so this one's is not compared.
    pub key: RouterKey,
    /// Zero.
    pub pad: [u8; 4],
    /// Whom the daemon follows.
    pub known: Known,
}

const _: () = {
    assert!(size_of::<RouterKey>() == 28);
    assert!(size_of::<RouterRules>() == 56);
    assert!(size_of::<PeerKey>() == 20);
    assert!(size_of::<PeerRules>() == 16);
    assert!(size_of::<Peer>() == 36);
    assert!(size_of::<Known>() == 48 + MAX_PDU);
    assert!(size_of::<Router>() == 56 + 28 + 4 + 48 + MAX_PDU);
    assert!(MAX_PDU.is_multiple_of(64));
};

#[cfg(test)]
mod tests {
    use super::with_tag;
    use crate::wire::ethernet::EtherType;

    #[test]
    fn tags_make_one_number_and_a_priority_makes_none() {
        let (vlan, service) = (EtherType::VLAN, EtherType::SERVICE_VLAN);
        assert_eq!(with_tag(0, vlan, 10), 10);
        assert_eq!(with_tag(0, vlan, 0xf00a), 10);
        assert_eq!(with_tag(0, service, 10), 4_096 + 10);
        assert_eq!(with_tag(0, service, 0xe000), 0);
        assert_eq!(with_tag(10, vlan, 0xe000), 10);
        assert_eq!(
            with_tag(with_tag(0, service, 20), vlan, 10),
            (4_096 + 20) * 8_192 + 10
        );
        assert_eq!(
            with_tag(with_tag(0, vlan, 4_095), vlan, 4_095),
            4_095 * 8_192 + 4_095
        );
    }
}
