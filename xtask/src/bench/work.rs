//! What a pair of daemons is given to do, and the configuration files that say so.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

/// A VRID stands once on an interface.
pub(super) const INSTANCES_PER_INTERFACE: u32 = 250;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Family {
    V4,
    V6,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Transport {
    Unicast,
    Multicast,
}

/// VRRPv3, all virtual routers alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Work {
    pub(super) family: Family,
    pub(super) transport: Transport,
    /// Virtual routers, spread over as many interfaces as their VRIDs take.
    pub(super) instances: u32,
    /// Addresses of each. The first stands in its adverts, the others are excluded from them.
    pub(super) addresses: u32,
    /// Of the adverts, in milliseconds: a multiple of 10.
    pub(super) interval_ms: u32,
}

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// The last byte of its address on each network; the other host's is `peer`.
    pub(super) own: u8,
    pub(super) peer: u8,
    pub(super) priority: u8,
}

impl Seat {
    /// The one that has the addresses whenever it is there: it is Master at once.
    pub(super) const OWNER: Self = Self {
        priority: 255,
        ..Self::A
    };
    /// Host A, the Master while it is there.
    pub(super) const A: Self = Self {
        own: 1,
        peer: 2,
        priority: 200,
    };
    /// Host B, its Backup, which is judged.
    pub(super) const B: Self = Self {
        own: 2,
        peer: 1,
        priority: 100,
    };

    /// Its addresses on network `interface`.
    pub(super) const fn addresses(self, interface: u8) -> (Ipv4Addr, Ipv6Addr) {
        addresses_of(self.own, interface)
    }
}

const fn addresses_of(host: u8, interface: u8) -> (Ipv4Addr, Ipv6Addr) {
    (
        Ipv4Addr::new(10, 0, interface, host),
        Ipv6Addr::new(0x2001, 0xdb8, 0, interface as u16, 0, 0, 0, host as u16),
    )
}

impl Work {
    /// One virtual router with so many addresses, IPv4 by unicast.
    pub(super) const fn one(addresses: u32, interval_ms: u32) -> Self {
        Self {
            family: Family::V4,
            transport: Transport::Unicast,
            instances: 1,
            addresses,
            interval_ms,
        }
    }

    /// So many virtual routers with one address each, IPv4 by unicast.
    pub(super) const fn many(instances: u32, interval_ms: u32) -> Self {
        Self {
            instances,
            ..Self::one(1, interval_ms)
        }
    }

    pub(super) const fn over(self, family: Family, transport: Transport) -> Self {
        Self {
            family,
            transport,
            ..self
        }
    }

