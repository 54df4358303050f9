//! A Master that sends every second is restarted, and nobody notices; unless it does not come again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use vrrp_tests::lab::{Daemon, Stamp};

use super::machine::{
    Machine, SCRATCH, UNIT, await_state, has_address, instance, journal, property, protocol_process, run,
    runs, say, state, version, wait_until, write,
};

const DAEMON: &str = "/usr/sbin/vrrp-daemon";
/// Where it is while another file has its name.
const KEPT: &str = "/usr/sbin/vrrp-daemon.kept";

/// A is Master; from `begin` on all is seen that A sends, B sends, and A's addresses do.
struct Witness {
    machine: Machine,
    b: Daemon,
    monitor: Child,
    /// What `monitor` prints.
    events: String,
    since: Stamp,
    protocol: String,
}

impl Witness {
    fn begin() -> Self {
        let machine = Machine::master();
        let b = machine.start_b();
        machine.await_adverts(2);
        let events = format!("{SCRATCH}/addresses");
        write(&events, "");
        let monitor = Command::new("ip")
            .args(["monitor", "address", "dev", "eth0"])
            .stdout(fs::File::create(&events).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It sees an address come and go.
        wait_until("`ip monitor` runs", || {
            run("ip address add 198.51.100.1/32 dev eth0");
            run("ip address delete 198.51.100.1/32 dev eth0");
            deleted(&events, "198.51.100.1/32")
        });
        Self {
            since: Stamp::now(),
            protocol: protocol_process(),
            machine,
            b,
            monitor,
            events,
        }
    }

    /// Another process speaks for A, and that is all.
    #[track_caller]
    fn nothing_happened(&self) {
        self.machine.await_adverts(3);
        await_state("MASTER");
        assert_ne!(protocol_process(), self.protocol);
        wait_until("the old one has gone", || !runs(&self.protocol));
        let log = journal(self.since);
        assert!(log.contains("without a pause"), "{log}");

        let heard = self.machine.heard(self.since);
        assert!(
            heard.iter().all(|(_, advert)| advert.priority == 100),
            "{heard:?}"
        );
        let of_b = self.machine.sent(self.since);
        assert!(of_b.is_empty(), "{of_b:?}");
        let of_b = self.b.status().unwrap()["instances"][0].clone();
        assert_eq!(
            (&of_b["state"], &of_b["counters"]["became_master"]),
            (&"BACKUP".into(), &0.into())
        );
        // A successor's own count: it never was anything else.
        assert_eq!(instance()["state"], "MASTER");
        let events = fs::read_to_string(&self.events).unwrap();
        assert!(!deleted(&self.events, "192.0.2.100/24"), "{events}");
        let gaps = heard.windows(2).map(|pair| pair[1].0.since(pair[0].0));
        println!("longest gap between two adverts: {:?}", gaps.max().unwrap());
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _gone = self.monitor.kill();
        let _reaped = self.monitor.wait();
        if fs::exists(KEPT).unwrap_or(true) {
            let _as_it_was = fs::rename(KEPT, DAEMON);
        }
    }
}

/// Whether `ip monitor` saw this address go.
fn deleted(events: &str, address: &str) -> bool {
    let events = fs::read_to_string(events).unwrap();
    events
        .lines()
        .any(|line| line.contains("Deleted") && line.contains(address))
}

/// Another program in place of the daemon.
fn replace_daemon(script: &str) {
    fs::rename(DAEMON, KEPT).unwrap();
    write(DAEMON, script);
    fs::set_permissions(DAEMON, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_restart_is_not_noticed() {
    let witness = Witness::begin();
    run("systemctl restart vrrp-daemon");
    witness.nothing_happened();
    assert_eq!(state(UNIT), ["active", "enabled"]);
}

#[test]
fn an_upgrade_is_a_restart_if_it_runs_and_nothing_if_not() {
    let witness = Witness::begin();
    let said = witness.machine.install(2);
    witness.nothing_happened();
    assert!(version().ends_with("-2"), "{said}");
    assert_eq!(state(UNIT), ["active", "enabled"]);

    run("systemctl stop vrrp-daemon");
    let said = witness.machine.install(1);
    assert!(
        said.contains("vrrp-daemon: it did not run before and is not started now"),
        "{said}"
    );
    assert_eq!(state(UNIT), ["inactive", "enabled"]);
}

/// systemd tries again, and the old one is still on duty.
#[test]
fn a_new_program_that_fails_once_costs_nothing() {
    let witness = Witness::begin();
    let failed = format!("{SCRATCH}/failed");
    replace_daemon(&format!(
        "#!/bin/sh\n[ -e {failed} ] && exec {KEPT} \"$@\"\ntouch {failed}\nexit 1\n"
    ));
    say("systemctl restart vrrp-daemon");
    wait_until("it runs", || property(UNIT, "ActiveState") == "active");
    witness.nothing_happened();
    assert_eq!(property(UNIT, "NRestarts"), "1");
}

/// The lease ends: as a stop, so B is Master.
#[test]
fn a_new_program_that_never_runs_is_survived() {
    let witness = Witness::begin();
    replace_daemon("#!/bin/sh\nexit 1\n");
    assert!(!say("systemctl restart vrrp-daemon").well);
    witness.machine.await_release(witness.since);
    wait_until("the old one has gone", || !runs(&witness.protocol));
    assert!(!has_address());
    assert_eq!(property(UNIT, "ActiveState"), "failed");

    fs::rename(KEPT, DAEMON).unwrap();
    run("systemctl reset-failed vrrp-daemon");
    run("systemctl start vrrp-daemon");
    wait_until("A hears B", || instance()["master"]["address"] == "192.0.2.2");
    assert!(!has_address());
}
