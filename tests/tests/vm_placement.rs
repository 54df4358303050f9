//! Where adverts are received on devices that not every kernel has: bonds and VLANs.
//!
//! `cargo xtask test --vm` runs these in virtual machines with Debian's kernels, which have them. The feature `vm`
//! keeps them out of every other run, and outside of a virtual machine they fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::mem::MaybeUninit;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Capture, Captured, Daemon, Frame, Host, Lab, Port, Program, Stamp, until};

const LIMIT: Duration = Duration::from_secs(30);
/// In the first network: A, B, the virtual address.
const FIRST: [&str; 3] = ["192.0.2.1", "192.0.2.2", "192.0.2.100"];
/// In the second.
const SECOND: [&str; 3] = ["198.51.100.1", "198.51.100.2", "198.51.100.100"];
const VRID: u8 = 51;

/// How adverts arrive on a bond: by what the daemon says, and whether they come through the network stack all the
/// same.
const ON_A_BOND: (&str, bool) = ("xdp-native", false);
/// The same for a VLAN device.
const ON_A_VLAN: (&str, bool) = ("xdp-generic", false);
/// Said by the guest's first script.
fn in_a_virtual_machine() {
    assert_eq!(
        std::env::var("VRRP_VM").as_deref(),
        Ok("1"),
        "this runs in a virtual machine only: `cargo xtask test --vm`"
    );
}

fn ip(host: &Host, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    host.run("ip", &words).unwrap();
}

/// VRRPv3 by multicast every 500 ms: Master_Down_Interval is about two seconds, for guests are slow.
fn instance(name: &str, interface: &str, priority: u8, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n    state BACKUP\n    interface {interface}\n    virtual_router_id {VRID}\n    \
         priority {priority}\n    advert_int 0.5\n    version 3\n    virtual_ipaddress {{\n        {address}/24\n    \
         }}\n}}\n"
    )
}

/// On a network where nobody has spoken yet, the start-up hold would be waited for.
fn start(host: &Host, file: &str) -> Daemon {
    let file = format!("global_defs {{\n    vrrp_link_hold off\n}}\n{file}");
    Daemon::start(host, &Program::ours().unwrap(), &file, Daemon::DETAILED).unwrap()
}

/// What `vrrpctl status --json` says of this instance; `Null` while nobody answers.
fn status(daemon: &Daemon, name: &str) -> Value {
    let status = daemon.status().unwrap_or_default();
    let instances = status["instances"].as_array().cloned().unwrap_or_default();
    instances
        .into_iter()
        .find(|instance| instance["name"] == name)
        .unwrap_or_default()
}

fn count(daemon: &Daemon, name: &str, counter: &str) -> u64 {
    status(daemon, name)["counters"][counter].as_u64().unwrap_or(0)
}

/// Wait until the instance is in this state.
fn await_state(daemon: &Daemon, name: &str, state: &str) {
    until(
        &format!("{name} on host {} is {state}", daemon.host().name()),
        LIMIT,
        || Ok(status(daemon, name)["state"] == state),
    )
    .unwrap();
}

/// Wait until it has heard `more` adverts more.
fn await_adverts(daemon: &Daemon, name: &str, more: u64) {
    let before = count(daemon, name, "adverts_received");
    until(&format!("{name} hears {more} adverts"), LIMIT, || {
        Ok(count(daemon, name, "adverts_received") >= before + more)
    })
    .unwrap();
}

