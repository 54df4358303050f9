//! Classic BPF socket filters: what a raw socket lets through, decided before it wakes anybody.

use std::net::IpAddr;

use socket2::SockFilter;
use vrrp_common::id::{Family, Vrid};

// linux/bpf_common.h: instruction classes, sizes, modes, jumps.
const LD_WORD_ABS: u16 = 0x20;
const LD_HALF_ABS: u16 = 0x28;
const LD_BYTE_ABS: u16 = 0x30;
const LD_WORD_IND: u16 = 0x40;
const LD_BYTE_IND: u16 = 0x50;
const LDX_IHL: u16 = 0xb1;
const LDX_IMM: u16 = 0x01;
const JMP_EQ: u16 = 0x15;
const JMP_SET: u16 = 0x45;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

/// `SKF_NET_OFF`: offsets from here on count from the network header.
const NETWORK_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();
/// `SKF_AD_OFF + SKF_AD_RANDOM`: a random number.
const RANDOM: u32 = (-0x1000_i32 + 56).cast_unsigned();

const PASS: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);
const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);

/// One message of this many with a known VRID from an unlisted source is let through, so that a forgotten
/// peer is named in the log while a flood costs next to nothing.
pub const UNLISTED_SAMPLE: u32 = 16;

/// The most addresses that strangers are compared with.
const STRANGERS: usize = 256;

/// Lets nothing through: for sockets that only send.
#[must_use]
pub const fn drop_all() -> [SockFilter; 1] {
    [DROP]
}

/// The filter of a netlink socket that hears of routes: of those, only what concerns these protocols, and what
/// takes another's place. A host with a full routing table changes thousands a second. Everything else passes.
#[must_use]
pub fn routes_of(protocols: &[u8]) -> Vec<SockFilter> {
    const RTM_NEWROUTE: u16 = 24;
    const RTM_DELROUTE: u16 = 25;
    const NLM_F_REPLACE: u16 = 0x100;
    /// Of the message's header: type and flags, in the host's byte order; and `rtm_protocol` beyond it.
    const KIND: u32 = 4;
    const FLAGS: u32 = 6;
    const PROTOCOL: u32 = 16 + 5;
    // Loads take the network's byte order.
    let loaded = |value: u16| u32::from(u16::from_be_bytes(value.to_ne_bytes()));
    // A jump reaches 255 instructions; beyond that userspace judges alone.
    let count = u8::try_from(protocols.len()).ok();
    let Some(count) = count.and_then(|count| count.checked_add(4)) else {
        return vec![PASS];
    };
    let mut program = vec![
        SockFilter::new(LD_HALF_ABS, 0, 0, KIND),
        SockFilter::new(JMP_EQ, 1, 0, loaded(RTM_NEWROUTE)),
        // Neither: over everything that follows, to the last.
        SockFilter::new(JMP_EQ, 0, count, loaded(RTM_DELROUTE)),
        SockFilter::new(LD_HALF_ABS, 0, 0, FLAGS),
        SockFilter::new(JMP_SET, count - 2, 0, loaded(NLM_F_REPLACE)),
        SockFilter::new(LD_BYTE_ABS, 0, 0, PROTOCOL),
    ];
    for (passed, protocol) in (1_u8..).zip(protocols) {
        program.push(SockFilter::new(
            JMP_EQ,
            count - 3 - passed,
            0,
            u32::from(*protocol),
        ));
    }
    program.extend([DROP, PASS]);
    program
}

/// Whose adverts a raw socket wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The virtual router.
    pub vrid: Vrid,
    /// Only (but for a sample) from these; `None` from anyone.
    pub sources: Option<Vec<IpAddr>>,
}

/// Which adverts of other VRIDs a raw socket wants: they tell of mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// All (`log_unknown_vrids`).
    All,
    /// Those that list one of these first.
    Listing(Vec<IpAddr>),
}

