//! Identifiers that VRRP puts on the wire, each with its legal range in the type.

use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU8;

/// A virtual router identifier, 1..=255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which no virtual router may have.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A priority as it stands in an advert, 0..=255 (RFC 9568 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct Priority(pub u8);

impl Priority {
    /// "I stop taking part": Backups elect after the skew time only.
    pub const RELEASE: Self = Self(0);
    /// The default of a router that does not own the addresses.
    pub const DEFAULT: Self = Self(100);
    /// The router owns the addresses.
    pub const OWNER: Self = Self(255);

    /// Priority 255: the addresses are the router's own.
    #[must_use]
    pub const fn is_owner(self) -> bool {
        self.0 == Self::OWNER.0
    }

    /// Priority 0: the Master stands down.
    #[must_use]
    pub const fn is_release(self) -> bool {
        self.0 == Self::RELEASE.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The protocol version of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub enum Version {
    /// RFC 3768: IPv4, intervals in seconds, eight bytes of authentication data.
    V2,
    /// RFC 5798 and RFC 9568: IPv4 or IPv6, intervals in centiseconds.
    V3,
}

impl Version {
    /// The high nibble of an advert's first byte.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// The address family that carries the adverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub enum Family {
    /// IPv4: addresses of 4 bytes.
    V4,
    /// IPv6: addresses of 16 bytes.
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Bytes that one address takes in an advert.
    #[must_use]
    pub const fn address_len(self) -> u16 {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 => "IPv4".fmt(f),
            Self::V6 => "IPv6".fmt(f),
        }
    }
}
