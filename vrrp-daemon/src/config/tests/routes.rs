//! Routes, rules and static items. Numbers, flags and defaults are those that keepalived 2.2.7 was seen to send to
//! the kernel for the same lines (`strace`); where ours differ, the test says so.

use std::net::IpAddr;

use vrrp_common::id::Family;

use super::{FakeHost, instance, read, said};
use crate::config::parse_str;
use crate::proto::LinkId;
use crate::proto::model::{
    NextHop, Placing, Preferred, Prefix, RuleAction, Track, TrackObject, VirtualRoute, VirtualRule,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix {
        address: ip(address),
        length: length.parse().unwrap(),
    }
}

/// An ordinary route of the main table without anything to go by.
fn route(destination: &str) -> VirtualRoute {
    let destination = prefix(destination);
    VirtualRoute {
        family: Family::of(destination.address),
        kind: 1,
        destination,
        from: None,
        hops: Vec::new(),
        source: None,
        table: 254,
        protocol: 18,
        scope: None,
        tos: 0,
        metric: None,
        preference: None,
        expires: None,
        metrics: Vec::new(),
        locked: 0,
        congestion: None,
        ttl_propagate: None,
        placing: Placing::First,
        tracked: true,
    }
}

fn via(address: &str) -> NextHop {
    NextHop {
        via: Some(ip(address)),
        ..NextHop::default()
    }
}

/// On the first interface of the file.
fn on_d0(hop: NextHop) -> NextHop {
    NextHop {
        link: Some(LinkId(0)),
        ..hop
    }
}

fn rule(priority: u32) -> VirtualRule {
    VirtualRule {
        family: Family::V4,
        inverted: false,
        from: None,
        to: None,
        input: None,
        output: None,
        priority,
        tos: 0,
        mark: None,
        realms: None,
        suppress_prefix: None,
        suppress_group: None,
        tunnel: None,
        users: None,
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        l3mdev: false,
        protocol: 18,
        action: RuleAction::Table(100),
        tracked: true,
    }
}

#[test]
fn routes_as_they_are_written() {
    let text = instance(
        " virtual_routes {
  src 192.0.2.100 to 10.1.0.0/16 via 192.0.2.1 dev d0 metric 5
  10.3.0.0/16 dev d0
  10.4.0.0/16 dev d0 scope link table 100 mtu 1400 hoplimit 12 rto_min 300ms
  blackhole 10.6.0.0/16 no_track
  10.7.0.0/16 nexthop via 192.0.2.1 dev d0 weight 3 nexthop via 192.0.2.2 dev d0
  default via 192.0.2.1 dev d0
  2001:db8:5::/64 via 2001:db8::99 dev d0 pref high
  10.9.0.0/16 via 172.31.0.1 dev d0 onlink realms 3/4 mtu lock 1300 rtt 300ms features ecn quickack 1 congctl reno
  10.10.0.0/16 via inet6 fe80::1 dev d0 tos 0x10
  inet6 default dev d0 append
 }",
    );
    let loaded = read(&text);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    let plain = on_d0(NextHop::default());
    assert_eq!(
        config.model.routers[0].routes,
        [
            VirtualRoute {
                hops: vec![on_d0(via("192.0.2.1"))],
                source: Some(ip("192.0.2.100")),
                metric: Some(5),
                ..route("10.1.0.0/16")
            },
            VirtualRoute {
                hops: vec![plain.clone()],
                ..route("10.3.0.0/16")
            },
            VirtualRoute {
                hops: vec![plain.clone()],
                scope: Some(253),
                table: 100,
                // RTAX_MTU, RTAX_HOPLIMIT, RTAX_RTO_MIN
                metrics: vec![(2, 1400), (10, 12), (13, 300)],
                ..route("10.4.0.0/16")
            },
            VirtualRoute {
                kind: 6,
                tracked: false,
                ..route("10.6.0.0/16")
            },
            VirtualRoute {
                hops: vec![
                    NextHop {
                        weight: Some(3),
                        ..on_d0(via("192.0.2.1"))
                    },
                    on_d0(via("192.0.2.2")),
                ],
                ..route("10.7.0.0/16")
            },
            VirtualRoute {
                hops: vec![on_d0(via("192.0.2.1"))],
                ..route("0.0.0.0/0")
            },
            VirtualRoute {
                hops: vec![on_d0(via("2001:db8::99"))],
                preference: Some(1),
                ..route("2001:db8:5::/64")
            },
            VirtualRoute {
                hops: vec![NextHop {
                    onlink: true,
                    realms: Some(196_612),
                    ..on_d0(via("172.31.0.1"))
                }],
                // The kernel keeps eight times the round trip.
                metrics: vec![(2, 1300), (4, 2400), (12, 1), (15, 1)],
                locked: 4,
                congestion: Some("reno".to_owned()),
                ..route("10.9.0.0/16")
            },
            // 2.2.7 refuses a gateway of the other family; 2.4 and the kernel know it.
            VirtualRoute {
                hops: vec![on_d0(via("fe80::1"))],
                tos: 16,
                ..route("10.10.0.0/16")
            },
            VirtualRoute {
                hops: vec![plain],
                placing: Placing::Last,
                ..route("::/0")
            },
        ]
    );
}

