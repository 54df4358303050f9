//! Routes and rules on a real kernel, judged by `ip`. What it shows was shown for keepalived 2.2.7 with the same
//! lines, but for what is said beside them.

use vrrp_daemon::config::{Host as ThisHost, parse_str};
use vrrp_daemon::effects::addresses::{Report, remove_leftovers};
use vrrp_daemon::ingress::links::LinkEvent;
use vrrp_daemon::proto::model::{Carried, Model, RouterId};
use vrrp_tests::lab::{Host, root_or_skip, until};

use super::addresses::writer;
use super::links::Monitor;
use super::model::{FIRST, LIMIT, cable, ip, lab};
use super::reload::reload;

/// A configuration with one virtual router that has 192.0.2.100/24 and these lines.
fn configured(lines: &str) -> Model {
    let text = format!(
        "global_defs {{\n dynamic_interfaces\n}}
vrrp_instance VI {{
 interface bond0
 virtual_router_id 51
 virtual_ipaddress {{\n 192.0.2.100/24\n }}
{lines}
}}
"
    );
    let loaded = parse_str("routes.conf", &text, &ThisHost);
    loaded.config.unwrap().model
}

/// `ip -d route`, those of protocol 18 in any table.
fn routes(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        let shown = host.run(
            "ip",
            &[family, "-d", "route", "show", "table", "all", "proto", "18"],
        );
        lines.extend(shown.unwrap().lines().map(words));
    }
    lines
}

