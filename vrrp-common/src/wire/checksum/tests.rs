use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ChecksumForm, Sum, form, pseudo, pseudo_v4, pseudo_v6};
use crate::id::{Family, Version};

/// RFC 1071 §3's own example.
#[test]
fn the_example_of_rfc_1071() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(Sum::ZERO.bytes(&bytes).fold(), 0xddf2);
    assert_eq!(Sum::ZERO.bytes(&bytes).finish(), 0x220d);
    // In parts, at any even cut.
    assert_eq!(Sum::ZERO.bytes(&bytes[..2]).bytes(&bytes[2..]).fold(), 0xddf2);
}

#[test]
fn an_odd_last_byte_is_a_high_half() {
    assert_eq!(Sum::ZERO.bytes(&[0x12]).fold(), 0x1200);
    assert_eq!(Sum::ZERO.bytes(&[0x00, 0x01, 0xff]).fold(), 0xff01);
}

/// Carries of carries: the largest sums that fold in each step.
#[test]
fn carries_are_added_back_until_none_is_left() {
    assert_eq!(Sum::from_raw(0xffff_ffff).fold(), 0xffff);
    assert_eq!(Sum::from_raw(0x0001_ffff).fold(), 0x0001);
    assert_eq!(Sum(u64::MAX).fold(), 0xffff);
    assert_eq!(Sum(0xffff_ffff_0000_0001).fold(), 0x0001);
    assert_eq!(Sum::ZERO.fold(), 0);
    assert_eq!(Sum::ZERO.bytes(&[0xff; 65_535]).fold(), 0xff00);
}

/// The sum does not care in which byte order the words are read, as `bpf_csum_diff` brings them.
#[test]
fn a_sum_of_swapped_words_holds_when_the_sum_does() {
    let header = [
        0x4500_u16, 0x003c, 0x1c46, 0x4000, 0x4006, 0xb1e6, 0xac10, 0x0a63, 0xac10, 0x0a0c,
    ];
    let swapped = header.iter().map(|word| u32::from(word.swap_bytes())).sum();
    assert!(Sum::from_raw(swapped).holds());
    assert!(!Sum::from_raw(swapped - 1).holds());
}

/// By hand: c000 + 0201 + e000 + 0012 + 0070 + 0010.
#[test]
fn ipv4_pseudo_header() {
    let sum = pseudo_v4(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(224, 0, 0, 18), 112, 16);
    assert_eq!(sum.fold(), 0xa294);
}

/// Regression, seen in FRR: the length is a big-endian 32 bit number; in the other order a length of 40
/// would add 2800 and not 0028. By hand: fe80 + 00c8 + ff02 + 0012 + 0000 + 0028 + 0070.
#[test]
fn ipv6_pseudo_header_has_its_length_in_network_order() {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc8);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    assert_eq!(pseudo_v6(source, group, 112, 40).fold(), 0xfef5);
    // A length beyond 16 bits counts in both halves.
    assert_eq!(pseudo_v6(source, group, 112, 0x0001_0028).fold(), 0xfef6);
}

#[test]
fn endpoints_of_two_families_have_no_pseudo_header() {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert_eq!(pseudo(v4, v6, 16), None);
    assert_eq!(pseudo(v6, v4, 16), None);
}

/// Which readings are open to which version and family. The sums are made up: 0x1111 for the message,
/// and pseudo-headers that complete it, or do not.
#[test]
fn readings_by_version_and_family() {
    const WHOLE: u32 = 0xffff;
    const PART: u32 = 0x1111;
    const REST: u32 = 0xeeee;
    const WRONG: u32 = 0x2222;
    use ChecksumForm::{Message, Pseudo, PseudoGroup};
    let table = [
        (Version::V2, Family::V4, WHOLE, WRONG, WRONG, Some(Message)),
        (Version::V2, Family::V4, PART, REST, REST, None),
        (Version::V3, Family::V4, WHOLE, WRONG, WRONG, Some(Message)),
        (Version::V3, Family::V4, PART, REST, WRONG, Some(Pseudo)),
        (Version::V3, Family::V4, PART, REST, REST, Some(Pseudo)),
        (Version::V3, Family::V4, PART, WRONG, REST, Some(PseudoGroup)),
        (Version::V3, Family::V4, PART, WRONG, WRONG, None),
        (Version::V3, Family::V6, WHOLE, WRONG, WRONG, None),
        (Version::V3, Family::V6, PART, REST, REST, Some(Pseudo)),
        (Version::V3, Family::V6, PART, WRONG, REST, None),
    ];
    for (version, family, message, pseudo, group, expected) in table {
        assert_eq!(
            form(
                version,
                family,
                Sum::from_raw(message),
                Sum::from_raw(pseudo),
                Sum::from_raw(group)
            ),
            expected,
            "version {version} {family} {message:04x} {pseudo:04x} {group:04x}"
        );
    }
}
