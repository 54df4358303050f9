//! What the daemon is told: of an advert that it knows, nothing but a stamp; of any other, the whole, through the
//! ring; of those refused one now and then, so that it can say who sends what is wrong with it.
//!
//! No sender may wake the daemon more often than a few times per interval, whatever it sends. What goes beyond, and
//! what finds the ring full, is kept, the newest of each sender, until the daemon asks for it.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};
use vrrp_common::abi::{RING_FULL_COUNTER, RouterRules, StrangerKey, Verdict, refused_key};
use vrrp_common::wire::ladder::Refusal;

use crate::classify::Packet;
use crate::judge::Held;
use crate::maps;
use crate::opaque::{opaque, unknown_to_the_verifier};

/// An advert that held every rule. Answers what to count, and what to do with the frame.
#[inline(always)]
pub(crate) fn held(packet: &Packet<'_>, held: Held) -> (Verdict, u32) {
    // Consumed, unless tcpdump is to see it too.
    let action = if held.rules.flags & RouterRules::PASS_ACCEPTED == 0 {
        XDP_DROP
    } else {
        XDP_PASS
    };
    let Some(seen) = maps::seen(held.seat) else {
        return (Verdict::NotJudged, XDP_PASS);
    };
    let now = now();
    let late = seen.arrives(now, held.late_after);
    if held.unchanged && !late && seen.is_hushed() {
        seen.lives(now);
        return (Verdict::Unchanged, action);
    }
    // Copied anew even where the judge has done so: what goes on from there is one way for the verifier, not two.
    let Some(record) = packet.message() else {
        return (Verdict::NotJudged, XDP_PASS);
    };
    packet.describe(record);
    record.header.stamp = now;
    record.header.alive = seen.alive();
    record.header.quiet = seen.quiet();
    record.header.slot = held.rules.slot;
    record.header.seat = held.seat;
    record.header.verdict = Verdict::Accepted.number();
    if seen.may_wake(now, held.rules.spacing) {
        if maps::submit(record) {
            return (Verdict::Accepted, action);
        }
        maps::count(RING_FULL_COUNTER);
    }
    maps::keep(held.seat, record);
    seen.kept();
    (Verdict::Kept, action)
}

/// Count it, or show it to the daemon, which counts it then: of each kind for each virtual router, each CPU shows one a
/// second, so that a flood costs the daemon nothing. Where a tally has no room, the counter of all frames of that kind
/// has it alone.
#[inline(always)]
pub(crate) fn refused(packet: &Packet<'_>, rules: &RouterRules, refusal: Refusal) {
    let (tally, rung) = if refusal == Refusal::Source {
        (maps::unlisted(rules.seat), refusal.number())
    } else {
        // Of the other rungs there are many, and the verifier would walk through all that follows for each.
        let [source, ..] = packet.source;
        let rung = unknown_to_the_verifier(u64::from(refusal.number()), source) as u8;
        (maps::refused(refused_key(rules.slot, rung)), rung)
    };
    let Some(tally) = tally else {
        return maps::count(u32::from(rung));
    };
    // For every frame of a flood, so the cheapest clock: a word in memory.
    // SAFETY: takes nothing, and the kernel allows it in XDP.
    #[expect(unsafe_code, reason = "a helper call without arguments")]
    let ticks = unsafe { bpf_jiffies64() };
    if tally.due(ticks, rules.shown_every) && show(packet, rules, rung) {
        maps::count(u32::from(rung));
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
fn show(packet: &Packet<'_>, rules: &RouterRules, rung: u8) -> bool {
    let Some(record) = packet.message() else {
        return false;
    };
    packet.describe(record);
    record.header.stamp = now();
    let zero = opaque(0);
    record.header.alive = zero;
    record.header.quiet = zero;
    record.header.slot = rules.slot;
    record.header.seat = rules.seat;
    record.header.verdict = rung;
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
