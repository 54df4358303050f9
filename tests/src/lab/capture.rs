//! Every frame that crosses a port, stamped by the kernel.

use std::fs::File;
use std::io::{BufWriter, IoSliceMut};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{SockFilter, Socket};

use super::frame::Frame;
use super::kernel::{self, Hears};
use super::namespace::Namespace;
use super::pcap;
use super::wait::Stamp;

/// Room for what arrives while the reading thread waits for a CPU.
const RECEIVE_BUFFER: usize = 16 << 20;
/// How long the reading thread sleeps before it looks whether it should end.
const TICK: Duration = Duration::from_millis(50);

/// Which way a frame crossed the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The host sent it.
    FromHost,
    /// The switch forwarded it to the host.
    ToHost,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it crossed, by the kernel's stamp.
    pub at: Stamp,
    /// Which way.
    pub direction: Direction,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
}

impl Captured {
    /// What it is.
    #[must_use]
    pub fn frame(&self) -> Frame {
        Frame::read(&self.bytes)
    }
}

/// Which frames a capture keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All.
    All,
    /// The host's adverts over IPv4 and its ARP: what tells its state, while it is flooded.
    SentAdvertsAndArps,
}

/// A capture under way. It ends when dropped.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    port: String,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    frames: Mutex<Vec<Captured>>,
    arrived: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn frames(&self) -> MutexGuard<'_, Vec<Captured>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture {
    pub(super) fn start(switch: &Namespace, port: &str, what: Keep) -> anyhow::Result<Self> {
        let socket = switch
            .inside(|| {
                let socket = kernel::packet_socket(if_nametoindex(port)?, Hears::Everything)?;
                if what == Keep::SentAdvertsAndArps {
                    socket.attach_filter(&sent_adverts_and_arps())?;
                }
                setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
                setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
                socket.set_read_timeout(Some(TICK))?;
                Ok(socket)
            })
            .with_context(|| format!("capturing on port {port}"))?;
        let shared = Arc::new(Shared::default());
        let for_reader = Arc::clone(&shared);
        let reader = thread::Builder::new()
            .name(format!("capture {port}"))
            .spawn(move || read_all(&socket, &for_reader))?;
        Ok(Self {
            shared,
            port: port.to_owned(),
            reader: Some(reader),
        })
    }

    /// Every frame so far, oldest first.
    #[must_use]
    pub fn frames(&self) -> Vec<Captured> {
        self.shared.frames().clone()
    }

    /// The frames from `since` on for which `pick` answers something, with that answer.
    #[must_use]
    pub fn pick<T>(&self, since: Stamp, mut pick: impl FnMut(&Captured) -> Option<T>) -> Vec<(Stamp, T)> {
        self.shared
            .frames()
            .iter()
            .filter(|captured| captured.at >= since)
            .filter_map(|captured| Some((captured.at, pick(captured)?)))
            .collect()
    }

    /// The first frame from `since` on for which `pick` answers something; waits for it up to `limit`.
    ///
    /// # Errors
    /// No such frame came in time: then `what` says what was waited for in vain.
    pub fn wait_for<T>(
        &self,
        what: &str,
        since: Stamp,
        limit: Duration,
        mut pick: impl FnMut(&Captured) -> Option<T>,
    ) -> anyhow::Result<(Stamp, T)> {
        let deadline = std::time::Instant::now() + limit;
        let mut seen = 0;
        let mut frames = self.shared.frames();
        loop {
            for captured in frames.iter().skip(seen).filter(|captured| captured.at >= since) {
                if let Some(found) = pick(captured) {
                    return Ok((captured.at, found));
                }
            }
            seen = frames.len();
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                bail!("waited {limit:?} in vain on port {} for {what}", self.port);
            }
            frames = self
                .shared
                .arrived
                .wait_timeout(frames, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Forget what was captured so far.
    pub fn clear(&self) {
        self.shared.frames().clear();
    }

    /// Write what was captured so far as a pcap file with nanosecond stamps.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        pcap::write(&mut BufWriter::new(file), &self.shared.frames())
            .with_context(|| format!("writing {}", path.display()))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _it_only_reads = reader.join();
        }
    }
}

/// For the kernel: [`Keep::SentAdvertsAndArps`].
fn sent_adverts_and_arps() -> [SockFilter; 8] {
    /// Load the frame's `pkttype` (linux/filter.h: SKF_AD_OFF + SKF_AD_PKTTYPE).
    const PACKET_TYPE: u32 = 0xffff_f004;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_HALF: u16 = 0x28;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let equal = |value, yes, no| SockFilter::new(JUMP_IF_EQUAL, yes, no, value);
    [
        SockFilter::new(LOAD_BYTE, 0, 0, PACKET_TYPE),
        // PACKET_OUTGOING: on its way to the host.
        equal(4, 5, 0),
        SockFilter::new(LOAD_HALF, 0, 0, 12),
        equal(0x0806, 2, 0),
        SockFilter::new(LOAD_BYTE, 0, 0, 23),
        equal(112, 0, 1),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// The reading thread.
fn read_all(socket: &Socket, shared: &Shared) {
    let mut buffer = vec![0; 65_536];
    let mut control = nix::cmsg_space!(TimeSpec);
    while !shared.stop.load(Ordering::Relaxed) {
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let message = match recvmsg::<LinkAddr>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) {
            Ok(message) => message,
            // ENETDOWN: the cable was pulled; the socket works again when it is back.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => continue,
            Err(_) => return,
        };
        let stamp = message.cmsgs().ok().and_then(|mut all| {
            all.find_map(|one| match one {
                ControlMessageOwned::ScmTimestampns(time) => Some(time),
                _ => None,
            })
        });
        let (Some(stamp), Some(address)) = (stamp, message.address) else {
            continue;
        };
        let direction = if address.pkttype() == libc::PACKET_OUTGOING {
            Direction::ToHost
        } else {
            Direction::FromHost
        };
        let at = Stamp(
            u64::try_from(stamp.tv_sec()).unwrap_or(0) * 1_000_000_000
                + u64::try_from(stamp.tv_nsec()).unwrap_or(0),
        );
        let bytes = message.iovs().next().unwrap_or_default().to_vec();
        shared.frames().push(Captured { at, direction, bytes });
        shared.arrived.notify_all();
    }
}
