//! Restarts that fail: whoever is not followed gives up, with priority 0 and without its addresses, and never are two
//! hosts Master.

use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use vrrp_tests::lab::{Change, Daemon, Duo, Stamp, root_or_skip, until, vrrpctl};

use super::settings;
use super::stage::{
    LIMIT, TOOK_OVER, VIP, Witness, announce, leave, pair, protocol_process, settle, start, terminate,
    until_said, vip,
};

/// A's end: it says priority 0 once, last, and its address goes; B has it.
fn given_up(duo: &Duo, since: Stamp) -> anyhow::Result<()> {
    duo.b.await_mastery(VIP, &duo.a, LIMIT)?;
    let heard = duo.b.heard(since);
    let priorities: Vec<_> = heard.iter().map(|(_, advert)| advert.priority).collect();
    let (last, before) = priorities.split_last().context("B heard nothing")?;
    assert_eq!(*last, 0, "{priorities:?}");
    assert!(before.iter().all(|priority| *priority == 200), "{priorities:?}");
    let of_b = duo.b.sent(since);
    let first_of_b = of_b.first().context("B said nothing")?.0;
    assert!(
        first_of_b >= heard.last().context("B heard nothing")?.0,
        "two Masters"
    );
    until("nothing of A is left", LIMIT, || {
        Ok(duo.a.host.namespace().processes().is_empty())
    })?;
    assert!(duo.a.host.holds_none(&vip())?);
    Ok(())
}

/// `None` where that is not permitted.
fn begin() -> Option<anyhow::Result<(Duo, [String; 2])>> {
    root_or_skip().then(|| {
        let duo = Duo::new()?;
        let files = pair(&duo, settings("0.1")).map(|settings| settings.to_string());
        Ok((duo, files))
    })
}

#[test]
fn nobody_comes_and_the_lease_ends() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "1s").unwrap();
    assert!(duo.a.host.holds_all(&vip()).unwrap());
    given_up(&duo, since).unwrap();
}

#[test]
fn the_new_one_has_a_bad_file() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "2s").unwrap();
    let bad = of_a.replace("virtual_router_id 51", "virtual_router_id 0");
    let mut on_a = start(&duo.a, &bad).unwrap();
    until("the new one has ended", LIMIT, || Ok(on_a.ended()?.is_some())).unwrap();
    assert_eq!(on_a.ended().unwrap().unwrap().code(), Some(2));
    on_a.let_go();
    given_up(&duo, since).unwrap();
}

/// It waits for its start-up script before it asks, and goes on when the old one has given up: it starts as ever.
#[test]
fn the_new_one_hangs() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "2s").unwrap();
    let script = "#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.05; done\n";
    duo.a.host.install("/run/wait", script, 0o755).unwrap();
    let waits =
        format!("global_defs {{\n    startup_script /run/wait\n    startup_script_timeout 60\n}}\n{of_a}");
    let on_a = start(&duo.a, &waits).unwrap();
    until_said(&on_a, "Running startup script").unwrap();
    duo.b.await_mastery(VIP, &duo.a, LIMIT).unwrap();
    let last = duo.b.heard(since).last().unwrap().1.priority;
    assert_eq!(last, 0);
    duo.a.host.run("touch", &["/run/go"]).unwrap();
    // Preferred, it takes the address back by the election.
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
    assert!(!on_a.log().unwrap().contains(TOOK_OVER));
}

#[test]
fn a_bare_sigterm_gives_up() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    terminate(on_a).unwrap();
    given_up(&duo, since).unwrap();
}

/// As with a service manager that signals every process of the unit.
#[test]
fn sigterm_to_the_protocol_process_gives_up() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    let left = leave(&duo.a, on_a, "60s").unwrap();
    kill(left, Signal::SIGTERM).unwrap();
    given_up(&duo, since).unwrap();
}

/// The same before it was left: announced, and then stopped itself.
#[test]
fn sigterm_to_both_at_once_gives_up() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    let protocol = protocol_process(&duo.a).unwrap();
    announce(&duo.a, "60s").unwrap();
    kill(protocol, Signal::SIGTERM).unwrap();
    terminate(on_a).unwrap();
    given_up(&duo, since).unwrap();
}

