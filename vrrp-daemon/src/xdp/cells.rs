//! What the program reads while it is replaced: numbered cells, and an [index](super::index) that says which is current.
//!
//! Who replaces a cell has it [retired](super::grace::Grace::retire) before it is [given back](Cells::give_back).

use std::io;
use std::os::fd::AsFd;

use aya::Pod;
use aya::maps::{Array, Map, MapData, MapError};

use super::index::Index;

/// The number of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell(pub(super) u16);

/// A cell that is found, and by what.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) cell: Cell,
    hashes: Vec<u64>,
}

impl Shown {
    /// Whether it is found by this one.
    pub(super) fn is_at(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }
}

/// An array of cells and its index.
pub(super) struct Cells<V: Pod> {
    values: Array<MapData, V>,
    index: Index,
    /// Cells that were given back.
    free: Vec<Cell>,
    /// The first cell that was never used.
    next: u16,
    cells: u32,
}

impl<V: Pod> Cells<V> {
    /// All `cells` are free, and nothing is found by the index of `len` buckets.
    pub(super) fn new(values: MapData, cells: u32, index: &MapData, len: u32) -> Result<Self, MapError> {
        Ok(Self {
            values: Map::Array(values).try_into()?,
            index: Index::new(index.fd().as_fd(), len).map_err(mapping)?,
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

    /// From now on `cell` is found by `hashes`, as far as there is room, in place of `before`, which is found no more.
    pub(super) fn show(
        &self,
        hashes: impl Iterator<Item = u64>,
        before: Option<&Shown>,
        cell: Cell,
    ) -> Shown {
        let hashes: Vec<u64> = hashes.collect();
        if let Some(Shown { cell, hashes: known }) = before {
            for gone in known.iter().filter(|hash| !hashes.contains(hash)) {
                self.index.clear(*gone, *cell);
            }
        }
        let found = hashes.into_iter().filter(|hash| {
            let before = before.filter(|before| before.is_at(*hash));
            self.index.point(*hash, before.map(|before| before.cell), cell)
        });
        Shown {
            cell,
            hashes: found.collect(),
        }
    }

    /// From now on it is not found.
    pub(super) fn hide(&self, shown: &Shown) {
        for hash in &shown.hashes {
            self.index.clear(*hash, shown.cell);
        }
    }

    /// Nobody reads `cell` any more.
    pub(super) fn give_back(&mut self, cell: Cell) {
        self.free.push(cell);
    }
}

/// What mapping one of the maps came to.
pub(super) fn mapping(error: io::Error) -> MapError {
    MapError::SyscallError(aya::sys::SyscallError {
        call: "mmap",
        io_error: error,
    })
}