/// The filter of a raw VRRP socket of this family. At most 255 VRIDs with as many sources as fit into the
/// kernel's 4096 instructions; beyond that, everything passes and userspace judges alone.
#[must_use]
pub fn adverts(family: Family, wanted: &[Wanted], strangers: &Strangers) -> Vec<SockFilter> {
    let mut program = vec![
        // A raw IPv4 socket sees the IP header first, a raw IPv6 socket the payload.
        match family {
            Family::V4 => SockFilter::new(LDX_IHL, 0, 0, 0),
            Family::V6 => SockFilter::new(LDX_IMM, 0, 0, 0),
        },
        SockFilter::new(LD_BYTE_IND, 0, 0, 1),
    ];
    for want in wanted {
        let block = source_block(family, want);
        // The block ends in a return, so skipping it is the only other way. A jump reaches 255 instructions.
        let Ok(skip) = u8::try_from(block.len()) else {
            return vec![PASS];
        };
        program.push(SockFilter::new(JMP_EQ, 0, skip, u32::from(want.vrid.value())));
        program.extend(block);
    }
    program.extend(stranger_block(family, strangers));
    if program.len() > 4096 { vec![PASS] } else { program }
}

/// What is done with a message of a VRID that is not ours; ends in a return on every way.
fn stranger_block(family: Family, strangers: &Strangers) -> Vec<SockFilter> {
    let firsts = match strangers {
        Strangers::All => return vec![PASS],
        Strangers::Listing(firsts) => firsts,
    };
    // Behind the eight bytes of the head; of an IPv6 address the last word will do, for userspace looks again.
    let (at, words): (u32, Vec<u32>) = match family {
        Family::V4 => (8, firsts.iter().filter_map(last_word_v4).collect()),
        Family::V6 => (8 + 12, firsts.iter().filter_map(last_word_v6).collect()),
    };
    let mut block = vec![SockFilter::new(LD_WORD_IND, 0, 0, at)];
    for word in words.into_iter().take(STRANGERS) {
        block.push(SockFilter::new(JMP_EQ, 0, 1, word));
        block.push(PASS);
    }
    block.push(DROP);
    block
}

fn last_word_v4(address: &IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => Some(u32::from(*address)),
        IpAddr::V6(_) => None,
    }
}

fn last_word_v6(address: &IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address
            .octets()
            .last_chunk()
            .map(|word| u32::from_be_bytes(*word)),
    }
}

/// What is done with a message of a VRID that is ours; ends in a return on every way.
fn source_block(family: Family, want: &Wanted) -> Vec<SockFilter> {
    let Some(sources) = &want.sources else {
        return vec![PASS];
    };
    let mut block = Vec::new();
    for source in sources {
        match (family, source) {
            (Family::V4, IpAddr::V4(source)) => {
                block.push(SockFilter::new(LD_WORD_ABS, 0, 0, NETWORK_HEADER + 12));
                block.push(SockFilter::new(JMP_EQ, 0, 1, u32::from(*source)));
            }
            (Family::V6, IpAddr::V6(source)) => {
                let words = source.octets();
                for (index, word) in (0_u32..).zip(words.as_chunks::<4>().0) {
                    let at = NETWORK_HEADER + 8 + 4 * index;
                    block.push(SockFilter::new(LD_WORD_ABS, 0, 0, at));
                    // To the next source: what is left of this one's eight instructions and its return.
                    let rest = u8::try_from(2 * (3 - index) + 1).unwrap_or(u8::MAX);
                    block.push(SockFilter::new(JMP_EQ, 0, rest, u32::from_be_bytes(*word)));
                }
            }
            _ => continue,
        }
        block.push(PASS);
    }
    block.push(SockFilter::new(LD_WORD_ABS, 0, 0, RANDOM));
    block.push(SockFilter::new(AND, 0, 0, UNLISTED_SAMPLE - 1));
    block.push(SockFilter::new(JMP_EQ, 0, 1, 0));
    block.push(PASS);
    block.push(DROP);
    block
}
