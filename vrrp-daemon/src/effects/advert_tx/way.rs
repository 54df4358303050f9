//! The sockets that adverts leave by, each shared by all virtual routers that can use it.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Weak};

use socket2::Socket;

use crate::sys::rawsock;

/// What a socket is set up for. IPv4 packets bring their own header, and with it source and TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    V4 {
        ifindex: Option<u32>,
    },
    V6 {
        source: Ipv6Addr,
        ifindex: Option<u32>,
        hop_limit: u8,
    },
}

/// A socket, and how to send from it.
#[derive(Debug)]
pub(super) struct Way {
    setup: Setup,
    pub(super) socket: Socket,
    pub(super) flags: i32,
}

/// The sockets that are open.
#[derive(Debug, Default)]
pub(super) struct Ways(Vec<Weak<Way>>);

impl Ways {
    /// The way from `source` on this interface, opened if nobody has it yet. It is closed when nobody has it any more.
    ///
    /// # Errors
    /// As [`rawsock::sender_v4`] and [`rawsock::sender_v6`].
    pub(super) fn open(
        &mut self,
        source: IpAddr,
        ifindex: Option<u32>,
        hop_limit: u8,
        multicast: bool,
    ) -> io::Result<Arc<Way>> {
        let setup = match source {
            IpAddr::V4(_) => Setup::V4 { ifindex },
            IpAddr::V6(source) => Setup::V6 {
                source,
                ifindex,
                hop_limit,
            },
        };
        // The group is on the link: no route is needed, and none may lead elsewhere.
        let flags = if multicast { libc::MSG_DONTROUTE } else { 0 };
        self.0.retain(|way| way.strong_count() > 0);
        let mut open = self.0.iter().filter_map(Weak::upgrade);
        if let Some(way) = open.find(|way| (way.setup, way.flags) == (setup, flags)) {
            return Ok(way);
        }
        let socket = match setup {
            Setup::V4 { ifindex } => rawsock::sender_v4(ifindex)?,
            Setup::V6 {
                source,
                ifindex,
                hop_limit,
            } => rawsock::sender_v6(source, ifindex, hop_limit)?,
        };
        let way = Arc::new(Way { setup, socket, flags });
        self.0.push(Arc::downgrade(&way));
        Ok(way)
    }
}
