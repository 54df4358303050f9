//! Silent liveness in the XDP program, frame by frame: which adverts wake nobody, what is stamped and counted, and
//! how often a sender may wake the daemon.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(dead_code, reason = "the packet builder serves the packet tables too")]

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aya::programs::{TestRun, TestRunOptions};
use vrrp_common::time::Nanos;
use vrrp_common::wire::ladder::Peer;
use vrrp_daemon::proto::model::Transport;
use vrrp_daemon::proto::{Model, RouterId};
use vrrp_daemon::xdp::{Counters, Life, Place, XdpPath};
use vrrp_tests::lab::{root_or_skip, run_xdp, until};

mod packets;

use packets::bench::{model, monotonic, object_or_skip};
use packets::rows::{V3_IPV6, V3_MESSAGE_ONLY, V3_UNICAST, v2_pass, v3_unicast};
use packets::{Frame, hex};

/// A grace period of the kernel's takes some 10 ms.
const GRACE: Duration = Duration::from_secs(10);
const NEVER_LATE: Nanos = Nanos(u64::MAX);
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const OTHER_PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
/// VRID 53, unicast, one listed peer, 1 s.
const UNICAST: RouterId = RouterId(2);
/// VRID 10, multicast.
const MULTICAST: RouterId = RouterId(3);

struct Bench {
    xdp: XdpPath,
    model: Model,
    places: Vec<Place>,
}

impl Bench {
    fn new() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let mut xdp = XdpPath::load(object_or_skip()?).unwrap();
        let (model, places) = model();
        xdp.configure(&model, &places, false).unwrap();
        Some(Self { xdp, model, places })
    }

    /// VRID 53 alone, with a second peer, and little room.
    fn small() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let mut xdp = XdpPath::load_for(object_or_skip()?, 4).unwrap();
        let (mut model, mut places) = model();
        for place in &mut places {
            place.ifindex = None;
        }
        places[UNICAST.index()].ifindex = Some(1);
        let peers = peers(&mut model, UNICAST).1;
        let mut other = peers[0];
        other.address = OTHER_PEER;
        peers.push(other);
        xdp.configure(&model, &places, false).unwrap();
        Some(Self { xdp, model, places })
    }

    /// Change something so often that there is no room for it. What was there before is used again after some
    /// milliseconds, and a change takes microseconds.
    /// Answers how many changes it took.
    fn exhaust(&mut self, change: impl Fn(&mut XdpPath, u64)) -> u64 {
        let mut turn = 0;
        while !self.xdp.owes() {
            assert!(turn < 10_000, "a few cells are used again in no time");
            change(&mut self.xdp, turn);
            turn += 1;
        }
        turn
    }

    fn run(&self, frame: &[u8], repeat: u32) {
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..TestRunOptions::new()
        };
        self.xdp.program().unwrap().test_run(options).unwrap();
    }

    fn counters(&self) -> Counters {
        self.xdp.counters().unwrap()
    }

    /// Messages out of the ring, with what came before each.
    fn told(&mut self) -> Vec<(Vec<u8>, Option<Life>)> {
        let mut told = Vec::new();
        self.xdp
            .drain(|event| told.push((event.datagram.pdu.to_vec(), event.before)));
        told
    }

    fn hush(&mut self, router: RouterId, source: IpAddr, message: &str) {
        self.xdp.hush(router, source, &hex(message), NEVER_LATE).unwrap();
    }
}

/// Whether a unicast virtual router checks its sources, and its peers.
fn peers(model: &mut Model, router: RouterId) -> (&mut bool, &mut Vec<Peer>) {
    match &mut model.routers[router.index()].transport {
        Transport::Unicast {
            check_source, peers, ..
        } => (check_source, peers),
        Transport::Multicast { .. } => unreachable!("it is unicast"),
    }
}

fn other_priority() -> Vec<u8> {
    // 201 instead of 200, and the checksum one word less.
    Frame::new("192.0.2.1", "192.0.2.2", hex("3135 c901 0019 bebf c000026f")).bytes()
}

