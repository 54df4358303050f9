//! A reload takes over what is said of peers' MAC addresses and of late adverts.

use nix::sys::signal::Signal;
use vrrp_tests::lab::{Daemon, Duo, Settings, Stamp, root_or_skip, until};

use super::{LIMIT, await_backup, card, instance, number, start};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;

fn reload(daemon: &Daemon, settings: &Settings, count: u64) {
    let host = daemon.host();
    host.install(Daemon::FILE, settings.to_string(), 0o644).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    until("it is reloaded", LIMIT, || {
        Ok(daemon.status()?["daemon"]["reloads"] == count)
    })
    .unwrap();
}

#[test]
fn a_pin_counts_and_a_reload_changes_it() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let card = card(a);
    let pinned = |mac: &str| -> &'static str {
        let line = format!("    vrrp_peer_mac {} {mac}", a.address);
        Box::leak(line.into_boxed_str())
    };
    let settings = |inside| Settings {
        inside,
        ..Settings::unicast(b.address, a.address, 100)
    };
    let on_b = start(b, &settings(pinned(&card)).to_string());
    let _on_a = start(a, &Settings::unicast(a.address, b.address, 200).to_string());
    a.await_mastery(VIP, b, LIMIT).unwrap();
    await_backup(&on_b, "xdp-generic");
    a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    assert_eq!(instance(&on_b)["state"], "BACKUP");
    assert_eq!(instance(&on_b)["counters"]["refused"], serde_json::json!({}));

    // Another card: what A sends is not heard any more, silent as it had become.
    reload(&on_b, &settings(pinned("02:00:00:00:00:99")), 1);
    until("B has lost its Master", LIMIT, || {
        let instance = instance(&on_b);
        Ok(instance["state"] == "MASTER" && number(&instance["counters"]["refused"]["mac"]) > 0)
    })
    .unwrap();
    let line = format!(
        "advert from {} refused: its MAC address is not the one that the peer is pinned to: if the peer's network card \
         was replaced, change vrrp_peer_mac; sent by MAC address {}",
        a.address, card
    );
    until(&line, LIMIT, || Ok(on_b.log()?.contains(&line))).unwrap();

    reload(&on_b, &settings(""), 2);
    until("B follows A again", LIMIT, || {
        Ok(instance(&on_b)["state"] == "BACKUP")
    })
    .unwrap();
}

/// A advertises every 100 ms; B's Master_Down_Interval is 360.9 ms.
#[test]
fn a_reload_changes_what_is_late() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let settings = |inside| Settings {
        inside,
        ..Settings::unicast(b.address, a.address, 100)
    };
    let on_b = start(b, &settings("    vrrp_late_advert off").to_string());
    let _on_a = start(a, &Settings::unicast(a.address, b.address, 200).to_string());
    a.await_mastery(VIP, b, LIMIT).unwrap();
    await_backup(&on_b, "xdp-generic");
    let late = || number(&instance(&on_b)["counters"]["late_adverts"]);
    until("its adverts are no news", LIMIT, || {
        Ok(number(&on_b.status()?["frames"]["unchanged"]) > 5)
    })
    .unwrap();
    assert_eq!(late(), 0);
    // 72 ms: each of them is late now, although none is news otherwise.
    reload(&on_b, &settings("    vrrp_late_advert 20"), 1);
    until("adverts are late", LIMIT, || Ok(late() >= 5)).unwrap();
    let status = instance(&on_b);
    assert!(number(&status["senders"][0]["late"]) >= 5, "{status}");
    let line = format!("an advert of {} came ", a.address);
    assert!(on_b.log().unwrap().contains(&line));
    reload(&on_b, &settings("    vrrp_late_advert off"), 2);
    let before = late();
    let heard = || number(&instance(&on_b)["counters"]["adverts_received"]);
    let began = heard();
    until("ten more came", LIMIT, || Ok(heard() >= began + 10)).unwrap();
    assert!(late() <= before + 1, "{} after {before}", late());
}
