//! A checked reader of packet memory: the only code that touches it.
//!
//! Headers of fixed length are read in place: every read compares with the end of the linear data first, which
//! is what the verifier wants to see. What is of variable length is copied by the kernel ([`Cursor::load`]),
//! so the program has no loop, and nothing for the verifier to walk through again and again.
#![allow(
    unsafe_code,
    reason = "packet memory is reached by address; each read is checked here"
)]

use core::marker::PhantomData;

use aya_ebpf::check_bounds_signed;
use aya_ebpf::helpers::{bpf_csum_diff, bpf_xdp_load_bytes};
use aya_ebpf::programs::XdpContext;
use vrrp_common::abi::{AddressWords, MAX_PDU};
use vrrp_common::wire::checksum::Sum;

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

    /// The next `N` bytes. Not to be called after [`Cursor::skip`].
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let at = self.start + self.offset;
        self.offset += N;
        if at + N > self.end {
            return None;
        }
        // SAFETY: at..at+N lies within the linear data of the frame, checked above; an array of bytes has no
        // alignment, and nobody writes to the frame while the program runs.
        Some(unsafe { &*(at as *const [u8; N]) })
    }

    /// Go `bytes` on.
    #[inline(always)]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.offset += bytes;
    }

    /// Copy an IPv6 address, wherever the driver put it. False if the frame ends before.
    #[inline(always)]
    pub(crate) fn take_address(&mut self, address: &mut AddressWords) -> bool {
        let offset = self.offset as u32;
        self.offset += size_of::<AddressWords>();
        let len = size_of::<AddressWords>() as u32;
        // SAFETY: `address` is `len` bytes long; the helper checks offset and length against the frame.
        unsafe { bpf_xdp_load_bytes(self.context.ctx, offset, address.as_mut_ptr().cast(), len) == 0 }
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

/// The sum of the first `len` bytes of `buffer`, a multiple of four; wrong for any other length.
#[inline(always)]
pub(crate) fn sum(buffer: &mut [u8; MAX_PDU], len: u16) -> Sum {
    let Some(len) = bounded(len) else {
        return Sum::ZERO;
    };
    // SAFETY: `buffer` is at least `len` bytes long, and the helper only reads.
    let sum = unsafe { bpf_csum_diff(core::ptr::null_mut(), 0, buffer.as_mut_ptr().cast(), len, 0) };
    Sum::from_raw(sum as u32)
}

/// `len` if a message of that many bytes can be there.
///
/// The verifier wants to see the bounds of the very register that is handed to a helper. The compiler knows
/// that a `u16` may be extended anew for each use, so it is kept from knowing that it is one.
#[inline(always)]
pub(crate) fn bounded(len: u16) -> Option<u32> {
    let len = core::hint::black_box(i64::from(len));
    check_bounds_signed(len, 1, MAX_PDU as i64).then_some(len as u32)
}