#[test]
fn an_unchanged_advert_wakes_nobody_and_is_counted_and_stamped() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let frame = v3_unicast().bytes();
    bench.run(&frame, 1);
    assert_eq!(bench.told(), [(hex(V3_UNICAST), None)]);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None);

    bench.hush(UNICAST, PEER, V3_UNICAST);
    let before = monotonic();
    bench.run(&frame, 1_000);
    let after = monotonic();
    assert_eq!(bench.told(), []);
    let counters = bench.counters();
    assert_eq!(
        (counters.accepted, counters.unchanged, counters.kept),
        (1, 1_000, 0)
    );
    let life = bench.xdp.life(UNICAST, PEER).unwrap();
    assert_eq!(life.adverts, 1_000);
    assert!(before <= life.at && life.at <= after);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None, "it is told once");
}

/// Anything new goes up, with what was kept to itself before it.
#[test]
fn a_changed_advert_is_told_after_the_unchanged_ones() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.run(&v3_unicast().bytes(), 7);
    bench.run(&other_priority(), 1);
    let told = bench.told();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, hex("3135 c901 0019 bebf c000026f"));
    assert_eq!(told[0].1.unwrap().adverts, 7);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None, "it was told with the event");
    // The kernel does not learn by itself.
    bench.run(&other_priority(), 1);
    assert_eq!(bench.told().len(), 1);
}

/// Each byte of a message is compared, also the last one of a long message.
#[test]
fn every_byte_of_an_unchanged_advert_counts() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for count in [1_u8, 2, 3, 67] {
        let mut pdu = vec![0x31, 10, 100, count, 0, 100, 0, 0];
        pdu.extend((0..count).flat_map(|last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
        let v6 = RouterId(4);
        let source: IpAddr = "fe80::c8".parse().unwrap();
        let known = packets::summed_ipv6("fe80::c8", "ff02::12", pdu.clone());
        bench.xdp.hush(v6, source, &known, NEVER_LATE).unwrap();
        let before = bench.counters().unchanged;
        bench.run(&Frame::new("fe80::c8", "ff02::12", known).bytes(), 1);
        assert_eq!(bench.counters().unchanged, before + 1, "{count} addresses");
        // Every byte of the last address, and one of each before; the checksum is made good.
        let len = pdu.len();
        for at in (2..3).chain((23..len).step_by(16)).chain(len - 16..len) {
            let mut other = pdu.clone();
            other[at] ^= 0x40;
            let other = packets::summed_ipv6("fe80::c8", "ff02::12", other);
            bench.run(&Frame::new("fe80::c8", "ff02::12", other).bytes(), 1);
            assert_eq!(
                bench.counters().unchanged,
                before + 1,
                "{count} addresses, byte {at}"
            );
        }
        bench.told();
        bench.xdp.take_kept(|_| ()).unwrap();
    }
}

/// The same bytes from somebody else, or for another virtual router, are news. A refused one moves nothing.
#[test]
fn only_the_very_advert_of_the_very_sender_is_no_news() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.run(&Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)).bytes(), 1);
    let damaged = hex("3135 c801 0019 bfbe c000026f");
    bench.run(&Frame::new("192.0.2.1", "192.0.2.2", damaged).bytes(), 1);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None);

    // Multicast: strangers neither live for the Master that is followed nor push it out.
    let master = IpAddr::from([192, 0, 2, 251]);
    bench.hush(MULTICAST, master, V3_MESSAGE_ONLY);
    let advert = |source| Frame::new(source, "224.0.0.18", hex(V3_MESSAGE_ONLY)).bytes();
    bench.told();
    bench.run(&advert("192.0.2.9"), 1);
    assert_eq!(bench.told().len(), 1);
    bench.run(&advert("192.0.2.251"), 3);
    assert_eq!(bench.told(), []);
    assert_eq!(bench.xdp.life(MULTICAST, master).unwrap().adverts, 3);
}

