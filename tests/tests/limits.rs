//! Many instances under the limits that service managers give.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use vrrp_tests::lab::{Daemon, Host, Lab, Program, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(30);
const INSTANCES: u8 = 200;

fn file() -> String {
    let mut text = String::new();
    for vrid in 1..=INSTANCES {
        write!(
            text,
            "vrrp_instance VI_{vrid} {{\n    state BACKUP\n    interface v0\n    virtual_router_id {vrid}\n    \
             priority 100\n    version 3\n    advert_int 1\n    virtual_ipaddress {{\n        \
             198.51.100.{vrid}/32\n    }}\n}}\n",
        )
        .unwrap();
    }
    text
}

/// Our daemon, started by a shell that sets limits first.
fn under(host: &Host, limits: &str) -> Program {
    const SCRIPT: &str = "/run/limited";
    let ours = Program::ours().unwrap().binary();
    let script = format!("#!/bin/bash\n{limits}\nexec {} \"$@\"\n", ours.display());
    host.install(SCRIPT, &script, 0o755).unwrap();
    Program::Ours {
        binary: SCRIPT.into(),
    }
}

/// systemd gives 1024 descriptors and lets a service ask for more; each instance has a socket.
#[test]
fn a_soft_limit_on_descriptors_is_raised() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    let host = lab.host("A").unwrap();
    let add = ["link", "add", "v0", "type", "veth", "peer", "name", "w0"];
    host.run("ip", &add).unwrap();
    host.run("ip", &["addr", "add", "192.0.2.1/24", "dev", "v0"])
        .unwrap();
    host.run("ip", &["link", "set", "v0", "up"]).unwrap();
    host.run("ip", &["link", "set", "w0", "up"]).unwrap();
    let daemon = Daemon::start(&host, &under(&host, "ulimit -Sn 100"), &file(), Daemon::DETAILED).unwrap();
    let wanted = usize::from(INSTANCES);
    until("every instance to be Master", LIMIT, || {
        let log = daemon.log()?;
        ensure!(!log.contains("died"), "the protocol process died:\n{log}");
        ensure!(!log.contains("cannot be sent"), "no adverts:\n{log}");
        Ok(log.matches("Entering MASTER STATE").count() == wanted)
    })
    .unwrap();
}
