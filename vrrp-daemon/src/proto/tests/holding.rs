//! Links that are up and have passed no frame yet (`vrrp_link_hold`): who waits, for what, and until when. Priority 100
//! and 1 s: Master_Down_Interval 3609.375 ms, skew 609.375 ms.

use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ladder::Refusal;

use super::fixture::{
    Bench, HIGH, L0, L1, LOW, OURS, R0, R1, acquire, advert, grouped, link, model, ms, notify, remark,
    router, send, us, went,
};
use crate::proto::model::{LinkId, Model, Preempt, Uncommon, VirtualRouter};
use crate::proto::{
    Correspondence, Effect, HoldNews, Input, LinkState, NotifyState, Reason, Remark, RouterId, State,
};

const MASTER_DOWN: MonoNanos = MonoNanos(3_609_375_000);

fn holding(priority: u8) -> VirtualRouter {
    VirtualRouter {
        uncommon: Uncommon {
            link_hold: Nanos::from_secs(30),
            ..Uncommon::default()
        },
        ..router(priority)
    }
}

fn proven(link: LinkId) -> Input {
    Input::Proven { link }
}

fn said(link: LinkId, news: HoldNews) -> Effect {
    Effect::Remark {
        router: None,
        remark: Remark::LinkHold { link, news },
    }
}

fn waits(link: LinkId) -> Effect {
    said(
        link,
        HoldNews::Waits {
            hold: Nanos::from_secs(30),
        },
    )
}

fn proven_after(link: LinkId, seconds: u64) -> Effect {
    let after = Nanos::from_secs(seconds);
    said(link, HoldNews::Proven { after })
}

fn over_after(link: LinkId, seconds: u64) -> Effect {
    let after = Nanos::from_secs(seconds);
    said(link, HoldNews::Over { after })
}

fn reason(bench: &Bench, router: RouterId) -> Reason {
    bench.vrrp.status(router).unwrap().reason
}

/// One router whose down timer has run out and waits for its link, which came up at 0.
fn waiting(config: VirtualRouter) -> Bench {
    let mut bench = Bench::backup(config);
    assert_eq!(bench.deadline(), Some(MASTER_DOWN));
    assert_eq!(bench.tick(MASTER_DOWN), [waits(L0)]);
    assert_eq!(bench.state(R0), State::Backup);
    bench
}

#[test]
fn without_proof_it_takes_over_when_the_hold_ends() {
    let mut bench = waiting(holding(100));
    assert_eq!(bench.deadline(), Some(ms(30_000)));
    assert_eq!(reason(&bench, R0), Reason::LinkUnproven { link: L0 });
    assert_eq!(bench.tick(us(29_999_999)), []);
    assert_eq!(
        bench.tick(ms(30_000)),
        [
            over_after(L0, 30),
            send(R0, 100),
            acquire(R0),
            went(
                R0,
                State::Backup,
                State::Master,
                Reason::MasterDown {
                    master: None,
                    last_heard: ms(0),
                    interval: Nanos(3_609_375_000),
                }
            ),
            notify(R0, NotifyState::Master, 100),
        ]
    );
    // It is the others' turn to hear us.
    assert_eq!(bench.feed(ms(30_500), proven(L0)), []);
    assert_eq!(bench.state(R0), State::Master);
}

#[test]
fn the_wait_begins_with_the_proof() {
    let mut early = Bench::backup(holding(100));
    assert_eq!(early.feed(ms(2_000), proven(L0)), []);
    assert_eq!(early.deadline(), Some(us(5_609_375)));

    let mut late = waiting(holding(100));
    assert_eq!(late.feed(ms(10_000), proven(L0)), [proven_after(L0, 10)]);
    assert_eq!(late.deadline(), Some(us(13_609_375)));
    assert_eq!(reason(&late, R0), Reason::Started);
    assert_eq!(late.tick(us(13_609_374)), []);
    let taken = late.tick(us(13_609_375));
    assert_eq!(taken.first(), Some(&send(R0, 100)));
    assert!(taken.contains(&went(
        R0,
        State::Backup,
        State::Master,
        Reason::MasterDown {
            master: None,
            last_heard: ms(10_000),
            interval: Nanos(3_609_375_000),
        }
    )));
}

/// A host that has been running: nothing waits.
#[test]
fn proven_before_the_start() {
    let mut bench = Bench::told(model(vec![holding(100)]));
    assert_eq!(bench.feed(ms(0), proven(L0)), []);
    bench.feed(ms(5_000), Input::Start);
    assert_eq!(bench.deadline(), Some(us(8_609_375)));
    assert_eq!(bench.tick(us(8_609_375)).first(), Some(&send(R0, 100)));
}