#[test]
fn listening_ends_the_silence() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.run(&v3_unicast().bytes(), 2);
    let mut untold = Vec::new();
    bench
        .xdp
        .listen(UNICAST, |source, life| untold.push((source, life.adverts)));
    assert_eq!(untold, [(PEER, 2)]);
    bench.run(&v3_unicast().bytes(), 1);
    assert_eq!(bench.told(), [(hex(V3_UNICAST), None)]);
}

/// An advert that comes late is told of though it is no news otherwise.
#[test]
fn a_late_advert_is_news() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let late_after = Nanos::from_millis(20);
    bench
        .xdp
        .hush(UNICAST, PEER, &hex(V3_UNICAST), late_after)
        .unwrap();
    bench.run(&v3_unicast().bytes(), 1);
    assert_eq!(bench.told(), [], "the first one has none before it");
    let last = bench.xdp.life(UNICAST, PEER).unwrap().at;
    while monotonic().since(last) < late_after {
        std::thread::sleep(Duration::from_millis(5));
    }
    bench.run(&v3_unicast().bytes(), 1);
    assert_eq!(bench.told().len(), 1);
    let arrivals: Vec<_> = bench.xdp.arrivals(UNICAST).collect();
    assert_eq!(arrivals.len(), 1);
    assert_eq!((arrivals[0].source, arrivals[0].late), (Some(PEER), 1));
    // One gap, of 20 ms or more: 2^24 ns is 16.8 ms.
    assert_eq!(arrivals[0].gaps[..14].iter().sum::<u64>(), 0);
    assert_eq!(arrivals[0].gaps[14..].iter().sum::<u64>(), 1);
}

/// Whatever a sender sends, it wakes the daemon a bounded number of times; nothing is lost but what a newer one replaced.
#[test]
fn a_flood_of_news_fills_the_budget_and_the_newest_is_kept() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let begun = monotonic();
    bench.run(&other_priority(), 50_000);
    bench.run(&v3_unicast().bytes(), 1);
    let took = monotonic().since(begun);
    let told = bench.told();
    // A burst of 32, and four for each interval of 1 s.
    let budget = 32 + took.as_millis() / 250 + 1;
    assert!((32..=budget).contains(&(told.len() as u64)), "{}", told.len());
    assert!(bench.xdp.keeps_some());
    let mut kept = Vec::new();
    bench
        .xdp
        .take_kept(|event| kept.push((event.router, event.datagram.pdu.to_vec())))
        .unwrap();
    assert_eq!(kept, [(Some(UNICAST), hex(V3_UNICAST))]);
    assert!(!bench.xdp.keeps_some());
    let unread = bench.xdp.arrivals(UNICAST).next().unwrap().unread;
    assert_eq!(told.len() as u64 + 1 + unread, 50_001);
    let counters = bench.counters();
    assert_eq!(counters.accepted + counters.kept, 50_001);

    // Another sender, and another virtual router, have a budget of their own.
    bench.run(&v2_pass().bytes(), 1);
    assert_eq!(bench.told().len(), 1);
}

/// The budget is for waking, not for living.
#[test]
fn a_flood_does_not_keep_the_known_advert_from_being_stamped() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.run(&other_priority(), 10_000);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None);
    let before = monotonic();
    bench.run(&v3_unicast().bytes(), 1);
    let life = bench.xdp.life(UNICAST, PEER).unwrap();
    assert!(life.at >= before && life.adverts == 1);
}

