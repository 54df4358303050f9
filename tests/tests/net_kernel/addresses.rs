//! The netlink writer and what a crash leaves behind.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, channel};

use nix::errno::Errno;
use serde_json::Value;
use vrrp_common::id::Priority;
use vrrp_daemon::config::Pacing;
use vrrp_daemon::effects::addresses::{AddressWriter, Report, find_doubles, remove_leftovers};
use vrrp_daemon::proto::model::{AddressExtra, Carried, LinkId, Model, RouterId};
use vrrp_daemon::sys::address::Wanted;
use vrrp_daemon::sys::interface;
use vrrp_daemon::sys::netlink::Netlink;
use vrrp_tests::lab::{Capture, Frame, Host, Stamp, root_or_skip, until};

use super::model::{BOND0, FIRST, LIMIT, cable, ip, lab, model, router, vip};

/// A writer at work inside `host`, which knows bond0.
pub(crate) fn writer(host: &Host, model: &Model) -> (AddressWriter, Receiver<Report>) {
    paced_writer(host, model, &Pacing::default())
}

pub(crate) fn paced_writer(host: &Host, model: &Model, pacing: &Pacing) -> (AddressWriter, Receiver<Report>) {
    let (sender, reports) = channel();
    let writer = host.namespace().inside(|| {
        let report = move |report| sender.send(report).unwrap_or_default();
        let writer = AddressWriter::spawn(model, pacing, false, report)?;
        writer.set_link(
            BOND0,
            interface::index_of("bond0"),
            interface::mac_of("bond0"),
            true,
        );
        Ok(writer)
    });
    (writer.unwrap(), reports)
}

/// `ip -j addr show bond0`, by address, without the link-local address that the kernel made from the MAC.
pub(crate) fn shown(host: &Host) -> BTreeMap<IpAddr, Value> {
    let text = host
        .run("ip", &["-j", "-d", "addr", "show", "dev", "bond0"])
        .unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let entries = all[0]["addr_info"].as_array().unwrap().clone();
    let local = |entry: &Value| entry["local"].as_str().unwrap().to_owned();
    entries
        .into_iter()
        .filter(|entry| !local(entry).contains("ff:fe"))
        .map(|entry| (local(&entry).parse().unwrap(), entry))
        .collect()
}

/// Add an address to bond0 with the daemon's mark, as its writer would (`ip` of 2022 knows no `proto`).
pub(crate) fn add_marked(host: &Host, address: &str, prefix: u8) {
    let add = |ifindex| Wanted {
        ifindex,
        address: ip(address),
        prefix,
        label: None,
        scope: 0,
        broadcast: None,
        dad: false,
        extra: AddressExtra::default(),
    };
    host.namespace()
        .inside(|| {
            let ifindex = interface::index_of("bond0").unwrap();
            let refused = |_, errno| panic!("{address}: {errno}");
            Ok(Netlink::open()?.batch([&add(ifindex).add()], refused)?)
        })
        .unwrap();
}

pub(crate) fn announced(capture: &Capture) -> BTreeMap<IpAddr, usize> {
    let mut counts = BTreeMap::new();
    for (_, address) in capture.pick(Stamp(0), announcement) {
        *counts.entry(address).or_default() += 1;
    }
    counts
}

pub(crate) fn announcement(captured: &vrrp_tests::lab::Captured) -> Option<IpAddr> {
    match captured.frame() {
        Frame::GratuitousArp {
            address,
            operation: 1,
            ..
        } => Some(address.into()),
        Frame::UnsolicitedNa {
            address,
            overrides: true,
            ..
        } => Some(address.into()),
        _ => None,
    }
}

fn many(count: u8) -> Vec<String> {
    (0..count).map(|n| format!("198.51.100.{n}")).collect()
}

#[test]
fn two_hundred_addresses_come_announced_and_go() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let addresses = many(200);
    let list: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &list)]));

    writer.acquire(FIRST, 3);
    assert!(writer.flush(LIMIT));
    let present = shown(&a.host);
    assert_eq!(present.len(), 201);
    let Report::Acquired {
        router: FIRST,
        added: 200,
        already: 0,
        took,
    } = reports.recv().unwrap()
    else {
        panic!("not acquired");
    };
    println!("200 addresses in {took}");
    until("600 announcements", LIMIT, || {
        Ok(announced(&a.capture).values().sum::<usize>() == 600)
    })
    .unwrap();
    assert!(announced(&a.capture).values().all(|count| *count == 3));

    // Again: nothing new, announced all the same.
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert!(matches!(
        reports.recv().unwrap(),
        Report::Acquired {
            added: 0,
            already: 200,
            ..
        }
    ));

    writer.release(FIRST);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        reports.recv().unwrap(),
        Report::Released {
            router: FIRST,
            removed: 200
        }
    );
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), [ip("192.0.2.1")]);

    writer.release(FIRST);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        reports.recv().unwrap(),
        Report::Released {
            router: FIRST,
            removed: 0
        }
    );
}