/// `ip -d rule` without the kernel's own.
fn rules(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        let shown = host.run("ip", &[family, "-d", "rule"]).unwrap();
        lines.extend(
            shown
                .lines()
                .filter(|line| !line.contains("proto kernel"))
                .map(words),
        );
    }
    lines
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn routes_and_rules_come_and_go_with_mastership() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let model = configured(
        " virtual_ipaddress_excluded {\n 2001:db8::1/64\n }
 virtual_routes {
  src 192.0.2.100 to 10.1.0.0/16 via 192.0.2.7 dev bond0 metric 5
  10.2.0.0/16 via 192.0.2.2
  10.3.0.0/16 dev bond0
  10.4.0.0/16 dev bond0 scope link table 100 mtu 1400 hoplimit 12 advmss 1000 initcwnd 10 rto_min 200ms
  10.5.0.0/16 via 192.0.2.7 or 192.0.2.2
  blackhole 10.6.0.0/16
  10.7.0.0/16 nexthop via 192.0.2.7 dev bond0 weight 3 nexthop via 192.0.2.2 dev bond0 weight 1
  default via 192.0.2.7
  2001:db8:5::/64 via 2001:db8::99 dev bond0 pref high
  unreachable 10.8.0.0/16 table 200
  10.9.0.0/16 via 172.31.0.1 dev bond0 onlink realms 3/4 mtu lock 1300 rtt 200ms window 1000 features ecn quickack 1 congctl reno
  10.10.0.0/16 via inet6 2001:db8::99 dev bond0 tos 0x10
  default via 2001:db8::98 dev bond0 expires 4000
  inet6 default from 2001:db8:7::/64 dev bond0 metric 7 table 1000
 }
 virtual_rules {
  from 192.0.2.100 table 100 priority 1
  to 10.1.0.0/16 from 192.0.2.0/24 table 100 priority 500
  fwmark 0x10/0xff table 100 iif bond0 priority 501
  from 2001:db8::/64 table 1000 priority 502
  not from 10.0.0.0/8 lookup 100 tos 0x10 priority 503
  from 1.2.3.4 blackhole priority 504
  from 1.2.3.5 goto 32766 priority 505
  uidrange 1000-2000 table 100 priority 506
  ipproto tcp dport 80-90 sport 1000-1001 table 100 priority 507
  from 192.0.2.111 suppress_prefixlength 0 table 100 priority 508
  iif bond0 oif nowhere0 realms 5/6 table 100 priority 509
  from 10.0.0.2 prohibit priority 510
  iif bond0 table 100 tunnel-id 5 priority 511
  from 10.0.0.1 l3mdev priority 512
 }",
    );
    let (writer, reports) = writer(&a.host, &model);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    let report = reports.recv().unwrap();
    assert!(matches!(report, Report::Acquired { added: 30, .. }), "{report:?}");

    let mut shown = routes(&a.host);
    shown.sort();
    assert_eq!(
        shown,
        [
            "blackhole 10.6.0.0/16 table main scope global",
            "nexthop via 192.0.2.2 dev bond0 weight 1",
            "nexthop via 192.0.2.2 dev bond0 weight 1",
            "nexthop via 192.0.2.7 dev bond0 weight 1",
            "nexthop via 192.0.2.7 dev bond0 weight 3",
            "unicast 10.1.0.0/16 via 192.0.2.7 dev bond0 table main scope global src 192.0.2.100 metric 5",
            // 2.2.7 refuses a gateway of the other family.
            "unicast 10.10.0.0/16 tos 0x10 via inet6 2001:db8::99 dev bond0 table main scope global",
            "unicast 10.2.0.0/16 via 192.0.2.2 dev bond0 table main scope global",
            "unicast 10.3.0.0/16 dev bond0 table main scope global",
            "unicast 10.4.0.0/16 dev bond0 table 100 scope link mtu 1400 advmss 1000 hoplimit 12 initcwnd 10 rto_min 200ms",
            "unicast 10.5.0.0/16 table main scope global",
            "unicast 10.7.0.0/16 table main scope global",
            "unicast 10.9.0.0/16 via 172.31.0.1 dev bond0 table main scope global onlink realms 3/4 mtu lock 1300 window 1000 rtt 200ms features ecn quickack 1 congctl reno",
            "unicast 2001:db8:5::/64 via 2001:db8::99 dev bond0 table main scope global metric 1024 pref high",
            "unicast default from 2001:db8:7::/64 dev bond0 table 1000 scope global metric 7 pref medium",
            "unicast default via 192.0.2.7 dev bond0 table main scope global",
            "unicast default via 2001:db8::98 dev bond0 table main scope global metric 1024 expires 3999sec pref medium",
            "unreachable 10.8.0.0/16 table 200 scope global",
        ]
    );
    assert_eq!(
        rules(&a.host),
        [
            "1: from 192.0.2.100 lookup 100 proto keepalived",
            "500: from 192.0.2.0/24 to 10.1.0.0/16 lookup 100 proto keepalived",
            "501: from all fwmark 0x10/0xff iif bond0 lookup 100 proto keepalived",
            "503: not from 10.0.0.0/8 tos 0x10 lookup 100 proto keepalived",
            "504: from 1.2.3.4 blackhole proto keepalived",
            "505: from 1.2.3.5 goto 32766 proto keepalived",
            "506: from all uidrange 1000-2000 lookup 100 proto keepalived",
            "507: from all ipproto tcp sport 1000-1001 dport 80-90 lookup 100 proto keepalived",
            "508: from 192.0.2.111 lookup 100 suppress_prefixlength 0 proto keepalived",
            "509: from all iif bond0 oif nowhere0 [detached] lookup 100 realms 5/6 proto keepalived",
            "510: from 10.0.0.2 prohibit proto keepalived",
            "511: from all iif bond0 tun_id 5 lookup 100 proto keepalived",
            "512: from 10.0.0.1 lookup [l3mdev-table] proto keepalived",
            "502: from 2001:db8::/64 lookup 1000 proto keepalived",
        ]
    );

    // Again: all of it is there.
    writer.acquire(FIRST, 0);
    assert!(writer.flush(LIMIT));
    let report = reports.recv().unwrap();
    assert!(
        matches!(
            report,
            Report::Acquired {
                added: 0,
                already: 30,
                ..
            }
        ),
        "{report:?}"
    );

    writer.release(FIRST);
    assert!(writer.flush(LIMIT));
    let report = reports.recv().unwrap();
    assert!(
        matches!(report, Report::Released { removed: 30, .. }),
        "{report:?}"
    );
    assert_eq!(routes(&a.host), Vec::<String>::new());
    assert_eq!(rules(&a.host), Vec::<String>::new());
}

/// Also when somebody else's, to the same destination, stand beside them: keepalived neither replaces those nor
/// gives way.
#[test]
fn others_routes_and_rules_stay() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let run = |line: &str| a.host.run("ip", &line.split(' ').collect::<Vec<_>>()).unwrap();
    run("route add default via 192.0.2.50");
    run("rule add from 10.9.9.9 table 9 priority 600");
    let model = configured(
        " virtual_routes {\n default via 192.0.2.7 dev bond0\n }
 virtual_rules {\n from 10.9.9.9 table 9 priority 600\n }",
    );
    let (writer, reports) = writer(&a.host, &model);
    writer.acquire(FIRST, 0);
    assert!(writer.flush(LIMIT));
    assert!(matches!(
        reports.recv().unwrap(),
        Report::Acquired { added: 3, .. }
    ));
    assert!(run("route get 198.51.100.1").contains("via 192.0.2.7"));
    writer.release(FIRST);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        words(&run("route show default")),
        "default via 192.0.2.50 dev bond0"
    );
    assert!(run("rule").contains("from 10.9.9.9 lookup 9"));
}

