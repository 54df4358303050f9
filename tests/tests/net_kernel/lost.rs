//! Addresses that somebody else removes, that the kernel refuses, and that are announced one at a time.

use std::net::IpAddr;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use nix::errno::Errno;
use vrrp_common::time::Nanos;
use vrrp_daemon::config::{Pacing, PacingGroup};
use vrrp_daemon::effects::addresses::{AddressWriter, Report};
use vrrp_daemon::proto::model::{Carried, LinkId, RouterId};
use vrrp_daemon::sys::interface;
use vrrp_tests::lab::{Capture, Host, Stamp, root_or_skip, until};

use super::addresses::{announced, announcement, on, paced_writer, shown, writer};
use super::model::{BOND0, FIRST, LIMIT, cable, ip, lab, model, router, vip};
use super::reload::Monitor;

const BOND1: LinkId = LinkId(1);

fn remove(host: &Host, writer: &AddressWriter, addresses: &[&str]) {
    for address in addresses {
        host.run("ip", &["addr", "del", &format!("{address}/32"), "dev", "bond0"])
            .unwrap();
    }
    for address in addresses {
        writer.restore(FIRST, Carried::Address(ip(address)));
    }
}

/// Wait for a [`Report::Restored`]: how many, and the pause from then on.
fn restored(reports: &Receiver<Report>) -> (u16, Nanos) {
    loop {
        if let Report::Restored { restored, pause, .. } = reports.recv_timeout(LIMIT).unwrap() {
            return (restored, pause);
        }
    }
}

#[test]
fn what_was_removed_together_comes_back_together_and_ever_more_rarely() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let all = ["192.0.2.100", "192.0.2.101", "192.0.2.102"];
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &all)]));
    writer.acquire(FIRST, 1);
    until(
        "all are announced",
        LIMIT,
        || Ok(announced(&a.capture).len() == 3),
    )
    .unwrap();
    a.capture.clear();
    let mut monitor = Monitor::start(&a.host);

    for pause in [100, 200, 400] {
        remove(&a.host, &writer, &["192.0.2.102", "192.0.2.101"]);
        // Told twice is lost once.
        writer.restore(FIRST, Carried::Address(ip("192.0.2.101")));
        assert_eq!(restored(&reports), (2, Nanos::from_millis(pause)));
    }
    let once = [
        "-192.0.2.102/32",
        "-192.0.2.101/32",
        "+192.0.2.101/32",
        "+192.0.2.102/32",
    ];
    assert_eq!(monitor.events(), once.repeat(3));
    // Nobody needs to hear of the one that was there all the time.
    let expected = [(ip("192.0.2.101"), 3), (ip("192.0.2.102"), 3)].into();
    until("three rounds of two", LIMIT, || {
        Ok(announced(&a.capture) == expected)
    })
    .unwrap();

    // What has not gone is not put back, and what is not held is not either.
    writer.restore(FIRST, Carried::Address(ip("192.0.2.100")));
    writer.release(FIRST);
    writer.restore(FIRST, Carried::Address(ip("192.0.2.100")));
    assert!(writer.flush(LIMIT));
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), [ip("192.0.2.1")]);
    assert!(
        reports
            .try_iter()
            .all(|report| matches!(report, Report::Released { .. }))
    );
}

/// IPv6 can be off on an interface; nobody tells the daemon when it is on again.
#[test]
fn what_the_kernel_refused_is_asked_for_again() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let off = |value: &str| {
        let setting = format!("net.ipv6.conf.bond0.disable_ipv6={value}");
        a.host.run("sysctl", &["-q", "-w", &setting]).unwrap();
    };
    off("1");
    let mut instance = router(51, &["192.0.2.100"]);
    instance.excluded = vec![vip("2001:db8::5")];
    let (writer, reports) = writer(&a.host, &model(vec![instance]));
    writer.acquire(FIRST, 2);
    assert_eq!(
        reports.recv_timeout(LIMIT).unwrap(),
        Report::Refused {
            router: FIRST,
            failed: 1,
            first: Carried::Address(ip("2001:db8::5")),
            errno: Errno::EACCES,
        }
    );
    off("0");
    // Between the two nothing is said, however often it was tried.
    let report = reports.recv_timeout(LIMIT).unwrap();
    assert!(
        matches!(
            report,
            Report::Acquired {
                added: 1,
                already: 0,
                ..
            }
        ),
        "{report:?}"
    );
    assert!(on(&a.host, "bond0", "2001:db8::5/128"));
    until("two rounds of both", LIMIT, || {
        Ok(announced(&a.capture) == [(ip("192.0.2.100"), 2), (ip("2001:db8::5"), 2)].into())
    })
    .unwrap();
}

/// A device that is made anew is down at first, and cannot announce.
#[test]
fn an_interface_that_comes_up_is_announced_on() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &["192.0.2.100"])]));
    let tell = |up| {
        let known = a
            .host
            .namespace()
            .inside(|| Ok((interface::index_of("bond0"), interface::mac_of("bond0"))));
        let (ifindex, mac) = known.unwrap();
        writer.set_link(BOND0, ifindex, mac, up);
    };
    a.host.run("ip", &["link", "set", "bond0", "down"]).unwrap();
    tell(false);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        reports.recv_timeout(LIMIT).unwrap(),
        Report::NotAnnounced {
            router: FIRST,
            link: BOND0,
            errno: Errno::ENETDOWN,
        }
    );
    a.capture.clear();
    a.host.run("ip", &["link", "set", "bond0", "up"]).unwrap();
    tell(true);
    a.capture
        .wait_for("an announcement", Stamp(0), LIMIT, announcement)
        .unwrap();
}

