//! The receive ladder: every rule an advert must hold, in one order, shared by the XDP program and the
//! daemon, so that both give the same reason for the same bytes.
//!
//! ```text
//! fragment -> truncated -> version -> type -> VRID -> (router found) -> source -> MAC -> TTL -> router's version
//!   -> count -> length -> checksum -> authentication type -> password -> interval
//! ```
//!
//! The rungs up to "VRID" need no configuration ([`Head::read`]); the rest need the virtual router's
//! [`Rules`]. RFC 9568 §7.1 and RFC 3768 §7.1 name the rules; where RFC and practice disagree the comment
//! at the rung says which way we went.

use core::net::IpAddr;

use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;

pub use super::auth::Auth;
use super::ethernet::Mac;

/// IP protocol number of VRRP.
pub const IP_PROTOCOL: u8 = 112;
/// Bytes before the first address, in both versions.
pub const HEAD_LEN: usize = 8;
/// Bytes of authentication data that end every VRRPv2 advert, used or not (RFC 3768 §5.3.10).
pub const AUTH_DATA_LEN: u16 = 8;
/// TTL or hop limit of every advert (RFC 9568 §5.1.1.3).
pub const TTL: u8 = 255;

/// Why an advert was refused. The discriminants number the drop counters shared with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "user", serde(rename_all = "kebab-case"))]
#[repr(u8)]
pub enum Refusal {
    /// An IP fragment: an advert is far too short to be fragmented by anyone honest.
    Fragment = 0,
    /// The IP packet or its VRRP message ends before the eight bytes that every advert has.
    Truncated = 1,
    /// Neither version 2 nor 3.
    Version = 2,
    /// Not an ADVERTISEMENT (type 1).
    Type = 3,
    /// VRID 0, or one for which no virtual router is configured here.
    Vrid = 4,
    /// Sent by an address that is not a configured unicast peer.
    Source = 5,
    /// Sent from another Ethernet address than the one that its peer is pinned to.
    Mac = 6,
    /// TTL or hop limit outside the policy (255 for multicast).
    Ttl = 7,
    /// The other VRRP version than the virtual router's.
    RouterVersion = 8,
    /// No address in it (RFC 9568 erratum 8299), although the virtual router has some.
    Count = 9,
    /// Length differs from what version and address count say.
    Length = 10,
    /// Checksum wrong in all readings.
    Checksum = 11,
    /// VRRPv2 authentication type differs from ours, or is unknown.
    AuthType = 12,
    /// VRRPv2 password differs.
    AuthPassword = 13,
    /// VRRPv3 interval 0 (erratum 8301), or a VRRPv2 interval other than ours (RFC 3768 §7.1).
    Interval = 14,
}

impl Refusal {
    /// Its place in [`ALL`](Self::ALL), which is that of its counter.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u8 {
        #[expect(
            clippy::as_conversions,
            reason = "the discriminant of a field-less repr(u8) enum"
        )]
        {
            self as u8
        }
    }

    /// Every reason, in ladder order; `ALL[reason.number()] == reason`.
    pub const ALL: [Self; 15] = [
        Self::Fragment,
        Self::Truncated,
        Self::Version,
        Self::Type,
        Self::Vrid,
        Self::Source,
        Self::Mac,
        Self::Ttl,
        Self::RouterVersion,
        Self::Count,
        Self::Length,
        Self::Checksum,
        Self::AuthType,
        Self::AuthPassword,
        Self::Interval,
    ];

    /// The name in counters, status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fragment => "fragment",
            Self::Truncated => "truncated",
            Self::Version => "version",
            Self::Type => "type",
            Self::Vrid => "vrid",
            Self::Source => "source",
            Self::Mac => "mac",
            Self::Ttl => "ttl",
            Self::RouterVersion => "router-version",
            Self::Count => "count",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::AuthType => "auth-type",
            Self::AuthPassword => "auth-password",
            Self::Interval => "interval",
        }
    }
}

/// Whether a packet may come from this address, which lies in `words` as it does on the wire (IPv4: in the first). From
/// others the kernel's stack takes none ("martian source": `ip_route_input_slow`, `ip6_rcv_core`), so what is taken
/// before the stack must not come from there either.
#[inline(always)]
#[must_use]
pub const fn may_be_source(family: Family, words: &[u32; 4]) -> bool {
    let [first, second, third, fourth] = *words;
    let [byte, ..] = first.to_ne_bytes();
    match family {
        Family::V4 => !(matches!(byte, 0 | 127 | 224..=239) || first == u32::MAX),
        // ::, ::1 and all groups.
        Family::V6 => {
            let [.., last] = fourth.to_ne_bytes();
            let only_last =
                first == 0 && second == 0 && third == 0 && fourth == u32::from_ne_bytes([0, 0, 0, last]);
            byte != 0xff && !(only_last && last <= 1)
        }
    }
}

/// The TTLs (hop limits) a virtual router accepts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct TtlRange {
    /// Lowest accepted.
    pub min: u8,
    /// Highest accepted.
    pub max: u8,
}

impl TtlRange {
    /// 255 only: the sender is on this link. The rule for multicast.
    pub const ON_LINK: Self = Self { min: TTL, max: TTL };
    /// Anything: keepalived's (and our) default for unicast.
    pub const ANY: Self = Self { min: 0, max: TTL };

    /// Whether `ttl` may pass.
    #[must_use]
    pub const fn admits(self, ttl: u8) -> bool {
        ttl >= self.min && ttl <= self.max
    }
}

