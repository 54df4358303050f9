//! The maps, and the only code that touches their memory.
#![allow(
    unsafe_code,
    reason = "map values are reached through pointers that the kernel hands out"
)]

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::Global;
use aya_ebpf::bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use vrrp_common::abi::{
    self, AddressWords, BURST, Bucket, COUNTER_SLOTS, GAP_BUCKETS, NO_SEAT, Peer, PeerKey, PeerRules,
    PeerSeen, Record, RecordHeader, RefusedState, Router, RouterKey, StrangerKey, gap_bucket, stranger_mac,
};

use crate::cursor;
use crate::opaque::opaque;

/// As many cells as the daemon says at load, as for all arrays here that have 1 024.
#[map]
static ROUTERS: Array<Router> = Array::with_max_entries(1_024, 0);

#[map]
static ROUTER_INDEX: Array<Bucket> = Array::with_max_entries(1_024, BPF_F_MMAPABLE);

#[map]
static PEERS: Array<Peer> = Array::with_max_entries(1_024, 0);

#[map]
static PEER_INDEX: Array<Bucket> = Array::with_max_entries(1_024, BPF_F_MMAPABLE);

/// The length of the indexes less one.
#[unsafe(no_mangle)]
static INDEX_MASK: Global<u32> = Global::new(1_023);

/// One for each sender, by its seat. Read through shared memory, so that looking at a stamp is no system call.
#[map]
static SEEN: Array<PeerSeen> = Array::with_max_entries(1_024, BPF_F_MMAPABLE);

/// By seat; grows with what is kept.
#[map]
static KEPT: HashMap<u32, Record> = HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// Grows with what is refused. When it is full, further kinds are counted in [`COUNTERS`] alone.
#[map]
static REFUSED: PerCpuHashMap<u32, RefusedState> = PerCpuHashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);

/// By seat.
#[map]
static UNLISTED: PerCpuArray<RefusedState> = PerCpuArray::with_max_entries(1_024, 0);

/// Whoever floods it pushes others out: then they are named without their Ethernet address.
#[map]
static STRANGERS: LruHashMap<StrangerKey, [u8; 8]> = LruHashMap::with_max_entries(1_024, 0);

/// 4 500 adverts of four addresses: a full burst of the senders of 140 virtual routers at once.
#[map]
static RING: RingBuf = RingBuf::with_byte_size(512 * 1024, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS, 0);

/// Where an advert is put together; too large for the stack.
#[map]
static SCRATCH: PerCpuArray<Record> = PerCpuArray::with_max_entries(1, 0);

/// What we know of a virtual router, if it is ours.
#[inline(always)]
pub(crate) fn router(key: &RouterKey) -> Option<&'static Router> {
    let cell = find(&ROUTER_INDEX, key.hash())?;
    let router = lasting(ROUTERS.get(cell)?);
    is_key(&router.key, key).then_some(router)
}

/// Word by word: a comparison of the whole becomes a call, byte by byte. The device is known by its hash alone, of which
/// 48 bits and those that choose the bucket are looked at: where all else is the same, so are two hashes once in a lifetime.
#[inline(always)]
fn is_key(ours: &RouterKey, key: &RouterKey) -> bool {
    ours.vlan == key.vlan
        && ours.family == key.family
        && ours.vrid == key.vrid
        && is_address(&ours.destination, &key.destination)
}

/// Likewise.
#[inline(always)]
pub(crate) fn is_address(ours: &AddressWords, theirs: &AddressWords) -> bool {
    let ([a, b, c, d], [e, f, g, h]) = (*ours, *theirs);
    a == e && b == f && c == g && d == h
}

/// What the daemon said of a sender, if anything.
#[inline(always)]
pub(crate) fn peer(key: &PeerKey) -> Option<&'static PeerRules> {
    let cell = find(&PEER_INDEX, key.hash())?;
    let Peer { key: ours, rules } = lasting(PEERS.get(cell)?);
    (ours.slot == key.slot && is_address(&ours.source, &key.source)).then_some(rules)
}