/// Pitfall: an announcement before the address is there attracts packets that nobody accepts. The kernel
/// refuses a prefix length of 33.
#[test]
fn only_what_the_kernel_accepted_is_announced() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let list = [
        "192.0.2.10",
        "192.0.2.11/33",
        "192.0.2.12",
        "192.0.2.13/33",
        "192.0.2.14",
    ];
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &list)]));
    writer.acquire(FIRST, 2);
    assert!(writer.flush(LIMIT));
    let refused = Report::Refused {
        router: FIRST,
        failed: 2,
        first: Carried::Address(ip("192.0.2.11")),
        errno: Errno::EINVAL,
    };
    assert_eq!(reports.recv().unwrap(), refused);
    let good = [ip("192.0.2.10"), ip("192.0.2.12"), ip("192.0.2.14")];
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), good);
    writer.announce(FIRST, 1);
    assert!(writer.flush(LIMIT));
    until("nine announcements", LIMIT, || {
        Ok(announced(&a.capture).values().sum::<usize>() >= 9)
    })
    .unwrap();
    assert_eq!(announced(&a.capture), good.map(|address| (address, 3)).into());
}

#[test]
fn addresses_look_as_configured() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let mut instance = router(51, &["192.0.2.100/24"]);
    instance.addresses[0].label = Some("bond0:vip".to_owned());
    instance.addresses[0].scope = 253;
    instance.addresses[0].broadcast = Some(ip("192.0.2.255"));
    instance.excluded = vec![vip("fe80::52"), vip("2001:db8::52/64")];
    let (writer, reports) = writer(&a.host, &model(vec![instance]));
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert!(matches!(
        reports.recv().unwrap(),
        Report::Acquired { added: 3, .. }
    ));

    let shown = shown(&a.host);
    let v4 = &shown[&ip("192.0.2.100")];
    assert_eq!(
        (&v4["label"], &v4["scope"]),
        (&"bond0:vip".into(), &"link".into()),
        "{v4}"
    );
    assert_eq!(
        (&v4["broadcast"], &v4["prefixlen"]),
        (&"192.0.2.255".into(), &24.into()),
        "{v4}"
    );
    let host_route = &shown[&ip("fe80::52")];
    assert_eq!(
        (&host_route["nodad"], &host_route["deprecated"]),
        (&true.into(), &true.into())
    );
    assert_eq!(host_route["tentative"], Value::Null, "{host_route}");
    let on_subnet = &shown[&ip("2001:db8::52")];
    assert_eq!(
        (&on_subnet["nodad"], &on_subnet["deprecated"]),
        (&true.into(), &Value::Null)
    );
    until("three announcements", LIMIT, || {
        Ok(announced(&a.capture).len() >= 3)
    })
    .unwrap();
    let expected = [ip("192.0.2.100"), ip("2001:db8::52"), ip("fe80::52")];
    assert_eq!(announced(&a.capture), expected.map(|address| (address, 1)).into());
}

/// Desired state, not commands: whatever was under way, what was wished last holds in the end.
#[test]
fn the_last_wish_counts() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let addresses = many(250);
    let list: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (writer, _reports) = writer(
        &a.host,
        &model(vec![router(51, &list), router(52, &["192.0.2.9"])]),
    );
    for _ in 0..5 {
        writer.acquire(FIRST, 5);
        writer.release(FIRST);
    }
    assert!(writer.flush(LIMIT));
    assert_eq!(shown(&a.host).len(), 0);

    // In the middle of adding.
    a.capture.clear();
    writer.acquire(FIRST, 100);
    a.capture
        .wait_for("an announcement", Stamp(0), LIMIT, announcement)
        .unwrap();
    writer.release(FIRST);
    writer.announce(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert_eq!(shown(&a.host).len(), 0);
    let rounds = announced(&a.capture).values().copied().max().unwrap_or(0);
    assert!(rounds < 100, "{rounds} rounds went out after the release");

    for _ in 0..5 {
        writer.release(FIRST);
        writer.acquire(FIRST, 0);
    }
    assert!(writer.shutdown(LIMIT));
    assert_eq!(shown(&a.host).len(), 250);
}

fn tell(host: &Host, writer: &AddressWriter, name: &str) {
    let known = host
        .namespace()
        .inside(|| Ok((interface::index_of(name), interface::mac_of(name))));
    let (ifindex, mac) = known.unwrap();
    writer.set_link(BOND0, ifindex, mac, true);
}

