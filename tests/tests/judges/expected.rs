//! What is to become of a frame: what the daemon says of it, unless it is one of the few that the kernel leaves
//! alone. These are all in [`Left`], and nothing else is allowed.

use std::net::IpAddr;

use vrrp_common::abi::MAX_PDU;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::ethernet::{self, EtherType, Mac};
use vrrp_common::wire::ladder::Refusal;
use vrrp_common::wire::{Malformed, ipv4, ipv6};
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::proto::Model;
use vrrp_daemon::proto::model::{LinkId, Transport, XdpMode};
use vrrp_daemon::xdp::Place;

use super::model::LINKS;
use crate::packets::bench::LOOPBACK;
use crate::packets::checksum;

/// In a test run this much of a frame is in one piece at least; what is further back may not be.
const ONE_PIECE: usize = 3_000;

/// What the program says it did, all ways to hold in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Accepted, kept or unchanged.
    Held,
    Refused(Refusal),
    NotOurs,
    NotJudged,
    Other,
}

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected<'a> {
    /// Both judges accept it.
    Held {
        /// Number of the virtual router.
        router: u16,
        source: IpAddr,
        message: &'a [u8],
    },
    /// Both refuse it for this reason; the number is that of the virtual router.
    Refused(u16, Refusal),
    /// The kernel does not look at it further.
    Left(Left),
}

impl Expected<'_> {
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Held { .. } => Verdict::Held,
            Self::Refused(_, refusal) => Verdict::Refused(refusal),
            Self::Left(Left::OtherProtocol) => Verdict::Other,
            Self::Left(Left::Unsound | Left::NoVrid | Left::LaterFragment | Left::TooLong) => {
                Verdict::NotJudged
            }
            Self::Left(Left::NotOurs) => Verdict::NotOurs,
        }
    }

    /// Whether the kernel may leave a frame alone that it would judge if it were in one piece. No other is so long.
    pub(crate) fn may_be_in_pieces(self, frame: &[u8]) -> bool {
        frame.len() > ONE_PIECE && matches!(self.verdict(), Verdict::Refused(_) | Verdict::NotOurs)
    }
}

/// Why the kernel leaves a frame to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// Neither IPv4 nor IPv6 behind at most two tags, or another protocol, or behind extension headers.
    OtherProtocol,
    /// The stack drops it: an IP header that contradicts itself, or ends beyond the frame.
    Unsound,
    /// No VRID in it.
    NoVrid,
    /// A fragment without the beginning.
    LaterFragment,
    /// Not to us: another network card's, another VLAN's, another address, another VRID; or one of ours that the
    /// kernel was not told of.
    NotOurs,
    /// The daemon judges its content, which is too long for the kernel.
    TooLong,
}

/// Both judges' surroundings, as the daemon sees them.
pub(crate) struct Surroundings<'a> {
    pub(crate) model: &'a Model,
    pub(crate) places: &'a [Place],
    pub(crate) judge: &'a Judge,
}

