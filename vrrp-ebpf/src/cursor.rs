//! A checked reader of packet memory: the only code that touches it.
//!
//! Headers of fixed length are read in place: every read compares with the end of the linear data first, which
//! is what the verifier wants to see. What is of variable length is copied by the kernel ([`Cursor::load`]),
//! so reading has no loop, and nothing for the verifier to walk through again and again.
#![allow(
    unsafe_code,
    reason = "packet memory is reached by address; each read is checked here"
)]

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

    /// Whether the next `len` bytes, a multiple of four and at most [`SHORT`], are the first ones of `other`: read where
    /// they lie, which is cheaper than a copy. May be called after [`Cursor::at`].
    #[inline(always)]
    pub(crate) fn is(&self, len: u16, other: &[u16; SHORT as usize / 2]) -> bool {
        // No header is longer than this; the verifier wants to see it.
        let at = opaque((self.start + (opaque(self.offset as u64) & 0x7f) as usize) as u64) as usize;
        let len = opaque(u64::from(len)) as usize;
        let mut differs = 0;
        for step in 0..usize::from(SHORT) / 4 {
            if step * 4 >= len {
                break;
            }
            if at + step * 4 + 4 > self.end {
                return false;
            }
            // SAFETY: compared with the end just now; even, as in `words`.
            let [a, b] = unsafe { *((at + step * 4) as *const [u16; 2]) };
            differs |= (a ^ other[step * 2]) | (b ^ other[step * 2 + 1]);
        }
        differs == 0
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

/// The longest message that is compared where it lies: fourteen IPv4 addresses, three IPv6 ones.
pub(crate) const SHORT: u16 = 64;

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
