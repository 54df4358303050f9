//! Beside keepalived, and with the users' scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::machine::{
    KEEPALIVED, LVS, Machine, SCRATCH, UNIT, await_state, has_address, property, run, state, wait_until,
    write,
};

/// The file that both read.
const THEIRS: &str = "/etc/keepalived/keepalived.conf";
const INSTANCE: &str = "vrrp_instance web {\n    state BACKUP\n    interface eth0\n    virtual_router_id 51\n    \
                        priority 100\n    advert_int 1\n    virtual_ipaddress {\n        192.0.2.100/24\n    }\n";

#[test]
fn installing_takes_no_address_from_a_keepalived_that_runs() {
    let machine = Machine::bare();
    write(THEIRS, &format!("{INSTANCE}}}\n"));
    run("systemctl enable --now --quiet keepalived");
    wait_until("keepalived is Master", has_address);

    let said = machine.install(1);
    let way = "systemctl disable --now keepalived && systemctl enable --now vrrp-daemon";
    assert!(
        said.contains("vrrp-daemon: keepalived is in charge here") && said.contains(way),
        "{said}"
    );
    assert_eq!(state(UNIT), ["inactive", "disabled"]);
    assert_eq!(state(KEEPALIVED), ["active", "enabled"]);
    assert!(has_address());
    // Nor does an upgrade.
    machine.install(2);
    assert_eq!(state(UNIT), ["inactive", "disabled"]);

    for command in way.split(" && ") {
        run(command);
    }
    await_state("MASTER");
    // And back: one of the two at a time.
    run("systemctl start keepalived");
    assert_eq!(property(UNIT, "ActiveState"), "inactive");
}

#[test]
fn keepalived_runs_the_virtual_servers_beside_it() {
    let machine = Machine::bare();
    // 192.0.2.100:80, as /proc/net/ip_vs has it.
    const SERVICE: &str = "C0000264:0050";
    let servers = "virtual_server 192.0.2.100 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n    \
                   real_server 192.0.2.2 80 {\n        weight 1\n    }\n}\n";
    write(THEIRS, &format!("{INSTANCE}}}\n{servers}"));
    machine.install(1);
    run("systemctl start vrrp-daemon-lvs");
    await_state("MASTER");
    wait_until("the kernel has the virtual server", || has_server(SERVICE));
    let active = [UNIT, LVS].map(|unit| property(unit, "ActiveState"));
    assert_eq!(active, ["active", "active"]);
    // keepalived's own VRRP is not among them.
    let processes = run("ps -e -o comm=");
    assert!(!processes.contains("keepalived_vrrp"), "{processes}");

    // Whole keepalived, instead of both.
    run("systemctl start keepalived");
    assert_eq!(
        [UNIT, LVS, KEEPALIVED].map(|unit| property(unit, "ActiveState")),
        ["inactive", "inactive", "active"]
    );
    wait_until("keepalived has all of it", || {
        has_address() && has_server(SERVICE)
    });
    run(&format!("systemctl start {UNIT} {LVS}"));
    assert_eq!(property(KEEPALIVED, "ActiveState"), "inactive");
    await_state("MASTER");
    wait_until("the virtual server is back", || has_server(SERVICE));

    run("dpkg --remove vrrp-daemon");
    assert!(!has_server(SERVICE));
}

/// keepalived would never say that it is ready.
#[test]
fn without_virtual_servers_there_is_nothing_to_start_beside_it() {
    let machine = Machine::bare();
    write(
        THEIRS,
        &format!("{INSTANCE}}}\n# virtual_server 192.0.2.100 80\n"),
    );
    machine.install(1);
    run("systemctl start vrrp-daemon-lvs");
    assert_eq!(property(LVS, "ActiveState"), "inactive");
    let said = run("journalctl --no-pager --boot --output cat --unit vrrp-daemon-lvs");
    assert!(said.contains("Skipped due to 'exec-condition'"), "{said}");
    await_state("MASTER");
}

/// Whether IPVS has it.
fn has_server(service: &str) -> bool {
    let servers = fs::read_to_string("/proc/net/ip_vs").unwrap();
    servers.contains(service)
}

#[test]
fn a_script_may_do_what_it_may_under_keepalived() {
    let machine = Machine::bare();
    let script = &format!("{SCRATCH}/notify");
    let marks = [
        "/etc/vm-systemd-mark",
        "/tmp/vm-systemd-mark",
        "/usr/local/vm-systemd-mark",
    ];
    write(
        script,
        &format!(
            "#!/bin/sh\nset -e\nsystemctl start vm-systemd.service\nchroot / true\nmknod {SCRATCH}/node c 1 3\n\
             chown daemon {SCRATCH}/node\ntouch {}\n",
            marks.join(" ")
        ),
    );
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    write(
        "/run/systemd/system/vm-systemd.service",
        "[Service]\nType=oneshot\nExecStart=/bin/true\nRemainAfterExit=yes\n",
    );
    run("systemctl daemon-reload");
    write(THEIRS, &format!("{INSTANCE}    notify_master {script}\n}}\n"));
    machine.install(1);
    wait_until("the script has done its work", || {
        marks.iter().all(|mark| Path::new(mark).exists())
    });
    assert_eq!(property("vm-systemd.service", "ActiveState"), "active");
    // Installing started it, since there was a file.
    assert_eq!(state(UNIT), ["active", "enabled"]);

    run("systemctl stop vm-systemd.service");
    for mark in marks {
        fs::remove_file(mark).unwrap();
    }
    fs::remove_file("/run/systemd/system/vm-systemd.service").unwrap();
    run("systemctl daemon-reload");
}
