//! A number that the compiler knows nothing about.
#![allow(unsafe_code, reason = "assembly")]

use core::arch::asm;

/// The same number. The compiler does not know that, and so neither computes it anew nor reasons about its bounds: what
/// the verifier sees compared is then the very register that is used. `core::hint::black_box` does the same by way of
/// the stack.
#[inline(always)]
pub(crate) fn opaque(number: u64) -> u64 {
    let mut number = number;
    // Without any instruction its line in BTF would be the next one's, too, which the kernel does not accept.
    // SAFETY: a register is copied to itself.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}

/// The same number, of 32 bits, and whoever walks through the program does not know which it is: it has been mixed with
/// another, of which the verifier knows nothing, such as an address from a packet.
///
/// The verifier goes on from a place in the program once for all ways that lead there if what it knows is the same, and
/// else for each of them: that took a third of a second.
#[inline(always)]
pub(crate) fn unknown_to_the_verifier(number: u64, other: u32) -> u64 {
    let other = u64::from(other);
    opaque(number ^ other) ^ other
}