/// The cell to look into for a key with this hash: see `vrrp_common::abi::index`.
#[inline(always)]
fn find(index: &Array<Bucket>, hash: u64) -> Option<u32> {
    let bucket = index.get_ptr(abi::bucket(hash, INDEX_MASK.load()))?.cast::<u64>();
    // SAFETY: not null, aligned, and of four words, which the daemon stores whole. What is read in a cell depends on the entry
    // that was read here, which every machine that Linux runs on puts in order (rcu_dereference).
    let bucket = unsafe {
        [
            bucket.read_volatile(),
            bucket.add(1).read_volatile(),
            bucket.add(2).read_volatile(),
            bucket.add(3).read_volatile(),
        ]
    };
    Some(abi::cell(&bucket, hash))
}

/// For as long as this run of the program lasts, and it has no way to keep it longer.
#[inline(always)]
fn lasting<T>(cell: &T) -> &'static T {
    // SAFETY: arrays live as long as the program, and the daemon writes into a cell again only when every run that may have
    // found it has ended.
    unsafe { &*core::ptr::from_ref(cell) }
}

/// A sender's seat.
#[derive(Clone, Copy)]
pub(crate) struct Seen(*mut PeerSeen);

/// What the kernel saw of the sender in this seat. `None` beyond the last one, which the daemon never gives out.
#[inline(always)]
pub(crate) fn seen(seat: u32) -> Option<Seen> {
    SEEN.get_ptr_mut(seat).map(Seen)
}

// Frames of one sender come in on one queue, as a rule, and so on one CPU. Where they do not, a gap may be counted
// in the wrong bucket; what others rely on is added atomically.
impl Seen {
    /// A good advert of it came in at `now`: whether the gap before it is remarkable.
    #[inline(always)]
    pub(crate) fn arrives(self, now: u64, late_after: u64) -> bool {
        // SAFETY: the pointer came from a look-up in this run of the program and is not null; the index is masked to
        // the array's length, a power of two.
        unsafe {
            let previous = (*self.0).last;
            (&raw mut (*self.0).last).write_volatile(now);
            if previous == 0 {
                return false;
            }
            let gap = now - previous;
            let bucket = gap_bucket(gap) & (GAP_BUCKETS - 1);
            let count = (&raw mut (*self.0).gaps).cast::<u64>().add(bucket);
            *count += 1;
            let late = gap >= late_after;
            if late {
                (*self.0).late += 1;
            }
            late
        }
    }

    /// It was the advert that is known. The stamp goes last: a reader that sees it sees its count.
    #[inline(always)]
    pub(crate) fn lives(self, now: u64) {
        // SAFETY: as above.
        unsafe {
            add(&raw mut (*self.0).quiet);
            (&raw mut (*self.0).alive).write_volatile(now);
        }
    }

    /// Whether the advert that is known is no news.
    #[inline(always)]
    pub(crate) fn is_hushed(self) -> bool {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).hushed).read_volatile() != 0 }
    }

    /// When it was last the advert that is known.
    #[inline(always)]
    pub(crate) fn alive(self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).alive).read_volatile() }
    }

    /// Adverts for which nobody was woken.
    #[inline(always)]
    pub(crate) fn quiet(self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const (*self.0).quiet).read_volatile() }
    }

    /// Whether it may wake the daemon: a generic cell rate algorithm with a cell per `spacing` nanoseconds.
    #[inline(always)]
    pub(crate) fn may_wake(self, now: u64, spacing: u64) -> bool {
        // SAFETY: as above.
        unsafe {
            let full_at = (*self.0).full_at;
            let full_at = if full_at > now { full_at } else { now } + spacing;
            let may = full_at - now <= spacing * BURST;
            if may {
                (*self.0).full_at = full_at;
            }
            may
        }
    }

    /// An advert of it was [kept](keep). The daemon looks at the sum of all to see that there is something.
    #[inline(always)]
    pub(crate) fn kept(self) {
        // SAFETY: as above.
        unsafe {
            add(&raw mut (*self.0).kept);
            if let Some(all) = SEEN.get_ptr_mut(NO_SEAT) {
                add(&raw mut (*all).kept);
            }
        }
    }
}

