//! Reloading: what the kernel is told, counted by `ip monitor`.

use std::process::Child;
use std::sync::mpsc::{Receiver, channel};

use vrrp_common::id::Priority;
use vrrp_daemon::config::Pacing;
use vrrp_daemon::effects::addresses::{AddressWriter, Report};
use vrrp_daemon::proto::Correspondence;
use vrrp_daemon::proto::model::{Carried, LinkId, Model, RouterId};
use vrrp_tests::lab::{Host, Stamp, root_or_skip, until};

use super::addresses::{announced, announcement, on, shown, writer};
use super::model::{FIRST, LIMIT, cable, ip, lab, model, router, vip};

const SECOND: RouterId = RouterId(1);

/// Every address that comes to a host or leaves it.
pub(crate) struct Monitor<'h> {
    host: &'h Host,
    child: Child,
    marks: u8,
}

impl<'h> Monitor<'h> {
    const FILE: &'static str = "/run/monitor";

    pub(crate) fn start(host: &'h Host) -> Self {
        let mut command = host.namespace().command("sh");
        command.args(["-c", &format!("exec ip -o monitor address > {}", Self::FILE)]);
        let child = command.spawn().unwrap();
        let mut monitor = Self {
            host,
            child,
            marks: 0,
        };
        // It listens once it sees what happens.
        let listening = "203.0.113.255/32";
        until("ip monitor listens", LIMIT, || {
            let _ = host.run("ip", &["addr", "add", listening, "dev", "lo"]);
            let _ = host.run("ip", &["addr", "del", listening, "dev", "lo"]);
            Ok(monitor.text().contains(listening))
        })
        .unwrap();
        let _ = monitor.events();
        monitor
    }

    fn text(&self) -> String {
        self.host.read(Self::FILE).unwrap_or_default()
    }

    /// What happened since the last look, as `+ADDRESS` and `-ADDRESS`.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.marks += 1;
        let mark = format!("203.0.113.{}/32", self.marks);
        self.host.run("ip", &["addr", "add", &mark, "dev", "lo"]).unwrap();
        until("the mark is seen", LIMIT, || Ok(self.text().contains(&mark))).unwrap();
        let text = self.text();
        let earlier = format!("203.0.113.{}/32", self.marks - 1);
        let since = text.rsplit_once(&earlier).map_or("", |(_, since)| since);
        let events = since.lines().skip(1).filter_map(|line| {
            let mut address = line
                .split_whitespace()
                .skip_while(|word| !word.starts_with("inet"));
            let address = address.nth(1)?;
            let sign = if line.starts_with("Deleted") { '-' } else { '+' };
            (!address.starts_with("203.0.113.")).then(|| format!("{sign}{address}"))
        });
        events.collect()
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn reload(writer: &AddressWriter, old: &Model, new: &Model, holding: &[bool]) -> Receiver<Report> {
    let (sender, reports) = channel();
    let between = Correspondence::between(old, new);
    writer.reconfigure(
        new,
        &Pacing::default(),
        &between.routers,
        holding,
        move |report| sender.send(report).unwrap_or_default(),
    );
    assert!(writer.flush(LIMIT));
    reports
}

pub(crate) fn reconfigured(reports: &Receiver<Report>) -> (u16, u16, u16) {
    loop {
        if let Report::Reconfigured {
            kept,
            replaced,
            removed,
            failed: 0,
            errno: None,
        } = reports.recv_timeout(LIMIT).unwrap()
        {
            return (kept, replaced, removed);
        }
    }
}

#[test]
fn nothing_new_is_nothing_written() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let model = model(vec![
        router(51, &["192.0.2.100/24", "192.0.2.101/24"]),
        router(52, &["192.0.2.110"]),
    ]);
    let (writer, _reports) = writer(&a.host, &model);
    writer.acquire(FIRST, 1);
    until("both are announced", LIMIT, || {
        Ok(announced(&a.capture).len() == 2)
    })
    .unwrap();
    a.capture.clear();
    let mut monitor = Monitor::start(&a.host);

