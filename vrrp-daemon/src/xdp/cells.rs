//! What the program reads while it is replaced: numbered cells, and an index that says where the current one is.
//!
//! This is the writer's half of what `vrrp_common`'s module `index` describes. Who replaces a cell has it
//! [retired](super::grace::Grace::retire) before it is [given back](Cells::give_back).

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::Pod;
use aya::maps::{Array, Map, MapData, MapError};
use vrrp_common::abi::{self, BUCKET, MAX_INDEX};

use super::shared::Shared;

/// The number of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell(u16);

/// An array of cells and its index.
pub(super) struct Cells<V: Pod> {
    values: Array<MapData, V>,
    index: Shared,
    mask: u32,
    /// Cells that were given back.
    free: Vec<Cell>,
    /// The first cell that was never used.
    next: u16,
    cells: u32,
}

/// Buckets of the index of so many cells: twice as many, so that all keys find a place, nearly always.
pub(super) const fn index_len(cells: u32) -> u32 {
    match cells.saturating_mul(2).checked_next_power_of_two() {
        Some(len) if len < MAX_INDEX => len,
        _ => MAX_INDEX,
    }
}

impl<V: Pod> Cells<V> {
    /// All are free. The maps have been made with `cells` and `index_len(cells)` entries.
    pub(super) fn new(values: MapData, index: &MapData, cells: u32) -> Result<Self, MapError> {
        let len = index_len(cells);
        let words = usize::try_from(len).unwrap_or(0).saturating_mul(BUCKET);
        let index = Shared::new(index, words).map_err(mapping)?;
        Ok(Self {
            values: Map::Array(values).try_into()?,
            index,
            mask: len - 1,
            free: Vec::new(),
            // The first is nobody's.
            next: 1,
            cells,
        })
    }

    /// Write into a cell that nobody finds; `None` if there is none at the moment.
    pub(super) fn write(&mut self, value: V) -> Result<Option<Cell>, MapError> {
        let cell = match self.free.pop() {
            Some(cell) => cell,
            None if u32::from(self.next) < self.cells => {
                self.next += 1;
                Cell(self.next - 1)
            }
            None => return Ok(None),
        };
        if let Err(error) = self.values.set(cell.0.into(), value, 0) {
            self.free.push(cell);
            return Err(error);
        }
        Ok(Some(cell))
    }

    /// From now on `cell` is what is found by `hash`, in place of `before`. False: there is no room in the index.
    pub(super) fn show(&self, hash: u64, before: Option<Cell>, cell: Cell) -> bool {
        let entry = abi::entry(hash, cell.0);
        if let Some(before) = before
            && self.replace(hash, abi::entry(hash, before.0), entry)
        {
            return true;
        }
        // Two keys that cannot be told apart there are met once in a lifetime.
        let bits = abi::entry(hash, 0);
        let is_taken = self
            .bucket(hash)
            .any(|word| abi::entry(word.load(Ordering::Relaxed), 0) == bits && bits != 0);
        !is_taken && self.replace(hash, 0, entry)
    }

    /// From now on nothing is found by `hash`, where `cell` was.
    pub(super) fn hide(&self, hash: u64, cell: Cell) {
        self.replace(hash, abi::entry(hash, cell.0), 0);
    }

    /// Nobody reads `cell` any more.
    pub(super) fn give_back(&mut self, cell: Cell) {
        self.free.push(cell);
    }

    /// An entry for `hash` that is `before`. Who reads the new one finds written what it points to.
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
        (0..BUCKET).filter_map(move |at| self.index.word(first + at))
    }
}

/// What mapping one of the maps came to.
pub(super) fn mapping(error: io::Error) -> MapError {
    MapError::SyscallError(aya::sys::SyscallError {
        call: "mmap",
        io_error: error,
    })
}
