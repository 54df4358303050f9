//! Rules as rtnetlink tells and takes them.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{
    RuleAction as Action, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use vrrp_common::id::Family;

use super::netlink::Request;
use super::route::{family, realm};
use crate::proto::model::{Prefix, RuleAction, VirtualRule};

/// `FRA_IP_PROTO`, as in linux/fib_rules.h.
const FRA_IP_PROTO: u16 = 22;

/// The request to add it; the answer is `EEXIST` if the very same is there.
#[must_use]
pub fn add(rule: &VirtualRule) -> Request {
    Request::new(
        RouteNetlinkMessage::NewRule(message(rule)),
        NLM_F_CREATE | NLM_F_EXCL,
    )
}

/// The request to remove it; the answer is `ENOENT` if it is not there.
#[must_use]
pub fn remove(rule: &VirtualRule) -> Request {
    Request::new(RouteNetlinkMessage::DelRule(message(rule)), 0)
}

fn message(rule: &VirtualRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = family(rule.family);
    header.tos = rule.tos;
    if rule.inverted {
        header.flags = RuleFlags::Invert;
    }
    let attributes = &mut message.attributes;
    if let Some(from) = rule.from {
        header.src_len = from.length;
        attributes.push(RuleAttribute::Source(from.address));
    }
    if let Some(to) = rule.to {
        header.dst_len = to.length;
        attributes.push(RuleAttribute::Destination(to.address));
    }
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol)));
    header.action = match rule.action {
        RuleAction::Table(table) => {
            header.table = u8::try_from(table).unwrap_or_default();
            if table != 0 {
                attributes.push(RuleAttribute::Table(table));
            }
            Action::ToTable
        }
        RuleAction::Goto(priority) => {
            attributes.push(RuleAttribute::Goto(priority));
            Action::Goto
        }
        RuleAction::Nop => Action::Nop,
        RuleAction::Blackhole => Action::Blackhole,
        RuleAction::Unreachable => Action::Unreachable,
        RuleAction::Prohibit => Action::Prohibit,
    };
    attributes.extend(rule.input.clone().map(RuleAttribute::Iifname));
    attributes.extend(rule.output.clone().map(RuleAttribute::Oifname));
    if let Some((mark, mask)) = rule.mark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.extend(mask.map(RuleAttribute::FwMask));
    }
    attributes.extend(rule.realms.map(|realms| RuleAttribute::Realm(realm(realms))));
    attributes.extend(rule.suppress_prefix.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_group.map(RuleAttribute::SuppressIfGroup));
    attributes.extend(rule.tunnel.map(RuleAttribute::TunId));
    attributes.extend(
        rule.users
            .map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })),
    );
    let protocol = |number| RuleAttribute::Other(DefaultNla::new(FRA_IP_PROTO, vec![number]));
    attributes.extend(rule.ip_protocol.map(protocol));
    let range = |(start, end)| RulePortRange { start, end };
    attributes.extend(
        rule.source_ports
            .map(|ports| RuleAttribute::SourcePortRange(range(ports))),
    );
    attributes.extend(
        rule.destination_ports
            .map(|ports| RuleAttribute::DestinationPortRange(range(ports))),
    );
    if rule.l3mdev {
        attributes.push(RuleAttribute::L3MDev(true));
    }
    message
}

/// What a rule is known by when the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    family: Family,
    priority: u32,
    protocol: u8,
    inverted: bool,
    tos: u8,
    from: Option<Prefix>,
    to: Option<Prefix>,
    input: Option<String>,
    output: Option<String>,
    mark: Option<u32>,
    table: u32,
}

impl Key {
    /// Of this rule.
    #[must_use]
    pub fn of(rule: &VirtualRule) -> Self {
        Self {
            family: rule.family,
            priority: rule.priority,
            protocol: rule.protocol,
            inverted: rule.inverted,
            tos: rule.tos,
            from: rule.from,
            to: rule.to,
            input: rule.input.clone(),
            output: rule.output.clone(),
            mark: rule.mark.map(|(mark, _)| mark),
            table: match rule.action {
                RuleAction::Table(table) => table,
                RuleAction::Goto(_)
                | RuleAction::Nop
                | RuleAction::Blackhole
                | RuleAction::Unreachable
                | RuleAction::Prohibit => 0,
            },
        }
    }

    /// Read a message of type `RTM_NEWRULE` or `RTM_DELRULE`; `None` for other families.
    #[must_use]
    pub fn read(message: &RuleMessage) -> Option<Self> {
        let header = &message.header;
        let family = match header.family {
            AddressFamily::Inet => Family::V4,
            AddressFamily::Inet6 => Family::V6,
            _ => return None,
        };
        let mut key = Self {
            family,
            priority: 0,
            protocol: 0,
            inverted: header.flags.contains(RuleFlags::Invert),
            tos: header.tos,
            from: None,
            to: None,
            input: None,
            output: None,
            mark: None,
            table: u32::from(header.table),
        };
        let prefix = |address: &IpAddr, length| Prefix {
            address: *address,
            length,
        };
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Source(address) => key.from = Some(prefix(address, header.src_len)),
                RuleAttribute::Destination(address) => key.to = Some(prefix(address, header.dst_len)),
                RuleAttribute::Iifname(name) => key.input = Some(name.clone()),
                RuleAttribute::Oifname(name) => key.output = Some(name.clone()),
                RuleAttribute::Priority(priority) => key.priority = *priority,
                RuleAttribute::FwMark(mark) => key.mark = Some(*mark),
                RuleAttribute::Table(table) => key.table = *table,
                RuleAttribute::Protocol(protocol) => key.protocol = u8::from(*protocol),
                _ => {}
            }
        }
        Some(key)
    }
}

/// Asks for all rules of a family; to be sent on a strict connection.
#[must_use]
pub fn all(family: Family) -> RouteNetlinkMessage {
    let mut message = RuleMessage::default();
    message.header.family = super::route::family(family);
    RouteNetlinkMessage::GetRule(message)
}
