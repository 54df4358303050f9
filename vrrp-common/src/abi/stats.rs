//! What the kernel counts.

use super::AddressWords;
use crate::wire::ladder::Refusal;

/// Buckets of [`PeerSeen::gaps`].
pub const GAP_BUCKETS: usize = 32;

/// What the kernel saw of a sender. The daemon reads it through shared memory, each field by itself, and writes one of
/// them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSeen {
    /// `bpf_ktime_get_ns` at the last advert that was the one told to be unchanged; 0: none yet.
    pub alive: u64,
    /// Adverts of that kind, for which nobody was woken.
    pub quiet: u64,
    /// `bpf_ktime_get_ns` at the last advert that held every rule, whatever it said; 0: none yet.
    pub last: u64,
    /// Adverts that held every rule and did not get into the ring: it was full, or the sender's rate too high.
    pub kept: u64,
    /// When the sender's budget of wake-ups is whole again, in nanoseconds of the same clock (a GCRA's theoretical
    /// arrival time).
    pub full_at: u64,
    /// Gaps between two adverts that were longer than [`Known::late_after`](super::Known::late_after).
    pub late: u64,
    /// The daemon's: not 0 while [`Known::message`](super::Known::message) of it is no news.
    pub hushed: u64,
    /// How many gaps were how long; see [`gap_bucket`].
    pub gaps: [u64; GAP_BUCKETS],
}

impl PeerSeen {
    /// Nothing yet.
    pub const NOTHING: Self = Self {
        alive: 0,
        quiet: 0,
        last: 0,
        kept: 0,
        full_at: 0,
        late: 0,
        hushed: 0,
        gaps: [0; GAP_BUCKETS],
    };
}

/// The bucket of a gap in nanoseconds: bucket `n` holds those from 2^(n+10) ns to just below 2^(n+11) ns, the first
/// one the shorter ones too (1 us = 2^10 ns, nearly), the last one the longer ones.
#[inline(always)]
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "five bits are an index of 32 entries"
)]
pub fn gap_bucket(gap: u64) -> usize {
    let rest = gap >> 10;
    let rest = if rest >> 32 == 0 { rest } else { 0xffff_ffff };
    // Every bit below the highest; then each of these 32 numbers has its own top five bits when multiplied.
    let rest = rest | rest >> 1;
    let rest = rest | rest >> 2;
    let rest = rest | rest >> 4;
    let rest = rest | rest >> 8;
    let rest = rest | rest >> 16;
    usize::from(HIGHEST_BIT[((rest * DE_BRUIJN) >> 27 & 31) as usize])
}

/// A BPF program has no instruction for the position of the highest bit, and should not find it by branches: the kernel's
/// verifier walks through all that follows once for each answer. (A de Bruijn sequence; see Knuth, The Art of Computer
/// Programming 4A, 7.1.3.)
const DE_BRUIJN: u64 = 0x07c4_acdd;
/// By the product's top five bits.
static HIGHEST_BIT: [u8; 32] = [
    0, 9, 1, 10, 13, 21, 2, 29, 11, 14, 16, 18, 22, 25, 3, 30, 8, 12, 20, 28, 15, 17, 24, 7, 19, 27, 23, 6,
    26, 5, 4, 31,
];

/// The shortest gap in nanoseconds that lies in a [bucket](gap_bucket).
#[must_use]
pub const fn gap_bucket_start(bucket: u32) -> u64 {
    match bucket {
        0 => 0,
        bucket => 1 << (bucket + 10),
    }
}

/// Who sent something for no virtual router of ours. The raw socket tells what it was; the frame is seen here alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrangerKey {
    /// Where it arrived.
    pub ifindex: u32,
    /// IP source.
    pub source: AddressWords,
}

/// What stands behind a [`StrangerKey`]: the Ethernet source, and zeros.
#[inline(always)]
#[must_use]
pub const fn stranger_mac(mac: [u8; 6]) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac;
    [a, b, c, d, e, f, 0, 0]
}

/// Key of the refusals at one rung ([`Refusal::number`]) for one virtual router.
#[inline(always)]
#[must_use]
pub const fn refused_key(slot: u32, rung: u8) -> u32 {
    slot << 4 | u32::from_be_bytes([0, 0, 0, rung])
}

/// Slot and rung of a [`refused_key`]; `None` for a number that is none.
#[must_use]
pub fn slot_and_refusal(key: u32) -> Option<(u32, Refusal)> {
    let rung = usize::try_from(key & 0xf).ok()?;
    Some((key >> 4, *Refusal::ALL.get(rung)?))
}

/// Refused adverts at one rung for one virtual router. The kernel makes the entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedState {
    /// Those that did not go into the ring.
    pub silent: u64,
    /// `bpf_jiffies64` when one went into the ring last; 0: none yet.
    pub told: u64,
}

