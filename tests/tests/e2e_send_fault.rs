//! Adverts that the kernel does not let out: with `vrrp_send_fault` the other host takes over in order, and the
//! addresses come back once a probe has left.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(20);
/// With these an advert is 20 + 8 + 15 x 4 bytes long: more than the smallest MTU that IPv4 works with.
const MANY: &str = "    vrrp_send_fault
    virtual_ipaddress {
        198.51.100.1 198.51.100.2 198.51.100.3 198.51.100.4 198.51.100.5 198.51.100.6 198.51.100.7
        198.51.100.8 198.51.100.9 198.51.100.10 198.51.100.11 198.51.100.12 198.51.100.13 198.51.100.14
    }";

fn mtu(side: &Side, mtu: &str) {
    side.host.run("ip", &["link", "set", "eth0", "mtu", mtu]).unwrap();
}

#[test]
fn a_master_that_cannot_send_makes_way_and_returns() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let start = |side: &Side, peer: &Side, priority| {
        let settings = Settings {
            inside: MANY,
            ..Settings::unicast(side.address, peer.address, priority)
        };
        Daemon::start(
            &side.host,
            &Program::ours().unwrap(),
            &settings.to_string(),
            Daemon::DETAILED,
        )
        .unwrap()
    };
    let _on_b = start(b, a, 100);
    let on_a = start(a, b, 200);
    a.await_mastery(VIP, b, LIMIT).unwrap();

    mtu(a, "68");
    b.await_mastery(VIP, a, LIMIT).unwrap();
    until("it says why", LIMIT, || {
        Ok(on_a
            .log()?
            .contains("Entering FAULT STATE: no advert leaves the host: Message too long"))
    })
    .unwrap();

    mtu(a, "1500");
    a.await_mastery(VIP, b, LIMIT).unwrap();
}