pub(crate) fn on(host: &Host, device: &str, address: &str) -> bool {
    let shown = host.run("ip", &["-o", "addr", "show", "dev", device]);
    shown.unwrap().contains(address)
}

/// The neighbours' ARP caches have the old MAC address, and nobody else tells them.
#[test]
fn another_mac_address_is_announced() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let (writer, _reports) = writer(&a.host, &model(vec![router(51, &["192.0.2.100"])]));
    writer.acquire(FIRST, 1);
    a.capture
        .wait_for("an announcement", Stamp(0), LIMIT, announcement)
        .unwrap();
    assert!(writer.flush(LIMIT));
    let mac = ["link", "set", "bond0", "address", "02:00:00:00:00:aa"];
    a.host.run("ip", &mac).unwrap();
    a.capture.clear();
    tell(&a.host, &writer, "bond0");
    let hardware = a
        .capture
        .wait_for("an announcement", Stamp(0), LIMIT, |captured| {
            match captured.frame() {
                Frame::GratuitousArp { hardware, .. } => Some(hardware),
                _ => None,
            }
        });
    assert_eq!(hardware.unwrap().1, [2, 0, 0, 0, 0, 0xaa]);

    // Told again, it is no news.
    assert!(writer.flush(LIMIT));
    tell(&a.host, &writer, "bond0");
    assert!(writer.flush(LIMIT));
    assert_eq!(announced(&a.capture), [(ip("192.0.2.100"), 1)].into());
}

/// Nobody becomes Master again when an interface that only carries addresses is made anew.
#[test]
fn held_addresses_follow_the_name_of_their_interface() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let (writer, _reports) = writer(
        &a.host,
        &model(vec![router(51, &["192.0.2.100"]), router(52, &["192.0.2.101"])]),
    );
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert!(on(&a.host, "bond0", "192.0.2.100/32"));

    // Renamed while in use: the addresses must not go on answering there.
    a.host
        .run("ip", &["link", "set", "bond0", "name", "old"])
        .unwrap();
    writer.set_link(BOND0, None, None, false);
    assert!(writer.flush(LIMIT));
    assert!(!on(&a.host, "old", "192.0.2.100/32"));

    lab.connect(&a.host, "bond1", "front", &[]).unwrap();
    a.host
        .run("ip", &["link", "set", "bond1", "name", "bond0"])
        .unwrap();
    tell(&a.host, &writer, "bond0");
    assert!(writer.flush(LIMIT));
    assert!(on(&a.host, "bond0", "192.0.2.100/32"));
    assert!(!on(&a.host, "bond0", "192.0.2.101"), "a Backup holds nothing");

    writer.release(FIRST);
    assert!(writer.flush(LIMIT));
    writer.set_link(BOND0, None, None, false);
    tell(&a.host, &writer, "bond0");
    assert!(writer.flush(LIMIT));
    assert!(!on(&a.host, "bond0", "192.0.2.100"), "released is released");
}

#[test]
fn a_missing_interface_is_reported_and_the_way_back_works() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &["192.0.2.100", "192.0.2.101"])]));
    let refused = Report::Refused {
        router: FIRST,
        failed: 2,
        first: Carried::Address(ip("192.0.2.100")),
        errno: Errno::ENODEV,
    };

    // Gone without our knowing, then known to be gone.
    a.host.run("ip", &["link", "del", "bond0"]).unwrap();
    writer.acquire(FIRST, 1);
    assert_eq!(reports.recv_timeout(LIMIT).unwrap(), refused);
    writer.set_link(BOND0, None, None, false);
    writer.acquire(FIRST, 1);
    assert_eq!(reports.recv_timeout(LIMIT).unwrap(), refused);
    writer.release(FIRST);
    assert_eq!(
        reports.recv_timeout(LIMIT).unwrap(),
        Report::Released {
            router: FIRST,
            removed: 0
        }
    );

    lab.connect(&a.host, "bond1", "front", &[]).unwrap();
    a.host.run("ip", &["link", "set", "bond1", "down"]).unwrap();
    a.host
        .run("ip", &["link", "set", "bond1", "name", "bond0", "up"])
        .unwrap();
    let known = a
        .host
        .namespace()
        .inside(|| Ok((interface::index_of("bond0"), interface::mac_of("bond0"))));
    let (ifindex, mac) = known.unwrap();
    writer.set_link(BOND0, ifindex, mac, true);
    writer.acquire(FIRST, 1);
    let report = reports.recv_timeout(LIMIT).unwrap();
    assert!(matches!(report, Report::Acquired { added: 2, .. }), "{report:?}");
    assert_eq!(
        shown(&a.host).into_keys().collect::<Vec<_>>(),
        [ip("192.0.2.100"), ip("192.0.2.101")]
    );
}

