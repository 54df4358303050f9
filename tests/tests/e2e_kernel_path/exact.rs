//! Every frame is accounted for.

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, root_or_skip, until};

use super::forge::{Forger, v3};
use super::{LIMIT, await_backup, good, instance, number, patient, start, sum};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;

/// 100 adverts that say the same, 20 that say something else each time, 30 against a rule.
fn send_150(duo: &Duo, forger: &Forger) {
    let to_b = |pdu: &[u8]| forger.send(duo.a.address, duo.b.address, pdu);
    let same = v3(51, 200, 4_000, VIP);
    let mut bad_sum = same.clone();
    bad_sum[6] ^= 0xff;
    let mut too_long = same.clone();
    too_long.extend([0; 4]);
    let mut other_version = same.clone();
    other_version[0] = 0x21;
    for round in 0..10_u8 {
        for _ in 0..10 {
            to_b(&same);
        }
        to_b(&v3(51, 201 + round, 4_000, VIP));
        to_b(&v3(51, 221 + round, 4_000, VIP));
        for bad in [&bad_sum, &too_long, &other_version] {
            to_b(bad);
        }
    }
}

fn await_all(daemon: &Daemon, all: u64) {
    until("all that was sent is accounted for", LIMIT, || {
        let instance = instance(daemon);
        Ok(good(&instance) + sum(&instance["counters"]["refused"]) >= all)
    })
    .unwrap();
}

fn clear(daemon: &Daemon) {
    // As an operator does it, who has no number for the signal either.
    let (binary, pid) = (Program::ours().unwrap().binary(), daemon.pid().unwrap());
    let line = format!("kill -$({} --signum=STATS_CLEAR) {pid}", binary.display());
    daemon.host().run("sh", &["-c", &line]).unwrap();
    until("the counters begin anew", LIMIT, || {
        Ok(instance(daemon)["counters"]["adverts_received"] == 0)
    })
    .unwrap();
}

fn exactly(before: &'static str, path: &str) {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let settings = Settings {
        before,
        ..patient(&duo)
    };
    let daemon = start(&duo.b, &settings.to_string());
    await_backup(&daemon, path);
    let forger = Forger::on(&duo.a);
    let others = v3(99, 200, 4_000, VIP);

    // Nothing is left over from before when the counters are cleared.
    for _ in 0..2 {
        send_150(&duo, &forger);
        for _ in 0..5 {
            forger.send(duo.a.address, duo.b.address, &others);
        }
        await_all(&daemon, 150);
        let status = daemon.status().unwrap();
        let instance = &status["instances"][0];
        assert_eq!(good(instance), 120, "{instance}");
        let refused = serde_json::json!({"checksum": 10, "length": 10, "router-version": 10});
        assert_eq!(instance["counters"]["refused"], refused, "{instance}");
        if path == "raw" {
            assert_eq!(status["frames"], serde_json::Value::Null);
            assert_eq!(instance["senders"], serde_json::json!([]));
        } else {
            let frames = &status["frames"];
            assert_eq!(frames["refused"], refused, "{frames}");
            let good = ["accepted", "unchanged", "kept"].map(|kind| number(&frames[kind]));
            assert_eq!(good.iter().sum::<u64>(), 120, "{frames}");
            assert_eq!(
                (&frames["not_ours"], &frames["ring_full"]),
                (&5.into(), &0.into())
            );
            let [sender] = instance["senders"].as_array().unwrap().as_slice() else {
                panic!("{instance}");
            };
            assert_eq!(sender["source"], duo.a.address.to_string());
            assert!(number(&sender["last_us"]) < 15_000_000, "{sender}");
            // The first one since the daemon started had none before it.
            assert!((119..=120).contains(&sum(&sender["gaps_us"])), "{sender}");
        }
        clear(&daemon);
        let status = daemon.status().unwrap();
        let instance = &status["instances"][0];
        assert_eq!(good(instance), 0, "{instance}");
        assert_eq!(instance["counters"]["refused"], serde_json::json!({}));
        for sender in instance["senders"].as_array().unwrap() {
            assert_eq!(sum(&sender["gaps_us"]), 0, "{sender}");
        }
        if path != "raw" {
            assert_eq!(status["frames"]["unchanged"], 0);
            assert_eq!(status["frames"]["not_ours"], 0);
            assert_eq!(status["frames"]["refused"], serde_json::json!({}));
        }
    }
}

#[test]
fn every_advert_is_accounted_for_behind_xdp() {
    exactly("global_defs {\n    vrrp_xdp native\n}", "xdp-native");
}

#[test]
fn every_advert_is_accounted_for_by_the_raw_socket() {
    exactly("global_defs {\n    vrrp_xdp off\n}", "raw");
}

/// The copies of the stack are no adverts of their own.
#[test]
fn every_advert_is_accounted_for_once_while_they_go_on_to_the_stack() {
    exactly(
        "global_defs {\n    vrrp_xdp native\n    vrrp_xdp_pass\n}",
        "xdp-native",
    );
}

#[test]
fn every_advert_is_accounted_for_once_in_the_stack_itself() {
    exactly(
        "global_defs {\n    vrrp_xdp generic\n    vrrp_xdp_pass\n}",
        "xdp-generic",
    );
}
