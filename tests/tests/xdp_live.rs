//! The XDP program on a cable: adverts from another host's IP stack, through a bridge and a veth.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(dead_code, reason = "the packet builder serves the packet tables too")]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;

use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};
use vrrp_common::id::Version;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ladder::{Peer, TtlRange};
use vrrp_daemon::proto::model::Transport;
use vrrp_daemon::proto::{Model, RouterId};
use vrrp_daemon::xdp::{AttachError, Attached, Mode, Place, XdpPath};
use vrrp_tests::lab::{Host, Lab, root_or_skip};

mod packets;

use packets::bench::{monotonic, object_or_skip, router};
use packets::hex;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Captured from keepalived 2.2.7: VRRPv3 unicast from 192.0.2.1 to 192.0.2.2, VRID 53.
const ADVERT: &str = "3135 c801 0019 bfbf c000026f";
const LIMIT_MILLIS: u16 = 5_000;

fn raw_socket() -> Socket {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap()
}

/// One advert from the peer's own IP stack, TTL 255.
fn send(peer: &Host) {
    let sent = peer.namespace().inside(|| {
        let socket = raw_socket();
        socket.set_ttl_v4(255)?;
        socket.bind(&SocketAddrV4::new(PEER, 0).into())?;
        Ok(socket.send_to(&hex(ADVERT), &SocketAddrV4::new(OURS, 0).into())?)
    });
    assert_eq!(sent.unwrap(), 12);
}

fn readable(file: impl AsFd) -> bool {
    let mut files = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    poll(&mut files, PollTimeout::from(LIMIT_MILLIS)).unwrap() == 1
}

/// Send, and take the one event that comes of it.
fn advert_arrives(xdp: &mut XdpPath, peer: &Host, ifindex: u32) {
    let before = monotonic();
    send(peer);
    assert!(readable(&*xdp), "the ring stays silent");
    let mut events = 0;
    xdp.drain(|event| {
        events += 1;
        assert!(before <= event.at && event.at <= monotonic());
        assert_eq!((event.ifindex, event.router), (ifindex, Some(RouterId(0))));
        assert_eq!(event.datagram.source, IpAddr::from(PEER));
        assert_eq!(event.datagram.destination, IpAddr::from(OURS));
        assert_eq!(
            (event.datagram.ttl, event.datagram.pdu),
            (255, hex(ADVERT).as_slice())
        );
    });
    assert_eq!(events, 1);
}

fn load(object: &[u8], ifindex: u32, pass_accepted: bool) -> XdpPath {
    let transport = Transport::Unicast {
        source: Some(OURS.into()),
        peers: vec![Peer {
            mac: None,
            address: PEER.into(),
            ttl: TtlRange::ANY,
        }],
        ttl: 255,
        check_source: true,
    };
    let model = Model {
        links: vec!["lan".into()],
        routers: vec![router(53, Version::V3, 100, Auth::None, transport)],
        ..Model::default()
    };
    let mut xdp = XdpPath::load(object).unwrap();
    let place = Place {
        ifindex: Some(ifindex),
        source: Some(OURS.into()),
        ..Place::default()
    };
    assert_eq!(xdp.configure(&model, &[place], pass_accepted).unwrap(), []);
    xdp
}

#[test]
fn adverts_arrive_through_the_ring_and_nothing_stays_behind() {
    if !root_or_skip() {
        return;
    }
    let Some(object) = object_or_skip() else {
        return;
    };
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    let (host, peer) = (lab.host("A").unwrap(), lab.host("B").unwrap());
    lab.connect(&host, "lan", "front", &["192.0.2.2/24"]).unwrap();
    lab.connect(&peer, "lan", "front", &["192.0.2.1/24"]).unwrap();
    let work = || {
        let ifindex = if_nametoindex("lan")?;
        let stack = raw_socket();
        stack.set_nonblocking(true)?;
        let nothing_in_the_stack = || {
            let nothing = stack
                .recv(&mut [std::mem::MaybeUninit::uninit(); 64])
                .unwrap_err();
            assert_eq!(
                nothing.kind(),
                ErrorKind::WouldBlock,
                "consumed adverts do not reach the raw socket"
            );
        };

        let mut xdp = load(object, ifindex, false);
        assert_eq!(xdp.attach(9_999, Mode::Auto), Err(AttachError::NoDevice));
        assert_eq!(xdp.attach(ifindex, Mode::Auto), Ok(Attached::Native));
        assert_eq!(xdp.attach(ifindex, Mode::Auto), Ok(Attached::Native));
        advert_arrives(&mut xdp, &peer, ifindex);
        nothing_in_the_stack();

        // Another daemon finds the device taken, and attaches once the first is gone, however it went: both
        // hold file descriptors only.
        let mut other = load(object, ifindex, false);
        assert_eq!(other.attach(ifindex, Mode::Auto), Err(AttachError::Taken));
        drop(xdp);
        assert_eq!(other.attach(ifindex, Mode::Generic), Ok(Attached::Generic));
        advert_arrives(&mut other, &peer, ifindex);
        nothing_in_the_stack();

        // Without the program the stack has it.
        other.detach(ifindex);
        send(&peer);
        assert!(readable(&stack), "the raw socket stays silent");
        let mut events = 0;
        other.drain(|_| events += 1);
        assert_eq!(events, 0);
        Ok(())
    };
    host.namespace().inside(work).unwrap();
}

/// A copy is what the program has seen, once; what comes past a program that was taken off is none.
#[test]
fn copies_in_the_stack_are_told_from_adverts() {
    if !root_or_skip() {
        return;
    }
    let Some(object) = object_or_skip() else {
        return;
    };
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    let (host, peer) = (lab.host("A").unwrap(), lab.host("B").unwrap());
    lab.connect(&host, "lan", "front", &["192.0.2.2/24"]).unwrap();
    lab.connect(&peer, "lan", "front", &["192.0.2.1/24"]).unwrap();
    let work = || {
        let ifindex = if_nametoindex("lan")?;
        let stack = raw_socket();
        stack.set_nonblocking(true)?;
        let read = || {
            assert!(readable(&stack), "the raw socket stays silent");
            stack.recv(&mut [std::mem::MaybeUninit::uninit(); 64]).unwrap();
        };
        let (router, source) = (RouterId(0), IpAddr::from(PEER));
        let mut xdp = load(object, ifindex, true);
        for mode in [Mode::Native, Mode::Generic] {
            xdp.attach(ifindex, mode).unwrap();
            let empty_at = monotonic();
            advert_arrives(&mut xdp, &peer, ifindex);
            read();
            assert!(xdp.is_copy(router, source, empty_at));
            assert!(
                !xdp.is_copy(router, source, empty_at),
                "{mode:?}: there is one only"
            );
            assert!(!xdp.is_copy(router, IpAddr::from([192, 0, 2, 9]), empty_at));
            // The copy of this one is lost.
            advert_arrives(&mut xdp, &peer, ifindex);
            read();
            xdp.detach(ifindex);
            let empty_at = MonoNanos(monotonic().0 + 10_000_001);
            send(&peer);
            read();
            assert!(
                !xdp.is_copy(router, source, empty_at),
                "{mode:?}: it came past the program"
            );
        }
        Ok(())
    };
    host.namespace().inside(work).unwrap();
}