#[test]
fn a_link_that_is_known_to_pass_frames_is_not_asked_again() {
    let mut bench = Bench::told(model(vec![holding(100)]));
    bench.feed(ms(0), proven(L0));
    bench.feed(ms(0), Input::Start);
    assert_eq!(bench.feed(ms(3_000), proven(L0)), []);
    assert_eq!(bench.feed(ms(3_000), link(L0, LinkState::Up)), []);
    assert_eq!(bench.deadline(), Some(MASTER_DOWN));
}

#[test]
fn adverts_are_a_proof() {
    // What is heard 10 s after the link came up, and when the down timer runs out then.
    let nopreempt = VirtualRouter {
        preempt: Preempt::Never,
        ..holding(100)
    };
    let table = [
        (holding(100), HIGH, 150, us(13_609_375)),
        (nopreempt, LOW, 50, us(13_609_375)),
        // It may be replaced, after a full wait.
        (holding(100), LOW, 50, us(13_609_375)),
        // A Master that stands down.
        (holding(100), HIGH, 0, us(10_609_375)),
    ];
    for (config, source, priority, deadline) in table {
        let mut bench = waiting(config);
        let effects = bench.hear(ms(10_000), R0, source, priority);
        assert_eq!(effects.first(), Some(&proven_after(L0, 10)), "{priority}");
        assert_eq!(bench.deadline(), Some(deadline), "{priority}");
        assert_eq!(bench.state(R0), State::Backup, "{priority}");
    }
}

#[test]
fn so_is_a_refused_one_but_not_our_own() {
    let refused = |source| Input::Refused {
        router: Some(R0),
        source,
        mac: None,
        refusal: Refusal::Checksum,
    };
    let mut bench = waiting(holding(100));
    bench.feed(ms(9_000), refused(OURS));
    bench.hear(ms(9_000), R0, OURS, 100);
    assert_eq!(bench.deadline(), Some(ms(30_000)));
    let effects = bench.feed(ms(10_000), refused(HIGH));
    assert_eq!(effects.first(), Some(&proven_after(L0, 10)));
    assert_eq!(bench.deadline(), Some(us(13_609_375)));
}

/// One remark for the link, not for each of its virtual routers; what proves it for one does so for all.
#[test]
fn all_on_one_link_wait_for_the_same() {
    let slower = VirtualRouter {
        down_adverts: 5,
        ..holding(100)
    };
    let mut bench = Bench::started(model(vec![holding(100), slower]));
    assert_eq!(bench.tick(MASTER_DOWN), [waits(L0)]);
    assert_eq!(bench.tick(us(5_609_375)), []);
    assert_eq!(reason(&bench, R1), Reason::LinkUnproven { link: L0 });
    assert_eq!(bench.hear(ms(10_000), R1, HIGH, 150), [proven_after(L0, 10)]);
    // R0 has heard nobody, and waits from there.
    assert_eq!(bench.tick(us(13_609_374)), []);
    assert!(bench.tick(us(13_609_375)).contains(&acquire(R0)));
    assert_eq!(bench.state(R1), State::Backup);
}

/// RFC 9568 §6.4.1.
#[test]
fn the_owner_waits_for_nobody() {
    let owner = |initially_master| VirtualRouter {
        initially_master,
        ..holding(255)
    };
    assert_eq!(Bench::started(model(vec![owner(true)])).state(R0), State::Master);
    // Its skew is 1/256 of a second.
    let mut asked = Bench::backup(owner(false));
    assert!(asked.tick(us(3_003_907)).contains(&acquire(R0)));
}

/// A switch that starts again.
#[test]
fn a_link_that_comes_back_is_unproven_again() {
    let mut bench = Bench::told(model(vec![holding(100)]));
    bench.feed(ms(0), proven(L0));
    bench.feed(ms(0), Input::Start);
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.feed(ms(2_000), link(L0, LinkState::Down));
    assert_eq!(bench.state(R0), State::Fault);
    // What came in before is no proof.
    bench.feed(ms(20_000), link(L0, LinkState::Up));
    bench.feed(ms(20_000), advert(ms(19_999), R0, HIGH, 150));
    let due = bench.deadline().unwrap();
    bench.tick(due);
    assert_eq!(bench.state(R0), State::Backup);
    assert_eq!(bench.deadline(), Some(ms(50_000)));
    assert_eq!(
        bench.hear(ms(45_000), R0, HIGH, 150).first(),
        Some(&proven_after(L0, 25))
    );
    assert_eq!(bench.deadline(), Some(us(48_609_375)));
}

