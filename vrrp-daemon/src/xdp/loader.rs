//! Loading the program, and saying what stands in the way.

use std::collections::BTreeMap;
use std::error::Error;
use std::{fs, io};

use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::Xdp;
use aya::{Ebpf, Pod};
use nix::errno::Errno;
use vrrp_common::abi::{self, ABI_VERSION, MAX_CELLS, Peer, Record, Router, StrangerKey};
use vrrp_common::time::MonoNanos;

use super::attach::Attached;
use super::blind;
use super::cells::Cells;
use super::grace::Grace;
use super::index::index_len;
use super::link::Link;
use super::refusals::{Refusals, Rungs};
use super::seats::Seats;
use super::table::Table;
use super::tallies::Counters;

/// Programs for frames in several buffers, and the helper that reads them, came with Linux 5.18.
const OLDEST_KERNEL: (u32, u32) = (5, 18);

/// Virtual routers and peers that there is room for if nobody says how many.
const DEFAULT_SENDERS: u32 = 1_023;

/// Cells that are never in use all at once, even with as many virtual routers as there is room for.
const SPARE: u32 = 16;

/// What the verifier's log ends with, after the reason.
const STATISTICS: [&str; 3] = ["processed ", "stack depth ", "verification time "];

/// The loaded program with its maps and its devices.
pub struct XdpPath {
    pub(super) ebpf: Ebpf,
    pub(super) routers: Cells<Router>,
    pub(super) peers: Cells<Peer>,
    pub(super) seats: Seats,
    pub(super) grace: Grace,
    /// Something could not be told for want of a cell or a seat that will be free again.
    pub(super) owing: bool,
    /// Some have been free again since that was tried last.
    pub(super) came_back: bool,
    pub(super) kept: HashMap<MapData, u32, Record>,
    /// How many kept adverts, of all senders, have been looked for.
    pub(super) kept_told: u64,
    pub(super) counters: PerCpuArray<MapData, u64>,
    pub(super) refusals: Refusals,
    /// What was refused for virtual routers that are not ours any more, by rung.
    pub(super) refused_before: Rungs,
    pub(super) strangers: HashMap<MapData, StrangerKey, [u8; 8]>,
    pub(super) ring: RingBuf<MapData>,
    pub(super) links: BTreeMap<u32, (Link, Attached)>,
    pub(super) table: Table,
    /// What was counted when the counters were cleared.
    pub(super) cleared: Counters,
    pub(super) clock: Clock,
    #[cfg(feature = "xdp-log")]
    pub(super) verdicts: super::verdicts::Verdicts,
}

impl std::fmt::Debug for XdpPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XdpPath")
            .field("links", &self.links.keys())
            .finish_non_exhaustive()
    }
}

/// Why the program could not be loaded. Each is one line for the log; the daemon goes on with raw sockets.
#[derive(Debug, thiserror::Error)]
pub enum XdpError {
    /// Nothing to load.
    #[error("this daemon was built without the XDP program; build it with `cargo xtask build --release`")]
    NoObject,
    /// `uname` says so.
    #[error("Linux {release} is too old for the XDP program; it takes 5.18")]
    KernelTooOld {
        /// The running kernel.
        release: String,
    },
    /// `EPERM`.
    #[error(
        "the kernel refuses BPF to this process; run it as root or give it CAP_BPF, CAP_PERFMON, \
         CAP_NET_ADMIN and CAP_NET_RAW"
    )]
    NotPermitted,
    /// `EACCES` from the verifier, for want of CAP_PERFMON.
    #[error(
        "the kernel takes the XDP program only from a process with CAP_PERFMON; give it that beside CAP_BPF"
    )]
    NotTrusted,
    /// `EPERM`, and lockdown is at "confidentiality".
    #[error(
        "the kernel is locked down (confidentiality), which forbids BPF; boot with lockdown=integrity for XDP"
    )]
    LockedDown,
    /// The object and the daemon were built from different sources.
    #[error(
        "the XDP program speaks layout {found:?}, this daemon {ABI_VERSION}; build both with `cargo xtask build`"
    )]
    Abi {
        /// What the object says, `None` if nothing.
        found: Option<u32>,
    },
    /// The verifier said no. That is a fault of ours: please report it with the kernel's version.
    #[error("Linux {release} does not accept the XDP program, please report this: {reason}")]
    Rejected {
        /// The running kernel.
        release: String,
        /// The verifier's last words.
        reason: String,
    },
    /// Anything else that can go wrong with an object file or a map.
    #[error("the XDP program cannot be loaded: {0}")]
    Load(String),
    /// The clock of the stamps cannot be compared with ours.
    #[error("cannot tell this time namespace's clock from the kernel's: {0}")]
    Clock(io::Error),
}

