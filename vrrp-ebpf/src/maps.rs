//! The maps, and the only code that touches their memory.
#![allow(
    unsafe_code,
    reason = "map values are reached through pointers that the kernel hands out"
)]

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use vrrp_common::abi::{
    COUNTER_SLOTS, PeerKey, PeerState, Record, RecordHeader, RefusedState, RouterKey, RouterRules,
};
use vrrp_common::wire::ladder::HEAD_LEN;

use crate::cursor;

#[map]
static ROUTERS: HashMap<RouterKey, RouterRules> = HashMap::with_max_entries(4_096, BPF_F_NO_PREALLOC);

#[map]
static PEERS: HashMap<PeerKey, PeerState> = HashMap::with_max_entries(65_536, BPF_F_NO_PREALLOC);

/// Grows with what is refused. When it is full, further kinds are counted in [`COUNTERS`] alone.
#[map]
static REFUSED: PerCpuHashMap<u32, RefusedState> = PerCpuHashMap::with_max_entries(8_192, BPF_F_NO_PREALLOC);

/// 5 000 adverts of four addresses: 250 virtual routers at 10 ms, and a daemon that stands still for 0.2 s.
#[map]
static RING: RingBuf = RingBuf::with_byte_size(512 * 1024, 0);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS, 0);

/// Where an advert is put together; too large for the stack.
#[map]
static SCRATCH: PerCpuArray<Record> = PerCpuArray::with_max_entries(1, 0);

/// The rules of a virtual router, if it is ours.
#[inline(always)]
pub(crate) fn router(key: &RouterKey) -> Option<&'static RouterRules> {
    // SAFETY: with BPF_F_NO_PREALLOC an entry is freed only after a grace period, which does not end before
    // this run of the program, and the daemon replaces entries instead of writing into them.
    unsafe { ROUTERS.get(key) }
}

/// A sender's entry.
#[derive(Clone, Copy)]
pub(crate) struct Peer(*mut PeerState);

/// The entry of a sender, if the daemon has made one.
#[inline(always)]
pub(crate) fn peer(key: &PeerKey) -> Option<Peer> {
    PEERS.get_ptr_mut(key).map(Peer)
}

impl Peer {
    /// Lowest and highest TTL accepted from it.
    #[inline(always)]
    pub(crate) fn ttl(self) -> (u8, u8) {
        // SAFETY: the pointer came from a look-up in this run of the program and is not null.
        unsafe { ((*self.0).ttl_min, (*self.0).ttl_max) }
    }

    /// Remember an accepted advert. The stamp goes last: a reader that sees it sees its head.
    #[inline(always)]
    pub(crate) fn stamp(self, record: &Record) {
        let Some(head) = record.pdu.first_chunk::<HEAD_LEN>() else {
            return;
        };
        // SAFETY: as above; another CPU may write an advert of the same sender at the same time, and either
        // one's stamp is a true one.
        unsafe {
            (&raw mut (*self.0).head).write(*head);
            (&raw mut (*self.0).stamp).write_volatile(record.header.stamp);
        }
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
    let none = RefusedState { silent: 0, told: 0 };
    REFUSED.insert(key, none, 0).ok()?;
    REFUSED.get_ptr_mut(key).map(Refused)
}

impl Refused {
    /// Whether the daemon is to be shown one: once in `pause` nanoseconds.
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