/// A crash left them; what was not made by keepalived's number is somebody else's.
#[test]
fn left_over_routes_and_rules_are_removed() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let run = |line: &str| a.host.run("ip", &line.split(' ').collect::<Vec<_>>()).unwrap();
    run("route add 10.1.0.0/16 via 192.0.2.7 proto 18");
    run("route add 10.2.0.0/16 via 192.0.2.7 proto static");
    run("route add 10.3.0.0/16 via 192.0.2.7 proto 18");
    run("rule add from 10.9.9.9 table 9 priority 600 protocol 18");
    run("rule add from 10.9.9.8 table 9 priority 601");
    let model = configured(
        " virtual_routes {\n 10.1.0.0/16 via 192.0.2.7 dev bond0\n 10.2.0.0/16 via 192.0.2.7 dev bond0\n 10.4.0.0/16 dev bond0\n }
 virtual_rules {\n from 10.9.9.9 table 9 priority 600\n from 10.9.9.8 table 9 priority 601\n }",
    );
    let removed = a
        .host
        .namespace()
        .inside(|| Ok(remove_leftovers(&model)?))
        .unwrap();
    let gone: Vec<_> = removed
        .iter()
        .map(|leftover| (leftover.what.as_str(), leftover.removed))
        .collect();
    assert_eq!(
        gone,
        [
            ("route 10.1.0.0/16 via 192.0.2.7", Ok(())),
            ("rule 600: from 10.9.9.9/32 lookup 9", Ok(()))
        ]
    );
    assert_eq!(
        routes(&a.host),
        ["unicast 10.3.0.0/16 via 192.0.2.7 dev bond0 table main scope global"]
    );
    assert_eq!(rules(&a.host), ["601: from 10.9.9.8 lookup 9 proto unspec"]);
}

/// Whoever removes them, and however: also where the kernel says nothing of it.
#[test]
fn routes_and_rules_that_come_and_go_are_told() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24", "198.51.100.1/24"]);
    let run = |line: &str| a.host.run("ip", &line.split(' ').collect::<Vec<_>>()).unwrap();
    run("addr add 192.0.2.100/24 dev bond0");
    run("route add 10.3.0.0/16 via 192.0.2.7 src 192.0.2.100 proto 18");
    let model = configured(
        " virtual_routes {
  10.1.0.0/16 via 192.0.2.7 dev bond0
  2001:db8:1::/64 dev bond0
  10.3.0.0/16 via 192.0.2.7 src 192.0.2.100
 }
 virtual_rules {\n from 10.9.9.9 table 9 priority 600\n from 2001:db8::/64 table 9 priority 601\n }",
    );
    let (v4, v6, sourced) = (Carried::Route(0), Carried::Route(1), Carried::Route(2));
    let (rule4, rule6) = (Carried::Rule(0), Carried::Rule(1));
    let carried = |carried, present| LinkEvent::Carried {
        router: RouterId(0),
        carried,
        present,
    };
    let mut monitor = Monitor::start(&a.host, &model, 64);
    let told = monitor.told();
    assert!(told.contains(&carried(sourced, true)), "{told:?}");

    let mut step = |line: &str, expected: &[(Carried, bool)]| {
        run(line);
        for (what, present) in expected {
            monitor.wait_for(carried(*what, *present));
        }
    };
    let add = "route add 10.1.0.0/16 via 192.0.2.7 dev bond0 proto 18";
    step(add, &[(v4, true)]);
    // Of another protocol: not ours, and a flood of such never gets past the socket's filter.
    step("route add 10.1.0.0/16 via 192.0.2.7 metric 9 proto bird", &[]);
    step("route del 10.1.0.0/16 via 192.0.2.7 proto 18", &[(v4, false)]);
    step(add, &[(v4, true)]);
    // The kernel tells of the new one alone.
    step("route replace 10.1.0.0/16 via 192.0.2.8", &[(v4, false)]);
    run("route del 10.1.0.0/16 via 192.0.2.8");
    step(add, &[(v4, true)]);
    step("-6 route add 2001:db8:1::/64 dev bond0 proto 18", &[(v6, true)]);
    step("-6 route flush proto 18", &[(v6, false)]);
    step(
        "rule add from 10.9.9.9 table 9 priority 600 protocol 18",
        &[(rule4, true)],
    );
    step("rule del priority 600", &[(rule4, false)]);
    step(
        "-6 rule add from 2001:db8::/64 table 9 priority 601 protocol 18",
        &[(rule6, true)],
    );
    step("-6 rule del priority 601", &[(rule6, false)]);
    // Silently: with its source address, with its interface, with the last address there.
    let address = Carried::Address(ip("192.0.2.100"));
    step(
        "addr del 192.0.2.100/24 dev bond0",
        &[(address, false), (sourced, false)],
    );
    step("link set bond0 down", &[(v4, false)]);
    run("link set bond0 up");
    step(add, &[(v4, true)]);
    step("-4 addr flush dev bond0", &[(v4, false)]);
}

