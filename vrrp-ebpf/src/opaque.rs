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
