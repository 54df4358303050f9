//! The flood generator keeps its bounds, and stays out of the machine's own network.

use std::net::Ipv4Addr;
use std::time::Duration;

use vrrp_tests::lab::flood::{Flood, Job, Kind, Target, send};
use vrrp_tests::lab::{Direction, Duo, Frame, Stamp, root_or_skip};

const LIMIT: Duration = Duration::from_secs(10);

fn job(kind: Kind) -> Job {
    let target = Target {
        mac: [0xff; 6],
        sender_mac: [2, 0, 0, 0, 0, 3],
        address: Ipv4Addr::new(192, 0, 2, 2),
        peer: Ipv4Addr::new(192, 0, 2, 1),
        stranger: Ipv4Addr::new(192, 0, 2, 66),
        routers: vec![
            (51, Ipv4Addr::new(192, 0, 2, 151)),
            (52, Ipv4Addr::new(192, 0, 2, 152)),
        ],
        unknown_vrid: 99,
        interval: 100,
    };
    Job {
        interface: "eth0".to_owned(),
        frames: kind.frames(&target),
        per_second: None,
        seconds: 10,
        count: 1_000,
    }
}

/// The bounds are checked first, so no interface is looked at.
#[test]
fn a_job_without_bounds_is_refused() {
    let good = job(Kind::Unlisted);
    assert!(good.check().is_ok());
    let refused = |job: Job| format!("{:#}", send(&job, || ()).unwrap_err());
    assert_eq!(
        refused(Job {
            seconds: 61,
            ..good.clone()
        }),
        "a flood takes 1 to 60 seconds, not 61"
    );
    assert_eq!(
        refused(Job {
            count: 60_000_001,
            ..good.clone()
        }),
        "a flood has 1 to 60000000 frames, not 60000001"
    );
    assert_eq!(
        refused(Job {
            frames: vec![vec![0; 13]],
            ..good
        }),
        "a frame of 13 bytes"
    );
}

#[test]
fn the_machines_own_network_is_refused() {
    if !root_or_skip() {
        return;
    }
    let lo = Job {
        interface: "lo".to_owned(),
        ..job(Kind::NotVrrp)
    };
    assert_eq!(
        format!("{:#}", send(&lo, || ()).unwrap_err()),
        "a flood runs in a network namespace of its own only, and this is the machine's"
    );
}

/// As many as were asked for, in turn, whole; and not one more.
#[test]
fn every_frame_of_a_bounded_flood_arrives() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let job = Job {
        per_second: Some(10_000),
        ..job(Kind::Unlisted)
    };
    let since = Stamp::now();
    let report = Flood::start(&duo.a.host, &job).unwrap().finish().unwrap();
    assert_eq!((report.sent, report.refused), (1_000, 0));
    // The last of 1000 frames is due after 100 ms; a slow machine takes longer.
    assert!(report.nanos >= 99_900_000, "{report:?}");
    let stranger = Ipv4Addr::new(192, 0, 2, 66);
    let mut seen = Vec::new();
    duo.b
        .capture
        .wait_for("the thousandth forged advert", since, LIMIT, |captured| {
            let advert = captured.frame().advert()?;
            assert_eq!(advert.source, stranger);
            seen.push(advert.vrid);
            (seen.len() == 1_000).then_some(())
        })
        .unwrap();
    assert!(
        seen.iter()
            .zip([51, 52].iter().cycle())
            .all(|(seen, due)| seen == due)
    );
}

/// Time is a bound of its own: the count alone would take 100 seconds.
#[test]
fn a_slow_flood_ends_in_time() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let job = Job {
        per_second: Some(10),
        seconds: 1,
        ..job(Kind::NotVrrp)
    };
    let report = Flood::start(&duo.a.host, &job).unwrap().finish().unwrap();
    assert!((1..=10).contains(&report.sent), "{report:?}");
}

/// What is kept of a flooded port: the host's own adverts and ARP, not what is sent to it.
#[test]
fn a_flooded_host_is_judged_by_what_it_sends() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (sender, receiver) = (
        duo.a.port.capture_sent().unwrap(),
        duo.b.port.capture_sent().unwrap(),
    );
    let since = Stamp::now();
    // Of 1000 frames 400 are UDP, which no capture keeps.
    let mut frames = job(Kind::Unlisted).frames;
    frames.push(job(Kind::UnknownVrid).frames.remove(0));
    frames.extend([Kind::NotVrrp; 2].map(|kind| job(kind).frames.remove(0)));
    let job = Job {
        frames,
        per_second: Some(20_000),
        ..job(Kind::Unlisted)
    };
    Flood::start(&duo.a.host, &job).unwrap().finish().unwrap();
    let mut seen = 0;
    sender
        .wait_for("the 600th advert", since, LIMIT, |captured| {
            seen += usize::from(captured.frame().advert().is_some());
            (seen == 600).then_some(())
        })
        .unwrap();
    let others = sender.pick(since, |captured| {
        (captured.direction != Direction::FromHost || captured.frame() == Frame::Other).then_some(())
    });
    assert_eq!(others, []);
    let received = receiver.pick(since, |captured| captured.frame().advert());
    assert_eq!(received, []);
}
