//! A checked reader of packet memory: the only code that touches it.
//!
//! Headers of fixed length are read in place: every read compares with the end of the linear data first, which
//! is what the verifier wants to see. What is of variable length is compared where it lies ([`Cursor::is`]), or copied by
//! the kernel ([`Cursor::load`]).
#![allow(
    unsafe_code,
    reason = "packet memory is reached by address; each read is checked here"
)]

use core::arch::asm;
use core::marker::PhantomData;

use aya_ebpf::check_bounds_signed;
use aya_ebpf::helpers::{bpf_csum_diff, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use vrrp_common::abi::MAX_PDU;
use vrrp_common::wire::checksum::Sum;

use crate::opaque::opaque;

/// A position in a frame that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    context: &'a XdpContext,
    /// Of the frame's first byte.
    start: usize,
    end: usize,
    /// Bytes from the first one.
    offset: usize,
    frame: PhantomData<&'a [u8]>,
}

impl<'a> Cursor<'a> {
    /// The frame's first byte.
    #[inline(always)]
    pub(crate) fn new(context: &'a XdpContext) -> Self {
        Self {
            context,
            start: context.data(),
            end: context.data_end(),
            offset: 0,
            frame: PhantomData,
        }
    }

    /// The address of the next byte.
    ///
    /// Behind VLAN tags it is no constant distance from the start. The verifier then wants the very register compared
    /// with the end that is read through; the compiler, which would compute it anew, is kept from knowing what it is.
    #[inline(always)]
    fn here(&self) -> usize {
        opaque((self.start + self.offset) as u64) as usize
    }

    /// The next `N` bytes. Not to be called after [`Cursor::skip`].
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let at = self.here();
        self.offset += N;
        if at + N > self.end {
            return None;
        }
        // SAFETY: at..at+N lies within the linear data of the frame, checked above; an array of bytes has no
        // alignment, and nobody writes to the frame while the program runs.
        Some(unsafe { &*(at as *const [u8; N]) })
    }

    /// The next `N` words of 16 bits, in the machine's order. Not to be called after [`Cursor::skip`].
    #[inline(always)]
    pub(crate) fn words<const N: usize>(&mut self) -> Option<&'a [u16; N]> {
        let at = self.here();
        self.offset += N * 2;
        if at + N * 2 > self.end {
            return None;
        }
        // SAFETY: as above. Drivers put frames at even addresses (NET_IP_ALIGN is 0 or 2) and all headers before
        // this one are of even length, so that words are aligned.
        Some(unsafe { &*(at as *const [u16; N]) })
    }

    /// Go `bytes` on.
    #[inline(always)]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.offset += bytes;
    }

    /// Bytes from the first one of the frame.
    #[inline(always)]
    pub(crate) fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// At an offset that the verifier does not know: after this nothing but [`Cursor::is`] and [`Cursor::load`] will do.
    #[inline(always)]
    pub(crate) fn at(mut self, offset: u64) -> Self {
        self.offset = offset as usize;
        self
    }

    /// Whether the next `len` bytes are there, in the linear data.
    #[inline(always)]
    pub(crate) fn has(&self, len: u16) -> bool {
        // Linux 6.12 and older forget the bounds of a number whose bytes it has swapped, so they are given again.
        let len = opaque(u64::from(len)) as usize & usize::from(u16::MAX);
        self.start + self.offset + len <= self.end
    }

    /// Whether the next `len` bytes, eight at least, are the first ones of `other`: read where they lie, which is cheaper
    /// than a copy. The last step looks at some of them a second time, and so there is no rest. May be called after
    /// [`Cursor::at`].
    #[inline(always)]
    pub(crate) fn is(&self, len: u16, other: &[u8; MAX_PDU]) -> bool {
        // No header is longer than this; the verifier wants to see it.
        let offset = opaque(self.offset as u64) & 0x7f;
        let ours = opaque((self.start as u64) + offset);
        let theirs = other.as_ptr() as u64;
        let len = opaque(u64::from(len));
        if len < BLOCK {
            self.same::<WORD, { BLOCK / WORD }>(ours, theirs, len, word)
        } else {
            self.same::<BLOCK, { MAX_PDU as u64 / BLOCK }>(ours, theirs, len, block)
        }
    }

    /// In steps of `STEP` bytes, `STEPS` at most; `differ` is not 0 where the bytes at two places differ.
    ///
    /// There is no way out at a difference: the verifier walks through each branch on each way that leads there.
    #[inline(always)]
    fn same<const STEP: u64, const STEPS: u64>(
        &self,
        ours: u64,
        theirs: u64,
        len: u64,
        differ: impl Fn(u64, u64) -> u64,
    ) -> bool {
        let end = self.end as u64;
        let mut differs = 0;
        let mut at = 0;
        for _ in 1..STEPS {
            if at + STEP >= len {
                break;
            }
            if ours + at + STEP > end {
                return false;
            }
            differs |= differ(ours + at, theirs + at);
            at += STEP;
        }
        let last = opaque(len - STEP);
        if last > STEP * (STEPS - 1) {
            return false;
        }
        let ours = opaque(ours + last);
        if ours + STEP > end {
            return false;
        }
        differs | differ(ours, theirs + last) == 0
    }

    /// Copy the next `len` bytes to the front of `buffer`. False if the frame ends before, or the buffer does.
    #[inline(always)]
    pub(crate) fn load(&self, len: u16, buffer: &mut [u8; MAX_PDU]) -> bool {
        let Some(len) = bounded(len) else {
            return false;
        };
        let offset = self.offset as u32;
        // SAFETY: `buffer` is at least `len` bytes long; the helper checks offset and length against the frame.
        unsafe { bpf_xdp_load_bytes(self.context.ctx, offset, buffer.as_mut_ptr().cast(), len) == 0 }
    }
}