/// A unicast peer: the only hosts whose unicast adverts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct Peer {
    /// Its address, the source of its adverts.
    pub address: IpAddr,
    /// The TTLs accepted from it.
    pub ttl: TtlRange,
    /// The only Ethernet address it may send from; `None`: any.
    #[cfg_attr(feature = "user", serde(default))]
    pub mac: Option<Mac>,
}

/// Who may send adverts for a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources<'a> {
    /// Anyone on the link: multicast.
    OnLink,
    /// Anyone, with any TTL: unicast with the source check switched off.
    Anyone,
    /// The listed peers.
    Listed(&'a [Peer]),
}

/// What a virtual router demands of an advert.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Its version; there is no mixed mode, as in keepalived.
    pub version: Version,
    /// The family its adverts travel in.
    pub family: Family,
    /// Who may send.
    pub sources: Sources<'a>,
    /// VRRPv2 only; ignored for VRRPv3.
    pub auth: Auth,
    /// Our own interval; VRRPv2 demands the same of the sender.
    pub interval: Centis,
    /// It has no address, so that its peers have none to list. VRRPv2 only (RFC 9568 erratum 8299 is of VRRPv3).
    pub may_be_empty: bool,
}

/// The first eight bytes of an advert after the rungs that need no configuration.
///
/// | byte | v2 | v3 |
/// |---|---|---|
/// | 0 | version, type | version, type |
/// | 1 | VRID | VRID |
/// | 2 | priority | priority |
/// | 3 | address count | address count |
/// | 4 | authentication type | reserved (4 bits), interval in cs (12 bits, big endian) ... |
/// | 5 | interval in s | ... |
/// | 6-7 | checksum, big endian | checksum, big endian |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Version of the message.
    pub version: Version,
    /// Virtual router.
    pub vrid: Vrid,
    /// Sender's priority.
    pub priority: Priority,
    /// Number of addresses that follow.
    pub count: u8,
    /// VRRPv2's Auth Type; 0 in VRRPv3.
    pub auth_type: u8,
    /// Interval in centiseconds, 0 if the sender says 0.
    pub interval: u16,
}

impl Head {
    /// The rungs "version", "type" and "VRID 0". ("truncated" is the caller's: it takes eight bytes to call.)
    ///
    /// # Errors
    /// The first rung that does not hold.
    #[inline(always)]
    pub const fn read(bytes: &[u8; HEAD_LEN]) -> Result<Self, Refusal> {
        let [kind, vrid, priority, count, fourth, fifth, _, _] = *bytes;
        let version = match kind >> 4 {
            2 => Version::V2,
            3 => Version::V3,
            _ => return Err(Refusal::Version),
        };
        if kind & 0x0f != 1 {
            return Err(Refusal::Type);
        }
        let Some(vrid) = Vrid::new(vrid) else {
            return Err(Refusal::Vrid);
        };
        let (auth_type, interval) = match version {
            Version::V2 => (fourth, u16::from_be_bytes([0, fifth]) * 100),
            // The four reserved bits are ignored on receipt (RFC 9568 §5.2.6).
            Version::V3 => (0, u16::from_be_bytes([fourth & 0x0f, fifth])),
        };
        Ok(Self {
            version,
            vrid,
            priority: Priority(priority),
            count,
            auth_type,
            interval,
        })
    }

    /// The rungs "router's version", "count" and "length". `pdu_len` is the message's length in bytes from
    /// the IP header, never from the frame, which Ethernet pads.
    ///
    /// # Errors
    /// The first rung that does not hold.
    #[inline(always)]
    pub const fn fits(&self, version: Version, family: Family, pdu_len: u16) -> Result<(), Refusal> {
        if self.version.number() == version.number() && self.count == 0 {
            return Err(Refusal::Count);
        }
        self.fits_empty(version, family, pdu_len)
    }

    /// The same where no address need be listed.
    ///
    /// # Errors
    /// The first rung that does not hold.
    #[inline(always)]
    pub const fn fits_empty(&self, version: Version, family: Family, pdu_len: u16) -> Result<(), Refusal> {
        if self.version.number() != version.number() {
            return Err(Refusal::RouterVersion);
        }
        if pdu_len != self.message_len(family) {
            return Err(Refusal::Length);
        }
        Ok(())
    }

    /// The rungs "authentication type" and "interval"; the password is between them in the ladder and is
    /// compared by the caller, who holds the bytes.
    ///
    /// # Errors
    /// [`Refusal::AuthType`].
    #[inline(always)]
    pub const fn auth_type_is(&self, expected: u8) -> Result<(), Refusal> {
        match self.version {
            Version::V2 if self.auth_type != expected => Err(Refusal::AuthType),
            Version::V2 | Version::V3 => Ok(()),
        }
    }

    /// The rung "interval". `ours` in centiseconds.
    ///
    /// # Errors
    /// [`Refusal::Interval`].
    #[inline(always)]
    pub const fn interval_fits(&self, ours: u16) -> Result<(), Refusal> {
        match self.version {
            Version::V2 if self.interval != ours => Err(Refusal::Interval),
            Version::V3 if self.interval == 0 => Err(Refusal::Interval),
            Version::V2 | Version::V3 => Ok(()),
        }
    }

    /// Length in bytes that version and count demand: 8, the addresses, and VRRPv2's 8 of authentication.
    #[inline(always)]
    #[must_use]
    pub const fn message_len(&self, family: Family) -> u16 {
        let count = u16::from_be_bytes([0, self.count]);
        let tail = match self.version {
            Version::V2 => AUTH_DATA_LEN,
            Version::V3 => 0,
        };
        8 + count * family.address_len() + tail
    }
}