/// The owner's addresses are the interface's own.
#[test]
fn an_owner_keeps_what_it_had() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let mut owner = router(51, &["192.0.2.1/24", "192.0.2.2/24"]);
    owner.priority = Priority::OWNER;
    let (writer, reports) = writer(&a.host, &model(vec![owner]));
    writer.acquire(FIRST, 1);
    let report = reports.recv_timeout(LIMIT).unwrap();
    assert!(
        matches!(
            report,
            Report::Acquired {
                added: 1,
                already: 1,
                ..
            }
        ),
        "{report:?}"
    );
    writer.release(FIRST);
    assert_eq!(
        reports.recv_timeout(LIMIT).unwrap(),
        Report::Released {
            router: FIRST,
            removed: 1
        }
    );
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), [ip("192.0.2.1")]);
}

#[test]
fn what_a_crash_left_behind_is_removed_and_nothing_else() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let add = |args: &str| {
        let args: Vec<&str> = ["addr", "add"].into_iter().chain(args.split(' ')).collect();
        a.host.run("ip", &args).unwrap()
    };
    let mut labelled = vip("192.0.2.102");
    labelled.label = Some("bond0:1".to_owned());
    let mut first = router(
        51,
        &["192.0.2.100", "192.0.2.101/24", "192.0.2.103", "192.0.2.1/24"],
    );
    first.addresses.push(labelled);
    // A mistake, but its source is the interface's own address.
    first.transport = super::model::unicast("192.0.2.1", &["192.0.2.9"]);
    let mut owner = router(52, &["192.0.2.150", "192.0.2.151"]);
    owner.priority = Priority::OWNER;
    let model = model(vec![first, owner]);

    // By prefix and label, by mark, and not ours.
    add("192.0.2.100/32 dev bond0");
    add("192.0.2.101/32 dev bond0");
    add("192.0.2.102/32 dev bond0");
    add_marked(&a.host, "192.0.2.103", 24);
    add("192.0.2.150/32 dev bond0");
    add_marked(&a.host, "192.0.2.151", 24);
    add_marked(&a.host, "192.0.2.200", 32);

    let removed = a
        .host
        .namespace()
        .inside(|| Ok(remove_leftovers(&model)?))
        .unwrap();
    let mut gone: Vec<_> = removed.iter().map(|leftover| leftover.what.as_str()).collect();
    gone.sort_unstable();
    assert_eq!(
        gone,
        [
            "192.0.2.100/32 on bond0",
            "192.0.2.103/24 on bond0",
            "192.0.2.151/24 on bond0"
        ]
    );
    assert!(removed.iter().all(|leftover| leftover.removed == Ok(())));
    let left: Vec<_> = shown(&a.host)
        .into_keys()
        .map(|address| address.to_string())
        .collect();
    assert_eq!(
        left,
        [
            "192.0.2.1",
            "192.0.2.101",
            "192.0.2.102",
            "192.0.2.150",
            "192.0.2.200"
        ]
    );
}

#[test]
fn an_unknown_link_is_ignored() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let (writer, _reports) = writer(&a.host, &model(vec![router(51, &["192.0.2.100"])]));
    writer.set_link(LinkId(9), Some(1), None, true);
    assert!(writer.flush(LIMIT));
}

/// keepalived 2.2.7 adds its own beside them and says nothing.
#[test]
fn addresses_that_are_there_already_are_named() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    lab.connect(&a.host, "bond1", "front", &["192.0.2.101/32"])
        .unwrap();
    let add = ["addr", "add", "192.0.2.100/32", "dev", "bond0"];
    a.host.run("ip", &add).unwrap();
    let mut owner = router(52, &["192.0.2.1"]);
    owner.priority = Priority::OWNER;
    let shared = router(51, &["192.0.2.100/24", "192.0.2.101", "192.0.2.102"]);
    let model = model(vec![owner, shared]);
    let found = a.host.namespace().inside(|| Ok(find_doubles(&model)?)).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|double| {
            (
                double.router.0,
                double.address.to_string(),
                double.prefix,
                &*double.link,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, "192.0.2.100".to_owned(), 32, "bond0"),
            (1, "192.0.2.101".to_owned(), 32, "bond1")
        ]
    );

    // Taken over all the same.
    let (writer, reports) = writer(&a.host, &model);
    writer.acquire(RouterId(1), 1);
    let report = reports.recv_timeout(LIMIT).unwrap();
    assert!(matches!(report, Report::Acquired { added: 3, .. }), "{report:?}");
    until("all three are announced", LIMIT, || {
        Ok(announced(&a.capture).len() == 3)
    })
    .unwrap();
}