    // The other one is a Backup; its neighbour's addresses are none of its business.
    let reports = reload(&writer, &model, &model, &[true, false]);
    assert_eq!(reconfigured(&reports), (2, 0, 0));
    assert_eq!(monitor.events(), [""; 0]);
    assert_eq!(announced(&a.capture), [].into());

    // It goes on as before.
    writer.release(FIRST);
    writer.acquire(SECOND, 1);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        shown(&a.host).into_keys().collect::<Vec<_>>(),
        [ip("192.0.2.1"), ip("192.0.2.110")]
    );
}

/// keepalived may lose a VIP that moves to another instance (its manual says so).
#[test]
fn an_address_that_moves_to_another_instance_is_never_away() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let old = model(vec![
        router(51, &["192.0.2.100", "192.0.2.101", "192.0.2.102"]),
        router(52, &["192.0.2.110"]),
    ]);
    let (writer, _reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    writer.acquire(SECOND, 1);
    until(
        "all are announced",
        LIMIT,
        || Ok(announced(&a.capture).len() == 4),
    )
    .unwrap();
    a.capture.clear();
    let mut monitor = Monitor::start(&a.host);

    // In another order, .100 with the other one, .102 with one that is new and Master at once, .101 with nobody,
    // .120 new.
    let mut owner = router(53, &["192.0.2.102"]);
    owner.priority = Priority::OWNER;
    let new = model(vec![
        owner,
        router(52, &["192.0.2.110", "192.0.2.120", "192.0.2.100"]),
        router(51, &[]),
    ]);
    let reports = reload(&writer, &old, &new, &[true, true, true]);
    assert_eq!(reconfigured(&reports), (3, 0, 1));
    assert_eq!(monitor.events(), ["+192.0.2.120/32", "-192.0.2.101/32"]);
    a.capture
        .wait_for("an announcement", Stamp(0), LIMIT, announcement)
        .unwrap();
    until("five rounds", LIMIT, || {
        Ok(announced(&a.capture) == [(ip("192.0.2.120"), 5)].into())
    })
    .unwrap();

    // The new holders are the holders.
    writer.release(SECOND);
    assert!(writer.flush(LIMIT));
    assert_eq!(
        shown(&a.host).into_keys().collect::<Vec<_>>(),
        [ip("192.0.2.1"), ip("192.0.2.102")]
    );
}

/// The kernel takes a subnet's other addresses along with its first.
#[test]
fn what_is_removed_takes_nothing_along() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let all = [
        "192.0.2.100/24",
        "192.0.2.101/24",
        "192.0.2.102/24",
        "192.0.2.103/24",
    ];
    let old = model(vec![router(51, &all)]);
    let (writer, _reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    let mut monitor = Monitor::start(&a.host);

    let mut new = model(vec![router(51, &["192.0.2.103/24", "192.0.2.101/24"])]);
    new.routers[0].addresses[0].label = Some("bond0:vip".to_owned());
    let reports = reload(&writer, &old, &new, &[true]);
    assert_eq!(reconfigured(&reports), (1, 1, 2));
    let events = monitor.events();
    // The kernel says `+` of an address that it promotes.
    let removed = events.iter().filter(|event| event.starts_with('-'));
    let removed: Vec<_> = removed.map(String::as_str).collect();
    assert_eq!(
        removed,
        ["-192.0.2.103/24", "-192.0.2.102/24", "-192.0.2.100/24"],
        "{events:?}"
    );
    let shown = shown(&a.host);
    assert_eq!(
        shown.keys().copied().collect::<Vec<_>>(),
        [ip("192.0.2.101"), ip("192.0.2.103")]
    );
    assert_eq!(shown[&ip("192.0.2.103")]["label"], "bond0:vip");
    let promotes = a
        .host
        .run("sysctl", &["-n", "net.ipv4.conf.bond0.promote_secondaries"])
        .unwrap();
    assert_eq!(promotes.trim(), "0");
}