impl XdpPath {
    /// Load `object` (usually [`embedded`](super::embedded)) into the kernel. Nothing is attached yet and no
    /// virtual router is known: every frame would pass.
    ///
    /// # Errors
    /// See [`XdpError`].
    pub fn load(object: &[u8]) -> Result<Self, XdpError> {
        Self::load_for(object, DEFAULT_SENDERS)
    }

    /// The same, with room for so many virtual routers and peers together.
    ///
    /// # Errors
    /// See [`XdpError`].
    pub fn load_for(object: &[u8], senders: u32) -> Result<Self, XdpError> {
        // The first seat is nobody's.
        let seats = senders.saturating_add(1);
        let release = kernel_release();
        if kernel_version(&release) < OLDEST_KERNEL {
            return Err(XdpError::KernelTooOld { release });
        }
        let clock = Clock::of_this_namespace().map_err(XdpError::Clock)?;
        // A virtual router takes two seats, and a cell; some more cells are for what is replaced.
        let routers = (seats / 2 + SPARE).min(MAX_CELLS);
        let peers = (seats + SPARE).min(MAX_CELLS);
        // One mask is enough for both.
        let index = index_len(peers);
        let mask = index - 1;
        let mut ebpf = blind::loader()
            .map_max_entries(abi::SEEN, seats)
            .map_max_entries(abi::UNLISTED, seats)
            .map_max_entries(abi::ROUTERS, routers)
            .map_max_entries(abi::PEERS, peers)
            .map_max_entries(abi::ROUTER_INDEX, index)
            .map_max_entries(abi::PEER_INDEX, index)
            .override_global(abi::INDEX_MASK, &mask, true)
            .load(object)
            .map_err(|error| explain(&error))?;
        let found = abi_version(&ebpf);
        if found != Some(ABI_VERSION) {
            return Err(XdpError::Abi { found });
        }
        let loaded: &mut Xdp = ebpf
            .program_mut(abi::PROGRAM)
            .ok_or_else(|| XdpError::Load(format!("no program {} in it", abi::PROGRAM)))?
            .try_into()
            .map_err(|error| explain(&error))?;
        loaded.load().map_err(|error| match error {
            aya::programs::ProgramError::LoadError {
                io_error,
                verifier_log,
            } if !is_refusal(&io_error) => {
                let log = verifier_log.to_string();
                let last = log
                    .lines()
                    .rev()
                    .find(|line| !STATISTICS.iter().any(|word| line.starts_with(word)));
                let reason = format!("{io_error}: {}", last.unwrap_or("no reason given"));
                // Its word for a process without CAP_PERFMON, whatever the user.
                if reason.ends_with("prohibited for !root") {
                    return XdpError::NotTrusted;
                }
                XdpError::Rejected { release, reason }
            }
            error => explain(&error),
        })?;
        Ok(Self {
            #[cfg(feature = "xdp-log")]
            verdicts: super::verdicts::Verdicts::of(&mut ebpf),
            routers: take_cells(&mut ebpf, abi::ROUTERS, abi::ROUTER_INDEX, routers, index)?,
            peers: take_cells(&mut ebpf, abi::PEERS, abi::PEER_INDEX, peers, index)?,
            seats: Seats::new(take_array(&mut ebpf, abi::SEEN)?, seats).map_err(|error| explain(&error))?,
            grace: Grace::start().map_err(|error| explain(&error))?,
            owing: false,
            came_back: false,
            kept: take(&mut ebpf, abi::KEPT)?,
            kept_told: 0,
            counters: take(&mut ebpf, abi::COUNTERS)?,
            refusals: Refusals::new(take(&mut ebpf, abi::REFUSED)?, take(&mut ebpf, abi::UNLISTED)?)
                .map_err(|error| explain(&error))?,
            refused_before: Rungs::default(),
            strangers: take(&mut ebpf, abi::STRANGERS)?,
            ring: take(&mut ebpf, abi::RING)?,
            ebpf,
            links: BTreeMap::new(),
            table: Table::default(),
            cleared: Counters::default(),
            clock,
        })
    }

    /// The loaded program, for a test run.
    ///
    /// # Errors
    /// Never, once loaded.
    pub fn program(&self) -> Result<&Xdp, XdpError> {
        let program = self.ebpf.program(abi::PROGRAM);
        program
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| XdpError::Load(format!("no program {} in it", abi::PROGRAM)))
    }
}