/// keepalived leaves out the route, says so, and runs.
#[test]
fn a_route_that_cannot_be_had_is_left_out_whole() {
    let text = instance(
        " virtual_routes {
  10.1.0.0/16 dev d0 bogus
  10.2.0.0/16 dev d0 metric x
  10.3.0.0/16 dev d0 table nosuch
  via 192.0.2.1
  10.5.0.0/16 src 2001:db8::1 dev d0
  10.6.0.0/16 dev d0 expires 5
  10.7.0.0/16 dev d0 encap ip id 5
  10.8.0.1/16 dev d0
  10.9.0.0/16 gw 192.0.2.1
 }",
    );
    let loaded = read(&text);
    assert_eq!(
        said(&loaded),
        [
            "warning 8:22 unknown word `bogus` in a route, which is left out",
            "warning 9:29 `x` does not fit here",
            "warning 10:28 `nosuch` does not fit here",
            "warning 11:3 the route has no destination: this route is left out",
            "warning 12:3 IPv4 and IPv6 addresses do not go together in a route: this route is left out",
            "warning 13:3 `expires` is for IPv6: this route is left out",
            "warning 14:22 `encap` is not done: this route is left out",
            "warning 15:3 10.8.0.1/16 names a host, not a network",
            "note 16:3 route 10.9.0.0/16 via 192.0.2.1 names no interface",
            "note 16:15 `gw` is deprecated",
        ]
    );
    let routes = &loaded.config.unwrap().model.routers[0].routes;
    let destinations: Vec<_> = routes.iter().map(|route| route.destination).collect();
    assert_eq!(destinations, [prefix("10.8.0.0/16"), prefix("10.9.0.0/16")]);
}

