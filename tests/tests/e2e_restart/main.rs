//! A restart that nobody notices, and what becomes of one that fails.

mod changed;
mod failing;
mod stage;

use vrrp_tests::lab::{Duo, Settings, Stamp, root_or_skip, until};

use self::stage::{LIMIT, TOOK_OVER, VIP, Witness, leave, pair, settle, start, until_said, vip};

/// Restart the Master A, and let it be Master for a while after.
fn restart_of_a_master(settings: Settings) -> anyhow::Result<()> {
    let duo = Duo::new()?;
    let [of_a, of_b] = pair(&duo, settings);
    let (on_a, _on_b) = settle(&duo, &of_a.to_string(), &of_b.to_string())?;
    let witness = Witness::begin(&duo)?;
    let old = leave(&duo.a, on_a, "20s")?;
    let after = Stamp::now();
    duo.a.await_adverts(2, after, LIMIT)?;
    let on_a = start(&duo.a, &of_a.to_string())?;
    until_said(&on_a, TOOK_OVER)?;
    duo.a.await_adverts(4, Stamp::now(), LIMIT)?;
    until("the old process has ended", LIMIT, || {
        Ok(!duo.a.host.namespace().processes().contains(&old))
    })?;
    let gap = witness.nothing_happened()?;
    println!("longest gap at {} s adverts: {gap:?}", settings.interval);
    let status = on_a.status()?;
    assert_eq!(status["instances"][0]["state"], "MASTER");
    // Its program has taken the place of the old one's.
    assert_eq!(status["instances"][0]["receive_path"], "xdp-generic");
    assert_eq!(status["instances"][0]["addresses"][0]["present"], true);
    assert_eq!(status["instances"][0]["counters"]["became_master"], 1);
    assert_eq!(status["instances"][0]["counters"]["priority_zero_sent"], 0);
    // It is the new one's to give up.
    assert!(on_a.stop(LIMIT)?.success());
    assert!(duo.a.host.holds_none(&vip())?);
    duo.b.await_mastery(VIP, &duo.a, LIMIT)
}

const fn settings(interval: &'static str) -> Settings {
    let address = std::net::Ipv4Addr::UNSPECIFIED;
    Settings {
        interval,
        ..Settings::unicast(address, address, 0)
    }
}

#[test]
fn a_master_of_one_second_is_restarted() {
    if !root_or_skip() {
        return;
    }
    restart_of_a_master(settings("1")).unwrap();
}

#[test]
fn a_master_of_a_tenth_of_a_second_is_restarted() {
    if !root_or_skip() {
        return;
    }
    restart_of_a_master(settings("0.1")).unwrap();
}

#[test]
fn a_master_of_ten_milliseconds_is_restarted() {
    if !root_or_skip() {
        return;
    }
    restart_of_a_master(settings("0.01")).unwrap();
}

#[test]
fn a_master_by_multicast_is_restarted() {
    if !root_or_skip() {
        return;
    }
    restart_of_a_master(Settings {
        peer: None,
        version: 2,
        ..settings("1")
    })
    .unwrap();
}
