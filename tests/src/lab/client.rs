//! The client that keeps asking: an ICMP echo request to each address every few milliseconds.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;
use super::wait::Stamp;

/// One echo reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When it reached the client, by the kernel's stamp.
    pub at: Stamp,
    /// The number of the request it answers, from 0.
    pub sequence: u64,
}

/// A time without answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last answer before.
    pub last: Stamp,
    /// The first answer after; `None` while it lasts.
    pub first: Option<Stamp>,
}

impl Outage {
    /// How long it lasted, up to `now` if it still does.
    #[must_use]
    pub fn duration(&self, now: Stamp) -> Duration {
        self.first.unwrap_or(now).since(self.last)
    }
}

/// A client under way. It ends when dropped.
#[derive(Debug)]
pub struct Prober {
    answers: Arc<Mutex<Answers>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Answers = BTreeMap<Ipv4Addr, Vec<Answer>>;

impl Prober {
    /// Ask each of `targets` from `host`, once per `every`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn start(host: &Host, targets: &[Ipv4Addr], every: Duration) -> anyhow::Result<Self> {
        let socket = host.namespace().inside(|| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            Ok(socket)
        })?;
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let targets = targets.to_vec();
        let thread = thread::Builder::new().name("client".to_owned()).spawn({
            let (answers, stop) = (Arc::clone(&answers), Arc::clone(&stop));
            move || ask(&socket, &targets, every, &answers, &stop)
        })?;
        Ok(Self {
            answers,
            stop,
            thread: Some(thread),
        })
    }

    /// Every answer of `target` so far.
    #[must_use]
    pub fn answers(&self, target: Ipv4Addr) -> Vec<Answer> {
        self.lock().get(&target).cloned().unwrap_or_default()
    }

    /// The first answer of `target` from `since` on.
    #[must_use]
    pub fn first_answer(&self, target: Ipv4Addr, since: Stamp) -> Option<Stamp> {
        self.lock()
            .get(&target)?
            .iter()
            .map(|answer| answer.at)
            .find(|&at| at >= since)
    }

    /// The longest time without an answer of `target` that ended after `since`, or goes on.
    #[must_use]
    pub fn longest_outage(&self, target: Ipv4Addr, since: Stamp) -> Option<Outage> {
        let answers = self.answers(target);
        let last = answers.last()?.at;
        let now = Stamp::now();
        answers
            .windows(2)
            .filter_map(|pair| match pair {
                [before, after] => Some(Outage {
                    last: before.at,
                    first: Some(after.at),
                }),
                _ => None,
            })
            .chain([Outage { last, first: None }])
            .filter(|outage| outage.first.is_none_or(|first| first >= since))
            .max_by_key(|outage| outage.duration(now))
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _it_only_asks = thread.join();
        }
    }
}

/// Marks our requests among other echo traffic of the host.
const IDENTIFIER: u16 = 0x7672;

fn ask(socket: &Socket, targets: &[Ipv4Addr], every: Duration, answers: &Mutex<Answers>, stop: &AtomicBool) {
    let mut next = Instant::now();
    let mut sequence: u64 = 0;
    while !stop.load(Ordering::Relaxed) {
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let request = echo_request(sequence);
            for &target in targets {
                // Refused while nobody holds the address, or a cable is out: that is what is measured.
                let _unreachable = socket.send_to(&request, &SocketAddrV4::new(target, 0).into());
            }
            sequence += 1;
            next += every;
        } else if socket.set_read_timeout(Some(left)).is_ok()
            && let Some((from, answer)) = receive(socket)
        {
            answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(from)
                .or_default()
                .push(answer);
        }
    }
}

/// Type 8, code 0, checksum, identifier, sequence; then eight bytes with the whole sequence number.
fn echo_request(sequence: u64) -> [u8; 16] {
    let mut message = [0; 16];
    let low = u16::try_from(sequence & 0xffff).unwrap_or_default();
    message[0] = 8;
    message[4..6].copy_from_slice(&IDENTIFIER.to_be_bytes());
    message[6..8].copy_from_slice(&low.to_be_bytes());
    message[8..].copy_from_slice(&sequence.to_be_bytes());
    let mut sum: u32 = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).unwrap_or_default();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// The next echo reply to one of our requests; `None` when the time is up or something else came.
fn receive(socket: &Socket) -> Option<(Ipv4Addr, Answer)> {
    let mut buffer = [0; 128];
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let message = match recvmsg::<SockaddrIn>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    ) {
        Ok(message) => message,
        Err(Errno::EAGAIN | Errno::EINTR) => return None,
        Err(_) => {
            // Not to spin on an error that stays.
            thread::sleep(Duration::from_millis(1));
            return None;
        }
    };
    let stamp = message.cmsgs().ok()?.find_map(|one| match one {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    })?;
    let at =
        Stamp(u64::try_from(stamp.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(stamp.tv_nsec()).ok()?);
    let from = message.address?.ip();
    let packet = message.iovs().next()?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let icmp = packet.get(header..header + 16)?;
    let ours = icmp.starts_with(&[0, 0]) && icmp.get(4..6)? == IDENTIFIER.to_be_bytes();
    let sequence = u64::from_be_bytes(icmp.get(8..16)?.try_into().ok()?);
    ours.then_some((from, Answer { at, sequence }))
}