/// `dont_track_primary`: a link that is down says that the peer at its other end is gone; one that came back says nothing.
#[test]
fn without_tracking_the_link_it_waits_only_while_that_is_up() {
    let untracked = || VirtualRouter {
        track_primary: false,
        ..holding(100)
    };
    let follower = || {
        let mut bench = Bench::told(model(vec![untracked()]));
        bench.feed(ms(0), proven(L0));
        bench.feed(ms(0), Input::Start);
        bench.hear(ms(1_000), R0, HIGH, 150);
        bench.feed(ms(1_100), link(L0, LinkState::Down));
        assert_eq!(bench.deadline(), Some(us(4_609_375)));
        bench
    };
    let mut down = follower();
    assert!(down.tick(us(4_609_375)).contains(&acquire(R0)));

    let mut back = follower();
    back.feed(ms(2_000), link(L0, LinkState::Up));
    assert_eq!(back.tick(us(4_609_375)), [waits(L0)]);
    assert_eq!(back.deadline(), Some(ms(32_000)));
    // The kernel kept it to itself, since it is as ever; the time of the last one decides.
    let still = |at| Input::StillThere {
        router: R0,
        source: HIGH,
        at,
        adverts: 1,
    };
    assert_eq!(back.feed(ms(8_000), still(ms(1_050))), []);
    assert_eq!(back.tick(ms(8_000)), []);
    assert_eq!(back.deadline(), Some(ms(32_000)));
    assert_eq!(back.feed(ms(8_000), still(ms(7_000))), [proven_after(L0, 5)]);
    assert_eq!(back.deadline(), Some(us(10_609_375)));
    assert_eq!(back.state(R0), State::Backup);
}

/// R0's link is proven from the start, R1's is not.
fn group() -> Bench {
    let mut bench = Bench::told(grouped(vec![holding(100), holding(100)]));
    bench.feed(ms(0), proven(L0));
    bench.feed(ms(0), Input::Start);
    assert_eq!(bench.tick(MASTER_DOWN), [waits(L1)]);
    assert_eq!([R0, R1].map(|router| bench.state(router)), [State::Backup; 2]);
    bench
}

#[test]
fn a_sync_group_waits_for_all_its_links() {
    let mut proof = group();
    assert_eq!(proof.feed(ms(10_000), proven(L1)), [proven_after(L1, 10)]);
    assert_eq!(proof.tick(us(13_609_374)), []);
    proof.tick(us(13_609_375));
    assert_eq!([R0, R1].map(|router| proof.state(router)), [State::Master; 2]);

    let mut silence = group();
    assert_eq!(silence.tick(us(29_999_999)), []);
    assert_eq!(silence.tick(ms(30_000)).first(), Some(&over_after(L1, 30)));
    assert_eq!([R0, R1].map(|router| silence.state(router)), [State::Master; 2]);

    let mut master = group();
    master.hear(ms(10_000), R1, HIGH, 150);
    master.tick(us(13_000_000));
    assert_eq!([R0, R1].map(|router| master.state(router)), [State::Backup; 2]);
}

#[test]
fn a_reload_makes_no_link_proven_and_none_unproven() {
    let adopt = |bench: &mut Bench, new: Model| {
        let correspondence = Correspondence::between(bench.vrrp.model(), &new);
        bench.vrrp.adopt(ms(10_000), new, &correspondence);
        bench.feed(ms(10_000), Input::Start)
    };
    let named = |hold| {
        let mut config = holding(100);
        config.uncommon.link_hold = Nanos::from_secs(hold);
        // Another one first: the link has another number now.
        let mut new = model(vec![config]);
        new.links.rotate_right(1);
        new.routers[0].link = L1;
        new
    };
    let mut shorter = waiting(holding(100));
    assert_eq!(adopt(&mut shorter, named(20)), []);
    shorter.tick(ms(10_000));
    assert_eq!(shorter.deadline(), Some(ms(20_000)));
    assert_eq!(reason(&shorter, R0), Reason::LinkUnproven { link: L1 });
    assert_eq!(shorter.tick(ms(20_000)).first(), Some(&over_after(L1, 20)));

    let mut off = waiting(holding(100));
    adopt(&mut off, named(0));
    assert_eq!(
        off.tick(ms(10_000)).last(),
        Some(&notify(R0, NotifyState::Master, 100))
    );

    let mut following = waiting(holding(100));
    following.hear(ms(9_000), R0, HIGH, 150);
    adopt(&mut following, named(20));
    assert_eq!(following.deadline(), Some(us(12_609_375)));
    assert!(following.tick(us(12_609_375)).contains(&acquire(R0)));
}

#[test]
fn a_lower_master_heard_first_is_named_as_ever() {
    let mut bench = waiting(holding(100));
    assert_eq!(
        bench.hear(ms(10_000), R0, LOW, 50),
        [
            proven_after(L0, 10),
            remark(
                R0,
                Remark::PreemptPending {
                    source: LOW,
                    mac: None,
                    priority: vrrp_common::id::Priority(50),
                }
            )
        ]
    );
}