/// The old one died before it was asked: its addresses are leftovers, as after any crash.
#[test]
fn the_old_one_dies() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let left = leave(&duo.a, on_a, "60s").unwrap();
    kill(left, Signal::SIGKILL).unwrap();
    let on_a = start(&duo.a, &of_a).unwrap();
    until_said(&on_a, "left over from an earlier run").unwrap();
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// An old one that hangs is ended by force; two on one host would undo what the other does.
#[test]
fn the_old_one_hangs() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let left = leave(&duo.a, on_a, "60s").unwrap();
    kill(left, Signal::SIGSTOP).unwrap();
    let _on_a = start(&duo.a, &of_a).unwrap();
    until("the old one is gone", Duration::from_secs(40), || {
        Ok(!duo.a.host.namespace().processes().contains(&left))
    })
    .unwrap();
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// Without its control socket the old one cannot be asked: it is told to give up first.
#[test]
fn the_old_one_cannot_be_found() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    let left = leave(&duo.a, on_a, "60s").unwrap();
    duo.a.host.run("rm", &["/run/vrrp-daemon/control.sock"]).unwrap();
    let on_a = start(&duo.a, &of_a).unwrap();
    until_said(&on_a, "nothing is taken over").unwrap();
    until("the old one is gone", LIMIT, || {
        Ok(!duo.a.host.namespace().processes().contains(&left))
    })
    .unwrap();
    let zero = |(_, advert): &(Stamp, vrrp_tests::lab::Advert)| advert.priority == 0;
    assert!(duo.b.heard(since).iter().any(zero));
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// Right after it has taken over: a crash like any other, and its parent starts the next.
#[test]
fn the_new_one_is_killed() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let witness = Witness::begin(&duo).unwrap();
    leave(&duo.a, on_a, "60s").unwrap();
    let on_a = start(&duo.a, &of_a).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    witness.nothing_happened().unwrap();
    kill(protocol_process(&duo.a).unwrap(), Signal::SIGKILL).unwrap();
    until_said(&on_a, "left over from an earlier run").unwrap();
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// The new one is to stop before it has taken over, and takes the old one with it: a stop is a stop.
#[test]
fn a_stop_in_the_middle_gives_up() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "60s").unwrap();
    let on_a = start(&duo.a, &of_a).unwrap();
    // Until then a signal would kill it. The log has that of the old one, too.
    until("there is another VRRP process", LIMIT, || {
        Ok(on_a.log()?.matches("Starting VRRP child process").count() == 2)
    })
    .unwrap();
    assert!(on_a.stop(LIMIT).unwrap().success());
    given_up(&duo, since).unwrap();
}

/// Who may not do what it takes is told so, and changes nothing.
#[test]
fn only_root_may_announce_it() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let before = format!("global_defs {{\n    vrrp_control_group nogroup\n}}\n{of_a}");
    let (on_a, _on_b) = settle(&duo, &before, &of_b).unwrap();
    let user = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
    ];
    let said = vrrp_tests::lab::vrrpctl_as(&duo.a.host, &user, &["handover"]).unwrap();
    assert_eq!(said.code, 4, "{said:?}");
    let since = Stamp::now();
    terminate(on_a).unwrap();
    given_up(&duo, since).unwrap();
}

/// systemd as `busctl` shows it: what job there is decides.
#[test]
fn only_a_restart_is_one() {
    let Some(begun) = begin() else { return };
    let (duo, [of_a, of_b]) = begun.unwrap();
    let (on_a, _on_b) = settle(&duo, &of_a, &of_b).unwrap();
    let busctl = |script: &str| {
        duo.a.host.install("/run/busctl.new", script, 0o755).unwrap();
        duo.a
            .host
            .run("mv", &["/run/busctl.new", "/usr/local/bin/busctl"])
            .unwrap();
    };
    for (job, kind, expected) in [
        (
            "7",
            "stop",
            "not restarting (the job of this unit: `stop`): the stop is a clean one\n",
        ),
        (
            "0",
            "",
            "not restarting (the job of this unit: none): the stop is a clean one\n",
        ),
        (
            "7",
            "restart",
            "a stop within 10 s hands over to the daemon that is started next, which has 15 s to come\n",
        ),
    ] {
        busctl(&format!(
            "#!/bin/sh\ncase \"$*\" in\n*GetUnitByPID*) echo '{{\"type\":\"o\",\"data\":[\"/unit\"]}}';;\n\
             *' Job') echo '{{\"type\":\"(uo)\",\"data\":[{job},\"/job\"]}}';;\n\
             *' JobType') echo '{{\"type\":\"s\",\"data\":\"{kind}\"}}';;\nesac\n"
        ));
        let said = vrrpctl(&duo.a.host, &["handover", "--if-restarting"]).unwrap();
        assert_eq!((said.code, said.out.as_str()), (0, expected), "{said:?}");
        if kind != "restart" {
            let said = vrrpctl(&duo.a.host, &["handover", "--if-restarting", "--json"]).unwrap();
            assert_eq!((said.code, said.out.as_str()), (0, "null\n"), "{said:?}");
        }
    }
    busctl("#!/bin/sh\necho no >&2\nexit 1\n");
    let said = vrrpctl(&duo.a.host, &["handover", "--if-restarting"]).unwrap();
    assert_eq!(said.code, 1, "{said:?}");
    // What was announced before stands: the stop is meant for a successor.
    terminate(on_a).unwrap();
    let addresses = vrrp_tests::lab::AddressWatch::start(&duo.a.host).unwrap();
    let on_a: Daemon = start(&duo.a, &of_a).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    assert!(addresses.order(Change::Removed, Stamp(0)).is_empty());
}
