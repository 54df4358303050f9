//! What the daemon is told: every accepted advert, the stamp first, then the ring, which may be full; and of
//! those refused one now and then, so that it can say who sends what is wrong with it.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use vrrp_common::abi::{RING_FULL_COUNTER, Verdict, refused_key};

use crate::judge::{Accepted, Refused};
use crate::maps;

/// Of each kind of refusal for each virtual router, each CPU shows the daemon one a second: a flood costs it
/// nothing.
const SHOWN_EVERY: u64 = 1_000_000_000;

/// Stamp the sender and hand the message to the daemon.
#[inline(always)]
pub(crate) fn accepted(accepted: Accepted) {
    let record = accepted.record;
    record.header.stamp = now();
    record.header.slot = accepted.rules.slot;
    record.header.verdict = Verdict::Accepted.number();
    if let Some(peer) = accepted.peer {
        peer.stamp(record);
    }
    if !maps::submit(record) {
        maps::count(RING_FULL_COUNTER);
    }
}

/// Count it, or show it to the daemon, which counts it then.
#[inline(always)]
pub(crate) fn refused(refused: Refused) {
    let Refused {
        rules,
        refusal,
        record,
    } = refused;
    let Some(tally) = maps::refused(refused_key(rules.slot, refusal)) else {
        return;
    };
    record.header.stamp = now();
    record.header.slot = rules.slot;
    record.header.verdict = Verdict::Refused(refusal).number();
    if !(tally.due(record.header.stamp, SHOWN_EVERY) && maps::submit(record)) {
        tally.silent();
    }
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