/// Places, reloads: what stays keeps what is known of it; other rules make everything news.
#[test]
fn silence_goes_by_what_is_on_the_wire_and_ends_with_the_rules_it_was_made_by() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.run(&v3_unicast().bytes(), 3);

    // A reload with everything in another order under other names.
    let (mut model, mut places) = model();
    model.routers.reverse();
    places.reverse();
    for router in &mut model.routers {
        router.name.push_str(", renamed");
    }
    bench.xdp.configure(&model, &places, false).unwrap();
    let now = RouterId(u16::try_from(model.routers.len() - 3).unwrap());
    assert_ne!(now, UNICAST);
    assert_eq!(bench.xdp.life(UNICAST, PEER), None);
    bench.run(&v3_unicast().bytes(), 1);
    assert_eq!(bench.told(), []);
    assert_eq!(bench.xdp.life(now, PEER).unwrap().adverts, 4);

    // Another interval: what was accepted by the old rules is judged anew.
    let at = usize::from(now.0);
    model.routers[at].interval = vrrp_common::time::Centis::new(50).unwrap();
    bench.xdp.configure(&model, &places, false).unwrap();
    bench.run(&v3_unicast().bytes(), 1);
    assert_eq!(bench.told().len(), 1);

    // Another place, and back: nothing is known any more.
    places[at].ifindex = None;
    bench.xdp.configure(&model, &places, false).unwrap();
    assert_eq!(bench.xdp.life(now, PEER), None);
    assert_eq!(bench.xdp.arrivals(now).count(), 0);
    places[at].ifindex = Some(1);
    bench.xdp.configure(&model, &places, false).unwrap();
    assert_eq!(bench.xdp.arrivals(now).count(), 0);
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the kernel is told is replaced 100 000 times while the program reads it: each frame meets the old or the new, and
/// nothing between. (With the kernel's hash maps one frame of 100 000 met parts of two, and was refused.)
#[test]
fn rules_are_replaced_while_they_are_read() {
    const REPEAT: u32 = 5_000;
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (other, other_peer) = (RouterId(4), "fe80::c8".parse().unwrap());
    bench.hush(UNICAST, PEER, V3_UNICAST);
    bench.hush(other, other_peer, V3_IPV6);
    let program = bench.xdp.program().unwrap().fd().unwrap().try_clone().unwrap();
    let frame = v3_unicast().bytes();
    let over = AtomicBool::new(false);
    let runs = std::thread::scope(|scope| {
        let runner = scope.spawn(|| {
            let mut runs = 0;
            while !over.load(Ordering::Relaxed) {
                run_xdp(program.as_fd(), &frame, REPEAT).unwrap();
                runs += u64::from(REPEAT);
            }
            runs
        });
        // Also when something below fails, or the runner would run for ever.
        let is_over = Over(&over);
        let deadline = Instant::now() + Duration::from_secs(120);
        for turn in 0..50_000 {
            // The memory of the one may be used for the other.
            let late_after = Nanos(u64::MAX - turn % 2);
            bench.xdp.set_late_after(UNICAST, PEER, late_after).unwrap();
            bench.xdp.set_late_after(other, other_peer, late_after).unwrap();
            while bench.xdp.owes() {
                assert!(Instant::now() < deadline, "what is owed is not paid");
                if bench.xdp.can_pay() {
                    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
                }
            }
        }
        drop(is_over);
        runner.join().unwrap()
    });
    let counters = bench.counters();
    assert_eq!(
        (counters.unchanged, counters.accepted, counters.kept),
        (runs, 0, 0)
    );
    assert_eq!((counters.not_ours, counters.not_judged), (0, 0));
}

/// Who was followed without being listed is listed after a reload, and heard, also when another one is followed.
#[test]
fn a_reload_may_list_who_is_followed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    // VRID 60 lists nobody.
    let router = RouterId(6);
    let message = packets::summed(hex("313c c801 0064 0000 c000026f"));
    let frame = Frame::new("192.0.2.1", "192.0.2.2", message.clone()).bytes();
    bench.xdp.hush(router, PEER, &message, NEVER_LATE).unwrap();
    let (check_source, peers) = peers(&mut bench.model, router);
    *check_source = true;
    let mut other = peers[0];
    other.address = OTHER_PEER;
    peers.push(other);
    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    bench.xdp.hush(router, OTHER_PEER, &message, NEVER_LATE).unwrap();
    bench.run(&frame, 1);
    assert_eq!(bench.counters().accepted, 1);
}