impl Surroundings<'_> {
    /// What is to become of `bytes`.
    pub(crate) fn expected<'a>(&self, bytes: &'a [u8]) -> Expected<'a> {
        use Expected::Left as Leave;
        let Ok(frame) = ethernet::parse(bytes) else {
            return Leave(Left::OtherProtocol);
        };
        let datagram = match frame.ethertype {
            EtherType::IPV4 => datagram_v4(frame.payload),
            EtherType::IPV6 => datagram_v6(frame.payload),
            _ => Err(Left::OtherProtocol),
        };
        let (datagram, fragment) = match datagram {
            Ok(parsed) => parsed,
            Err(left) => return Leave(left),
        };
        let Some(vrid) = datagram.pdu.get(1).filter(|_| datagram.pdu.len() >= 2) else {
            return Leave(Left::NoVrid);
        };
        if fragment == Fragment::Later {
            return Leave(Left::LaterFragment);
        }
        let link = link(bytes);
        let addressed = self.addressed(link, *vrid, &datagram, frame.destination);
        let (Some(number), Some(link)) = (addressed, link) else {
            return Leave(Left::NotOurs);
        };
        if fragment == Fragment::First {
            return Expected::Refused(number, Refusal::Fragment);
        }
        let datagram = Datagram {
            source_mac: Some(frame.source),
            ..datagram
        };
        let expected = match self.judge.judge(link, &datagram, MonoNanos(0)) {
            Judged::Heard(heard) => Expected::Held {
                router: heard.router.0,
                source: heard.source,
                message: datagram.pdu,
            },
            Judged::Refused {
                router: Some(router),
                refusal,
                ..
            } => Expected::Refused(router.0, refusal),
            // The rungs before a virtual router is looked for.
            Judged::Refused {
                router: None,
                refusal,
                ..
            } => Expected::Refused(number, refusal),
            other @ (Judged::Unchanged { .. } | Judged::Stranger { .. } | Judged::NotOurs) => {
                panic!("it is for virtual router {number}, says the stack, and the daemon: {other:?}")
            }
        };
        let read_on = match expected {
            Expected::Held { .. } => true,
            Expected::Refused(_, refusal) => refusal > Refusal::Length,
            Expected::Left(_) => false,
        };
        if read_on && datagram.pdu.len() > MAX_PDU {
            return Leave(Left::TooLong);
        }
        expected
    }

    /// The virtual router that a message is for, by the rules of the network stack and of the raw sockets: the device
    /// (by tags), the network card's address, the IP destination and the VRID. `None` also for one that the kernel was
    /// not told of: it has no addresses, says `vrrp_xdp off`, or another one is named the same.
    fn addressed(&self, link: Option<LinkId>, vrid: u8, datagram: &Datagram<'_>, mac: Mac) -> Option<u16> {
        let link = link?;
        let mut named =
            (0..)
                .zip(self.model.routers.iter().zip(self.places))
                .filter(|(_, (router, place))| {
                    let destination = match &router.transport {
                        Transport::Multicast { group, .. } => Some(*group),
                        Transport::Unicast { .. } => place.source,
                    };
                    router.link == link
                        && router.vrid.value() == vrid
                        && place.ifindex == Some(LOOPBACK)
                        && destination == Some(datagram.destination)
                        && !router.addresses.is_empty()
                        && router.uncommon.xdp != XdpMode::Off
                });
        let (number, (_, place)) = named.next()?;
        let for_this_card = mac.0[0] & 1 == 1 || place.mac.is_none_or(|ours| ours == mac);
        (named.next().is_none() && for_this_card).then_some(number)
    }
}

/// Where the stack puts a frame: the device with these tags, those that say nothing but a priority left out.
fn link(bytes: &[u8]) -> Option<LinkId> {
    let words: Vec<u16> = bytes[12..]
        .chunks_exact(2)
        .take(4)
        .map(|word| u16::from_be_bytes([word[0], word[1]]))
        .collect();
    let tags: Vec<(u16, u16)> = words
        .chunks_exact(2)
        .map(|tag| (tag[0], tag[1] & 0x0fff))
        .take_while(|(ethertype, _)| [0x8100, 0x88a8].contains(ethertype))
        .filter(|(_, vlan)| *vlan != 0)
        .collect();
    let link = LINKS.iter().position(|(_, known)| *known == tags)?;
    Some(LinkId(u16::try_from(link).unwrap()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fragment {
    Whole,
    First,
    Later,
}

fn datagram_v4(packet: &[u8]) -> Result<(Datagram<'_>, Fragment), Left> {
    if packet.len() < 20 || packet[9] != 112 {
        return Err(Left::OtherProtocol);
    }
    let unsound = Left::Unsound;
    let header = packet.get(..usize::from(packet[0] & 0xf) * 4).ok_or(unsound)?;
    let parsed = ipv4::parse(packet).map_err(|_| unsound)?;
    // The daemon leaves that to the stack, which drops the packet.
    if checksum(&[header]) != 0 {
        return Err(unsound);
    }
    let fragment = match (
        parsed.datagram(),
        u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff,
    ) {
        (Ok(datagram), _) => return Ok((datagram, Fragment::Whole)),
        (Err(Refusal::Fragment), 0) => Fragment::First,
        (Err(Refusal::Fragment), _) => Fragment::Later,
        (Err(other), _) => panic!("refused by the IP header: {other:?}"),
    };
    // What the daemon does not read of a fragment.
    let datagram = Datagram {
        source: parsed.source.into(),
        destination: parsed.destination.into(),
        source_mac: None,
        ttl: parsed.ttl,
        pdu: parsed.payload,
    };
    Ok((datagram, fragment))
}

fn datagram_v6(packet: &[u8]) -> Result<(Datagram<'_>, Fragment), Left> {
    if packet.len() < 8 || packet[6] != 112 {
        return Err(Left::OtherProtocol);
    }
    match ipv6::parse(packet) {
        Ok(parsed) => Ok((parsed.datagram(), Fragment::Whole)),
        Err(Malformed::Truncated | Malformed::Unexpected | Malformed::Checksum) => Err(Left::Unsound),
    }
}
