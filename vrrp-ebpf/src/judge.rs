//! The receive ladder, as far as it is climbed in the kernel: all of it for messages of up to `MAX_PDU` bytes.
//!
//! The order and the rules are those of `vrrp_common::wire::ladder`; what is told apart here and nowhere else
//! is whether a packet is ours at all.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use vrrp_common::abi::{
    AddressWords, PeerKey, Record, RecordHeader, RouterKey, RouterRules, Verdict, family_byte,
};
use vrrp_common::id::{Family, Version};
use vrrp_common::wire::checksum::{self, Sum};
use vrrp_common::wire::ladder::{AUTH_DATA_LEN, HEAD_LEN, Head, IP_PROTOCOL, Refusal, TtlRange};

use crate::classify::{Fragment, Packet};
use crate::cursor;
use crate::maps::{self, Peer};

/// What became of a packet.
pub(crate) enum Judged {
    /// It held every rule.
    Accepted(Accepted),
    /// It is for one of our virtual routers, and broke a rule.
    Refused(Refused),
    /// It is left to the stack.
    Passed(Verdict),
}

/// An advert that broke a rule.
pub(crate) struct Refused {
    pub(crate) rules: &'static RouterRules,
    /// The rung it failed at.
    pub(crate) refusal: Refusal,
    /// This CPU's buffer, complete but for stamp, slot and verdict.
    pub(crate) record: &'static mut Record,
}

/// An advert that held every rule.
pub(crate) struct Accepted {
    pub(crate) rules: &'static RouterRules,
    /// The sender's entry, if the daemon keeps one.
    pub(crate) peer: Option<Peer>,
    /// This CPU's buffer, complete but for the stamp.
    pub(crate) record: &'static mut Record,
}

impl Accepted {
    /// Consume it, unless tcpdump is to see it too.
    #[inline(always)]
    pub(crate) fn action(&self) -> u32 {
        if self.rules.flags & RouterRules::PASS_ACCEPTED == 0 {
            XDP_DROP
        } else {
            XDP_PASS
        }
    }
}

/// Judge a packet of protocol 112.
#[inline(always)]
pub(crate) fn packet(mut packet: Packet) -> Judged {
    let Record {
        header,
        pdu: [_, vrid, ..],
    } = &packet.record;
    if packet.fragment == Fragment::Later {
        return Judged::Passed(Verdict::NotJudged);
    }
    let key = RouterKey {
        ifindex: header.ifindex,
        vlan: header.vlan,
        destination: header.destination,
        family: header.family,
        vrid: *vrid,
        pad: [0; 2],
    };
    let Some(rules) = maps::router(&key) else {
        return Judged::Passed(Verdict::NotOurs);
    };
    match advert(&mut packet, rules) {
        Ok(peer) => Judged::Accepted(Accepted {
            rules,
            peer,
            record: packet.record,
        }),
        Err(Verdict::Refused(refusal)) => Judged::Refused(Refused {
            rules,
            refusal,
            record: packet.record,
        }),
        Err(verdict) => Judged::Passed(verdict),
    }
}

/// The ladder, for a packet that names one of our virtual routers. Answers the sender's entry, if the daemon
/// keeps one.
#[inline(always)]
fn advert(packet: &mut Packet, rules: &RouterRules) -> Result<Option<Peer>, Verdict> {
    let Record { header, pdu } = &mut *packet.record;
    // Without its first fragment the rest of a message is never put together: dropping that one is enough.
    if packet.fragment == Fragment::First {
        return refuse(Refusal::Fragment);
    }
    if usize::from(header.pdu_len) < HEAD_LEN {
        return refuse(Refusal::Truncated);
    }
    let Some(head) = pdu.first_chunk::<HEAD_LEN>() else {
        return Err(Verdict::NotJudged);
    };
    let head = Head::read(head).map_err(Verdict::Refused)?;

    // Word by word: a copy of the whole becomes a call of `memmove`, which compares pointers, which takes
    // CAP_PERFMON.
    let [a, b, c, d] = header.source;
    let peer = maps::peer(&PeerKey {
        slot: rules.slot,
        source: [a, b, c, d],
    });
    let (min, max) = match (&peer, rules.flags & RouterRules::CHECK_SOURCE) {
        (_, 0) => (rules.ttl_min, rules.ttl_max),
        (Some(peer), _) => peer.ttl(),
        (None, _) => return refuse(Refusal::Source),
    };
    if !(TtlRange { min, max }).admits(header.ttl) {
        return refuse(Refusal::Ttl);
    }

    let version = if rules.version == Version::V2.number() {
        Version::V2
    } else {
        Version::V3
    };
    let family = if header.family == family_byte(Family::V4) {
        Family::V4
    } else {
        Family::V6
    };
    head.fits(version, family, header.pdu_len)
        .map_err(Verdict::Refused)?;
    let sum = cursor::sum(pdu, header.pdu_len);
    if !checksum_holds(header, version, family, sum) {
        return refuse(Refusal::Checksum);
    }

    head.auth_type_is(rules.auth_type).map_err(Verdict::Refused)?;
    if version == Version::V2 && rules.auth_type != 0 {
        // The message's last eight bytes, which `fits` has shown to be there.
        match cursor::bounded(header.pdu_len - AUTH_DATA_LEN).and_then(|tail| pdu.get(tail as usize..)) {
            Some([a, b, c, d, e, f, g, h, ..]) => {
                if u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) != u64::from_ne_bytes(rules.password)
                {
                    return refuse(Refusal::AuthPassword);
                }
            }
            _ => return Err(Verdict::NotJudged),
        }
    }
    head.interval_fits(rules.interval).map_err(Verdict::Refused)?;
    Ok(peer)
}

/// Whether a message that adds up to `message` holds in one of the readings. All sums are over words in the
/// machine's byte order, which gives the same answer.
#[inline(always)]
fn checksum_holds(header: &RecordHeader, version: Version, family: Family, message: Sum) -> bool {
    // The lower 16 bits of both families' pseudo-header lengths; the upper ones are zero.
    let tail = Sum::ZERO
        .word(header.pdu_len.to_be())
        .word(u16::from(IP_PROTOCOL).to_be());
    let source = add(tail, &header.source);
    let pseudo = add(source, &header.destination);
    let group = match family {
        Family::V4 => {
            let [a, b, c, d] = checksum::GROUP_V4.octets();
            source.plus(Sum::from_raw(u32::from_ne_bytes([a, b, c, d])))
        }
        // There is no second reading over IPv6.
        Family::V6 => pseudo,
    };
    checksum::form(version, family, message, pseudo, group).is_some()
}

/// Add an address; the zeros behind an IPv4 one change nothing. A 32-bit word is the sum of its halves.
#[inline(always)]
fn add(sum: Sum, address: &AddressWords) -> Sum {
    let [a, b, c, d] = *address;
    sum.plus(Sum::from_raw(a))
        .plus(Sum::from_raw(b))
        .plus(Sum::from_raw(c))
        .plus(Sum::from_raw(d))
}

#[inline(always)]
fn refuse<T>(refusal: Refusal) -> Result<T, Verdict> {
    Err(Verdict::Refused(refusal))
}
