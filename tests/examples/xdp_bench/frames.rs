//! The frames that are timed. They go to the virtual routers of the packet tables' model.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_daemon::proto::RouterId;
use vrrp_tests::lab::flood::advert;

use crate::packets::rows::V3_UNICAST;
use crate::packets::{Frame, hex, summed, summed_ipv6};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xc8);
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// What a frame is an example of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    NotVrrp,
    Unlisted,
    BadChecksum,
    UnknownVrid,
    /// The advert that the daemon knows.
    Unchanged,
    /// Another one, of another priority: the Master has news, and the daemon is woken.
    Changed,
    /// The same, from a sender that has woken the daemon too often.
    OverBudget,
}

impl Group {
    /// In the table.
    const fn title(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged good advert",
            Self::Changed => "changed good advert",
            _ => "good advert over budget",
        }
    }

    /// As in the JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotVrrp => "not VRRP",
            Self::Unlisted => "unlisted",
            Self::BadChecksum => "bad checksum",
            Self::UnknownVrid => "unknown VRID",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::OverBudget => "over budget",
        }
    }
}

/// One frame.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) group: Group,
    pub(crate) frame: Vec<u8>,
    /// The advert that the daemon knows.
    pub(crate) known: Option<Known>,
    /// What the program must answer.
    pub(crate) action: u32,
}

/// Of whom, for which virtual router, and the message.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) router: RouterId,
    pub(crate) source: IpAddr,
    pub(crate) message: Vec<u8>,
}

/// All frames, in the order of the table.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        passed("TCP over IPv4", Group::NotVrrp, tcp(Family::V4)),
        passed("TCP over IPv6", Group::NotVrrp, tcp(Family::V6)),
        passed("ARP", Group::NotVrrp, arp()),
        refused(
            "unlisted source",
            Group::Unlisted,
            Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)),
        ),
        refused(
            "listed source, bad checksum",
            Group::BadChecksum,
            Frame::new("192.0.2.1", "192.0.2.2", hex("3135 c801 0019 bfbe c000026f")),
        ),
        passed("unknown VRID", Group::UnknownVrid, {
            let pdu = advert(PEER, OURS, 99, 200, 100, &[Ipv4Addr::new(192, 0, 2, 100)]);
            Frame::new("192.0.2.1", "192.0.2.2", pdu).bytes()
        }),
    ];
    for group in [Group::Unchanged, Group::Changed, Group::OverBudget] {
        for count in [1, 20] {
            for kind in [Kind::V2Pass, Kind::V3Unicast, Kind::V3Multicast, Kind::Ipv6] {
                let addresses = if count == 1 { "address" } else { "addresses" };
                let priority = if group == Group::Unchanged { 200 } else { 150 };
                cases.push(Case {
                    what: format!("{}, {}, {count} {addresses}", group.title(), kind.name()),
                    group,
                    frame: kind.frame(priority, count),
                    known: Some(Known {
                        router: kind.router(),
                        source: kind.source(),
                        message: kind.message(200, count),
                    }),
                    action: XDP_DROP,
                });
            }
        }
    }
    cases
}

fn passed(what: &str, group: Group, frame: Vec<u8>) -> Case {
    Case {
        what: what.to_owned(),
        group,
        frame,
        known: None,
        action: XDP_PASS,
    }
}

fn refused(what: &str, group: Group, frame: Frame) -> Case {
    Case {
        what: what.to_owned(),
        group,
        frame: frame.bytes(),
        known: None,
        action: XDP_DROP,
    }
}

enum Family {
    V4,
    V6,
}

/// A segment with a kilobyte in it.
fn tcp(family: Family) -> Vec<u8> {
    let (source, destination) = match family {
        Family::V4 => ("192.0.2.1", "192.0.2.2"),
        Family::V6 => ("2001:db8::1", "2001:db8::2"),
    };
    // Ports, numbers, 20 bytes of header, ACK.
    let mut segment = hex("c001 01bb 00000001 00000001 5010 ffff 0000 0000");
    segment.resize(20 + 1_024, 0x55);
    Frame::new(source, destination, segment).protocol(6).bytes()
}

/// A request for 192.0.2.2, padded as Ethernet does.
fn arp() -> Vec<u8> {
    let mut frame =
        hex("ffffffffffff 020000000001 0806 0001080006040001 020000000001c0000201 000000000000c0000202");
    frame.resize(60, 0);
    frame
}

/// A kind of advert that the packet tables' model accepts.
#[derive(Clone, Copy)]
enum Kind {
    V2Pass,
    V3Unicast,
    V3Multicast,
    Ipv6,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::V2Pass => "v2 PASS",
            Self::V3Unicast => "v3 unicast",
            Self::V3Multicast => "v3 multicast",
            Self::Ipv6 => "v3 IPv6",
        }
    }

    /// Its place in the model.
    const fn router(self) -> RouterId {
        RouterId(match self {
            Self::V2Pass => 0,
            Self::V3Unicast => 2,
            Self::V3Multicast => 1,
            Self::Ipv6 => 4,
        })
    }

    const fn source(self) -> IpAddr {
        match self {
            Self::Ipv6 => IpAddr::V6(PEER_V6),
            _ => IpAddr::V4(PEER),
        }
    }

    fn message(self, priority: u8, count: u8) -> Vec<u8> {
        let addresses: Vec<Ipv4Addr> = (1..=count).map(|last| Ipv4Addr::new(10, 0, 0, last)).collect();
        match self {
            Self::V2Pass => {
                let mut pdu = vec![0x21, 51, priority, count, 1, 1, 0, 0];
                pdu.extend(addresses.iter().flat_map(Ipv4Addr::octets));
                pdu.extend(b"abcdefgh");
                summed(pdu)
            }
            Self::V3Unicast => advert(PEER, OURS, 53, priority, 100, &addresses),
            Self::V3Multicast => advert(PEER, GROUP, 52, priority, 25, &addresses),
            Self::Ipv6 => {
                let mut pdu = vec![0x31, 10, priority, count, 0, 100, 0, 0];
                pdu.extend(
                    (1..=count).flat_map(|last| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
                );
                summed_ipv6("fe80::c8", "ff02::12", pdu)
            }
        }
    }

    fn frame(self, priority: u8, count: u8) -> Vec<u8> {
        let (source, destination) = match self {
            Self::V2Pass | Self::V3Unicast => ("192.0.2.1", "192.0.2.2"),
            Self::V3Multicast => ("192.0.2.1", "224.0.0.18"),
            Self::Ipv6 => ("fe80::c8", "ff02::12"),
        };
        Frame::new(source, destination, self.message(priority, count)).bytes()
    }
}
