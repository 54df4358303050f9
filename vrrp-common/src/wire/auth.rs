//! VRRPv2 authentication data (RFC 2338 §5.3.6; withdrawn by RFC 3768, still in use with keepalived).
//!
//! A clear-text password keeps a stray router out, not an attacker.

/// VRRPv2 authentication of a virtual router.
///
/// Written out (recordings, status) it is `"none"` or `"pass"`: the password never leaves the process. Read
/// back, the password is eight zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "user", serde(from = "AuthKind", into = "AuthKind"))]
pub enum Auth {
    /// None: type 0, eight bytes that nobody reads.
    None,
    /// A clear-text password, padded with zeros (RFC 2338 §5.3.6, type 1).
    Pass([u8; 8]),
}

/// What of an [`Auth`] may be written.
#[cfg(feature = "user")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AuthKind {
    None,
    Pass,
}

#[cfg(feature = "user")]
impl From<Auth> for AuthKind {
    fn from(auth: Auth) -> Self {
        match auth {
            Auth::None => Self::None,
            Auth::Pass(_) => Self::Pass,
        }
    }
}

#[cfg(feature = "user")]
impl From<AuthKind> for Auth {
    fn from(kind: AuthKind) -> Self {
        match kind {
            AuthKind::None => Self::None,
            AuthKind::Pass => Self::Pass([0; 8]),
        }
    }
}

impl core::fmt::Debug for Auth {
    /// Never shows the password.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Pass(_) => "Pass(********)",
        })
    }
}

impl Auth {
    /// A password from the configuration, padded with zeros to eight bytes; and whether it was longer and
    /// was cut, as keepalived cuts it (`abcdefghIJ` goes out as `abcdefgh`).
    #[must_use]
    pub fn pass(text: &str) -> (Self, bool) {
        let mut data = [0; 8];
        for (slot, byte) in data.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        (Self::Pass(data), text.len() > data.len())
    }

    /// The Auth Type byte.
    #[must_use]
    pub const fn wire_type(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pass(_) => 1,
        }
    }

    /// The eight bytes that end the advert.
    #[must_use]
    pub const fn wire_data(self) -> [u8; 8] {
        match self {
            Self::None => [0; 8],
            Self::Pass(data) => data,
        }
    }

    /// The rung "password". Compared as one word, so the time taken says nothing about where they differ.
    #[inline(always)]
    #[must_use]
    pub const fn admits(self, received: [u8; 8]) -> bool {
        match self {
            Self::None => true,
            Self::Pass(ours) => u64::from_ne_bytes(ours) ^ u64::from_ne_bytes(received) == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Auth;

    #[test]
    fn a_password_is_padded_or_cut_to_eight_bytes() {
        assert_eq!(Auth::pass("ab"), (Auth::Pass(*b"ab\0\0\0\0\0\0"), false));
        assert_eq!(Auth::pass("abcdefgh"), (Auth::Pass(*b"abcdefgh"), false));
        assert_eq!(Auth::pass("abcdefghIJ"), (Auth::Pass(*b"abcdefgh"), true));
        // Nine bytes in UTF-8: the cut counts bytes, as the wire does.
        assert_eq!(Auth::pass("abcdefgé"), (Auth::Pass(*b"abcdefg\xc3"), true));
    }

    /// A difference in any single byte is seen, and a shorter password is not a prefix match.
    #[test]
    fn every_byte_of_the_password_counts() {
        let ours = Auth::Pass(*b"abcdefgh");
        assert!(ours.admits(*b"abcdefgh"));
        for at in 0..8 {
            let mut theirs = *b"abcdefgh";
            theirs[at] ^= 0x80;
            assert!(!ours.admits(theirs), "byte {at}");
        }
        assert!(!Auth::pass("abc").0.admits(*b"abcd\0\0\0\0"));
    }

    #[test]
    fn without_authentication_the_bytes_are_not_read() {
        assert!(Auth::None.admits(*b"whatever"));
    }

    #[test]
    fn a_password_never_shows_in_debug_output() {
        extern crate std;
        assert_eq!(std::format!("{:?}", Auth::Pass(*b"abcdefgh")), "Pass(********)");
    }
}