/// For a while after a change the place of what held before cannot be used. What finds no place is told later, and until
/// then all is news.
#[test]
fn what_cannot_be_told_at_once_is_told_later() {
    let Some(mut bench) = Bench::small() else {
        return;
    };
    let other = hex("3135 c901 0019 bebf c000026f");
    let message = |turn| {
        if turn % 2 == 0 {
            other.clone()
        } else {
            hex(V3_UNICAST)
        }
    };
    let turns = bench.exhaust(|xdp, turn| {
        xdp.hush(UNICAST, PEER, &message(turn), NEVER_LATE).unwrap();
    });
    bench.run(&v3_unicast().bytes(), 1);
    bench.run(&other_priority(), 1);
    assert_eq!(bench.told().len(), 2);
    until("it is told", GRACE, || {
        if bench.xdp.can_pay() {
            bench.xdp.configure(&bench.model, &bench.places, false)?;
        }
        Ok(!bench.xdp.owes())
    })
    .unwrap();
    // As for every advert that was news.
    let last = message(turns - 1);
    bench.xdp.hush(UNICAST, PEER, &last, NEVER_LATE).unwrap();
    bench.run(&Frame::new("192.0.2.1", "192.0.2.2", last).bytes(), 1);
    assert_eq!((bench.told().len(), bench.counters().unchanged), (0, 1));
}

/// Another Master is followed and the kernel cannot be told yet: what it was told of the first one is news then.
#[test]
fn the_first_master_is_heard_though_the_second_cannot_be_told() {
    let Some(mut bench) = Bench::small() else {
        return;
    };
    bench.hush(UNICAST, PEER, V3_UNICAST);
    let frame = v3_unicast().bytes();
    bench.run(&frame, 1);
    assert_eq!((bench.told().len(), bench.counters().unchanged), (0, 1));
    bench.exhaust(|xdp, turn| {
        let late_after = Nanos(u64::MAX - turn);
        xdp.set_late_after(UNICAST, PEER, late_after).unwrap();
    });
    bench
        .xdp
        .hush(UNICAST, OTHER_PEER, &hex(V3_UNICAST), NEVER_LATE)
        .unwrap();
    bench.run(&frame, 1);
    assert_eq!((bench.told().len(), bench.counters().unchanged), (1, 1));
}

/// More virtual routers and peers than the program was loaded for: the rest is the raw sockets', and said so.
#[test]
fn without_room_a_virtual_router_is_left_to_the_raw_socket() {
    if !root_or_skip() {
        return;
    }
    let Some(object) = object_or_skip() else { return };
    let mut xdp = XdpPath::load_for(object, 4).unwrap();
    let (model, places) = model();
    let left_out = xdp.configure(&model, &places, false).unwrap();
    // Two of nine have room; the last two share a key.
    assert_eq!(left_out.len(), 9);
    // Once the others are gone there is.
    let mut fewer = places;
    for place in &mut fewer[..8] {
        place.ifindex = None;
    }
    fewer[2].ifindex = Some(1);
    let mut left_out = xdp.configure(&model, &fewer, false).unwrap();
    // And no run of the program thinks any more that they are there.
    until("the others' seats are free", GRACE, || {
        if xdp.can_pay() {
            left_out = xdp.configure(&model, &fewer, false)?;
        }
        Ok(!xdp.owes())
    })
    .unwrap();
    assert_eq!(left_out.len(), 2);
    xdp.hush(UNICAST, PEER, &hex(V3_UNICAST), NEVER_LATE).unwrap();
}

