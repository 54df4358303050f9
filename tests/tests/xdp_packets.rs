//! The XDP program on single frames, through `BPF_PROG_TEST_RUN`: what it does with each, why, and what it
//! tells the daemon. That the daemon says the same of each is in `xdp_judges.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::IpAddr;

use aya::programs::{TestRun, TestRunOptions};
use vrrp_common::abi::MAX_PDU;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::ladder::Refusal;
use vrrp_daemon::proto::model::Transport;
use vrrp_daemon::proto::{Model, RouterId};
use vrrp_daemon::xdp::{Counters, Place, XdpPath};
use vrrp_tests::lab::root_or_skip;

mod packets;

use packets::bench::{model, monotonic, object_or_skip};
use packets::rows::{Fate, Row, V2_PASS, V3_UNICAST, all, to_group, v2_pass, v3_ipv6, v3_unicast};
use packets::{Frame, hex};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// An event, to keep.
#[derive(Debug)]
struct Told {
    router: u16,
    refused: Option<Refusal>,
    pdu: Vec<u8>,
    at: MonoNanos,
}

/// The program, loaded and told of [`model`].
struct Bench {
    xdp: XdpPath,
    model: Model,
    places: Vec<Place>,
}

impl Bench {
    /// `None` where the test cannot run, which has been said then.
    fn new() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let object = object_or_skip()?;
        let mut xdp = XdpPath::load(object).unwrap();
        let (model, places) = model();
        let ambiguous = xdp.configure(&model, &places, false).unwrap();
        assert_eq!(ambiguous, [RouterId(9), RouterId(10)]);
        for id in 0..9 {
            xdp.follow(RouterId(id), IpAddr::from([192, 0, 2, 1])).unwrap();
        }
        Some(Self { xdp, model, places })
    }

    fn run(&mut self, frame: &[u8], repeat: u32) -> (u32, std::time::Duration) {
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..TestRunOptions::new()
        };
        let result = self.xdp.program().unwrap().test_run(options).unwrap();
        (result.return_value, result.duration)
    }

    fn counters(&self) -> Counters {
        self.xdp.counters().unwrap()
    }

    /// What the program did, from its action, its counters and the ring, which must tell one story.
    fn observe(&mut self, frame: &[u8]) -> (u32, Fate, Option<Told>) {
        let before = self.counters();
        let (action, _) = self.run(frame, 1);
        let after = self.counters();
        let mut events = Vec::new();
        self.xdp.drain(|event| {
            events.push(Told {
                router: event.router.unwrap().0,
                refused: event.refused,
                pdu: event.datagram.pdu.to_vec(),
                at: event.at,
            });
        });
        let mut fates = Vec::new();
        fates.extend((after.accepted > before.accepted).then(|| Fate::Accepted(events[0].router)));
        fates.extend((after.kept > before.kept).then_some(Fate::Kept));
        fates.extend((after.unchanged > before.unchanged).then_some(Fate::Unchanged));
        fates.extend((after.not_ours > before.not_ours).then_some(Fate::NotOurs));
        fates.extend((after.not_judged > before.not_judged).then_some(Fate::NotJudged));
        for refusal in Refusal::ALL {
            let at = refusal as usize;
            fates.extend((after.refused[at] > before.refused[at]).then_some(Fate::Refused(refusal)));
        }
        assert!(fates.len() <= 1 && events.len() <= 1, "{fates:?} {events:?}");
        (action, fates.pop().unwrap_or(Fate::Other), events.pop())
    }
}

#[test]
fn every_row_meets_its_fate() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for Row { what, frame, fate } in all() {
        let before = monotonic();
        let (action, observed, event) = bench.observe(&frame);
        let after = monotonic();
        assert_eq!(observed, fate, "{what}");
        let expected_action = match fate {
            Fate::Accepted(_) | Fate::Unchanged | Fate::Kept | Fate::Refused(_) => XDP_DROP,
            Fate::NotOurs | Fate::NotJudged | Fate::Other => XDP_PASS,
        };
        assert_eq!(action, expected_action, "{what}");
        if let Fate::Accepted(router) = fate {
            let Told {
                router: to,
                refused,
                pdu,
                at,
            } = event.expect(what);
            assert_eq!((to, refused), (router, None), "{what}");
            assert!(
                frame.windows(pdu.len()).any(|window| window == pdu) && pdu.len() >= 12,
                "{what}"
            );
            assert!(before <= at && at <= after, "{what}: {before:?} {at:?} {after:?}");
        } else if let Some(event) = event {
            // One a second of each kind is shown.
            assert_eq!(Some(fate), event.refused.map(Fate::Refused), "{what}");
        }
    }
}

/// Frames cut short anywhere never get further than the rungs that need no more than is there.
#[test]
fn a_frame_cut_anywhere_is_left_to_the_stack() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for frame in [v2_pass().bytes(), v3_ipv6().bytes()] {
        // The kernel takes no test frame shorter than an Ethernet header.
        for len in 14..frame.len() {
            let (action, fate, _) = bench.observe(&frame[..len]);
            assert_eq!(action, XDP_PASS, "{len} bytes");
            assert!(
                matches!(fate, Fate::Other | Fate::NotJudged),
                "{len} bytes: {fate:?}"
            );
        }
    }
}

