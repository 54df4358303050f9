//! Waiting until every run of the program that may still read something has ended.
//!
//! Updating a map of maps does that: it returns when "all programs that could be running use the new map value"
//! (kernel/bpf/syscall.c, `maybe_wait_bpf_programs`), which is a grace period of RCU. It takes some 10 ms, so a thread of its
//! own waits, and the protocol's goes on.
#![allow(
    unsafe_code,
    reason = "aya does not create maps of maps that are in no object"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use aya::maps::{ArrayOfMaps, Map, MapData, MapError};
use aya::sys::SyscallError;

use super::cells::Cell;

/// What nothing points to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retired {
    /// What was demanded of adverts for a virtual router.
    Router(Cell),
    /// What was demanded of a peer.
    Peer(Cell),
    /// A sender's seat.
    Seat(u32),
}

/// Whoever may still read what was retired.
pub(super) struct Grace {
    retired: Sender<Retired>,
    over: Receiver<Retired>,
}

/// It calls two functions and the kernel.
const STACK: usize = 128 * 1024;

impl Grace {
    /// Start the thread, which ends with this value.
    pub(super) fn start() -> io::Result<Self> {
        Self::of(Period::new().map_err(io::Error::other)?)
    }

    fn of(mut period: impl Wait) -> io::Result<Self> {
        let (retired, to_wait_for) = mpsc::channel::<Retired>();
        let (back, over) = mpsc::channel();
        thread::Builder::new()
            .name("xdp-grace".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                while let Ok(first) = to_wait_for.recv() {
                    // One period is enough for all that was retired before it began.
                    let batch: Vec<Retired> = std::iter::once(first).chain(to_wait_for.try_iter()).collect();
                    if let Err(error) = period.wait() {
                        tracing::warn!(
                            "{error}: the XDP program's rules can be changed a few more times only; restart the daemon before that"
                        );
                        return;
                    }
                    if batch.into_iter().any(|one| back.send(one).is_err()) {
                        return;
                    }
                }
            })?;
        Ok(Self { retired, over })
    }

    /// Nothing points to it any more.
    pub(super) fn retire(&self, one: Retired) {
        // Without the thread, which has said why, it is never used again.
        let _ = self.retired.send(one);
    }

    /// One that nobody reads any more, if there is one.
    pub(super) fn over(&self) -> Option<Retired> {
        self.over.try_recv().ok()
    }
}

/// So that a test can hold it up.
trait Wait: Send + 'static {
    fn wait(&mut self) -> Result<(), MapError>;
}

/// A map of maps with one entry, which is set again and again.
struct Period {
    outer: ArrayOfMaps<MapData>,
    inner: MapData,
}

impl Period {
    fn new() -> Result<Self, MapError> {
        let inner = MapData::from_fd(create(BPF_MAP_TYPE_ARRAY, None)?)?;
        let outer = create(BPF_MAP_TYPE_ARRAY_OF_MAPS, Some(inner.fd().as_fd()))?;
        let outer = Map::ArrayOfMaps(MapData::from_fd(outer)?).try_into()?;
        Ok(Self { outer, inner })
    }
}

impl Wait for Period {
    fn wait(&mut self) -> Result<(), MapError> {
        self.outer.set(0, &self.inner, 0)
    }
}

/// What BPF_MAP_CREATE takes, as far as it is needed here (include/uapi/linux/bpf.h, `union bpf_attr`).
#[repr(C)]
struct Create {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

const BPF_MAP_CREATE: libc::c_int = 0;
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

/// An array with one entry, of numbers, or of maps like `inner`.
fn create(map_type: u32, inner: Option<BorrowedFd<'_>>) -> Result<OwnedFd, MapError> {
    let create = Create {
        map_type,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        map_flags: 0,
        inner_map_fd: inner.map_or(0, |inner| inner.as_raw_fd().unsigned_abs()),
    };
    // SAFETY: the kernel reads `create`, whose length is given, and nothing else.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_CREATE,
            &raw const create,
            size_of::<Create>(),
        )
    };
    match RawFd::try_from(fd) {
        // SAFETY: the kernel has just made it, and nobody else knows of it.
        Ok(fd @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Ok(_) | Err(_) => Err(MapError::SyscallError(SyscallError {
            call: "bpf_map_create",
            io_error: io::Error::last_os_error(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use aya::maps::MapError;

    use super::{Grace, Retired, Wait};

    /// Says when it is waited for, and ends when it is told.
    struct Held {
        begun: Sender<()>,
        end: Receiver<()>,
    }

    impl Wait for Held {
        fn wait(&mut self) -> Result<(), MapError> {
            self.begun.send(()).unwrap();
            self.end.recv().unwrap();
            Ok(())
        }
    }

    #[test]
    fn what_is_retired_in_a_period_waits_for_the_next() {
        let (begun, has_begun) = channel();
        let (end, ends) = channel();
        let grace = Grace::of(Held { begun, end: ends }).unwrap();
        grace.retire(Retired::Seat(1));
        has_begun.recv().unwrap();
        grace.retire(Retired::Seat(2));
        grace.retire(Retired::Seat(3));
        assert_eq!(grace.over(), None);
        end.send(()).unwrap();
        assert_eq!(grace.over.recv(), Ok(Retired::Seat(1)));
        // The thread says so before it waits, and nothing can be back before it has waited.
        has_begun.recv().unwrap();
        assert_eq!(grace.over(), None);
        end.send(()).unwrap();
        let two = [grace.over.recv(), grace.over.recv()];
        assert_eq!(two, [Ok(Retired::Seat(2)), Ok(Retired::Seat(3))]);
    }
}