/// Who was announced, in order, with the time since the first.
fn sequence(capture: &Capture) -> Vec<(Duration, IpAddr)> {
    let seen = capture.pick(Stamp(0), announcement);
    let first = seen.first().map_or(Stamp(0), |(at, _)| *at);
    seen.into_iter()
        .map(|(at, address)| (at.since(first), address))
        .collect()
}

/// Captured of keepalived 2.2.7 with `vrrp_garp_interval 0.1`, two instances, `garp_master_repeat 3`, .99 on the
/// other interface: .100, .100, .101, .102, .110, .111 at 0, 101, 202, 303, 405, 507 ms on the one and .99, .99 at
/// 0, 101 ms on the other. Rounds that are due while an address waits are one.
#[test]
fn announcements_keep_their_distance_on_each_interface() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    lab.network("back").unwrap();
    let port = lab.connect(&a.host, "bond1", "back", &[]).unwrap();
    let other = port.capture().unwrap();
    let mut second = router(52, &["192.0.2.110", "192.0.2.111", "192.0.2.99"]);
    second.addresses[2].link = BOND1;
    let mut model = model(vec![
        router(51, &["192.0.2.100", "192.0.2.101", "192.0.2.102"]),
        second,
        router(53, &["192.0.2.120"]),
    ]);
    model.links.push("bond1".to_owned());
    let pacing = Pacing {
        garp: Nanos::from_millis(100),
        ..Pacing::default()
    };
    let (writer, _reports) = paced_writer(&a.host, &model, &pacing);
    tell_bond1(&a.host, &writer);
    writer.acquire(FIRST, 3);
    writer.acquire(RouterId(1), 3);
    // Neither additions nor removals wait for it.
    writer.acquire(RouterId(2), 1);
    writer.release(RouterId(2));
    assert!(writer.flush(LIMIT));
    assert!(sequence(&a.capture).len() < 6);
    assert_eq!(shown(&a.host).len(), 6);

    until("all have had their turn", LIMIT, || {
        Ok(sequence(&a.capture).len() >= 6 && sequence(&other).len() >= 2)
    })
    .unwrap();
    let seen = sequence(&a.capture);
    let order: Vec<_> = seen.iter().map(|(_, address)| address.to_string()).collect();
    assert_eq!(
        order,
        [
            "192.0.2.100",
            "192.0.2.100",
            "192.0.2.101",
            "192.0.2.102",
            "192.0.2.110",
            "192.0.2.111"
        ]
    );
    distances(&seen, Duration::from_millis(100));
    let seen = sequence(&other);
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|(_, address)| *address == ip("192.0.2.99")));
    distances(&seen, Duration::from_millis(100));
}

/// Captured of keepalived 2.2.7 with `garp_group { garp_interval 0.1 gna_interval 0.2 interfaces { eth9 eth8 } }` and
/// `garp_master_repeat 2`: the interfaces take turns, ARP beside ND.
#[test]
fn a_group_of_interfaces_shares_one_pace() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    lab.connect(&a.host, "bond1", "front", &[]).unwrap();
    let mut instance = router(51, &["192.0.2.100", "192.0.2.101", "192.0.2.99"]);
    instance.addresses[2].link = BOND1;
    instance.excluded = vec![vip("2001:db8::1"), vip("2001:db8::2"), vip("2001:db8::3")];
    instance.excluded[2].link = BOND1;
    let mut model = model(vec![instance]);
    model.links.push("bond1".to_owned());
    let pacing = Pacing {
        groups: vec![PacingGroup {
            garp: Nanos::from_millis(50),
            gna: Nanos::from_millis(100),
            interfaces: vec!["bond0".to_owned(), "bond1".to_owned()],
        }],
        ..Pacing::default()
    };
    let (writer, _reports) = paced_writer(&a.host, &model, &pacing);
    tell_bond1(&a.host, &writer);
    // The switch passes what bond1 says on to bond0's port.
    writer.acquire(FIRST, 2);
    until("all have had their turn", LIMIT, || {
        Ok(sequence(&a.capture).len() >= 8)
    })
    .unwrap();
    let (arp, nd): (Vec<_>, Vec<_>) = sequence(&a.capture)
        .into_iter()
        .partition(|(_, address)| address.is_ipv4());
    let names = |seen: &[(Duration, IpAddr)]| -> Vec<_> {
        seen.iter().map(|(_, address)| address.to_string()).collect()
    };
    assert_eq!(
        names(&arp),
        ["192.0.2.100", "192.0.2.100", "192.0.2.101", "192.0.2.99"]
    );
    assert_eq!(
        names(&nd),
        ["2001:db8::1", "2001:db8::1", "2001:db8::2", "2001:db8::3"]
    );
    distances(&arp, Duration::from_millis(50));
    distances(&nd, Duration::from_millis(100));
}

/// Never closer than this. The capture's own stamps may be late, by less than a fifth of it.
fn distances(seen: &[(Duration, IpAddr)], least: Duration) {
    for pair in seen.windows(2) {
        let distance = pair[1].0 - pair[0].0;
        assert!(distance >= least * 4 / 5, "{distance:?} in {seen:?}");
    }
}

fn tell_bond1(host: &Host, writer: &AddressWriter) {
    let known = host
        .namespace()
        .inside(|| Ok((interface::index_of("bond1"), interface::mac_of("bond1"))));
    let (ifindex, mac) = known.unwrap();
    writer.set_link(BOND1, ifindex, mac, true);
}