/// The kernel's stamps are CLOCK_MONOTONIC of the initial time namespace; ours may be shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Our clock less the kernel's, in nanoseconds.
    offset: i64,
}

impl Clock {
    /// Both are the same.
    #[cfg(test)]
    pub(super) const SAME: Self = Self { offset: 0 };

    /// Ask the kernel by how much this time namespace is shifted (time_namespaces(7)).
    fn of_this_namespace() -> io::Result<Self> {
        match fs::read_to_string("/proc/self/timens_offsets") {
            Ok(text) => Self::parse(&text)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/self/timens_offsets")),
            // A kernel without time namespaces.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { offset: 0 }),
            Err(error) => Err(error),
        }
    }

    /// The line `monotonic SECONDS NANOSECONDS`; the nanoseconds are always counted upwards.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("monotonic"))?;
        let mut numbers = line.split_whitespace().map(str::parse::<i64>);
        let (seconds, nanos) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self {
            offset: seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?,
        })
    }

    /// A stamp of the kernel on our clock.
    pub(super) fn here(self, stamp: u64) -> MonoNanos {
        MonoNanos(stamp.saturating_add_signed(self.offset))
    }
}

fn abi_version(ebpf: &Ebpf) -> Option<u32> {
    let array: Array<_, u32> = ebpf.map(abi::ABI_SECTION)?.try_into().ok()?;
    array.get(&0, 0).ok()
}

fn take_cells<V: Pod>(
    ebpf: &mut Ebpf,
    values: &str,
    index: &str,
    cells: u32,
    len: u32,
) -> Result<Cells<V>, XdpError> {
    let (values, index) = (take_array(ebpf, values)?, take_array(ebpf, index)?);
    Cells::new(values, cells, &index, len).map_err(|error| explain(&error))
}

fn take_array(ebpf: &mut Ebpf, name: &str) -> Result<MapData, XdpError> {
    match ebpf.take_map(name) {
        Some(Map::Array(map)) => Ok(map),
        Some(_) | None => Err(XdpError::Load(format!("no array {name} in it"))),
    }
}

fn take<M>(ebpf: &mut Ebpf, name: &str) -> Result<M, XdpError>
where
    M: TryFrom<Map, Error = aya::maps::MapError>,
{
    let map = ebpf
        .take_map(name)
        .ok_or_else(|| XdpError::Load(format!("no map {name} in it")))?;
    M::try_from(map).map_err(|error| explain(&error))
}

/// Name the usual reasons.
fn explain(error: &(dyn Error + 'static)) -> XdpError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = String::new();
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(is_refusal) {
            return if locked_down() {
                XdpError::LockedDown
            } else {
                XdpError::NotPermitted
            };
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    XdpError::Load(text)
}

/// `EPERM`; the verifier says `EACCES` or `EINVAL`.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw) == Some(Errno::EPERM)
}

fn locked_down() -> bool {
    fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|state| state.contains("[confidentiality]"))
}

fn kernel_release() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Major and minor number; newest possible if they cannot be read, so that the kernel itself decides.
fn kernel_version(release: &str) -> (u32, u32) {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (u32::MAX, u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, kernel_version};
    use vrrp_common::time::MonoNanos;

    #[test]
    fn releases_of_distributions_are_read() {
        assert_eq!(kernel_version("6.1.0-18-amd64"), (6, 1));
        assert_eq!(kernel_version("5.14.0-427.el9.x86_64"), (5, 14));
        assert_eq!(kernel_version("4.19-rc1"), (4, 19));
        assert_eq!(kernel_version("unheard of"), (u32::MAX, u32::MAX));
    }

    /// The file as the kernel writes it, in a namespace 1000 s ahead and in one 0.5 s behind.
    #[test]
    fn stamps_are_moved_into_this_time_namespace() {
        let ahead = Clock::parse("monotonic           1000         0\nboottime               0         0\n");
        assert_eq!(
            ahead.map(|clock| clock.here(5)),
            Some(MonoNanos(1_000_000_000_005))
        );
        let behind = Clock::parse("monotonic             -1 500000000\nboottime               0         0\n");
        assert_eq!(
            behind.map(|clock| clock.here(700_000_000)),
            Some(MonoNanos(200_000_000))
        );
        assert_eq!(Clock::parse("boottime 0 0\n"), None);
    }
}
