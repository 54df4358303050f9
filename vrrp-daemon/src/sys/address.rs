//! Addresses as rtnetlink tells and takes them.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::Request;
use crate::proto::model::{AddressExtra, Preferred, VirtualAddress};

/// The `IFA_PROTO` that marks an address as put there by VRRP: the number that keepalived 2.4 has in iproute2's
/// tables, so that `ip` shows it by name and either program knows what the other left behind. Kernel 5.18 and later
/// keep it, older ones ignore it.
pub const OURS: u8 = 18;

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The interface.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// Label (IPv4).
    pub label: Option<String>,
    /// Put there by this daemon, says its `IFA_PROTO`.
    pub ours: bool,
    /// A secondary address of its subnet (IPv4), or a temporary one (IPv6).
    pub secondary: bool,
    /// May be used: not tentative, and no duplicate was found.
    pub usable: bool,
}

impl Entry {
    /// Read a message of type `RTM_NEWADDR` or `RTM_DELADDR`; `None` if it holds no IP address.
    #[must_use]
    pub fn read(message: &AddressMessage) -> Option<Self> {
        let (mut local, mut address) = (None, None);
        let (mut label, mut ours) = (None, false);
        let mut flags = u32::from(message.header.flags.bits());
        for attribute in &message.attributes {
            match attribute {
                // On a point-to-point interface `Address` is the other end.
                AddressAttribute::Local(ip) => local = Some(*ip),
                AddressAttribute::Address(ip) => address = Some(*ip),
                AddressAttribute::Label(text) => label = Some(text.clone()),
                AddressAttribute::Flags(all) => flags = all.bits(),
                AddressAttribute::Protocol(protocol) => ours = u8::from(*protocol) == OURS,
                _ => {}
            }
        }
        let flags = AddressFlags::from_bits_retain(flags);
        let tentative = flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic);
        Some(Self {
            ifindex: message.header.index,
            address: local.or(address)?,
            prefix: message.header.prefix_len,
            label,
            ours,
            secondary: flags.contains(AddressFlags::Secondary),
            usable: !tentative && !flags.contains(AddressFlags::Dadfailed),
        })
    }

    /// The request to remove it, whatever its other end.
    #[must_use]
    pub fn remove(&self) -> Request {
        let mut message = AddressMessage::default();
        message.header.family = family(self.address);
        message.header.prefix_len = self.prefix;
        message.header.index = self.ifindex;
        message.attributes = vec![AddressAttribute::Local(self.address)];
        Request::new(RouteNetlinkMessage::DelAddress(message), 0)
    }
}

/// An address to add, with everything the kernel should know about it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The interface.
    pub ifindex: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// Label (IPv4, at most 15 characters).
    pub label: Option<&'a str>,
    /// Scope number.
    pub scope: u8,
    /// IPv4 broadcast address.
    pub broadcast: Option<IpAddr>,
    /// Run duplicate address detection (IPv6).
    pub dad: bool,
    /// Flags and lifetime.
    pub extra: AddressExtra,
}

impl<'a> Wanted<'a> {
    /// A virtual address on its interface.
    #[must_use]
    pub fn new(address: &'a VirtualAddress, ifindex: u32) -> Self {
        Self {
            ifindex,
            address: address.address,
            prefix: address.prefix,
            label: address.label.as_deref(),
            scope: address.scope,
            broadcast: address.broadcast,
            dad: address.dad,
            extra: address.extra,
        }
    }
}

impl Wanted<'_> {
    /// The request to add it; the answer is `EEXIST` if it is there already.
    #[must_use]
    pub fn add(&self) -> Request {
        let mut message = self.message();
        let attributes = &mut message.attributes;
        attributes.push(AddressAttribute::Protocol(AddressProtocol::from(OURS)));
        match self.address {
            IpAddr::V4(_) => {
                if let Some(IpAddr::V4(broadcast)) = self.broadcast {
                    attributes.push(AddressAttribute::Broadcast(broadcast));
                }
                if let Some(label) = self.label {
                    attributes.push(AddressAttribute::Label(label.to_owned()));
                }
            }
            IpAddr::V6(_) => {}
        }
        let flags = self.flags();
        if !flags.is_empty() {
            attributes.push(AddressAttribute::Flags(flags));
        }
        if let Some(seconds) = self.preferred() {
            let mut lifetimes = CacheInfo::default();
            lifetimes.ifa_preferred = seconds;
            lifetimes.ifa_valid = u32::MAX;
            attributes.push(AddressAttribute::CacheInfo(lifetimes));
        }
        message.header.scope = AddressScope::from(self.scope);
        Request::new(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    fn flags(&self) -> AddressFlags {
        let extra = &self.extra;
        let flags = [
            (AddressFlags::Nodad, self.address.is_ipv6() && !self.dad),
            (AddressFlags::Homeaddress, extra.home),
            (AddressFlags::Managetempaddr, extra.temporaries),
            (AddressFlags::Noprefixroute, extra.no_prefix_route),
            (AddressFlags::Mcautojoin, extra.autojoin),
        ];
        let set = flags.into_iter().filter(|(_, wanted)| *wanted);
        set.map(|(flag, _)| flag).collect()
    }

    /// Seconds until it is deprecated, that is, no longer chosen as a source by itself; `None`: never.
    fn preferred(&self) -> Option<u32> {
        match self.extra.preferred {
            Preferred::Usual => (self.address.is_ipv6() && self.prefix == 128).then_some(0),
            Preferred::Forever => None,
            Preferred::Seconds(seconds) => Some(seconds),
        }
    }

    /// The request to remove it, whatever its label; the answer is `EADDRNOTAVAIL` if it is not there.
    #[must_use]
    pub fn remove(&self) -> Request {
        Request::new(RouteNetlinkMessage::DelAddress(self.message()), 0)
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = family(self.address);
        // With a peer, the prefix is that of the other end.
        let peer = self.extra.peer;
        message.header.prefix_len = peer.map_or(self.prefix, |peer| peer.length);
        message.header.index = self.ifindex;
        message.attributes = vec![
            AddressAttribute::Local(self.address),
            AddressAttribute::Address(peer.map_or(self.address, |peer| peer.address)),
        ];
        message
    }
}

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// `fe80::/10`.
#[must_use]
pub fn is_link_local(address: Ipv6Addr) -> bool {
    address
        .segments()
        .first()
        .is_some_and(|segment| segment & 0xffc0 == 0xfe80)
}