/// Add one, atomically.
///
/// # Safety
/// `count` is in a map and aligned.
#[inline(always)]
unsafe fn add(count: *mut u64) {
    // SAFETY: what is said above.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(count, 1) };
}

/// Keep the newest advert of a sender for when the daemon asks. As the memory of a replaced one is used again at once, the
/// daemon may copy parts of two; so it looks whose it is and judges the message anew, checksum and all.
#[inline(always)]
pub(crate) fn keep(seat: u32, record: &Record) {
    // Without memory for it the daemon is told of a kept advert and finds an older one, or none.
    let _ = KEPT.insert(seat, record, 0);
}

/// Remember the Ethernet address of a sender. Cheap while it is the same.
#[inline(always)]
pub(crate) fn note_stranger(key: &StrangerKey, mac: [u8; 6]) {
    let mac = stranger_mac(mac);
    // SAFETY: read at once; should the entry be given to another sender meanwhile, it is written once too often or
    // not at all.
    let known = unsafe { STRANGERS.get(key) }.map(|known| u64::from_ne_bytes(*known));
    if known != Some(u64::from_ne_bytes(mac)) {
        let _ = STRANGERS.insert(key, mac, 0);
    }
}

/// This CPU's tally of one kind of refusal for one virtual router.
#[derive(Clone, Copy)]
pub(crate) struct Refused(*mut RefusedState);

/// The tally behind `key`, made if it is the first of its kind.
#[inline(always)]
pub(crate) fn refused(key: u32) -> Option<Refused> {
    if let Some(state) = REFUSED.get_ptr_mut(key) {
        return Some(Refused(state));
    }
    let zero = opaque(0);
    let none = RefusedState {
        silent: zero,
        told: zero,
    };
    REFUSED.insert(key, none, 0).ok()?;
    REFUSED.get_ptr_mut(key).map(Refused)
}

/// The tally of unlisted sources of a virtual router.
#[inline(always)]
pub(crate) fn unlisted(seat: u32) -> Option<Refused> {
    UNLISTED.get_ptr_mut(seat).map(Refused)
}

impl Refused {
    /// Whether the daemon is to be shown one: once in `pause`, in the unit of `now`.
    #[inline(always)]
    pub(crate) fn due(self, now: u64, pause: u64) -> bool {
        // SAFETY: the pointer came from a look-up in this run of the program and is not null, and the value is
        // this CPU's alone.
        unsafe {
            let due = now - (*self.0).told >= pause;
            if due {
                (*self.0).told = now;
            }
            due
        }
    }

    /// One that the daemon is not shown.
    #[inline(always)]
    pub(crate) fn silent(self) {
        // SAFETY: as above.
        unsafe { (*self.0).silent += 1 };
    }
}

/// This CPU's buffer.
#[inline(always)]
pub(crate) fn scratch() -> Option<&'static mut Record> {
    // SAFETY: the value is this CPU's alone, and XDP programs do not interrupt one another on a CPU.
    SCRATCH.get_ptr_mut(0).map(|record| unsafe { &mut *record })
}

/// Put header and message of `record` into the ring, and wake the daemon if it sleeps. False: the ring is full.
#[inline(always)]
pub(crate) fn submit(record: &Record) -> bool {
    let Some(len) = cursor::bounded(record.header.pdu_len) else {
        return false;
    };
    // SAFETY: header and message are one after the other in `record`, and `len` is within the message.
    let bytes = unsafe {
        core::slice::from_raw_parts(
            core::ptr::from_ref(record).cast::<u8>(),
            size_of::<RecordHeader>() + len as usize,
        )
    };
    RING.output::<[u8]>(bytes, 0).is_ok()
}

/// Add one to a counter of this CPU.
#[inline(always)]
pub(crate) fn count(counter: u32) {
    if let Some(count) = COUNTERS.get_ptr_mut(counter) {
        // SAFETY: not null, this CPU's alone, and no other run of the program interrupts this one.
        unsafe { *count += 1 };
    }
}
