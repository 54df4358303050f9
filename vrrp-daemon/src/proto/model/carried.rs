//! What comes and goes with mastership besides the addresses themselves: routes and rules; and what is there as
//! long as the daemon runs (`static_*`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use vrrp_common::id::Family;

use super::{LinkId, Model, RouterId, VirtualAddress, VirtualRouter};

/// One thing that a holder puts on the host, named so that it can be found again in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// This address.
    Address(IpAddr),
    /// The route at this position of the holder's list.
    Route(u16),
    /// The rule at this position of the holder's list.
    Rule(u16),
}

/// Everything that one holder puts on the host, in the order in which it comes; it goes in reverse.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'m> {
    /// Its addresses, the advertised ones first.
    pub addresses: [&'m [VirtualAddress]; 2],
    /// Its routes.
    pub routes: &'m [VirtualRoute],
    /// Its rules.
    pub rules: &'m [VirtualRule],
    /// Its addresses may be the interface's own (priority 255): what was there before stays.
    pub owner: bool,
}

impl<'m> Holding<'m> {
    /// Its addresses, in order.
    pub fn addresses(&self) -> impl Iterator<Item = &'m VirtualAddress> + use<'m> {
        let [advertised, excluded] = self.addresses;
        advertised.iter().chain(excluded)
    }

    /// Whether it matters that somebody else removes it (not `no_track`).
    #[must_use]
    pub fn tracks(&self, carried: Carried) -> bool {
        match carried {
            Carried::Address(address) => {
                let mut addresses = self.addresses();
                let found = addresses.find(|known| known.address == address);
                found.is_some_and(|known| !known.extra.untracked)
            }
            Carried::Route(index) => {
                let route = self.routes.get(usize::from(index));
                route.is_some_and(|route| route.tracked)
            }
            Carried::Rule(index) => {
                let rule = self.rules.get(usize::from(index));
                rule.is_some_and(|rule| rule.tracked)
            }
        }
    }

    /// What `carried` stands for, as a person writes it.
    #[must_use]
    pub fn describe(&self, carried: Carried) -> String {
        match carried {
            Carried::Address(address) => address.to_string(),
            Carried::Route(index) => match self.routes.get(usize::from(index)) {
                Some(route) => format!("route {route}"),
                None => "a route".to_owned(),
            },
            Carried::Rule(index) => match self.rules.get(usize::from(index)) {
                Some(rule) => format!("rule {rule}"),
                None => "a rule".to_owned(),
            },
        }
    }
}

/// What is there as long as the daemon runs: `static_ipaddress`, `static_routes`, `static_rules`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statics {
    /// `static_ipaddress`
    pub addresses: Vec<VirtualAddress>,
    /// `static_routes`
    pub routes: Vec<VirtualRoute>,
    /// `static_rules`
    pub rules: Vec<VirtualRule>,
}

impl Statics {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.routes.is_empty() && self.rules.is_empty()
    }

    fn holding(&self) -> Holding<'_> {
        Holding {
            addresses: [&self.addresses, &[]],
            routes: &self.routes,
            rules: &self.rules,
            owner: false,
        }
    }
}

impl VirtualRouter {
    /// What it holds while it is Master.
    #[must_use]
    pub fn holding(&self) -> Holding<'_> {
        Holding {
            addresses: [&self.addresses, &self.excluded],
            routes: &self.routes,
            rules: &self.rules,
            owner: self.priority.is_owner(),
        }
    }
}

impl Model {
    /// Stands for the static items wherever something is held: the number after the last virtual router's. What
    /// holds for a virtual router that is always Master holds for them; the protocol knows nothing of them.
    #[must_use]
    pub fn statics_id(&self) -> RouterId {
        RouterId(u16::try_from(self.routers.len()).unwrap_or(u16::MAX))
    }

    /// Whatever may hold something: the virtual routers in their order, and the static items last.
    pub fn holders(&self) -> impl Iterator<Item = (RouterId, Holding<'_>)> {
        let routers = self.routers.iter().map(VirtualRouter::holding);
        (0..).map(RouterId).zip(routers.chain([self.statics.holding()]))
    }

    /// One of [`Model::holders`].
    #[must_use]
    pub fn holding(&self, holder: RouterId) -> Option<Holding<'_>> {
        match self.routers.get(holder.index()) {
            Some(router) => Some(router.holding()),
            None if holder == self.statics_id() => Some(self.statics.holding()),
            None => None,
        }
    }
}

/// What is seldom said of an address; the default is keepalived's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressExtra {
    /// The other end of a point-to-point link (`peer`); its prefix length is the address's.
    pub peer: Option<Prefix>,
    /// `preferred_lft`
    pub preferred: Preferred,
    /// A mobile IPv6 home address (`home`).
    pub home: bool,
    /// Temporary addresses are made from it (`mngtmpaddr`, IPv6).
    pub temporaries: bool,
    /// No route for its prefix (`noprefixroute`).
    pub no_prefix_route: bool,
    /// Join its multicast group (`autojoin`).
    pub autojoin: bool,
    /// It may vanish, and its interface may go down (`no_track`).
    pub untracked: bool,
}

/// How long an address may be chosen as a source by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preferred {
    /// Never for an IPv6 address of prefix length 128, else for ever.
    #[default]
    Usual,
    /// For ever.
    Forever,
    /// Seconds.
    Seconds(u32),
}

/// Addresses that have their first `length` bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub length: u8,
}