#[test]
fn rules_as_they_are_written() {
    let text = instance(
        " virtual_rules {
  to 10.1.0.0/16 from 192.0.2.0/24 table 100 priority 500
  fwmark 0x10/0xff table 100 iif d0 priority 501
  not from 10.0.0.0/8 lookup 100 tos 0x10 preference 502
  from 192.0.2.7 blackhole order 503
  uidrange 1000-2000 table 100 priority 504
  ipproto tcp dport 80-90 sport 1000 table 100 priority 505
  inet6 from all suppress_prefixlength 0 table 100 priority 506
  from 2001:db8::/64 goto 32766 priority 507 no_track
  iif d0 oif d0 realms 5/6 table main tunnel-id 9 priority 508 protocol static
  l3mdev priority 509
 }",
    );
    let loaded = read(&text);
    assert_eq!(said(&loaded), Vec::<String>::new());
    assert_eq!(
        loaded.config.unwrap().model.routers[0].rules,
        [
            VirtualRule {
                from: Some(prefix("192.0.2.0/24")),
                to: Some(prefix("10.1.0.0/16")),
                ..rule(500)
            },
            VirtualRule {
                mark: Some((16, Some(255))),
                input: Some("d0".to_owned()),
                ..rule(501)
            },
            VirtualRule {
                inverted: true,
                from: Some(prefix("10.0.0.0/8")),
                tos: 16,
                ..rule(502)
            },
            VirtualRule {
                from: Some(prefix("192.0.2.7/32")),
                action: RuleAction::Blackhole,
                ..rule(503)
            },
            VirtualRule {
                users: Some((1000, 2000)),
                ..rule(504)
            },
            VirtualRule {
                ip_protocol: Some(6),
                // 2.2.7 wants a range here.
                source_ports: Some((1000, 1000)),
                destination_ports: Some((80, 90)),
                ..rule(505)
            },
            // 2.2.7 swallows the word after `inet6`.
            VirtualRule {
                family: Family::V6,
                suppress_prefix: Some(0),
                ..rule(506)
            },
            VirtualRule {
                family: Family::V6,
                from: Some(prefix("2001:db8::/64")),
                action: RuleAction::Goto(32766),
                tracked: false,
                ..rule(507)
            },
            VirtualRule {
                input: Some("d0".to_owned()),
                output: Some("d0".to_owned()),
                realms: Some(327_686),
                tunnel: Some(9),
                protocol: 4,
                action: RuleAction::Table(254),
                ..rule(508)
            },
            VirtualRule {
                l3mdev: true,
                action: RuleAction::Table(0),
                ..rule(509)
            },
        ]
    );
}

/// As keepalived counts: down from 16384, each family by itself, in the file's order.
#[test]
fn rules_without_a_priority_are_numbered() {
    let text = format!(
        "static_rules {{\n from 10.79.0.0/16 table 77\n}}\n{}",
        instance(
            " virtual_rules {
  from 192.0.2.100 table 100
  from 2001:db8::/64 table 100
  from 192.0.2.101 table 100
  from 192.0.2.102 goto 32766
  from 192.0.2.103
 }"
        )
    );
    let loaded = read(&text);
    assert_eq!(
        said(&loaded),
        [
            "warning 2:2 a rule without `priority`",
            "warning 11:3 a rule without `priority`",
            "warning 12:3 a rule without `priority`",
            "warning 13:3 a rule without `priority`",
            "warning 14:3 `goto 32766` needs a `priority` below it: this rule is left out",
            "warning 15:3 the rule says neither `table` nor anything else to do: this rule is left out",
        ]
    );
    let model = loaded.config.unwrap().model;
    let priorities = |rules: &[VirtualRule]| rules.iter().map(|rule| rule.priority).collect::<Vec<_>>();
    assert_eq!(priorities(&model.statics.rules), [16_384]);
    assert_eq!(priorities(&model.routers[0].rules), [16_383, 16_384, 16_382]);
}

/// keepalived: "(V): entering FAULT state (interface d1 down)" for each of these.
#[test]
fn interfaces_of_addresses_routes_and_rules_are_tracked() {
    let text = instance(
        " virtual_ipaddress_excluded {\n 10.0.0.1 dev d1\n 10.0.0.2 dev d2 no_track\n 10.0.0.3 dev d0\n }
 virtual_routes {\n 10.1.0.0/16 dev d3\n 10.2.0.0/16 dev d4 no_track\n }
 virtual_rules {\n iif d5 table 9 priority 1\n oif d6 table 9 priority 2 no_track\n }
 track_interface {\n d3 weight 10\n }",
    );
    let loaded = read(&text);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let model = loaded.config.unwrap().model;
    let tracked = model.routers[0].track.iter().map(|track| match track {
        Track {
            object: TrackObject::Link(link),
            weight,
            ..
        } => (model.links[link.index()].as_str(), *weight),
        _ => ("", 0),
    });
    assert_eq!(tracked.collect::<Vec<_>>(), [("d3", 10), ("d5", 0), ("d1", 0)]);
}