/// Its interface was down, which took the route away, and somebody deleted one that is static.
#[test]
fn routes_are_put_back() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let run = |line: &str| a.host.run("ip", &line.split(' ').collect::<Vec<_>>()).unwrap();
    let model = configured(" virtual_routes {\n 10.1.0.0/16 via 192.0.2.7 dev bond0\n }");
    let (writer, reports) = writer(&a.host, &model);
    writer.acquire(FIRST, 0);
    assert!(writer.flush(LIMIT));
    let there = ["unicast 10.1.0.0/16 via 192.0.2.7 dev bond0 table main scope global"];
    assert_eq!(routes(&a.host), there);

    run("link set bond0 down");
    assert_eq!(routes(&a.host), Vec::<String>::new());
    let ifindex = vrrp_daemon::sys::interface::index_of;
    let known = a.host.namespace().inside(|| Ok(ifindex("bond0"))).unwrap();
    writer.set_link(super::model::BOND0, known, None, false);
    run("link set bond0 up");
    writer.set_link(super::model::BOND0, known, None, true);
    until("the route is back", LIMIT, || Ok(routes(&a.host) == there)).unwrap();

    run("route del 10.1.0.0/16 via 192.0.2.7");
    writer.restore(FIRST, Carried::Route(0));
    until("the route is back", LIMIT, || Ok(routes(&a.host) == there)).unwrap();
    let restored = std::iter::from_fn(|| reports.recv_timeout(LIMIT).ok()).find_map(|report| match report {
        Report::Restored { first, .. } => Some(first),
        _ => None,
    });
    assert_eq!(restored, Some(Carried::Route(0)));
}

/// keepalived sets it on the interface of an instance that says so, and puts it back at the end. Without it,
/// removing the first address of a subnet would take the others along: ours is removed last.
#[test]
fn promote_secondaries_is_set_and_put_back() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let sysctl = || {
        let path = "/proc/sys/net/ipv4/conf/bond0/promote_secondaries";
        a.host.run("cat", &[path]).unwrap().trim().to_owned()
    };
    let off = "echo 0 > /proc/sys/net/ipv4/conf/bond0/promote_secondaries";
    a.host.run("sh", &["-c", off]).unwrap();
    let model = configured(" promote_secondaries");
    let (writer, _) = writer(&a.host, &model);
    writer.acquire(FIRST, 0);
    assert!(writer.flush(LIMIT));
    assert_eq!(sysctl(), "1");
    drop(writer);
    assert_eq!(sysctl(), "0");
}

/// The news of the loss may wait for the writer together with the new configuration, in which the route has another
/// number.
#[test]
fn what_was_lost_just_before_a_reload_comes_back() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let two = configured(" virtual_routes {\n 10.1.0.0/16 dev bond0\n 10.2.0.0/16 dev bond0\n }");
    let one = configured(" virtual_routes {\n 10.2.0.0/16 dev bond0\n }");
    let (writer, _reports) = writer(&a.host, &two);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    for _ in 0..10 {
        assert_eq!(routes(&a.host).len(), 2);
        a.host.run("ip", &["route", "del", "10.2.0.0/16"]).unwrap();
        writer.restore(FIRST, Carried::Route(1));
        let reports = reload(&writer, &two, &one, &[true]);
        let said = reports
            .iter()
            .find(|report| matches!(report, Report::Restored { .. }));
        let Some(Report::Restored {
            restored: 1, first, ..
        }) = said
        else {
            panic!("{said:?}");
        };
        assert_eq!(first, Carried::Route(0));
        let shown = routes(&a.host);
        assert!(shown.len() == 1 && shown[0].contains("10.2.0.0/16"), "{shown:?}");
        let _ = reload(&writer, &one, &two, &[true]);
    }
}