/// What is in the counters of refused adverts.
fn refused(daemon: &Daemon, name: &str) -> u64 {
    let status = status(daemon, name);
    let by_name = status["counters"]["refused"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    by_name.values().filter_map(Value::as_u64).sum()
}

/// A raw socket beside the daemon's: it hears the adverts that the network stack gets, which are those that the
/// XDP program has not taken.
struct Stack(Socket);

impl Stack {
    fn listen(host: &Host) -> Self {
        let socket = host
            .namespace()
            .inside(|| Ok(Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?));
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        Self(socket)
    }

    /// Adverts since the last time.
    fn heard(&self) -> usize {
        let mut packet = [MaybeUninit::uninit(); 2_048];
        std::iter::from_fn(|| self.0.recv(&mut packet).ok()).count()
    }
}

/// How the next adverts arrive: by what the daemon says, and whether they pass through the stack.
fn assert_arrival(daemon: &Daemon, name: &str, expected: (&str, bool)) {
    let stack = Stack::listen(daemon.host());
    await_adverts(daemon, name, 3);
    let path = status(daemon, name)["receive_path"].clone();
    assert_eq!(
        (path.as_str(), stack.heard() > 0),
        (Some(expected.0), expected.1),
        "{name}"
    );
}

/// A with one cable, B with two under an active-backup bond, on one network.
struct Bonded {
    a: Host,
    b: Host,
    /// What crosses A's cable.
    at_a: Capture,
    /// B's cables, `p0` and `p1`.
    cables: [Port; 2],
    _lab: Lab,
}

impl Bonded {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        lab.network("front").unwrap();
        let (a, b) = (lab.host("A").unwrap(), lab.host("B").unwrap());
        let [of_a, of_b, _] = FIRST;
        let port = lab
            .connect(&a, "eth0", "front", &[&format!("{of_a}/24")])
            .unwrap();
        let cables = ["p0", "p1"].map(|name| lab.connect(&b, name, "front", &[]).unwrap());
        ip(&b, "link add bond0 type bond mode active-backup miimon 20");
        for cable in ["p0", "p1"] {
            ip(&b, &format!("link set {cable} down"));
            ip(&b, &format!("link set {cable} master bond0"));
        }
        ip(&b, "link set bond0 type bond active_slave p0");
        ip(&b, "link set bond0 up");
        ip(&b, &format!("addr add {of_b}/24 dev bond0"));
        until("the bond has its carrier", LIMIT, || {
            Ok(b.run("ip", &["-j", "link", "show", "dev", "bond0"])?
                .contains("\"operstate\":\"UP\""))
        })
        .unwrap();
        let at_a = port.capture().unwrap();
        Self {
            a,
            b,
            at_a,
            cables,
            _lab: lab,
        }
    }

    /// Wait until the bond uses this cable.
    fn await_active(&self, cable: &str) {
        until(&format!("the bond uses {cable}"), LIMIT, || {
            let link = self.b.run("ip", &["-j", "-d", "link", "show", "dev", "bond0"])?;
            let link: Value = serde_json::from_str(&link)?;
            Ok(link[0]["linkinfo"]["info_data"]["active_slave"] == cable)
        })
        .unwrap();
    }
}

#[test]
fn a_backup_hears_its_master_through_either_cable_of_a_bond() {
    in_a_virtual_machine();
    let bonded = Bonded::new();
    let on_b = start(&bonded.b, &instance("VI", "bond0", 100, FIRST[2]));
    let on_a = start(&bonded.a, &instance("VI", "eth0", 200, FIRST[2]));
    await_state(&on_a, "VI", "MASTER");
    await_state(&on_b, "VI", "BACKUP");
    let before = count(&on_b, "VI", "became_master");

    bonded.await_active("p0");
    assert_arrival(&on_b, "VI", ON_A_BOND);
    bonded.cables[0].pull().unwrap();
    bonded.await_active("p1");
    assert_arrival(&on_b, "VI", ON_A_BOND);
    assert_eq!(status(&on_b, "VI")["state"], "BACKUP");
    assert_eq!(count(&on_b, "VI", "became_master"), before);
    assert_eq!(refused(&on_b, "VI"), 0);

    // The death is noticed, and all hear of it, through the cable that is left.
    let died = Stamp::now();
    on_a.crash();
    await_state(&on_b, "VI", "MASTER");
    let address: Ipv4Addr = FIRST[2].parse().unwrap();
    let announcement = |captured: &Captured| match captured.frame() {
        Frame::GratuitousArp { address: of, .. } if of == address => Some(()),
        _ => None,
    };
    bonded
        .at_a
        .wait_for("B's announcement", died, LIMIT, announcement)
        .unwrap();
}

#[test]
fn a_master_on_a_bond_stays_master_while_one_cable_is_left() {
    in_a_virtual_machine();
    let bonded = Bonded::new();
    let on_a = start(&bonded.a, &instance("VI", "eth0", 100, FIRST[2]));
    let on_b = start(&bonded.b, &instance("VI", "bond0", 200, FIRST[2]));
    await_state(&on_b, "VI", "MASTER");
    await_state(&on_a, "VI", "BACKUP");
    let before = count(&on_a, "VI", "became_master");
    let [first, second] = &bonded.cables;

    bonded.await_active("p0");
    first.pull().unwrap();
    bonded.await_active("p1");
    await_adverts(&on_a, "VI", 5);
    assert_eq!(status(&on_b, "VI")["state"], "MASTER");
    assert_eq!(count(&on_a, "VI", "became_master"), before);

    second.pull().unwrap();
    await_state(&on_b, "VI", "FAULT");
    await_state(&on_a, "VI", "MASTER");
    first.plug().unwrap();
    await_state(&on_b, "VI", "MASTER");
    await_state(&on_a, "VI", "BACKUP");
    assert_eq!(count(&on_a, "VI", "became_master"), before + 1);
}

