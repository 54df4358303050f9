//! Started, reloaded, watched and stopped.

use vrrp_tests::lab::Stamp;

use super::machine::{
    FILE, Machine, SCRATCH, UNIT, await_state, edit, has_address, instance, journal, property,
    protocol_process, run, runs, say, state, wait_until, write,
};

#[test]
fn two_hosts_are_set_up_with_what_is_in_the_package() {
    let machine = Machine::configured();
    run("vrrp-daemon -t");
    run("systemctl start vrrp-daemon");
    // Started is when its instances run: it can be asked at once.
    assert_eq!(instance()["name"], "web");
    assert_eq!(state(UNIT), ["active", "enabled"]);
    await_state("MASTER");
    wait_until("systemd is told", || {
        property(UNIT, "StatusText") == "1 Master, 0 Backup, 0 Fault"
    });
    let _b = machine.start_b();
    machine.await_adverts(2);
    println!("{}", score());

    let stopped = Stamp::now();
    run("systemctl stop vrrp-daemon");
    assert!(!has_address());
    assert_eq!(
        (
            property(UNIT, "ActiveState").as_str(),
            property(UNIT, "Result").as_str()
        ),
        ("inactive", "success")
    );
    machine.await_release(stopped);
    // As the example says: who is Master stays Master.
    run("systemctl start vrrp-daemon");
    wait_until("A hears B", || instance()["master"]["address"] == "192.0.2.2");
    assert!(!has_address());
}

/// What `systemd-analyze security` sums up.
fn score() -> String {
    let text = run("systemd-analyze --no-pager security vrrp-daemon.service");
    let line = text.lines().find(|line| line.contains("Overall exposure level"));
    line.unwrap().to_owned()
}

#[test]
fn a_file_that_cannot_be_run_fails_the_start_once() {
    let _machine = Machine::configured();
    write(
        FILE,
        "vrrp_instance web {\n interface eth0\n virtual_router_id 0\n}\n",
    );
    let said = say("systemctl start vrrp-daemon");
    assert!(!said.well);
    assert_eq!(property(UNIT, "ActiveState"), "failed");
    assert_eq!(property(UNIT, "ExecMainStatus"), "2");
    assert_eq!(property(UNIT, "NRestarts"), "0");
}

#[test]
fn a_reload_fails_if_the_file_is_bad_and_says_why() {
    let _machine = Machine::master();
    let before = ["MainPID", "ActiveState"].map(|name| property(UNIT, name));

    edit("priority 100", "priority 90");
    run("systemctl reload vrrp-daemon");
    assert_eq!(instance()["priority_effective"], 90);

    edit("priority 90", "priority 80");
    edit("virtual_router_id 51", "virtual_router_id 0");
    let since = Stamp::now();
    assert!(!say("systemctl reload vrrp-daemon").well);
    let said = journal(since);
    assert!(said.contains("`0` is not a virtual router id"), "{said}");
    let status = instance();
    assert_eq!(
        (&status["priority_effective"], &status["state"]),
        (&90.into(), &"MASTER".into())
    );
    assert_eq!(
        ["MainPID", "ActiveState"].map(|name| property(UNIT, name)),
        before
    );
    assert!(has_address());
}

#[test]
fn a_daemon_that_is_killed_is_started_again() {
    let _machine = Machine::master();
    let pid = property(UNIT, "MainPID");
    run("systemctl kill --signal KILL vrrp-daemon");
    wait_until("it is started again", || {
        property(UNIT, "ActiveState") == "active" && property(UNIT, "MainPID") != pid
    });
    await_state("MASTER");
}

/// It does not answer, and holds the address until it is ended.
#[test]
fn a_protocol_process_that_hangs_is_noticed_and_replaced() {
    let _machine = Machine::master();
    let hung = protocol_process();
    run(&format!("kill -STOP {hung}"));
    wait_until("systemd misses the beat", || property(UNIT, "NRestarts") == "1");
    wait_until("the new one runs", || property(UNIT, "ActiveState") == "active");
    await_state("MASTER");
    assert!(!runs(&hung));
    assert_ne!(protocol_process(), hung);
}

/// The manager restarts it each time it ends, after a fifth of a second.
const FLAKY: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'test -e /run/vm-systemd/well && \
                     exec sleep infinity; exit 1'\nRestart=always\nRestartSec=200ms\n";
const FLAKY_UNIT: &str = "/run/systemd/system/vm-flaky.service";

/// Removed even if the test fails.
struct Flaky;

impl Flaky {
    fn start() -> Self {
        write(FLAKY_UNIT, FLAKY);
        write(&format!("{SCRATCH}/well"), "");
        run("systemctl daemon-reload");
        run("systemctl start vm-flaky.service");
        Self
    }

    fn ails() {
        run(&format!("rm {SCRATCH}/well"));
        // SIGTERM would be a clean end.
        run("systemctl kill --signal KILL vm-flaky.service");
    }

    fn recovers() {
        write(&format!("{SCRATCH}/well"), "");
    }
}

impl Drop for Flaky {
    fn drop(&mut self) {
        say("systemctl stop vm-flaky.service");
        let _not_there = std::fs::remove_file(FLAKY_UNIT);
        say("systemctl daemon-reload");
        say("systemctl reset-failed");
    }
}

/// `track_restarts`, told of by systemd itself over the system bus.
#[test]
fn a_service_that_systemd_restarts_too_often_is_a_fault() {
    let _machine = Machine::configured();
    let _flaky = Flaky::start();
    edit(
        "    virtual_router_id 51",
        "    virtual_router_id 51\n    track_restarts vm-flaky 3 30",
    );
    run("vrrp-daemon -t");
    let since = Stamp::now();
    run("systemctl start vrrp-daemon");
    await_state("MASTER");
    assert_eq!(instance()["tracked"][0]["name"], "vm-flaky.service 3 30");

    Flaky::ails();
    await_state("FAULT");
    assert_eq!(instance()["reason_code"], "unit-failing");
    let said = journal(since);
    let line = "unit vm-flaky.service was restarted more than 3 times in 30 s";
    assert!(said.contains(line), "{said}");
    Flaky::recovers();
    await_state("MASTER");

    // What nobody restarts any more has failed; what somebody stops has not.
    run("systemctl stop vm-flaky.service");
    wait_until("it is stopped", || {
        property("vm-flaky.service", "ActiveState") == "inactive"
    });
    assert_eq!(instance()["state"], "MASTER");
    write(FLAKY_UNIT, &FLAKY.replace("Restart=always", "Restart=no"));
    run("systemctl daemon-reload");
    run("systemctl start vm-flaky.service");
    Flaky::ails();
    await_state("FAULT");
    assert_eq!(property("vm-flaky.service", "ActiveState"), "failed");
    run("systemctl reset-failed vm-flaky.service");
    await_state("MASTER");
}