/// A driver runs a bond's program on the bond's devices, and frames come in under their numbers.
#[test]
fn what_arrives_at_a_member_arrives_at_its_bond() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    // VRID 62 runs on device 77; the test's frames come in on the loopback device.
    let on_bond = RouterId(8);
    let advert = hex("313e c801 0064 0000 c000026f");
    let frame = Frame::new("192.0.2.1", "192.0.2.2", packets::summed(advert)).bytes();
    let mut arrive = |members: &[u32]| {
        bench.xdp.set_members(77, &members.iter().copied().collect());
        bench.run(&frame, 1);
        let mut told = Vec::new();
        bench.xdp.drain(|event| told.push((event.router, event.ifindex)));
        told
    };
    assert_eq!(arrive(&[]), []);
    assert_eq!(arrive(&[1, 9]), [(Some(on_bond), 77)]);
    assert_eq!(arrive(&[9]), []);
    assert_eq!(arrive(&[1]), [(Some(on_bond), 77)]);
    // What is taken out is taken out at the members, too.
    bench.places[8].ifindex = None;
    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    bench.run(&frame, 1);
    assert_eq!(bench.told(), []);
    bench.places[8].ifindex = Some(77);
    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    bench.run(&frame, 1);
    assert_eq!(bench.told().len(), 1);
}

/// A device leaves its bond for another one, and the first bond is told of its own in vain; then a bond is made anew.
#[test]
fn a_member_of_another_bond_is_the_first_ones_no_more() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    // VRID 62 runs on device 77, VRID 53 on 78.
    bench.places[UNICAST.index()].ifindex = Some(78);
    bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    let of_62 = Frame::new(
        "192.0.2.1",
        "192.0.2.2",
        packets::summed(hex("313e c801 0064 0000 c000026f")),
    )
    .bytes();
    let of_53 = v3_unicast().bytes();
    let told = |bench: &mut Bench, frame: &[u8]| {
        bench.run(frame, 1);
        let mut told = Vec::new();
        bench.xdp.drain(|event| told.push(event.ifindex));
        told
    };
    bench.xdp.set_members(77, &[1].into());
    assert_eq!(told(&mut bench, &of_62), [77]);
    bench.xdp.set_members(78, &[1].into());
    assert_eq!(told(&mut bench, &of_53), [78]);
    assert!(told(&mut bench, &of_62).is_empty());
    bench.xdp.set_members(77, &[].into());
    assert_eq!(told(&mut bench, &of_53), [78]);
    // The bond has another index now, and its devices are those that it had.
    bench.xdp.set_members(79, &[1].into());
    bench.places[UNICAST.index()].ifindex = Some(79);
    let left_out = bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
    assert_eq!(left_out.len(), 2, "those that share a key");
    assert_eq!(told(&mut bench, &of_53), [79]);
    assert_eq!(bench.counters().not_ours, 1);
}

/// A unicast frame to another host's MAC address is not ours, whatever IP address it carries.
#[test]
fn a_frame_for_another_machine_passes() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let frame = v3_unicast().bytes();
    for (mac, not_ours) in [([2, 0, 0, 0, 0, 2], 0), ([2, 0, 0, 0, 0, 3], 1)] {
        for place in &mut bench.places {
            place.mac = Some(vrrp_common::wire::ethernet::Mac(mac));
        }
        bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
        bench.run(&frame, 1);
        assert_eq!(bench.counters().not_ours, not_ours);
    }
    assert_eq!(bench.told().len(), 1);
}

/// A pinned peer is refused from any other network card, also one that is followed.
#[test]
fn a_pinned_peer_is_known_by_its_mac_address() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let pin = |model: &mut Model, mac| {
        peers(model, UNICAST).1[0].mac = Some(vrrp_common::wire::ethernet::Mac(mac));
    };
    let refused = vrrp_common::wire::ladder::Refusal::Mac;
    bench.hush(UNICAST, PEER, V3_UNICAST);
    for (mac, count) in [([2, 0, 0, 0, 0, 1], 0), ([2, 0, 0, 0, 0, 9], 1)] {
        pin(&mut bench.model, mac);
        bench.xdp.configure(&bench.model, &bench.places, false).unwrap();
        bench.run(&v3_unicast().bytes(), 1);
        assert_eq!(bench.counters().refused[usize::from(refused.number())], count);
    }
    assert_eq!(bench.counters().unchanged, 1);
}
