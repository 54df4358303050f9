//! The other router: adverts for virtual router 51, from host B, in the scenario's version and at whatever priority it
//! says. It gives way to who is better and is otherwise always Master, so both programs meet the same one. Written
//! from the RFCs, without the daemon's code.

mod message;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Host, Settings};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const VRID: u8 = 51;

/// For how many intervals it holds its tongue after it has heard somebody better.
const POLITE: u32 = 4;

/// How it speaks, and so how the scenario's file has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Speech {
    pub(crate) version: Version,
    /// Over IPv6.
    pub(crate) six: bool,
    /// To the host itself, instead of the group.
    pub(crate) unicast: bool,
}

/// The version of VRRP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Once a second, with this password.
    Two(Option<&'static str>),
    /// Every 100 ms.
    Three,
}

/// Which of host B's addresses it speaks from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// One above host A's.
    Above,
    /// One below.
    Below,
}

impl Speech {
    /// VRRPv3 for IPv4 by multicast.
    pub(crate) const PLAIN: Self = Self {
        version: Version::Three,
        six: false,
        unicast: false,
    };

    /// Host A's own address for IPv6 unicast.
    pub(crate) const HOST_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 8);

    /// The virtual addresses, as they stand in the adverts.
    fn addresses(&self) -> Vec<IpAddr> {
        if self.six {
            ["fe80::100", "2001:db8::100"]
                .iter()
                .filter_map(|address| address.parse().ok())
                .collect()
        } else {
            vec![Settings::ADDRESS.into()]
        }
    }

    /// The address it speaks from. Host A's link-local address is made from a hardware address: the first 16 bits of
    /// its second half are neither all zeros nor all ones.
    pub(crate) const fn source(&self, rank: Rank) -> IpAddr {
        const fn global(last: u16) -> IpAddr {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last))
        }
        const fn link_local(first: u16) -> IpAddr {
            IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, first, 0, 0, 2))
        }
        match (self.six, self.unicast, rank) {
            (false, _, Rank::Above) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
            (false, _, Rank::Below) => IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
            (true, false, Rank::Above) => link_local(0xffff),
            (true, false, Rank::Below) => link_local(0),
            (true, true, Rank::Above) => global(9),
            (true, true, Rank::Below) => global(2),
        }
    }

    const fn destination(&self) -> IpAddr {
        match (self.six, self.unicast) {
            (false, false) => IpAddr::V4(GROUP),
            (false, true) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            (true, false) => IpAddr::V6(GROUP_6),
            (true, true) => IpAddr::V6(Self::HOST_6),
        }
    }

    const fn interval(&self) -> Duration {
        match self.version {
            Version::Two(_) => Duration::from_secs(1),
            Version::Three => Duration::from_millis(100),
        }
    }
}

/// A thread that advertises until it is told to end.
pub(crate) struct Rival {
    rank: Rank,
    orders: Option<Sender<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Rival {
    /// Advertise from now on.
    pub(crate) fn start(host: &Host, speech: Speech, rank: Rank, priority: u8) -> anyhow::Result<Self> {
        let voice = Voice::new(host, speech, rank)?;
        let (orders, told) = channel();
        let thread = std::thread::spawn(move || voice.advertise(priority, &told));
        Ok(Self {
            rank,
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Which address it speaks from.
    pub(crate) fn rank(&self) -> Rank {
        self.rank
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

/// Adverts of these priorities, whoever is Master.
pub(crate) fn say(host: &Host, speech: Speech, rank: Rank, priorities: &[u8]) -> anyhow::Result<()> {
    let voice = Voice::new(host, speech, rank)?;
    priorities
        .iter()
        .try_for_each(|priority| Ok(voice.say(*priority)?))
}

/// A socket, and what is said on it.
struct Voice {
    speech: Speech,
    source: IpAddr,
    destination: SocketAddr,
    /// A raw one: std's type has what is needed of any datagram socket.
    socket: UdpSocket,
}

impl Voice {
    fn new(host: &Host, speech: Speech, rank: Rank) -> anyhow::Result<Self> {
        let source = speech.source(rank);
        let (socket, index) = host.namespace().inside(move || {
            let index = if_nametoindex("eth0")?;
            Ok((open(&speech, source, index)?, index))
        })?;
        Ok(Self {
            speech,
            source,
            destination: endpoint(speech.destination(), index),
            socket: OwnedFd::from(socket).into(),
        })
    }

    fn say(&self, priority: u8) -> std::io::Result<()> {
        let message = message::advert(&self.speech, self.source, self.destination.ip(), priority);
        self.socket.send_to(&message, self.destination).map(drop)
    }

    fn advertise(&self, mut priority: u8, told: &Receiver<u8>) {
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
                let _sent = self.say(priority);
                next = Instant::now() + self.speech.interval();
            } else if self.hears_better_than(priority, left) {
                next = Instant::now() + self.speech.interval() * POLITE;
            }
        }
    }

    /// Whether an advert that beats ours arrives within this time (or a part of it: orders are waiting).
    fn hears_better_than(&self, priority: u8, limit: Duration) -> bool {
        let mut packet = [0; 256];
        let patience = limit.clamp(Duration::from_millis(1), Duration::from_millis(20));
        let heard = self
            .socket
            .set_read_timeout(Some(patience))
            .and_then(|()| self.socket.recv_from(&mut packet));
        heard.is_ok_and(|(length, from)| {
            message::priority(&self.speech, &packet[..length])
                .is_some_and(|theirs| (theirs, from.ip()) > (priority, self.source))
        })
    }
}

/// With the interface, which a link-local address needs.
fn endpoint(address: IpAddr, index: u32) -> SocketAddr {
    match address {
        IpAddr::V4(_) => SocketAddr::new(address, 0),
        IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, index).into(),
    }
}

/// A raw socket that sends from this address and hears what comes to it or to the group.
fn open(speech: &Speech, source: IpAddr, index: u32) -> std::io::Result<Socket> {
    let protocol = Some(Protocol::from(112));
    match source {
        IpAddr::V4(source) => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, protocol)?;
            socket.set_ttl_v4(255)?;
            if speech.unicast {
                socket.bind(&endpoint(source.into(), index).into())?;
            } else {
                socket.set_multicast_if_v4(&source)?;
                socket.set_multicast_ttl_v4(255)?;
                socket.set_multicast_loop_v4(false)?;
                socket.join_multicast_v4(&GROUP, &source)?;
            }
            Ok(socket)
        }
        IpAddr::V6(source) => {
            let socket = Socket::new(Domain::IPV6, Type::RAW, protocol)?;
            socket.bind(&endpoint(source.into(), index).into())?;
            socket.set_unicast_hops_v6(255)?;
            if !speech.unicast {
                socket.set_multicast_if_v6(index)?;
                socket.set_multicast_hops_v6(255)?;
                socket.set_multicast_loop_v6(false)?;
                socket.join_multicast_v6(&GROUP_6, index)?;
            }
            Ok(socket)
        }
    }
}