const WORD: u64 = 8;
const BLOCK: u64 = 8 * WORD;

/// Not 0 if the eight bytes at two addresses differ.
#[inline(always)]
fn word(ours: u64, theirs: u64) -> u64 {
    eight::<0>(ours) ^ eight::<0>(theirs)
}

/// The same for 64 bytes.
#[inline(always)]
fn block(ours: u64, theirs: u64) -> u64 {
    (eight::<0>(ours) ^ eight::<0>(theirs))
        | (eight::<8>(ours) ^ eight::<8>(theirs))
        | (eight::<16>(ours) ^ eight::<16>(theirs))
        | (eight::<24>(ours) ^ eight::<24>(theirs))
        | (eight::<32>(ours) ^ eight::<32>(theirs))
        | (eight::<40>(ours) ^ eight::<40>(theirs))
        | (eight::<48>(ours) ^ eight::<48>(theirs))
        | (eight::<56>(ours) ^ eight::<56>(theirs))
}

/// The eight bytes `OFFSET` behind an address, aligned or not, in one load; what Rust reads unaligned is put together byte
/// by byte on BPF. A machine that cannot read so (Linux: `HAVE_EFFICIENT_UNALIGNED_ACCESS`; x86-64, arm64, ppc64 and s390x can) has a
/// verifier that refuses the program, and adverts come by the raw socket there.
#[inline(always)]
fn eight<const OFFSET: i32>(at: u64) -> u64 {
    let bytes;
    // SAFETY: both callers have compared the place with the end of the frame, or with the length of a message in a map; and
    // the verifier accepts no other read.
    unsafe {
        asm!(
            "{bytes} = *(u64 *)({at} + {offset})",
            bytes = out(reg) bytes,
            at = in(reg) at,
            offset = const OFFSET,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    bytes
}

/// How much Linux before 6.13 sums at once; beyond that it answers an error, which looks like a sum.
const SUMMED_AT_ONCE: u16 = 512;

/// The sum of the first `len` bytes of `buffer`, a multiple of four; wrong for any other length.
#[inline(always)]
pub(crate) fn sum(buffer: &mut [u8; MAX_PDU], len: u16) -> Sum {
    let mut sum = 0;
    sum = part(buffer, 0, len, sum);
    sum = part(buffer, 1, len, sum);
    sum = part(buffer, 2, len, sum);
    Sum::from_raw(sum)
}

/// `sum`, and that of the bytes of one of the parts that the kernel can sum.
#[inline(always)]
fn part(buffer: &mut [u8; MAX_PDU], at: u16, len: u16, sum: u32) -> u32 {
    let start = at * SUMMED_AT_ONCE;
    if len <= start {
        return sum;
    }
    let most = i64::from(SUMMED_AT_ONCE).min(MAX_PDU as i64 - i64::from(start));
    let len = opaque(i64::from(len - start).min(most) as u64) as i64;
    if !check_bounds_signed(len, 1, most) {
        return sum;
    }
    // SAFETY: `start + most` is at most the buffer's length, and the helper only reads.
    unsafe {
        let from = buffer.as_mut_ptr().add(usize::from(start));
        bpf_csum_diff(core::ptr::null_mut(), 0, from.cast(), len as u32, sum) as u32
    }
}

/// `len` if a message of that many bytes can be there.
///
/// The verifier wants to see the bounds of the very register that is handed to a helper. The compiler knows
/// that a `u16` may be extended anew for each use, so it is kept from knowing that it is one.
#[inline(always)]
pub(crate) fn bounded(len: u16) -> Option<u32> {
    let len = opaque(u64::from(len)) as i64;
    check_bounds_signed(len, 1, MAX_PDU as i64).then_some(len as u32)
}
