//! Who claims what is ours is named, by IP and MAC address, at a limited rate.

use std::net::Ipv4Addr;

use vrrp_tests::lab::{Duo, Settings, root_or_skip, until};

use super::forge::{Forger, GROUP, v2, v3};
use super::{LIMIT, card, good, start};

const PASSWORD: &str = "    authentication {\n        auth_type PASS\n        auth_pass abcdefgh\n    }";
const OTHER_PASSWORD: &[u8; 8] = b"12345678";
const ONE_PASSWORD: &[u8; 8] = b"abcdefgh";

/// A virtual router of host B, and the advert that is in conflict with it.
struct Conflict {
    vrid: u8,
    version: u8,
    priority: u8,
    peer: Option<Ipv4Addr>,
    inside: String,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    advert: Vec<u8>,
    /// What the log says between the virtual router's name and the MAC address.
    said: String,
}

impl Conflict {
    fn address(&self) -> Ipv4Addr {
        address(self.vrid)
    }

    fn file(&self, own: Ipv4Addr) -> String {
        let settings = Settings {
            own,
            peer: self.peer,
            version: self.version,
            password: None,
            vrid: self.vrid,
            priority: self.priority,
            interval: "1",
            nopreempt: false,
            address: self.address(),
            before: "",
            inside: "",
        };
        let text = settings.to_string().replace("VI_1", &format!("VI_{}", self.vrid));
        text.replace("    state BACKUP", &format!("    state MASTER\n{}", self.inside))
    }
}

fn address(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 100 + vrid)
}

/// A VRRPv3 router by multicast, and an advert of this priority from `source`.
fn multicast(vrid: u8, priority: u8, source: Ipv4Addr, theirs: u8, said: String) -> Conflict {
    Conflict {
        vrid,
        version: 3,
        priority,
        peer: None,
        inside: String::new(),
        source,
        destination: GROUP,
        advert: v3(vrid, theirs, 100, address(vrid)),
        said,
    }
}

fn conflicts(a: Ipv4Addr, b: Ipv4Addr) -> Vec<Conflict> {
    let refused = |why: &str| format!("advert from {a} refused: {why}");
    let with_password = |vrid, advert, why| Conflict {
        version: 2,
        inside: PASSWORD.to_owned(),
        advert,
        ..multicast(vrid, 100, a, 0, refused(why))
    };
    let listed = |vrid, peer, inside: &str, why| Conflict {
        peer: Some(peer),
        inside: inside.to_owned(),
        destination: b,
        ..multicast(vrid, 100, a, 50, refused(why))
    };
    vec![
        multicast(
            1,
            100,
            a,
            200,
            format!("Entering BACKUP STATE: Master received advert from {a} with higher priority 200"),
        ),
        multicast(
            2,
            100,
            a,
            50,
            format!("Received advert from {a} with lower priority 50, forcing new election"),
        ),
        with_password(
            3,
            v2(3, 200, 1, address(3), OTHER_PASSWORD),
            "its password differs: set auth_pass the same on both",
        ),
        Conflict {
            advert: v2(4, 200, 1, address(4), ONE_PASSWORD),
            ..multicast(
                4,
                100,
                a,
                0,
                refused("it is of the other VRRP version: set `version` the same on both"),
            )
        },
        with_password(
            5,
            v2(5, 200, 2, address(5), ONE_PASSWORD),
            "its interval differs: set advert_int the same on both",
        ),
        Conflict {
            advert: v3(6, 200, 0, address(6)),
            ..multicast(6, 100, a, 0, refused("its interval is 0: correct advert_int there"))
        },
        listed(
            7,
            Ipv4Addr::new(192, 0, 2, 9),
            "",
            "the sender is not a unicast_peer: add it there if it should be one",
        ),
        listed(
            8,
            a,
            "    vrrp_peer_mac 192.0.2.1 02:00:00:00:00:99",
            "its MAC address is not the one that the peer is pinned to: if the peer's network card was replaced, change \
             vrrp_peer_mac",
        ),
        multicast(
            9,
            255,
            a,
            255,
            format!("{a} claims priority 255 too: only the owner of the addresses may have it"),
        ),
        multicast(
            10,
            100,
            b,
            100,
            format!("another router sends with our own address {b}: give each its own"),
        ),
        Conflict {
            advert: v3(11, 50, 100, address(99)),
            ..multicast(
                11,
                100,
                a,
                0,
                format!("{a} advertises other addresses than ours: make virtual_ipaddress the same on both"),
            )
        },
        // A VRID that is not ours, and our address.
        Conflict {
            advert: v3(77, 200, 100, address(12)),
            ..multicast(
                12,
                100,
                a,
                0,
                format!(
                    "{a} advertises an address of ours under VRID 77: set the same virtual_router_id on both"
                ),
            )
        },
        // Ours is multicast, and it is sent to us alone.
        Conflict {
            destination: b,
            ..multicast(
                13,
                100,
                a,
                50,
                format!(
                    "{a} sends its adverts to us alone and we ours to the group, so neither hears the other: write \
                     unicast_peer on both or on neither"
                ),
            )
        },
        // And the other way round.
        Conflict {
            destination: GROUP,
            ..listed(14, a, "", "")
        }
        .said(format!(
            "{a} sends its adverts to the group and we ours to peers, so neither hears the other: write unicast_peer on \
             both or on neither"
        )),
    ]
}

impl Conflict {
    fn said(self, said: String) -> Self {
        Self { said, ..self }
    }
}

#[test]
fn every_conflict_names_ip_and_mac_address_at_a_limited_rate() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (duo.a.address, duo.b.address);
    let conflicts = conflicts(a, b);
    let file: String = conflicts.iter().map(|conflict| conflict.file(b)).collect();
    let daemon = start(&duo.b, &file);
    until("B is Master of all", LIMIT, || {
        let Ok(status) = daemon.status() else {
            return Ok(false);
        };
        let instances = status["instances"].as_array().unwrap();
        Ok(instances.len() == conflicts.len() && instances.iter().all(|one| one["state"] == "MASTER"))
    })
    .unwrap();
    let card = card(&duo.a);
    let forger = Forger::on(&duo.a);
    let lines: Vec<String> = conflicts
        .iter()
        .map(|conflict| {
            format!(
                "(VI_{}) {}; sent by MAC address {}",
                conflict.vrid, conflict.said, card
            )
        })
        .collect();
    for (conflict, line) in conflicts.iter().zip(&lines) {
        until(line, LIMIT, || {
            forger.send(conflict.source, conflict.destination, &conflict.advert);
            Ok(daemon.log()?.contains(line))
        })
        .unwrap_or_else(|error| panic!("{error}: {}", daemon.status().unwrap()));
    }
    for _ in 0..50 {
        for conflict in &conflicts {
            forger.send(conflict.source, conflict.destination, &conflict.advert);
        }
    }
    let status = daemon.status().unwrap();
    let heard = good(&status["instances"][1]);
    assert!(heard > 50, "{heard}");
    // Once a minute, and once more after a change of state.
    let log = daemon.log().unwrap();
    for line in &lines {
        let count = log.matches(line.as_str()).count();
        assert!((1..=2).contains(&count), "{count} times: {line}");
    }
}
