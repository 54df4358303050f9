//! A restart with another file: as a reload, what is the same is not touched.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use vrrp_tests::lab::{AddressWatch, Change, Duo, Settings, Stamp, root_or_skip, until, vrrpctl_events};

use super::settings;
use super::stage::{LIMIT, TOOK_OVER, VIP, Witness, leave, pair, settle, start, until_said, vip};

const fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

/// One more instance of the same host, by its number.
fn more(settings: Settings, vrid: u8, last: u8) -> String {
    let text = Settings {
        vrid,
        address: address(last),
        ..settings
    };
    text.to_string().replace("VI_1", &format!("VI_{vrid}"))
}

/// Of A's instances one stays and has another address instead of one of its own, one goes and one comes.
#[test]
fn what_differs_is_done_and_the_rest_is_not_touched() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let [of_a, of_b] = pair(&duo, settings("0.1"));
    let with = |last: &str| {
        of_a.to_string()
            .replace("192.0.2.100/24\n", &format!("192.0.2.100/24\n {last}/24\n"))
    };
    let before = with("192.0.2.101") + &more(of_a, 61, 111);
    let after = with("192.0.2.102") + &more(of_a, 62, 112);
    let (on_a, _on_b) = settle(&duo, &before, &of_b.to_string()).unwrap();
    let held = [100, 101, 111].map(|last| IpAddr::V4(address(last)));
    until("A has all of them", LIMIT, || duo.a.host.holds_all(&held)).unwrap();
    let addresses = AddressWatch::start(&duo.a.host).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "20s").unwrap();
    let on_a = start(&duo.a, &after).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    let wanted = [100, 102, 112].map(|last| IpAddr::V4(address(last)));
    until("A has what it should", LIMIT, || {
        Ok(duo.a.host.holds_all(&wanted)?
            && duo
                .a
                .host
                .holds_none(&[address(101).into(), address(111).into()])?)
    })
    .unwrap();
    let mut removed = addresses.order(Change::Removed, since);
    removed.sort_unstable();
    assert_eq!(removed, [IpAddr::V4(address(101)), IpAddr::V4(address(111))]);
    duo.a.await_announcement(address(102), since, LIMIT).unwrap();
    let of = |vrid| {
        let heard = duo.b.heard(since).into_iter();
        let of_it = heard.filter(move |(_, advert)| advert.vrid == vrid);
        of_it.map(|(_, advert)| advert.priority).collect::<Vec<_>>()
    };
    assert!(of(51).iter().all(|priority| *priority == 200));
    assert_eq!(of(61).last(), Some(&0));
    assert!(duo.b.sent(since).is_empty());
}

/// A Backup that is restarted goes on following: it neither takes over nor waits anew.
#[test]
fn a_backup_goes_on_following() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let [of_a, of_b] = pair(&duo, settings("0.1"));
    let (_on_a, on_b) = settle(&duo, &of_a.to_string(), &of_b.to_string()).unwrap();
    let terms = |status: &Value| status["instances"][0]["counters"]["became_master"].clone();
    // On a busy machine it was Master before the other one was there.
    let before = terms(&on_b.status().unwrap());
    let witness = Witness::begin(&duo).unwrap();
    leave(&duo.b, on_b, "20s").unwrap();
    // Of the old one.
    let follower = vrrpctl_events(&duo.b.host, &["--json"]).unwrap();
    let on_b = start(&duo.b, &of_b.to_string()).unwrap();
    until_said(&on_b, TOOK_OVER).unwrap();
    let told = follower.wait_with_output().unwrap();
    assert_eq!(told.status.code(), Some(0));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.ends_with("{\"ended\":\"handed-over\"}\n"), "{told}");
    duo.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    witness.nothing_happened().unwrap();
    let status = on_b.status().unwrap();
    assert_eq!(status["instances"][0]["state"], "BACKUP");
    assert_eq!(terms(&status), before);
    assert_eq!(status["instances"][0]["master"]["address"], "192.0.2.1");
    assert!(duo.b.host.holds_none(&vip()).unwrap());
}