impl Prefix {
    /// The address without its bits beyond the prefix.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        let length = u32::from(self.length);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return f.write_str("default");
        }
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A route of the Master (`virtual_routes`), or a static one. Numbers are rtnetlink's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualRoute {
    /// Its family.
    pub family: Family,
    /// `RTN_…`: 1 unicast, 6 blackhole, 7 unreachable, 8 prohibit, 9 throw, ...
    pub kind: u8,
    /// Where to; length 0 for everywhere.
    pub destination: Prefix,
    /// `from`: for packets with such a source only (IPv6).
    pub from: Option<Prefix>,
    /// Ways to go; none for `blackhole` and its like.
    pub hops: Vec<NextHop>,
    /// `src`: source address of what this host sends over it.
    pub source: Option<IpAddr>,
    /// Routing table, 254 is the main one.
    pub table: u32,
    /// `protocol`, who made it; 18 (keepalived) unless given.
    pub protocol: u8,
    /// Scope, 0 global, 253 link; `None`: by its kind, global for an ordinary one.
    pub scope: Option<u8>,
    /// `tos`, `dsfield`
    pub tos: u8,
    /// `metric`
    pub metric: Option<u32>,
    /// `pref`: RFC 4191 preference of IPv6, 3 low, 0 medium, 1 high.
    pub preference: Option<u8>,
    /// `expires`, s (IPv6)
    pub expires: Option<u32>,
    /// `mtu` and the like: `RTAX_…` and value.
    pub metrics: Vec<(u16, u32)>,
    /// Bit `RTAX_…` for each metric that is locked.
    pub locked: u32,
    /// `congctl`
    pub congestion: Option<String>,
    /// `ttl-propagate`
    pub ttl_propagate: Option<bool>,
    /// Beside others to the same destination.
    pub placing: Placing,
    /// Put back when somebody else removes it (not `no_track`).
    pub tracked: bool,
}

/// Where a route goes among others to the same destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placing {
    /// Before them (`prepend`, the default: as keepalived does, it neither replaces nor gives way).
    #[default]
    First,
    /// It must be the only one (`add`).
    Only,
    /// After them (`append`).
    Last,
}

/// One way of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// The gateway; of the other family too.
    pub via: Option<IpAddr>,
    /// The interface.
    pub link: Option<LinkId>,
    /// Share among several, 1..=256.
    pub weight: Option<u16>,
    /// The gateway is on the link, whatever the addresses say.
    pub onlink: bool,
    /// Source and destination realm in one number, as the kernel has it.
    pub realms: Option<u32>,
}

impl VirtualRoute {
    /// The interfaces that it needs.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        self.hops.iter().filter_map(|hop| hop.link)
    }
}

impl fmt::Display for VirtualRoute {
    /// As `ip route` would, as far as is needed to recognise it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            6 => f.write_str("blackhole ")?,
            7 => f.write_str("unreachable ")?,
            8 => f.write_str("prohibit ")?,
            9 => f.write_str("throw ")?,
            _ => {}
        }
        write!(f, "{}", self.destination)?;
        if let Some(via) = self.hops.first().and_then(|hop| hop.via) {
            write!(f, " via {via}")?;
        }
        if self.table != 254 {
            write!(f, " table {}", self.table)?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        Ok(())
    }
}

/// A rule of the Master (`virtual_rules`), or a static one. Numbers are rtnetlink's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualRule {
    /// Its family.
    pub family: Family,
    /// `not`
    pub inverted: bool,
    /// `from`
    pub from: Option<Prefix>,
    /// `to`
    pub to: Option<Prefix>,
    /// `iif`
    pub input: Option<String>,
    /// `oif`
    pub output: Option<String>,
    /// `priority`: its place among the rules.
    pub priority: u32,
    /// `tos`
    pub tos: u8,
    /// `fwmark MARK[/MASK]`
    pub mark: Option<(u32, Option<u32>)>,
    /// `realms`
    pub realms: Option<u32>,
    /// `suppress_prefixlength`
    pub suppress_prefix: Option<u32>,
    /// `suppress_ifgroup`
    pub suppress_group: Option<u32>,
    /// `tunnel-id`
    pub tunnel: Option<u64>,
    /// `uidrange`
    pub users: Option<(u32, u32)>,
    /// `ipproto`
    pub ip_protocol: Option<u8>,
    /// `sport`
    pub source_ports: Option<(u16, u16)>,
    /// `dport`
    pub destination_ports: Option<(u16, u16)>,
    /// `l3mdev`: the table of the VRF that the packet belongs to.
    pub l3mdev: bool,
    /// `protocol`, who made it; 18 (keepalived) unless given.
    pub protocol: u8,
    /// What is done.
    pub action: RuleAction,
    /// Put back when somebody else removes it (not `no_track`).
    pub tracked: bool,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleAction {
    /// Look into this table.
    Table(u32),
    /// Go on at the rule of this priority.
    Goto(u32),
    /// Nothing.
    Nop,
    /// Drop.
    Blackhole,
    /// Refuse with "network unreachable".
    Unreachable,
    /// Refuse with "administratively prohibited".
    Prohibit,
}

impl fmt::Display for VirtualRule {
    /// As `ip rule` would, as far as is needed to recognise it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.priority)?;
        if self.inverted {
            f.write_str(" not")?;
        }
        match self.from {
            Some(from) => write!(f, " from {from}")?,
            None => f.write_str(" from all")?,
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        if let Some((mark, _)) = self.mark {
            write!(f, " fwmark {mark:#x}")?;
        }
        match self.action {
            RuleAction::Table(table) => write!(f, " lookup {table}"),
            RuleAction::Goto(priority) => write!(f, " goto {priority}"),
            RuleAction::Nop => f.write_str(" nop"),
            RuleAction::Blackhole => f.write_str(" blackhole"),
            RuleAction::Unreachable => f.write_str(" unreachable"),
            RuleAction::Prohibit => f.write_str(" prohibit"),
        }
    }
}
