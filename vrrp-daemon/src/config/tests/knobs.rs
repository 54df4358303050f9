//! Keywords of ours: late adverts, pinned peers, adverts that go on to the stack.

use vrrp_common::wire::ethernet::Mac;

use super::{instance, read, refused, remarked, said};
use crate::config::{Loaded, Passwords, parse_str};
use crate::proto::model::{Transport, VirtualRouter};

const PEERS: &str = "unicast_peer {\n 192.0.2.1\n 192.0.2.2\n}\n";
const PIN: &str = "vrrp_peer_mac 192.0.2.2 02:00:00:00:0A:02\n";

fn global(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n")
}

fn only(loaded: Loaded) -> VirtualRouter {
    assert_eq!(said(&loaded), Vec::<String>::new());
    loaded.config.unwrap().model.routers.remove(0)
}

fn macs(router: &VirtualRouter) -> Vec<Option<Mac>> {
    match &router.transport {
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.mac).collect(),
        Transport::Multicast { .. } => Vec::new(),
    }
}

#[test]
fn the_share_after_which_an_advert_is_late() {
    let share = |text: &str| only(read(text)).uncommon.late_share;
    assert_eq!(share(&instance("")), 50);
    for (written, meant) in [("1", 1), ("100", 100), ("0", 0), ("off", 0)] {
        let line = format!("vrrp_late_advert {written}");
        assert_eq!(share(&instance(&line)), meant);
        assert_eq!(share(&(global(&line) + &instance(""))), meant);
        let both = global("vrrp_late_advert 20") + &instance(&line);
        assert_eq!(share(&both), meant);
    }
    for bad in ["101", "-1", "50%", "never"] {
        let line = format!("vrrp_late_advert {bad}");
        let remark = format!("`vrrp_late_advert` takes percent from 1 to 100, or off, not `{bad}`; ");
        let config = remarked(&instance(&line), &(remark.clone() + "the global share is used"));
        assert_eq!(config.model.routers[0].uncommon.late_share, 50);
        remarked(&(global(&line) + &instance("")), &(remark + "50 is used"));
    }
    // keepalived, which does not know it, goes on as well.
    remarked(&instance("vrrp_late_advert"), "`vrrp_late_advert` has no value");
}

#[test]
fn a_peer_is_pinned_to_its_mac_address() {
    let pinned = Some(Mac([2, 0, 0, 0, 10, 2]));
    for lines in [PEERS.to_owned() + PIN, PIN.to_owned() + PEERS] {
        assert_eq!(macs(&only(read(&instance(&lines)))), [None, pinned]);
    }
    let both = format!("{PEERS}{PIN}vrrp_peer_mac 192.0.2.1 02:00:00:00:0a:01");
    assert_eq!(
        macs(&only(read(&instance(&both)))),
        [Some(Mac([2, 0, 0, 0, 10, 1])), pinned]
    );
    // Who is pinned has to be known: otherwise another address would do.
    let config = remarked(
        &instance(&format!("{PEERS}{PIN}check_unicast_src off")),
        "`vrrp_peer_mac` turns `check_unicast_src` on",
    );
    let Transport::Unicast { check_source, .. } = &config.model.routers[0].transport else {
        panic!("multicast");
    };
    assert!(check_source);
}

#[test]
fn a_pin_that_cannot_hold_is_an_error() {
    for (lines, error) in [
        (
            PIN.to_owned(),
            "`vrrp_peer_mac` needs unicast peers, and `P` is multicast",
        ),
        (
            format!("{PEERS}vrrp_peer_mac 192.0.2.3 02:00:00:00:0a:03"),
            "192.0.2.3 is not a unicast peer of `P`",
        ),
        (
            format!("{PEERS}vrrp_peer_mac 192.0.2.2 02:00:00:00:0a"),
            "`02:00:00:00:0a` is not the MAC address of a network card",
        ),
        (
            format!("{PEERS}vrrp_peer_mac 192.0.2.2 01:00:5e:00:00:12"),
            "`01:00:5e:00:00:12` is not the MAC address of a network card",
        ),
        (
            format!("{PEERS}vrrp_peer_mac peer 02:00:00:00:0a:02"),
            "`peer` is not an IP address",
        ),
        (
            format!("{PEERS}vrrp_peer_mac 192.0.2.2"),
            "`vrrp_peer_mac` takes an IP address and a MAC address",
        ),
        (format!("{PEERS}{PIN}{PIN}"), "192.0.2.2 is pinned twice"),
    ] {
        refused(&instance(&lines), error);
    }
}

#[test]
fn a_pin_that_nobody_looks_at_is_remarked() {
    let remark = "`vrrp_peer_mac` protects nothing in `P`: `vrrp_xdp` is off, and raw sockets do not see MAC addresses";
    let pinned = instance(&format!("{PEERS}{PIN}"));
    remarked(&(global("vrrp_xdp off") + &pinned), remark);
    remarked(&instance(&format!("{PEERS}{PIN}vrrp_xdp off")), remark);
    let here_alone = global("vrrp_xdp off") + &instance(&format!("{PEERS}{PIN}vrrp_xdp auto"));
    assert_eq!(said(&read(&here_alone)), Vec::<String>::new());
}

#[test]
fn accepted_adverts_may_go_on_to_the_stack() {
    let passes = |lines: &str| {
        let loaded = read(&(global(lines) + &instance("")));
        assert_eq!(said(&loaded), Vec::<String>::new());
        loaded.config.unwrap().model.pass_accepted
    };
    assert!(!passes(""));
    assert!(passes("vrrp_xdp_pass"));
    assert!(passes("vrrp_xdp_pass on"));
    assert!(!passes("vrrp_xdp_pass off"));
    let bad = global("vrrp_xdp_pass maybe") + &instance("");
    remarked(&bad, "`vrrp_xdp_pass` takes on or off, not `maybe`");
}

/// `-d` shows them, and what it shows means the same.
#[test]
fn they_stand_in_a_dump() {
    let lines = format!("{PEERS}{PIN}vrrp_late_advert 25");
    let loaded = read(&(global("vrrp_xdp_pass on\nvrrp_late_advert off") + &instance(&lines)));
    let dump = loaded.dump(Passwords::Shown);
    for line in [
        "    vrrp_xdp_pass on\n    vrrp_late_advert off\n",
        "    vrrp_peer_mac 192.0.2.2 02:00:00:00:0A:02\n    vrrp_late_advert 25\n",
    ] {
        assert!(dump.contains(line), "{dump}");
    }
    let again = parse_str("again.conf", &dump, &super::host());
    assert_eq!(again.config, loaded.config);
}
