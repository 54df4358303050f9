//! Addresses as rtnetlink tells and takes them.

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
    CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::Request;

/// The `IFA_PROTO` that marks an address as put there by this daemon (VRRP's IP protocol number; kernel 5.18
/// and later keep it, older ones ignore it).
pub const OURS: u8 = 112;

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
            IpAddr::V6(_) => {
                if !self.dad {
                    message.header.flags = AddressHeaderFlags::Nodad;
                    attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
                }
                if self.prefix == 128 {
                    // Deprecated: never chosen as a source address by itself, as keepalived has it.
                    let mut lifetimes = CacheInfo::default();
                    lifetimes.ifa_preferred = 0;
                    lifetimes.ifa_valid = u32::MAX;
                    attributes.push(AddressAttribute::CacheInfo(lifetimes));
                }
            }
        }
        message.header.scope = AddressScope::from(self.scope);
        Request::new(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// The request to remove it, whatever its label; the answer is `EADDRNOTAVAIL` if it is not there.
    #[must_use]
    pub fn remove(&self) -> Request {
        Request::new(RouteNetlinkMessage::DelAddress(self.message()), 0)
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = match self.address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.prefix_len = self.prefix;
        message.header.index = self.ifindex;
        message.attributes = vec![
            AddressAttribute::Local(self.address),
            AddressAttribute::Address(self.address),
        ];
        message
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