    /// Address `index` of virtual router `instance`, both from 0.
    fn address(&self, instance: u32, index: u32) -> IpAddr {
        let number = instance * self.addresses + index;
        let [_, _, high, low] = number.to_be_bytes();
        match self.family {
            // No octet of 0 or 255: 240 to a third octet.
            Family::V4 => {
                let octet = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
                IpAddr::from([
                    172,
                    16 + octet(number / 57_600),
                    octet(number / 240 % 240),
                    octet(number % 240 + 1),
                ])
            }
            // The first in an advert is link-local (RFC 9568 §5.2.9).
            Family::V6 if index == 0 => {
                IpAddr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xce, high, low])
            }
            Family::V6 => IpAddr::from([
                0x20, 1, 0xd, 0xb8, 0, 0xff, 0, 0, 0, 0, 0, 0, 0x0a, 0xce, high, low,
            ]),
        }
    }

    /// All virtual addresses.
    pub(super) fn virtual_addresses(&self) -> Vec<IpAddr> {
        (0..self.instances)
            .flat_map(|instance| (0..self.addresses).map(move |index| self.address(instance, index)))
            .collect()
    }

    /// How many interfaces it takes.
    pub(super) const fn interfaces(&self) -> u32 {
        self.instances.div_ceil(INSTANCES_PER_INTERFACE)
    }

    /// The configuration of one host. Everything is announced once: what is measured is the first announcement of the
    /// last address, and what comes after it would fall into the next trial.
    pub(super) fn file(&self, seat: Seat) -> String {
        let mut text = format!(
            "global_defs {{
    router_id bench{}
    vrrp_garp_master_repeat 1
    vrrp_garp_master_delay 0
    vrrp_garp_lower_prio_repeat 1
}}
",
            seat.own
        );
        for instance in 0..self.instances {
            self.instance(&mut text, instance, seat);
        }
        text
    }

    fn instance(&self, text: &mut String, instance: u32, seat: Seat) {
        let (interface, vrid) = (
            u8::try_from(instance / INSTANCES_PER_INTERFACE).unwrap_or(u8::MAX),
            instance % INSTANCES_PER_INTERFACE + 1,
        );
        text.push_str(&format!(
            "vrrp_instance V{instance} {{
    state {}
    interface eth{interface}
    virtual_router_id {vrid}
    priority {}
    advert_int {}.{:02}
    version 3
",
            // keepalived's words for an owner.
            if seat.priority == 255 { "MASTER" } else { "BACKUP" },
            seat.priority,
            self.interval_ms / 1_000,
            self.interval_ms % 1_000 / 10,
        ));
        if self.transport == Transport::Unicast {
            let (own, peer) = (
                addresses_of(seat.own, interface),
                addresses_of(seat.peer, interface),
            );
            let pair: [IpAddr; 2] = match self.family {
                Family::V4 => [own.0.into(), peer.0.into()],
                Family::V6 => [own.1.into(), peer.1.into()],
            };
            text.push_str(&format!(
                "    unicast_src_ip {}\n    unicast_peer {{\n        {}\n    }}\n",
                pair[0], pair[1]
            ));
        }
        let length = match self.family {
            Family::V4 => 32,
            Family::V6 => 128,
        };
        let mut block = |name: &str, range: std::ops::Range<u32>| {
            if !range.is_empty() {
                text.push_str(&format!("    {name} {{\n"));
                for index in range {
                    text.push_str(&format!("        {}/{length}\n", self.address(instance, index)));
                }
                text.push_str("    }\n");
            }
        };
        block("virtual_ipaddress", 0..1);
        block("virtual_ipaddress_excluded", 1..self.addresses);
        text.push_str("}\n");
    }
}

impl fmt::Display for Work {
    /// `1000 VIPs, 100 ms`, and what is unusual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.instances, self.addresses) {
            (1, 1) => write!(f, "1 VIP")?,
            (1, many) => write!(f, "{many} VIPs")?,
            (many, _) => write!(f, "{many} instances")?,
        }
        write!(f, ", {} ms", self.interval_ms)?;
        if self.family == Family::V6 {
            write!(f, ", IPv6")?;
        }
        if self.transport == Transport::Multicast {
            write!(f, ", multicast")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::IpAddr;

    use super::{Family, Seat, Transport, Work};

    #[test]
    fn a_file_names_the_peer_and_each_address_once() {
        let file = Work::one(2, 10).file(Seat::B);
        assert_eq!(
            file.split_once("}\n").unwrap().1,
            "vrrp_instance V0 {
    state BACKUP
    interface eth0
    virtual_router_id 1
    priority 100
    advert_int 0.01
    version 3
    unicast_src_ip 10.0.0.2
    unicast_peer {
        10.0.0.1
    }
    virtual_ipaddress {
        172.16.0.1/32
    }
    virtual_ipaddress_excluded {
        172.16.0.2/32
    }
}
"
        );
    }

    #[test]
    fn no_two_addresses_are_the_same() {
        for family in [Family::V4, Family::V6] {
            for work in [Work::many(1_000, 100), Work::one(4_000, 100)] {
                let all = work.over(family, Transport::Multicast).virtual_addresses();
                let each: HashSet<IpAddr> = all.iter().copied().collect();
                assert_eq!((all.len(), each.len()), (all.len(), all.len()), "{work}");
            }
        }
        let last = Work::one(1_000, 100).virtual_addresses().pop();
        assert_eq!(last, Some(IpAddr::from([172, 16, 4, 40])));
    }

    #[test]
    fn a_thousand_instances_take_four_interfaces() {
        let work = Work::many(1_000, 100);
        assert_eq!((work.interfaces(), Work::one(1, 10).interfaces()), (4, 1));
        assert!(
            work.file(Seat::A)
                .contains("interface eth3\n    virtual_router_id 250")
        );
        assert_eq!(
            work.over(Family::V6, Transport::Multicast).to_string(),
            "1000 instances, 100 ms, IPv6, multicast"
        );
    }
}
