//! The XDP program: judges, stamps and counts adverts before the network stack sees them.
//!
//! ```text
//! frame ─► classify ─► judge ─► report ─► one exit that counts
//!             │ not protocol 112: XDP_PASS at once
//! ```
//!
//! | verdict | action |
//! |---|---|
//! | held every rule, and known | stamped, consumed (`XDP_DROP`); nobody is woken |
//! | held every rule | put into the ring, or kept until it is asked for; consumed |
//! | refused, for a virtual router of ours | counted, one a second of a kind put into the ring, `XDP_DROP` |
//! | not ours | the sender's Ethernet address is noted; `XDP_PASS`, untouched |
//! | not for the kernel to judge | `XDP_PASS`, untouched |
//!
//! The rules are `vrrp_common`'s, the same that the daemon applies to the raw socket. Mastership is never
//! decided here, and a filter is not authentication.
#![no_std]
#![no_main]
#![deny(unsafe_code)]
// `AtomicU64::fetch_add` is not there for BPF, whose first version could not answer the old value; the addition is.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "the kernel's atomic addition has no other name")]
// `opaque` is an empty piece of assembly, which stable Rust does not have for BPF.
#![feature(asm_experimental_arch)]

mod classify;
mod cursor;
mod judge;
mod maps;
mod object;
mod opaque;
mod report;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use vrrp_common::abi::Verdict;

use crate::classify::Class;
use crate::judge::Judged;

/// With `frags`, or a device with a large MTU could not have the program.
#[xdp(frags)]
fn vrrp(context: XdpContext) -> u32 {
    program(&context)
}

#[inline(always)]
fn program(context: &XdpContext) -> u32 {
    match classify::frame(context) {
        Class::Other => XDP_PASS,
        Class::Unsound => finish(context, Verdict::NotJudged, XDP_PASS),
        Class::Vrrp(packet) => match judge::packet(&packet) {
            Judged::Held(held) => {
                let (verdict, action) = report::held(&packet, held);
                finish(context, verdict, action)
            }
            Judged::Refused(rules, refusal) => {
                report::refused(&packet, rules, refusal);
                leave(context, Verdict::Refused(refusal), XDP_DROP)
            }
            Judged::Passed(verdict) => {
                if verdict == Verdict::NotOurs {
                    report::stranger(&packet);
                }
                finish(context, verdict, XDP_PASS)
            }
        },
    }
}

/// The way out for protocol 112, but for what was refused, which has been counted by virtual router.
#[inline(always)]
fn finish(context: &XdpContext, verdict: Verdict, action: u32) -> u32 {
    maps::count(verdict.counter());
    leave(context, verdict, action)
}

/// Say so, in a build that says it.
#[inline(always)]
fn leave(context: &XdpContext, verdict: Verdict, action: u32) -> u32 {
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(
        context,
        "interface {} counter {} action {}",
        context.ingress_ifindex() as u32,
        verdict.counter(),
        action
    );
    #[cfg(not(feature = "log"))]
    let _ = (context, verdict);
    action
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier would refuse the endless loop.
    loop {}
}