#[test]
fn another_look_is_one_removal_and_one_addition() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let old = model(vec![router(51, &["192.0.2.100", "192.0.2.101", "2001:db8::5"])]);
    let (writer, _reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    let mut monitor = Monitor::start(&a.host);
    let mut new = old.clone();
    new.routers[0].addresses[0].scope = 253;
    new.routers[0].addresses[1] = vip("192.0.2.101/24");
    let reports = reload(&writer, &old, &new, &[true]);
    assert_eq!(reconfigured(&reports), (1, 1, 1));
    // Another prefix is another address to the kernel, and both are there for a moment.
    assert_eq!(
        monitor.events(),
        [
            "-192.0.2.100/32",
            "+192.0.2.100/32",
            "+192.0.2.101/24",
            "-192.0.2.101/32"
        ]
    );
}

/// Links are known by name: their numbers change when the file is in another order.
#[test]
fn links_keep_their_addresses_whatever_their_number() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    lab.connect(&a.host, "bond1", "front", &[]).unwrap();
    let old = model(vec![router(51, &["192.0.2.100", "192.0.2.101"])]);
    let (writer, _reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    let mut monitor = Monitor::start(&a.host);

    // bond1 is new to the writer, and takes .101.
    let mut new = old.clone();
    new.links = vec!["bond1".to_owned(), "bond0".to_owned()];
    new.routers[0].link = LinkId(1);
    new.routers[0].addresses[0].link = LinkId(1);
    new.routers[0].addresses[1].link = LinkId(0);
    let reports = reload(&writer, &old, &new, &[true]);
    assert_eq!(reconfigured(&reports), (1, 0, 1));
    assert_eq!(monitor.events(), ["+192.0.2.101/32", "-192.0.2.101/32"]);
    assert!(on(&a.host, "bond1", "192.0.2.101/32") && on(&a.host, "bond0", "192.0.2.100/32"));
}

/// Wishes that were made just before, in the middle of two reloads.
#[test]
fn wishes_follow_their_virtual_router() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let one = || router(51, &["192.0.2.100", "192.0.2.101"]);
    let other = || router(52, &["192.0.2.110", "192.0.2.111"]);
    let (there, back) = (model(vec![one(), other()]), model(vec![other(), one()]));
    let (writer, _reports) = writer(&a.host, &there);
    for _ in 0..50 {
        writer.acquire(FIRST, 3);
        writer.release(SECOND);
        let between = Correspondence::between(&there, &back);
        writer.reconfigure(
            &back,
            &Pacing::default(),
            &between.routers,
            &[false, true],
            |_| {},
        );
        let between = Correspondence::between(&back, &there);
        writer.reconfigure(
            &there,
            &Pacing::default(),
            &between.routers,
            &[true, false],
            |_| {},
        );
    }
    assert!(writer.flush(LIMIT));
    let held = [ip("192.0.2.100"), ip("192.0.2.101")];
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), held);

    // One that is gone while it adds leaves nothing behind.
    writer.acquire(SECOND, 3);
    let new = model(vec![one()]);
    let reports = reload(&writer, &there, &new, &[true]);
    assert_eq!(reconfigured(&reports).0, 2);
    assert_eq!(shown(&a.host).into_keys().collect::<Vec<_>>(), held);
}

/// News of a removal may be old by the time it comes: what is held for lost is removed all the same.
#[test]
fn what_seems_lost_is_not_left_behind() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let old = model(vec![router(51, &["192.0.2.100"]), router(52, &["192.0.2.110"])]);
    let (writer, _reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    writer.acquire(SECOND, 1);
    assert!(writer.flush(LIMIT));
    // The second time it is looked after only in a while.
    for _ in 0..2 {
        writer.restore(FIRST, Carried::Address(ip("192.0.2.100")));
        writer.restore(SECOND, Carried::Address(ip("192.0.2.110")));
        assert!(writer.flush(LIMIT));
    }
    let new = model(vec![router(52, &["192.0.2.110"])]);
    let reports = reload(&writer, &old, &new, &[true]);
    assert_eq!(reconfigured(&reports), (0, 0, 1));
    let there: Vec<_> = shown(&a.host).into_keys().collect();
    assert_eq!(there, [ip("192.0.2.1"), ip("192.0.2.110")]);
}
