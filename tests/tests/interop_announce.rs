//! What a Master announces, how often, and in which order: keepalived 2.2.7 and ours, with the same file.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Frame, Program, Settings, Side, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(30);
const ADDRESSES: [&str; 5] = [
    "192.0.2.100",
    "192.0.2.101",
    "192.0.2.102",
    "2001:db8::1",
    "2001:db8::2",
];

/// Two rounds at takeover, two more a second later, one every three seconds.
const INSIDE: &str = " garp_master_repeat 2
 garp_master_delay 1
 garp_master_refresh 3
 virtual_ipaddress_excluded {
  192.0.2.101
  192.0.2.102
  2001:db8::1
  2001:db8::2
 }";

/// Adverts as `advert`, announcements by address, in the order in which they left the host.
fn sequence(side: &Side, since: Stamp) -> Vec<(Stamp, String)> {
    side.capture.pick(since, |captured| match captured.frame() {
        Frame::GratuitousArp { address, .. } => Some(address.to_string()),
        Frame::UnsolicitedNa { address, .. } => Some(address.to_string()),
        frame => frame.advert().map(|_| "advert".to_owned()),
    })
}

/// The advert, then rounds over all addresses: two, two, one, one.
fn announces(program: &Program) {
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let settings = Settings {
        interval: "1",
        inside: INSIDE,
        ..Settings::unicast(a.address, b.address, 200)
    };
    let began = Stamp::now();
    let _daemon = Daemon::start(&a.host, program, &settings.to_string(), Daemon::DETAILED).unwrap();
    until("30 announcements", LIMIT, || {
        let seen = sequence(a, began);
        Ok(seen.iter().filter(|(_, what)| what != "advert").count() >= 30)
    })
    .unwrap();
    let seen = sequence(a, began);
    assert_eq!(seen[0].1, "advert", "{seen:?}");
    let announced: Vec<_> = seen.iter().filter(|(_, what)| what != "advert").collect();
    let order: Vec<_> = announced.iter().map(|(_, what)| what.as_str()).take(30).collect();
    assert_eq!(order, ADDRESSES.repeat(6));
    // A round is one burst; the bursts are a second, two, and three apart (keepalived refreshes with an advert).
    let burst = |index: usize| announced[index].0.since(seen[0].0);
    assert!(burst(9) < Duration::from_millis(900), "{seen:?}");
    assert!(burst(10) >= Duration::from_millis(900), "{seen:?}");
    assert!(burst(20) >= Duration::from_millis(2_900), "{seen:?}");
    assert!(burst(25) >= Duration::from_millis(5_900), "{seen:?}");
}

#[test]
fn keepalived() {
    if root_or_skip() {
        announces(&Program::keepalived().unwrap());
    }
}

#[test]
fn ours() {
    if root_or_skip() {
        announces(&Program::ours().unwrap());
    }
}
