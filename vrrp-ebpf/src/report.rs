//! What the daemon is told: of an advert that it knows, nothing but a stamp; of any other, the whole, through the
//! ring; of those refused one now and then, so that it can say who sends what is wrong with it.
//!
//! No sender may wake the daemon more often than a few times per interval, whatever it sends. What goes beyond, and
//! what finds the ring full, is kept, the newest of each sender, until the daemon asks for it.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use vrrp_common::abi::{RING_FULL_COUNTER, RouterRules, StrangerKey, Verdict, refused_key};
use vrrp_common::wire::ladder::Refusal;

use crate::classify::Packet;
use crate::judge::Held;
use crate::maps;

/// Of each kind of refusal for each virtual router, each CPU shows the daemon one a second: a flood costs it
/// nothing.
const SHOWN_EVERY: u64 = 1_000_000_000;

/// An advert that held every rule. Answers what to count, and what to do with the frame.
#[inline(always)]
pub(crate) fn held(packet: &Packet<'_>, held: Held) -> (Verdict, u32) {
    // Consumed, unless tcpdump is to see it too.
    let action = if held.rules.flags & RouterRules::PASS_ACCEPTED == 0 {
        XDP_DROP
    } else {
        XDP_PASS
    };
    let (seat, late_after) = match held.peer {
        Some(peer) => (peer.seat, peer.late_after),
        None => (held.rules.seat, u64::MAX),
    };
    let Some(seen) = maps::seen(seat) else {
        return (Verdict::NotJudged, XDP_PASS);
    };
    let now = now();
    let late = seen.arrives(now, late_after);
    if held.unchanged && !late {
        seen.lives(now);
        return (Verdict::Unchanged, action);
    }
    let record = held.record;
    packet.describe(record);
    record.header.stamp = now;
    record.header.alive = seen.alive();
    record.header.quiet = seen.quiet();
    record.header.slot = held.rules.slot;
    record.header.seat = seat;
    record.header.verdict = Verdict::Accepted.number();
    if seen.may_wake(now, held.rules.spacing) {
        if maps::submit(record) {
            return (Verdict::Accepted, action);
        }
        maps::count(RING_FULL_COUNTER);
    }
    maps::keep(seat, record);
    seen.kept();
    (Verdict::Kept, action)
}

/// Count it, or show it to the daemon, which counts it then. A tally has no room: the counter of all frames of that kind
/// has it alone.
#[inline(always)]
pub(crate) fn refused(packet: &Packet<'_>, rules: &RouterRules, refusal: Refusal) {
    let Some(tally) = maps::refused(refused_key(rules.slot, refusal)) else {
        return maps::count(Verdict::Refused(refusal).counter());
    };
    // Good to a few milliseconds, and cheaper than the other one, for every frame of a flood.
    // SAFETY: takes nothing, and the kernel allows it in XDP.
    #[expect(unsafe_code, reason = "a helper call without arguments")]
    let roughly = unsafe { bpf_ktime_get_coarse_ns() };
    if tally.due(roughly, SHOWN_EVERY) && show(packet, rules, refusal) {
        maps::count(Verdict::Refused(refusal).counter());
    } else {
        tally.silent();
    }
}

/// Not for any of ours. The raw socket shows the daemon what it is, without the frame around it.
#[inline(always)]
pub(crate) fn stranger(packet: &Packet<'_>) {
    let [a, b, c, d] = packet.source;
    let key = StrangerKey {
        ifindex: packet.ifindex(),
        source: [a, b, c, d],
    };
    maps::note_stranger(&key, packet.source_mac());
}

#[inline(always)]
fn show(packet: &Packet<'_>, rules: &RouterRules, refusal: Refusal) -> bool {
    let Some(record) = packet.message() else {
        return false;
    };
    packet.describe(record);
    record.header.stamp = now();
    record.header.alive = 0;
    record.header.quiet = 0;
    record.header.slot = rules.slot;
    record.header.seat = rules.seat;
    record.header.verdict = Verdict::Refused(refusal).number();
    maps::submit(record)
}

/// CLOCK_MONOTONIC of the initial time namespace.
#[inline(always)]
fn now() -> u64 {
    #[expect(unsafe_code, reason = "a helper call without arguments")]
    // SAFETY: takes nothing, and the kernel allows it in XDP.
    unsafe {
        bpf_ktime_get_ns()
    }
}