#[test]
fn seldom_options_of_addresses() {
    let text = instance(
        " virtual_ipaddress_excluded {
  2001:db8::1/64 home mngtmpaddr noprefixroute autojoin no_track
  2001:db8::2 preferred_lft forever -nodad
  2001:db8::3/64 preferred_lft 60
  192.0.2.103/24 peer 192.0.2.203
  192.0.2.104 use_vmac vrrp.9 label x
  192.0.2.105 peer 2001:db8::9
 }",
    );
    let loaded = read(&text);
    assert_eq!(
        said(&loaded),
        [
            "warning 12:15 `use_vmac` of an address has no effect: it is not done",
            "warning 13:20 `2001:db8::9` does not fit here",
        ]
    );
    let model = loaded.config.unwrap().model;
    let excluded = &model.routers[0].excluded;
    let first = excluded[0].extra;
    assert!(first.home && first.temporaries && first.no_prefix_route && first.autojoin && first.untracked);
    assert_eq!(excluded[1].extra.preferred, Preferred::Forever);
    assert!(excluded[1].dad);
    assert_eq!(excluded[2].extra.preferred, Preferred::Seconds(60));
    assert_eq!(excluded[3].extra.peer, Some(prefix("192.0.2.203/32")));
    assert_eq!(excluded[4].label.as_deref(), Some("x"));
    assert_eq!(excluded[5].extra.peer, None);
}

#[test]
fn static_items_and_names_of_numbers() {
    let mut host = FakeHost::default();
    let mut file = |path: &str, text: &str| {
        host.files.insert(path.into(), text.into());
    };
    file("/usr/share/iproute2/rt_tables", "# numbers\n77 uplink\n");
    file("/etc/iproute2/rt_tables", "0x4e uplink # overrules\n");
    file("/etc/iproute2/rt_tables.d/more.conf", "79 backup\n");
    file("/etc/iproute2/rt_realms", "5\tcosmos\n");
    let text = format!(
        "global_defs {{\n default_interface d9\n}}
static_ipaddress {{\n 10.77.0.1/24\n 10.77.1.1/24 dev d0 track_group g\n}}
static_routes {{\n 10.78.0.0/16 via 10.77.0.2 dev d0 table uplink realms cosmos/6\n}}
static_rules {{\n from 10.79.0.0/16 table backup priority 9\n}}
{}",
        instance("")
    );
    let loaded = parse_str("test.conf", &text, &host);
    assert_eq!(
        said(&loaded),
        ["note 6:34 `track_group`: a static item that somebody deletes is put back"]
    );
    let model = loaded.config.unwrap().model;
    let on = |link: LinkId| model.links[link.index()].as_str();
    let addresses = &model.statics.addresses;
    assert_eq!(
        (on(addresses[0].link), addresses[0].address, addresses[0].prefix),
        ("d9", ip("10.77.0.1"), 24)
    );
    assert_eq!(on(addresses[1].link), "d0");
    assert_eq!(
        (
            model.statics.routes[0].table,
            model.statics.routes[0].hops[0].realms
        ),
        (78, Some(327_686))
    );
    assert_eq!(model.statics.rules[0].action, RuleAction::Table(79));

    let moved = format!("global_defs {{\n iproute_etc_dir /opt\n iproute_usr_dir /opt\n}}\n{text}");
    let loaded = parse_str("test.conf", &moved, &host);
    assert!(
        said(&loaded)
            .iter()
            .any(|line| line.ends_with("`uplink` does not fit here"))
    );
    assert!(loaded.config.unwrap().model.statics.routes.is_empty());
}
