//! What the kernel saw of each sender, read through shared memory: looking at a stamp is no system call, and 250
//! of them are looked at in a few microseconds.

use std::mem::offset_of;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{Array, Map, MapData, MapError};
use vrrp_common::abi::{NO_SEAT, PeerSeen};

use super::cells::mapping;
use super::shared::Shared;

/// The map [`SEEN`](vrrp_common::abi::SEEN), and who sits where.
pub(super) struct Seats {
    map: Array<MapData, PeerSeen>,
    seats: u32,
    seen: Shared,
    /// Seats that were given back, to be given again.
    free: Vec<u32>,
    /// The first seat that nobody has sat in.
    next: u32,
}

const WORD: usize = size_of::<u64>();
/// Words of a seat.
const WORDS: usize = size_of::<PeerSeen>() / WORD;

impl Seats {
    /// Map `map`, which the program was built to be mapped, into this process.
    pub(super) fn new(map: MapData, seats: u32) -> Result<Self, MapError> {
        let words = usize::try_from(seats).unwrap_or(0).saturating_mul(WORDS);
        Ok(Self {
            seen: Shared::new(map.fd().as_fd(), words).map_err(mapping)?,
            map: Array::try_from(Map::Array(map))?,
            seats,
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

    /// Nobody sits there any more, and no run of the program thinks so.
    pub(super) fn give_back(&mut self, seat: u32) {
        self.free.push(seat);
    }

    /// What was seen of who sits in `seat`. The fields are read one by one, in the order that makes them agree: the
    /// kernel counts before it stamps.
    pub(super) fn seen(&self, seat: u32) -> PeerSeen {
        let read = |field| self.read(seat, field);
        PeerSeen {
            alive: read(offset_of!(PeerSeen, alive)),
            quiet: read(offset_of!(PeerSeen, quiet)),
            last: read(offset_of!(PeerSeen, last)),
            kept: read(offset_of!(PeerSeen, kept)),
            full_at: read(offset_of!(PeerSeen, full_at)),
            late: read(offset_of!(PeerSeen, late)),
            hushed: read(offset_of!(PeerSeen, hushed)),
            gaps: std::array::from_fn(|at| read(offset_of!(PeerSeen, gaps) + at * WORD)),
        }
    }

    /// When the sender in `seat` last sent what it was known to send, and how often it has: all that a timer asks.
    pub(super) fn life(&self, seat: u32) -> (u64, u64) {
        let alive = self.read(seat, offset_of!(PeerSeen, alive));
        (alive, self.read(seat, offset_of!(PeerSeen, quiet)))
    }

    /// Adverts of the sender in `seat` that did not get into the ring.
    pub(super) fn kept(&self, seat: u32) -> u64 {
        self.read(seat, offset_of!(PeerSeen, kept))
    }

    /// Adverts kept of all senders together.
    pub(super) fn kept_of_all(&self) -> u64 {
        self.kept(NO_SEAT)
    }

    /// Whether what the sender in `seat` is known to send is no news. A run of the program that has looked just before may still
    /// stamp what it has; that is told with the sender's next advert.
    pub(super) fn set_hushed(&self, seat: u32, hushed: bool) {
        if let Some(word) = self.word(seat, offset_of!(PeerSeen, hushed)) {
            word.store(u64::from(hushed), Ordering::Release);
        }
    }

    /// A field of a seat.
    fn read(&self, seat: u32, field: usize) -> u64 {
        let word = self.word(seat, field);
        word.map_or(0, |word| word.load(Ordering::Acquire))
    }

    fn word(&self, seat: u32, field: usize) -> Option<&AtomicU64> {
        let seat = usize::try_from(seat).ok()?;
        self.seen.word(seat * WORDS + field / WORD)
    }
}
