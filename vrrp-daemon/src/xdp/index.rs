//! The words that say in which cell something stands: the writer's half of `vrrp_common`'s module `index`.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use vrrp_common::abi::{self, BUCKET, MAX_INDEX};

use super::cells::Cell;
use super::shared::Shared;

/// An index, in shared memory.
pub(super) struct Index {
    words: Shared,
    mask: u32,
}

/// Buckets of the index of so many cells: twice as many, so that all keys find a place, nearly always.
pub(super) const fn index_len(cells: u32) -> u32 {
    match cells.saturating_mul(2).checked_next_power_of_two() {
        Some(len) if len < MAX_INDEX => len,
        _ => MAX_INDEX,
    }
}

impl Index {
    /// The map of an index of `len` buckets, a power of two, in which nothing is found.
    pub(super) fn new(map: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        let words = usize::try_from(len).unwrap_or(0).saturating_mul(BUCKET);
        Ok(Self {
            words: Shared::new(map, words)?,
            mask: len.saturating_sub(1),
        })
    }

    /// From now on `cell` is what is found by `hash`, in place of `before`. False: there is no room.
    pub(super) fn point(&self, hash: u64, before: Option<Cell>, cell: Cell) -> bool {
        let entry = abi::entry(hash, cell.0);
        if let Some(before) = before {
            return self.replace(hash, abi::entry(hash, before.0), entry);
        }
        // Two keys that cannot be told apart here are met once in a lifetime.
        let bits = abi::entry(hash, 0);
        let is_taken = self.bucket(hash).any(|word| {
            let other = word.load(Ordering::Relaxed);
            other != 0 && abi::entry(other, 0) == bits
        });
        !is_taken && self.replace(hash, 0, entry)
    }

    /// From now on nothing is found by `hash`, where `cell` was.
    pub(super) fn clear(&self, hash: u64, cell: Cell) {
        self.replace(hash, abi::entry(hash, cell.0), 0);
    }

    /// The first entry for `hash` that is `before`. Who reads the new one finds written what it points to.
    fn replace(&self, hash: u64, before: u64, entry: u64) -> bool {
        let word = self
            .bucket(hash)
            .find(|word| word.load(Ordering::Relaxed) == before);
        if let Some(word) = word {
            word.store(entry, Ordering::Release);
        }
        word.is_some()
    }

    fn bucket(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let bucket = usize::try_from(abi::bucket(hash, self.mask)).unwrap_or(usize::MAX);
        let first = bucket.saturating_mul(BUCKET);
        (0..BUCKET).filter_map(move |at| self.words.word(first.saturating_add(at)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering;

    use nix::sys::memfd::{MFdFlags, memfd_create};
    use nix::unistd::ftruncate;
    use vrrp_common::abi;

    use super::{Cell, Index, index_len};

    /// Of two buckets, in memory that nobody else maps.
    fn index() -> Index {
        let memory = memfd_create("index", MFdFlags::empty()).unwrap();
        ftruncate(&memory, 64).unwrap();
        Index::new(memory.as_fd(), 2).unwrap()
    }

    /// As the program does.
    fn found(index: &Index, hash: u64) -> u32 {
        let mut words = index.bucket(hash).map(|word| word.load(Ordering::Relaxed));
        let bucket = std::array::from_fn(|_| words.next().unwrap());
        abi::cell(&bucket, hash)
    }

    #[test]
    fn what_is_pointed_to_is_found_until_it_is_replaced_or_cleared() {
        let index = index();
        let hash = 0xaaaa_bbbb_cccc_0001;
        assert_eq!(found(&index, hash), 0);
        assert!(index.point(hash, None, Cell(7)));
        assert_eq!(found(&index, hash), 7);
        assert!(index.point(hash, Some(Cell(7)), Cell(8)));
        assert_eq!(found(&index, hash), 8);
        // Of another cell nothing is cleared.
        index.clear(hash, Cell(7));
        assert_eq!(found(&index, hash), 8);
        index.clear(hash, Cell(8));
        assert_eq!(found(&index, hash), 0);
        assert!(!index.point(hash, Some(Cell(8)), Cell(9)));
    }

    #[test]
    fn a_full_bucket_has_no_room_and_the_other_has() {
        let index = index();
        let hash = |upper: u64, bucket: u64| upper << 16 | bucket;
        for upper in 1..=4 {
            assert!(index.point(hash(upper, 0), None, Cell(9)));
        }
        assert!(!index.point(hash(5, 0), None, Cell(10)));
        assert!(index.point(hash(5, 1), None, Cell(10)));
        index.clear(hash(3, 0), Cell(9));
        assert!(index.point(hash(5, 0), None, Cell(10)));
        assert_eq!(
            [1, 2, 3, 4, 5].map(|upper| found(&index, hash(upper, 0))),
            [9, 9, 0, 9, 10]
        );
    }

    /// The lower bits that are looked at choose the bucket, the rest of them nothing.
    #[test]
    fn two_that_cannot_be_told_apart_are_not_both_there() {
        let index = index();
        assert!(index.point(0x5_0002, None, Cell(1)));
        assert!(!index.point(0x5_0004, None, Cell(2)));
        assert!(index.point(0x6_0004, None, Cell(2)));
    }

    /// The hash whose upper bits are those of an empty word.
    #[test]
    fn a_hash_of_zeros_is_like_any_other() {
        let index = index();
        assert!(index.point(0, None, Cell(3)));
        assert_eq!(found(&index, 0), 3);
        assert!(!index.point(0, None, Cell(4)));
    }

    #[test]
    fn an_index_has_two_buckets_for_each_cell_up_to_a_bound() {
        assert_eq!([5, 1_001, 65_535].map(index_len), [16, 2_048, 65_536]);
    }
}
