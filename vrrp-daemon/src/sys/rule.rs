//! Rules as rtnetlink tells and takes them.

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{
    RuleAction as Action, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange,
};

use super::netlink::Request;
use super::route::{family, realm};
use crate::proto::model::{RuleAction, VirtualRule};

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