/// Who is Master stays Master, be it of the lower priority; its group and its tracked script go along, and nobody is
/// notified of what is no news.
#[test]
fn mastership_stays_where_it_was() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let [of_a, of_b] = pair(
        &duo,
        Settings {
            nopreempt: true,
            inside: "track_script {\n chk\n}\nnotify /run/notify.sh",
            before: "vrrp_script chk {\n script /run/check.sh\n interval 1\n fall 3\n init_fail\n}\n\
                     vrrp_sync_group VG_1 {\n group {\n VI_1\n }\n}",
            ..settings("0.1")
        },
    );
    // B is the one that is preferred, and comes later.
    let (of_a, of_b) = (
        Settings {
            priority: 200,
            ..of_a
        }
        .to_string(),
        Settings {
            priority: 250,
            inside: "",
            before: "",
            ..of_b
        }
        .to_string(),
    );
    for (name, script) in [
        ("/run/check.sh", "#!/bin/sh\nexit 0\n"),
        ("/run/notify.sh", "#!/bin/sh\necho \"$3\" >> /run/told\n"),
    ] {
        duo.a.host.install(name, script, 0o755).unwrap();
    }
    let on_a = start(&duo.a, &of_a).unwrap();
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
    let _on_b = start(&duo.b, &of_b).unwrap();
    duo.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    let told = duo.a.host.read("/run/told").unwrap();
    let witness = Witness::begin(&duo).unwrap();
    let left = leave(&duo.a, on_a, "20s").unwrap();
    let on_a = start(&duo.a, &of_a).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    let log = on_a.log().unwrap();
    for said in [
        "stays on duty for a successor, for 20.0 s at most: Master of 1 of 1 virtual routers [event=restart reason=left lease_ms=20000]".to_owned(),
        format!(
            "(VI_1) stays MASTER: taken over from process {left} [event=restart instance=VI_1 vrid=51 interface=eth0 from=MASTER to=MASTER reason=taken-over]"
        ),
        format!("[event=restart reason=taken-over predecessor={left} took_us="),
    ] {
        assert!(log.contains(&said), "no `{said}` in:\n{log}");
    }
    // Whom alerting would wake: the first mastership, and no other.
    assert_eq!(log.matches("Entering MASTER STATE").count(), 1, "{log}");
    duo.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    witness.nothing_happened().unwrap();
    let status = on_a.status().unwrap();
    assert_eq!(status["groups"][0]["state"], "MASTER");
    assert_eq!(status["scripts"][0]["state"], "passing");
    assert_eq!(duo.a.host.read("/run/told").unwrap(), told);
}

/// Somebody who stands by goes on doing so.
#[test]
fn standby_is_not_forgotten() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let [of_a, of_b] = pair(&duo, settings("0.1"));
    let (on_a, _on_b) = settle(&duo, &of_a.to_string(), &of_b.to_string()).unwrap();
    let said = vrrp_tests::lab::vrrpctl(&duo.a.host, &["standby", "VI_1"]).unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    duo.b.await_mastery(VIP, &duo.a, LIMIT).unwrap();
    let since = Stamp::now();
    leave(&duo.a, on_a, "20s").unwrap();
    let on_a = start(&duo.a, &of_a.to_string()).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    duo.b.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    assert!(duo.a.sent(since).is_empty());
    let status = on_a.status().unwrap();
    assert_eq!(status["instances"][0]["standby"]["alone"], false);
}

/// What the old process added for an owner of addresses is the new one's to remove, and what the host has on its own is
/// nobody's.
#[test]
fn an_owner_keeps_its_own_address_and_gives_up_the_other() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let of_a = Settings {
        priority: 255,
        ..Settings::unicast(a.address, b.address, 255)
    };
    let of_a = of_a
        .to_string()
        .replace("192.0.2.100/24\n", "192.0.2.100/24\n 192.0.2.1/24\n")
        .replace("state BACKUP", "state MASTER");
    let on_a = start(a, &of_a).unwrap();
    until("A is Master", LIMIT, || a.host.holds_all(&vip())).unwrap();
    leave(a, on_a, "20s").unwrap();
    let on_a = start(a, &of_a).unwrap();
    until_said(&on_a, TOOK_OVER).unwrap();
    assert!(a.host.holds_all(&vip()).unwrap());
    assert!(on_a.stop(LIMIT).unwrap().success());
    assert!(a.host.holds_none(&vip()).unwrap());
    assert!(a.host.holds_all(&[a.address.into()]).unwrap());
}
