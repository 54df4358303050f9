//! What the kernel saw of each sender, read through shared memory: looking at a stamp is no system call, and 250
//! of them are looked at in a few microseconds.
#![allow(
    unsafe_code,
    reason = "a map of the kernel is mapped into this process; all of that is here"
)]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{Array, Map, MapData, MapError};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use vrrp_common::abi::{NO_SEAT, PeerSeen};

/// The map [`SEEN`](vrrp_common::abi::SEEN), and who sits where.
pub(super) struct Seats {
    map: Array<MapData, PeerSeen>,
    seats: u32,
    memory: NonNull<PeerSeen>,
    bytes: NonZeroUsize,
    /// Seats that were given back, to be given again.
    free: Vec<u32>,
    /// The first seat that nobody has sat in.
    next: u32,
}

// SAFETY: the mapping belongs to this value alone, is only read, and every read is atomic.
unsafe impl Send for Seats {}

impl Seats {
    /// Map `map`, which the program was built to be mapped, into this process.
    pub(super) fn new(map: MapData, seats: u32) -> io::Result<Self> {
        let bytes = usize::try_from(seats)
            .ok()
            .and_then(|seats| seats.checked_mul(size_of::<PeerSeen>()))
            .and_then(NonZeroUsize::new)
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping, at an address that the kernel chooses; it refuses one that is longer than the map.
        let memory = unsafe {
            mmap(
                None,
                bytes,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED,
                map.fd().as_fd(),
                0,
            )?
        };
        Ok(Self {
            map: Array::try_from(Map::Array(map)).map_err(io::Error::other)?,
            seats,
            memory: memory.cast(),
            bytes,
            free: Vec::new(),
            next: NO_SEAT + 1,
        })
    }

    /// How many more can sit down.
    pub(super) fn left(&self) -> usize {
        let untouched = usize::try_from(self.seats.saturating_sub(self.next)).unwrap_or(usize::MAX);
        self.free.len().saturating_add(untouched)
    }

    /// A seat in which nothing was seen yet; `None` if there is none left.
    pub(super) fn take(&mut self) -> Result<Option<u32>, MapError> {
        if let Some(seat) = self.free.pop() {
            self.map.set(seat, PeerSeen::NOTHING, 0)?;
            return Ok(Some(seat));
        }
        let seat = self.next;
        if seat >= self.seats {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(seat))
    }

    /// Nobody sits there any more, and the program has been told.
    pub(super) fn give_back(&mut self, seat: u32) {
        self.free.push(seat);
    }

    /// What was seen of who sits in `seat`. The fields are read one by one, in the order that makes them agree: the
    /// kernel counts before it stamps.
    pub(super) fn seen(&self, seat: u32) -> PeerSeen {
        let Some(seen) = self.at(seat) else {
            return PeerSeen::NOTHING;
        };
        // SAFETY: `seen` points into the mapping, where every field is aligned and of eight bytes. The kernel writes
        // them whole.
        let read = |field: *mut u64| unsafe { AtomicU64::from_ptr(field) }.load(Ordering::Acquire);
        // SAFETY: as above; only addresses are made here.
        unsafe {
            let gaps = (&raw mut (*seen).gaps).cast::<u64>();
            PeerSeen {
                alive: read(&raw mut (*seen).alive),
                quiet: read(&raw mut (*seen).quiet),
                last: read(&raw mut (*seen).last),
                kept: read(&raw mut (*seen).kept),
                full_at: read(&raw mut (*seen).full_at),
                late: read(&raw mut (*seen).late),
                gaps: std::array::from_fn(|at| read(gaps.add(at))),
            }
        }
    }

    /// When the sender in `seat` last sent what it was known to send, and how often it has: all that a timer asks.
    pub(super) fn life(&self, seat: u32) -> (u64, u64) {
        let Some(seen) = self.at(seat) else {
            return (0, 0);
        };
        // SAFETY: as in `seen`.
        unsafe {
            let alive = AtomicU64::from_ptr(&raw mut (*seen).alive).load(Ordering::Acquire);
            (
                alive,
                AtomicU64::from_ptr(&raw mut (*seen).quiet).load(Ordering::Acquire),
            )
        }
    }

    /// Adverts of the sender in `seat` that did not get into the ring.
    pub(super) fn kept(&self, seat: u32) -> u64 {
        let Some(seen) = self.at(seat) else {
            return 0;
        };
        // SAFETY: as in `seen`.
        unsafe { AtomicU64::from_ptr(&raw mut (*seen).kept) }.load(Ordering::Acquire)
    }

    /// Adverts kept of all senders together.
    pub(super) fn kept_of_all(&self) -> u64 {
        self.kept(NO_SEAT)
    }

    fn at(&self, seat: u32) -> Option<*mut PeerSeen> {
        let within = seat < self.seats;
        let seat = usize::try_from(seat).ok()?;
        // SAFETY: within the mapping, whose length is that of the map.
        within.then(|| unsafe { self.memory.as_ptr().add(seat) })
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, which nobody else knows of.
        let unmapped = unsafe { munmap(self.memory.cast(), self.bytes.get()) };
        debug_assert!(unmapped.is_ok());
    }
}
