//! The other router: adverts of VRRPv3 for virtual router 51, from host B, at whatever priority the scenario says.
//! It gives way to a higher priority and is otherwise always Master, so both programs meet the same one. Written
//! from RFC 9568 §5.2, without the daemon's code.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Host, Settings};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VRID: u8 = 51;
/// Its interval, and the one that the scenarios' files have.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long it holds its tongue after it has heard a higher priority.
const POLITE: Duration = Duration::from_millis(400);

/// A thread that advertises until it is told to end.
pub(crate) struct Rival {
    orders: Option<Sender<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Rival {
    /// Advertise from now on.
    pub(crate) fn start(host: &Host, source: Ipv4Addr, priority: u8) -> anyhow::Result<Self> {
        let socket = open(host, source)?;
        let (orders, told) = channel();
        let thread = std::thread::spawn(move || advertise(&socket, source, priority, &told));
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Advertise with this priority, at once and from now on.
    pub(crate) fn change(&self, priority: u8) {
        if let Some(orders) = &self.orders {
            let _it_runs = orders.send(priority);
        }
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _it_ends_within_an_interval = thread.join();
        }
    }
}

/// One advert, whoever is Master.
pub(crate) fn once(host: &Host, source: Ipv4Addr, priority: u8) -> anyhow::Result<()> {
    open(host, source)?.send_to(&advert(source, priority), &SocketAddrV4::new(GROUP, 0).into())?;
    Ok(())
}

fn open(host: &Host, source: Ipv4Addr) -> anyhow::Result<Socket> {
    host.namespace().inside(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
        socket.set_multicast_if_v4(&source)?;
        socket.set_multicast_ttl_v4(255)?;
        socket.set_multicast_loop_v4(false)?;
        socket.join_multicast_v4(&GROUP, &source)?;
        Ok(socket)
    })
}

fn advertise(socket: &Socket, source: Ipv4Addr, mut priority: u8, told: &Receiver<u8>) {
    let mut next = Instant::now();
    loop {
        match told.try_recv() {
            Ok(other) => {
                priority = other;
                next = Instant::now();
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // A pulled cable is part of the play.
            let _sent = socket.send_to(&advert(source, priority), &SocketAddrV4::new(GROUP, 0).into());
            next = Instant::now() + INTERVAL;
        } else if heard_more_than(socket, priority, left) {
            next = Instant::now() + POLITE;
        }
    }
}

/// Whether an advert of a higher priority arrives within this time (or a part of it: orders are waiting).
fn heard_more_than(socket: &Socket, priority: u8, limit: Duration) -> bool {
    // Version 4 header of 20 bytes without options, then version, VRID, priority.
    const PRIORITY: usize = 22;
    let mut packet = [0; 256];
    let patience = limit.clamp(Duration::from_millis(1), Duration::from_millis(20));
    let mut reader = socket;
    let heard = socket
        .set_read_timeout(Some(patience))
        .and_then(|()| reader.read(&mut packet));
    heard.is_ok_and(|length| length > PRIORITY && packet[PRIORITY] > priority)
}

/// VRRPv3 for IPv4 with one address, checksum with the pseudo-header.
fn advert(source: Ipv4Addr, priority: u8) -> Vec<u8> {
    let centiseconds = u16::try_from(INTERVAL.as_millis() / 10).unwrap_or(u16::MAX);
    let mut message = vec![0x31, VRID, priority, 1];
    message.extend(centiseconds.to_be_bytes());
    message.extend([0, 0]);
    message.extend(Settings::ADDRESS.octets());
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let mut summed = [source.octets(), GROUP.octets(), [0, 112, 0, length]].concat();
    summed.extend(&message);
    let sum: u32 = summed
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0);
    message[6..8].copy_from_slice(&checksum.to_be_bytes());
    message
}
