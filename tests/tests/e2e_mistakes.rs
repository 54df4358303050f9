//! What two hosts that do not fit together tell their operator.

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(10);

fn start(side: &Side, settings: &str) -> anyhow::Result<Daemon> {
    Daemon::start(&side.host, &Program::ours()?, settings, Daemon::DETAILED)
}

/// Both hosts are Master then, and only these lines say why; XDP drops the adverts before a socket sees them.
#[test]
fn adverts_that_are_refused_are_told_on_both_hosts_with_the_remedy() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let settings = Settings::unicast(b.address, a.address, 100).to_string();
    let other_version = settings.replace("version 3", "version 2");
    assert_ne!(settings, other_version);
    let daemons = [
        start(a, &Settings::unicast(a.address, b.address, 100).to_string()).unwrap(),
        start(b, &other_version).unwrap(),
    ];
    for (daemon, from) in daemons.iter().zip([b.address, a.address]) {
        let line = format!(
            "advert from {from} refused: it is of the other VRRP version: set `version` the same on both"
        );
        until(&line, LIMIT, || Ok(daemon.log()?.contains(&line))).unwrap();
    }
    // A flood of them is not a flood of lines: once, and once more after the change of state.
    a.await_adverts(20, Stamp::now(), LIMIT).unwrap();
    assert!(
        daemons[1]
            .log()
            .unwrap()
            .matches("advert from 192.0.2.1 refused")
            .count()
            <= 2
    );
}
