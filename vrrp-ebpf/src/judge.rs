//! The receive ladder, as far as it is climbed in the kernel: all of it for messages of up to `MAX_PDU` bytes.
//!
//! The order and the rules are those of `vrrp_common::wire::ladder`; what is told apart here and nowhere else
//! is whether a packet is ours at all. A message that is word for word one that the daemon has accepted from the
//! same sender by the same rules holds them too: its checksum and password need no second look.

use vrrp_common::abi::{
    AddressWords, MAX_PDU, NO_SEAT, PeerKey, PeerRules, Record, Router, RouterKey, RouterRules, Verdict,
    family_byte, source_bit,
};
use vrrp_common::id::{Family, Version};
use vrrp_common::wire::checksum::{self, Sum};
use vrrp_common::wire::ladder::{
    AUTH_DATA_LEN, HEAD_LEN, Head, IP_PROTOCOL, Refusal, TtlRange, may_be_source,
};

use crate::classify::{Fragment, Packet};
use crate::cursor;
use crate::maps;

/// What became of a packet.
pub(crate) enum Judged {
    /// It held every rule.
    Held(Held),
    /// It is for one of our virtual routers, and broke a rule.
    Refused(&'static RouterRules, Refusal),
    /// It is left to the stack.
    Passed(Verdict),
}

/// An advert that held every rule.
pub(crate) struct Held {
    pub(crate) rules: &'static RouterRules,
    /// Where the sender sits.
    pub(crate) seat: u32,
    /// It is the one that is known, and no news unless the daemon wants it.
    pub(crate) unchanged: bool,
    /// A gap before it of so many nanoseconds is news all the same.
    pub(crate) late_after: u64,
}

/// Judge a packet of protocol 112.
#[inline(always)]
pub(crate) fn packet(packet: &Packet<'_>) -> Judged {
    if packet.fragment == Fragment::Later {
        return Judged::Passed(Verdict::NotJudged);
    }
    let [_, vrid, ..] = packet.head;
    let [a, b, c, d] = packet.destination;
    let key = RouterKey {
        ifindex: packet.ifindex(),
        vlan: packet.vlan(),
        destination: [a, b, c, d],
        family: family_byte(packet.family),
        vrid,
        pad: [0; 2],
    };
    let Some(router) = maps::router(&key) else {
        return Judged::Passed(Verdict::NotOurs);
    };
    let rules = &router.rules;
    // Flooded by a switch, or on its way to somebody whom we route for: the stack would drop it (PACKET_OTHERHOST).
    let mac = packet.destination_mac();
    if rules.flags & RouterRules::CHECK_MAC != 0 && mac[0] & 1 == 0 && mac != rules.mac {
        return Judged::Passed(Verdict::NotOurs);
    }
    match advert(packet, router) {
        Ok(held) => Judged::Held(held),
        Err(Verdict::Refused(refusal)) => Judged::Refused(rules, refusal),
        Err(verdict) => Judged::Passed(verdict),
    }
}

/// The ladder, for a packet that names one of our virtual routers.
#[inline(always)]
fn advert(packet: &Packet<'_>, router: &'static Router) -> Result<Held, Verdict> {
    let Router { rules, known, .. } = router;
    // Without its first fragment the rest of a message is never put together: dropping that one is enough.
    if packet.fragment == Fragment::First {
        return refuse(Refusal::Fragment);
    }
    if usize::from(packet.pdu_len) < HEAD_LEN {
        return refuse(Refusal::Truncated);
    }
    let head = Head::read(&packet.head).map_err(Verdict::Refused)?;

    let is_known = known.peer.seat != NO_SEAT && maps::is_address(&known.source, &packet.source);
    let Sender { seat, ttl } = if is_known {
        listed(packet, &known.peer)?
    } else if rules.flags & RouterRules::CHECK_SOURCE != 0 {
        // Most strangers are known by this, which is cheaper than asking for each.
        if rules.sources & source_bit(&packet.source) == 0 {
            return refuse(Refusal::Source);
        }
        let [a, b, c, d] = packet.source;
        let peer = maps::peer(&PeerKey {
            slot: rules.slot,
            source: [a, b, c, d],
        });
        match peer {
            Some(peer) => listed(packet, peer)?,
            None => return refuse(Refusal::Source),
        }
    } else {
        if !may_be_source(packet.family, &packet.source) {
            return refuse(Refusal::Source);
        }
        Sender {
            seat: rules.seat,
            ttl: TtlRange {
                min: rules.ttl_min,
                max: rules.ttl_max,
            },
        }
    };
    if !ttl.admits(packet.ttl) {
        return refuse(Refusal::Ttl);
    }

    let version = if rules.version == Version::V2.number() {
        Version::V2
    } else {
        Version::V3
    };
    head.fits(version, packet.family, packet.pdu_len)
        .map_err(Verdict::Refused)?;
    let late_after = if is_known { known.late_after } else { u64::MAX };
    if is_known && known.len == packet.pdu_len && packet.is(&known.message) {
        return Ok(Held {
            rules,
            seat,
            unchanged: true,
            late_after,
        });
    }
    let Some(record) = packet.message() else {
        return Err(Verdict::NotJudged);
    };
    let Record { header, pdu } = &mut *record;
    let sum = cursor::sum(pdu, header.pdu_len);
    if !checksum_holds(packet, header.pdu_len, version, sum) {
        return refuse(Refusal::Checksum);
    }
    head.auth_type_is(rules.auth_type).map_err(Verdict::Refused)?;
    if version == Version::V2 && rules.auth_type != 0 {
        password_is(pdu, header.pdu_len, rules)?;
    }
    head.interval_fits(rules.interval).map_err(Verdict::Refused)?;
    Ok(Held {
        rules,
        seat,
        unchanged: false,
        late_after,
    })
}

/// What is known of who sent a packet.
struct Sender {
    seat: u32,
    ttl: TtlRange,
}

/// A sender with rules of its own.
#[inline(always)]
fn listed(packet: &Packet<'_>, peer: &PeerRules) -> Result<Sender, Verdict> {
    if peer.pinned != 0 && peer.mac != packet.source_mac() {
        return refuse(Refusal::Mac);
    }
    Ok(Sender {
        seat: peer.seat,
        ttl: TtlRange {
            min: peer.ttl_min,
            max: peer.ttl_max,
        },
    })
}

/// The rung "password": the message's last eight bytes, which `fits` has shown to be there.
#[inline(always)]
fn password_is(pdu: &[u8; MAX_PDU], pdu_len: u16, rules: &RouterRules) -> Result<(), Verdict> {
    match cursor::bounded(pdu_len - AUTH_DATA_LEN).and_then(|tail| pdu.get(tail as usize..)) {
        Some([a, b, c, d, e, f, g, h, ..]) => {
            if u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) != u64::from_ne_bytes(rules.password) {
                return refuse(Refusal::AuthPassword);
            }
            Ok(())
        }
        _ => Err(Verdict::NotJudged),
    }
}

/// Whether a message that adds up to `message` holds in one of the readings. All sums are over words in the
/// machine's byte order, which gives the same answer.
#[inline(always)]
fn checksum_holds(packet: &Packet<'_>, pdu_len: u16, version: Version, message: Sum) -> bool {
    // The lower 16 bits of both families' pseudo-header lengths; the upper ones are zero.
    let tail = Sum::ZERO
        .word(pdu_len.to_be())
        .word(u16::from(IP_PROTOCOL).to_be());
    let source = add(tail, &packet.source);
    let pseudo = add(source, &packet.destination);
    let group = match packet.family {
        Family::V4 => {
            let [a, b, c, d] = checksum::GROUP_V4.octets();
            source.plus(Sum::from_raw(u32::from_ne_bytes([a, b, c, d])))
        }
        // There is no second reading over IPv6.
        Family::V6 => pseudo,
    };
    checksum::form(version, packet.family, message, pseudo, group).is_some()
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
