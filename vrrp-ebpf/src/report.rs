//! An accepted advert on its way to the daemon: the stamp first, then the ring, which may be full.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use vrrp_common::abi::RING_FULL_COUNTER;

use crate::judge::Accepted;
use crate::maps;

/// Stamp the sender and hand the message to the daemon.
#[inline(always)]
pub(crate) fn accepted(accepted: Accepted) {
    let record = accepted.record;
    record.header.stamp = now();
    if let Some(peer) = accepted.peer {
        peer.stamp(record);
    }
    if !maps::submit(record) {
        maps::count(RING_FULL_COUNTER);
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
