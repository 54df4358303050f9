//! A map of the kernel's, mapped into this process: reading and writing it is no system call.
#![allow(unsafe_code, reason = "memory is mapped; all of that is here")]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// The values of an array map that was built to be mapped, word by word.
pub(super) struct Shared {
    memory: NonNull<AtomicU64>,
    words: NonZeroUsize,
}

// SAFETY: the mapping belongs to this value alone, and every access is atomic.
unsafe impl Send for Shared {}

impl Shared {
    /// Map the first `words` words of `map`.
    pub(super) fn new(map: BorrowedFd<'_>, words: usize) -> io::Result<Self> {
        let words = NonZeroUsize::new(words).ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = words
            .checked_mul(const { NonZeroUsize::new(size_of::<u64>()).unwrap() })
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping, at an address that the kernel chooses; it refuses one that is longer than the map.
        let memory = unsafe {
            mmap(
                None,
                bytes,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                map,
                0,
            )?
        };
        Ok(Self {
            memory: memory.cast(),
            words,
        })
    }

    /// The word with this number; the kernel reads and writes it whole. `None` beyond the last one.
    pub(super) fn word(&self, at: usize) -> Option<&AtomicU64> {
        if at >= self.words.get() {
            return None;
        }
        // SAFETY: within the mapping, which lasts as long as `self` and is aligned to a page.
        Some(unsafe { self.memory.add(at).as_ref() })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let bytes = self.words.get() * size_of::<u64>();
        // SAFETY: the mapping made in `new`; all references into it borrow from `self`.
        let unmapped = unsafe { munmap(self.memory.cast(), bytes) };
        debug_assert!(unmapped.is_ok());
    }
}