/// A host with the VLANs 10 and 20, in which it has the address number `at`.
fn trunk(lab: &Lab, name: &str, at: usize) -> Host {
    let host = lab.host(name).unwrap();
    lab.connect(&host, "eth0", "front", &[]).unwrap();
    for (vlan, network) in [("10", FIRST), ("20", SECOND)] {
        ip(
            &host,
            &format!("link add link eth0 name eth0.{vlan} type vlan id {vlan}"),
        );
        ip(&host, &format!("link set eth0.{vlan} up"));
        ip(&host, &format!("addr add {}/24 dev eth0.{vlan}", network[at]));
    }
    host
}

/// Both have the same VRID, group and lower device: only the tag tells them apart.
#[test]
fn two_vlans_with_one_vrid_do_not_mix() {
    in_a_virtual_machine();
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    let (a, b) = (trunk(&lab, "A", 0), trunk(&lab, "B", 1));
    let file = |priority| {
        instance("V10", "eth0.10", priority, FIRST[2]) + &instance("V20", "eth0.20", priority, SECOND[2])
    };
    let on_b = start(&b, &file(200));
    let on_a = start(&a, &file(100));
    for (name, master) in [("V10", FIRST[1]), ("V20", SECOND[1])] {
        await_state(&on_b, name, "MASTER");
        await_state(&on_a, name, "BACKUP");
        assert_arrival(&on_a, name, ON_A_VLAN);
        assert_eq!(status(&on_a, name)["master"]["address"], master);
    }
    let before = ["V10", "V20"].map(|name| count(&on_a, name, "became_master"));

    // Silence in one VLAN is noticed while the same VRID is heard in the other.
    ip(&b, "link set eth0.20 down");
    await_state(&on_b, "V20", "FAULT");
    await_state(&on_a, "V20", "MASTER");
    await_adverts(&on_a, "V10", 5);
    assert_eq!(status(&on_a, "V10")["state"], "BACKUP");
    ip(&b, "link set eth0.20 up");
    ip(&b, &format!("addr replace {}/24 dev eth0.20", SECOND[1]));
    await_state(&on_b, "V20", "MASTER");
    await_state(&on_a, "V20", "BACKUP");

    assert_eq!(count(&on_a, "V10", "became_master"), before[0]);
    assert_eq!(count(&on_a, "V20", "became_master"), before[1] + 1);
    for name in ["V10", "V20"] {
        // A stray advert would name other addresses, if it was not refused.
        assert_eq!(count(&on_a, name, "address_list_errors"), 0, "{name}");
        assert_eq!(refused(&on_a, name), 0, "{name}");
    }
}

/// B sends in VLAN 10; A has the same VRID and group without a tag, and must not take that for its own Master's,
/// also where the driver hands the tag over beside the frame, so that the program does not see it.
fn a_vlan_is_not_heard(mode: &str) {
    in_a_virtual_machine();
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    let (a, b) = (trunk(&lab, "A", 0), trunk(&lab, "B", 1));
    ip(&a, "addr add 203.0.113.1/24 dev eth0");
    let on_b = start(&b, &instance("V10", "eth0.10", 200, FIRST[2]));
    await_state(&on_b, "V10", "MASTER");
    let globals = format!("global_defs {{\n    vrrp_xdp {mode}\n}}\n");
    let on_a = start(&a, &(globals + &instance("VI", "eth0", 100, "203.0.113.100")));
    // Three times as many as it takes to become Master.
    until("A is Master, or hears somebody", LIMIT, || {
        Ok(count(&on_a, "VI", "adverts_sent") >= 5 || count(&on_a, "VI", "adverts_received") >= 12)
    })
    .unwrap();
    assert_eq!(count(&on_a, "VI", "adverts_received"), 0);
}

#[test]
fn an_instance_without_a_tag_does_not_hear_a_vlan_in_the_driver() {
    a_vlan_is_not_heard("native");
}

#[test]
fn an_instance_without_a_tag_does_not_hear_a_vlan_in_the_stack() {
    a_vlan_is_not_heard("generic");
}

#[test]
fn an_instance_without_a_tag_does_not_hear_a_vlan_by_the_raw_socket() {
    a_vlan_is_not_heard("off");
}