/// keepalived's VRRPv2 packet, the IP header as captured too.
#[test]
fn a_captured_packet_is_accepted_whole() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut model, places) = model();
    model.routers[0].transport = Transport::Multicast {
        group: IpAddr::from([224, 0, 0, 18]),
        source: None,
    };
    bench.xdp.configure(&model, &places, false).unwrap();
    let mut frame = hex("01005e000012 020000000001 0800 45c0002c 00010000 ff70188d c0000201 e0000012");
    frame.extend(hex(V2_PASS));
    let (action, fate, event) = bench.observe(&frame);
    assert_eq!((action, fate), (XDP_DROP, Fate::Accepted(0)));
    assert_eq!(event.unwrap().pdu, hex(V2_PASS));
}

/// The daemon can say who sends what is wrong, a flood of it does not reach the daemon, and none goes uncounted.
#[test]
fn of_refused_adverts_one_a_second_is_shown_and_all_are_counted() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let stranger = IpAddr::from([192, 0, 2, 9]);
    let frame = Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)).bytes();
    let started = std::time::Instant::now();
    bench.run(&frame, 50_000);
    // On each CPU that the run was on.
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    let most = cpus * (started.elapsed().as_secs() + 1);
    let mut shown = 0;
    bench.xdp.drain(|event| {
        shown += 1;
        assert_eq!(event.router, Some(RouterId(2)));
        assert_eq!(event.refused, Some(Refusal::Source));
        assert_eq!(event.datagram.source, stranger);
    });
    assert!((1..=most).contains(&shown), "{shown} shown");
    let silent = bench.xdp.refused_silently().unwrap();
    assert_eq!(silent.keys().collect::<Vec<_>>(), [&RouterId(2)]);
    let at = Refusal::Source as usize;
    assert_eq!(silent[&RouterId(2)][at] + shown, 50_000);
    assert_eq!(silent[&RouterId(2)].iter().sum::<u64>() + shown, 50_000);

    // A virtual router that is taken out leaves no tally behind.
    bench.places[2].ifindex = None;
    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    assert!(bench.xdp.refused_silently().unwrap().is_empty());
}

#[test]
fn accepted_adverts_go_on_to_the_stack_if_asked() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (model, places) = model();
    bench.xdp.configure(&model, &places, true).unwrap();
    let (action, fate, event) = bench.observe(&v3_unicast().bytes());
    assert_eq!((action, fate), (XDP_PASS, Fate::Accepted(2)));
    assert!(event.is_some());
}

/// Above [`MAX_PDU`] an IPv6 advert is the raw socket's; one address less is not.
#[test]
fn very_long_adverts_are_left_to_the_raw_socket() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for (count, fate) in [(67, Fate::Accepted(4)), (68, Fate::NotJudged)] {
        let mut pdu = vec![0x31, 10, 100, count, 0, 100, 0, 0];
        pdu.extend((0..count).flat_map(|last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
        assert_eq!(pdu.len() <= MAX_PDU, fate != Fate::NotJudged);
        let pseudo = Frame::new(
            "fe80::c8",
            "ff02::12",
            packets::summed_ipv6("fe80::c8", "ff02::12", pdu),
        );
        assert_eq!(bench.observe(&pseudo.bytes()).1, fate, "{count} addresses");
    }
}

/// Not a bar, a figure: `cargo test --release … -- --nocapture costs` prints it.
#[test]
fn costs_per_frame_are_printed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let frames = [
        ("TCP frame, passed", v3_unicast().protocol(6).bytes()),
        ("somebody else's advert, passed", to_group(V3_UNICAST).bytes()),
        (
            "stranger's advert, refused",
            Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)).bytes(),
        ),
        ("advert with two addresses, accepted", v2_pass().bytes()),
    ];
    for (what, frame) in frames {
        let mut best = std::time::Duration::MAX;
        for _ in 0..20 {
            // Few enough for the ring.
            best = best.min(bench.run(&frame, 2_000).1);
            bench.xdp.drain(|_| ());
        }
        println!("{what}: {} ns", best.as_nanos());
        assert!(best.as_micros() < 100, "{what}");
    }
    assert_eq!(bench.counters().ring_full, 0);
}

/// Loading stands between a start and the first advert, and takes the verifier a microsecond or two for each.
#[test]
fn the_verifier_has_little_to_walk_through() {
    let Some(object) = object_or_skip().filter(|_| root_or_skip()) else {
        return;
    };
    let xdp = XdpPath::load(object).unwrap();
    let walked = xdp
        .program()
        .unwrap()
        .info()
        .unwrap()
        .verified_instruction_count();
    // 20,000 on Linux 6.18; 190,000 before what it knows was kept from differing.
    assert!(walked.unwrap() < 60_000, "{walked:?} instructions");
}