/// What became of a frame with IP protocol 112. Other frames pass uncounted: counting them would cost every
/// frame of the host a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Held every rule, and went into the ring.
    Accepted,
    /// Held every rule and is no news: stamped, and nobody was woken.
    Unchanged,
    /// Held every rule, and waits to be asked for: the ring was full, or the sender's rate too high.
    Kept,
    /// For one of our virtual routers, and against a rule; dropped.
    Refused(Refusal),
    /// For no virtual router of ours; passed on untouched.
    NotOurs,
    /// Not for the kernel to judge (too long, a later fragment, a broken IP header); passed on untouched.
    NotJudged,
}

impl Verdict {
    /// Number of the verdict's counter: refusals first, in ladder order.
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> u32 {
        match self {
            // `u32::from`, which is not const yet.
            Self::Refused(refusal) => u32::from_le_bytes([refusal.number(), 0, 0, 0]),
            Self::Accepted => FIRST_VERDICT,
            Self::NotOurs => FIRST_VERDICT + 1,
            Self::NotJudged => FIRST_VERDICT + 2,
            Self::Unchanged => FIRST_VERDICT + 4,
            Self::Kept => FIRST_VERDICT + 5,
        }
    }
}

impl Verdict {
    /// [`Verdict::counter`] as a ring record has it.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::as_conversions, reason = "there are fewer than 256 counters")]
    pub const fn number(self) -> u8 {
        self.counter() as u8
    }
}

/// Refusals have the counters below this one; room is left for more of them.
const FIRST_VERDICT: u32 = 32;
/// Counter of those [kept](Verdict::Kept) because the ring was full.
pub const RING_FULL_COUNTER: u32 = FIRST_VERDICT + 3;
/// Number of counters.
pub const COUNTER_SLOTS: u32 = FIRST_VERDICT + 6;

const _: () = {
    // The four bits of `refused_key`.
    assert!(Refusal::ALL.len() <= 16);
    assert!(size_of::<RefusedState>() == 16);
    assert!(size_of::<StrangerKey>() == 20);
    assert!(size_of::<PeerSeen>() == 7 * 8 + GAP_BUCKETS * 8);
};

#[cfg(test)]
mod tests {
    use super::{
        COUNTER_SLOTS, RING_FULL_COUNTER, Verdict, gap_bucket, gap_bucket_start, refused_key,
        slot_and_refusal,
    };
    use crate::wire::ladder::Refusal;

    #[test]
    fn a_gap_lies_between_the_powers_of_two_of_its_bucket() {
        let table = [
            (0, 0),
            (1_023, 0),
            (2_047, 0),
            (2_048, 1),
            // 10 ms, 1 s, 40.95 s.
            (10_000_000, 13),
            (1_000_000_000, 19),
            (40_950_000_000, 25),
            ((1 << 41) - 1, 30),
            (1 << 41, 31),
            (u64::MAX, 31),
        ];
        for (gap, bucket) in table {
            assert_eq!(gap_bucket(gap), bucket, "{gap} ns");
        }
    }

    #[test]
    fn a_bucket_starts_with_its_shortest_gap() {
        let starts = [0, 1, 13, 31].map(gap_bucket_start);
        assert_eq!(starts, [0, 2_048, 8_388_608, 1 << 41]);
        for bucket in 1..32 {
            let start = gap_bucket_start(bucket);
            assert_eq!(gap_bucket(start), usize::try_from(bucket).unwrap());
            assert_eq!(gap_bucket(start - 1), usize::try_from(bucket - 1).unwrap());
        }
    }

    #[test]
    fn a_refused_key_holds_slot_and_rung() {
        assert_eq!(refused_key(5, Refusal::Interval.number()), 5 * 16 + 14);
        assert_eq!(slot_and_refusal(5 * 16 + 14), Some((5, Refusal::Interval)));
        assert_eq!(slot_and_refusal(5 * 16 + 15), None);
    }

    /// The numbers are the order of the ladder, and no two verdicts share one.
    #[test]
    fn every_verdict_has_a_counter_of_its_own() {
        for (number, refusal) in (0..).zip(Refusal::ALL) {
            assert_eq!(Verdict::Refused(refusal).counter(), number);
        }
        let others = [
            Verdict::Accepted,
            Verdict::NotOurs,
            Verdict::NotJudged,
            Verdict::Unchanged,
            Verdict::Kept,
        ];
        assert_eq!(others.map(Verdict::counter), [32, 33, 34, 36, 37]);
        assert_eq!((RING_FULL_COUNTER, COUNTER_SLOTS), (35, 38));
    }
}
