//! Watches interfaces and addresses, and tells what changed for our virtual routers.
//!
//! A socket hears events, and a connection beside it asks for everything: at the start, and whenever events
//! were lost. Events that arrive while it asks are applied after the answer: each says how a thing is now,
//! so the last one is right whatever the answer already knew. What was queued before a loss is thrown away:
//! the event that would have overruled it may be the lost one.

mod held;
mod looks;
mod proof;
mod routing;
mod table;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{Stream, TryStreamExt};
use netlink_packet_core::{NLM_F_REPLACE, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use nix::net::if_::if_indextoname;
use rtnetlink::{Handle, MulticastGroup, new_connection};
use socket2::SockRef;
use tokio::sync::mpsc;
use vrrp_common::id::Family;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::ethernet::Mac;

use crate::config::LinkDelays;
use crate::proto::LinkState;
use crate::proto::model::{Carried, LinkId, Model, RouterId};
use crate::sys::address::Entry;
use crate::sys::netlink::Netlink;
use crate::sys::{clock, filter, route, rule};
use looks::Looks;
use routing::Routing;
use table::Table;

pub use proof::Proofs;

/// What lines about addresses are told apart by (tracing's target).
pub const ADDRESSES: &str = "vrrp_addresses";

/// What changed. After [`run`] has started, everything is told once, then [`LinkEvent::Synced`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// An interface came, went, changed its state, its index (it was made anew) or its MAC address.
    Link {
        /// The interface.
        link: LinkId,
        /// Its index; `None` exactly when it is [`LinkState::Missing`].
        ifindex: Option<u32>,
        /// Its MAC address, if it is Ethernet.
        mac: Option<Mac>,
        /// Its state.
        state: LinkState,
    },
    /// An interface that is up has received a frame since it came up, or, when this is told first, ever.
    Proven {
        /// The interface.
        link: LinkId,
    },
    /// A device joined a bond or a team, or left it: what arrives there arrives here.
    Member {
        /// The bond.
        link: LinkId,
        /// The device.
        ifindex: u32,
        /// It is there now.
        joined: bool,
    },
    /// VLAN devices stand on an interface now, or none any more.
    Vlans {
        /// The interface.
        link: LinkId,
        /// Whether there are some.
        some: bool,
    },
    /// The address that a virtual router sends from, `None` while there is none: `unicast_src_ip` or
    /// `mcast_src_ip` if on the host, else the first of its interface. Never a virtual address.
    Source {
        /// The virtual router.
        router: RouterId,
        /// The address.
        address: Option<IpAddr>,
    },
    /// An address, a route or a rule that somebody may hold (a virtual router, or [`Model::statics_id`]) came or
    /// went, by our doing or somebody else's. What a Master loses is somebody else's doing, to be undone. After
    /// lost events, what is there is told again.
    Carried {
        /// Whose it is.
        router: RouterId,
        /// What.
        carried: Carried,
        /// Whether it is there now.
        present: bool,
    },
    /// All that was there has been told (also after events were lost).
    Synced,
}

/// The kernel cannot be asked or listened to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No netlink socket, or it broke.
    #[error("cannot watch interfaces: {0}")]
    Open(#[from] io::Error),
    /// The kernel refused to list interfaces or addresses.
    #[error("cannot list interfaces and addresses: {0}")]
    Dump(#[from] rtnetlink::Error),
}

/// Pause before a broken connection is made anew.
const RETRY: Duration = Duration::from_millis(200);
/// What the kernel puts into one datagram of events at most.
const INBOX: usize = 32 * 1024;

/// Watch until the receiver of `events` is dropped. To be spawned on a runtime: at best not the protocol
/// thread's, since asking the kernel can wait for its routing lock. When the queue is full this waits, and
/// what the kernel could not deliver meanwhile is asked for again. `delays` (same order as `model.links`, or
/// shorter) hold back states, never what else is told of an interface. `proofs` are the former watch's.
///
/// # Errors
/// The kernel could not be asked at the start. Later failures are mended here.
pub async fn run(
    model: Model,
    delays: Vec<LinkDelays>,
    proofs: Proofs,
    events: mpsc::Sender<LinkEvent>,
) -> Result<(), LinkError> {
    let mut table = Table::new(&model, &delays, proofs);
    let mut synced_once = false;
    while !events.is_closed() {
        match watch(&mut table, &events, &mut synced_once).await {
            Ok(()) => return Ok(()),
            Err(error) if !synced_once => return Err(error),
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
    Ok(())
}

/// One connection's life. `Ok` when nobody listens any more.
async fn watch(
    table: &mut Table,
    events: &mpsc::Sender<LinkEvent>,
    synced_once: &mut bool,
) -> Result<(), LinkError> {
    let mut listener = Listener::open(table.routing())?;
    let (connection, handle, _) = new_connection()?;
    let _task = Task(tokio::spawn(connection));

    let mut stale = true;
    let mut looks = Looks::default();
    loop {
        if stale {
            listener.discard()?;
            resync(table, &handle).await?;
            if !deliver(table, events).await || events.send(LinkEvent::Synced).await.is_err() {
                return Ok(());
            }
            *synced_once = true;
        }
        let now = clock::now();
        looks.plan(table.unproven(now), now);
        let heard = tokio::select! {
            () = events.closed() => return Ok(()),
            heard = listener.hear() => Some(heard?),
            () = passed(table.deadline()) => None,
            () = passed(looks.deadline()) => {
                for ifindex in looks.take() {
                    look(table, &handle, ifindex).await;
                }
                None
            }
        };
        stale = heard.is_some_and(Heard::is_lost);
        if heard.is_some() {
            for (message, replaces) in listener.messages() {
                tell(&message);
                table.apply(&message, replaces);
            }
        }
        if !deliver(table, events).await {
            return Ok(());
        }
    }
}

/// Address monitoring (`-a`): a line for every address, ours or not.
fn tell(message: &RouteNetlinkMessage) {
    if !tracing::enabled!(target: ADDRESSES, tracing::Level::INFO) {
        return;
    }
    let (address, what) = match message {
        RouteNetlinkMessage::NewAddress(address) => (address, "added to"),
        RouteNetlinkMessage::DelAddress(address) => (address, "removed from"),
        _ => return,
    };
    if let Some(Entry {
        ifindex,
        address,
        prefix,
        ..
    }) = Entry::read(address)
    {
        let link = if_indextoname(ifindex).map_or_else(
            |_| format!("interface {ifindex}"),
            |name| name.to_string_lossy().into_owned(),
        );
        tracing::info!(target: ADDRESSES, "{address}/{prefix} was {what} {link}");
    }
}

/// A socket that the kernel tells what happens. It is read only as fast as its events are taken, so nothing
/// but the kernel's own buffer can fill up.
struct Listener {
    socket: TokioSocket,
    inbox: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Events,
    Lost,
}

impl Heard {
    fn is_lost(self) -> bool {
        self == Self::Lost
    }
}

impl Listener {
    fn open(routing: &Routing) -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        let mut groups = vec![
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let protocols: Vec<_> = routing.protocols().collect();
        if !protocols.is_empty() {
            groups.extend([MulticastGroup::Ipv4Route, MulticastGroup::Ipv6Route]);
            SockRef::from(socket.socket_ref()).attach_filter(&filter::routes_of(&protocols))?;
        }
        if routing.has_rules() {
            groups.extend([MulticastGroup::Ipv4Rule, MulticastGroup::Ipv6Rule]);
        }
        #[expect(
            clippy::as_conversions,
            reason = "the discriminant is the group's number, rtnetlink(7)"
        )]
        let groups = groups.into_iter().map(|group| 1 << (group as u32 - 1)).sum();
        socket.socket_mut().bind(&SocketAddr::new(0, groups))?;
        Ok(Self {
            socket,
            inbox: Vec::with_capacity(INBOX),
        })
    }

    /// Wait for events. Nothing is lost if this is dropped while it waits.
    async fn hear(&mut self) -> io::Result<Heard> {
        self.inbox.clear();
        match self.socket.recv(&mut self.inbox).await {
            Ok(()) => Ok(Heard::Events),
            Err(error) if overrun(&error) => Ok(Heard::Lost),
            Err(error) => Err(error),
        }
    }

    /// What was heard, and whether it took the place of something.
    fn messages(&self) -> impl Iterator<Item = (RouteNetlinkMessage, bool)> {
        let mut rest = self.inbox.as_slice();
        std::iter::from_fn(move || {
            loop {
                let length = u32::from_ne_bytes(*rest.first_chunk()?);
                let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
                let message = NetlinkMessage::deserialize(rest.get(..length)?);
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                // A message that our parser does not know is no reason to miss the others.
                if let Ok(NetlinkMessage {
                    header,
                    payload: NetlinkPayload::InnerMessage(message),
                    ..
                }) = message
                {
                    return Some((message, header.flags & NLM_F_REPLACE != 0));
                }
            }
        })
    }

    /// Throw away what is queued.
    fn discard(&mut self) -> io::Result<()> {
        loop {
            self.inbox.clear();
            match self.socket.socket_ref().recv(&mut self.inbox, 0) {
                Ok(_) => {}
                Err(error) if overrun(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.inbox.clear();
        Ok(())
    }
}

/// The kernel had no room for an event.
fn overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Ask for everything.
async fn resync(table: &mut Table, handle: &Handle) -> Result<(), LinkError> {
    table.begin_resync();
    let links = handle.link().get().execute().map_ok(RouteNetlinkMessage::NewLink);
    apply_all(table, links).await?;
    let addresses = handle
        .address()
        .get()
        .execute()
        .map_ok(RouteNetlinkMessage::NewAddress);
    apply_all(table, addresses).await?;
    ask_for_routing(table)?;
    table.end_resync();
    Ok(())
}

/// How much an interface has received. One that is gone is told of as an event.
async fn look(table: &mut Table, handle: &Handle, ifindex: u32) {
    let mut answer = std::pin::pin!(handle.link().get().match_index(ifindex).execute());
    if let Ok(Some(link)) = answer.try_next().await {
        table.received(&link);
    }
}

/// Of a routing table that may be full, only what our protocols have made.
fn ask_for_routing(table: &mut Table) -> io::Result<()> {
    let protocols: Vec<_> = table.routing().protocols().collect();
    let mut questions = Vec::new();
    for family in [Family::V4, Family::V6] {
        questions.extend(protocols.iter().map(|protocol| route::made_by(*protocol, family)));
        questions.extend(table.routing().has_rules().then(|| rule::all(family)));
    }
    if questions.is_empty() {
        return Ok(());
    }
    let mut netlink = Netlink::open_strict()?;
    for question in questions {
        netlink.dump(question, |entry| table.apply(&entry, false))?;
    }
    Ok(())
}

async fn apply_all(
    table: &mut Table,
    entries: impl Stream<Item = Result<RouteNetlinkMessage, rtnetlink::Error>>,
) -> Result<(), LinkError> {
    let mut entries = std::pin::pin!(entries);
    while let Some(entry) = entries.try_next().await? {
        table.apply(&entry, false);
    }
    Ok(())
}

/// Pass on what changed; `false` when nobody listens.
async fn deliver(table: &mut Table, events: &mpsc::Sender<LinkEvent>) -> bool {
    for event in table.changes(clock::now()) {
        if events.send(event).await.is_err() {
            return false;
        }
    }
    true
}

/// Wait for a point in time, for ever without one.
async fn passed(at: Option<MonoNanos>) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from_nanos(at.since(clock::now()).0)).await,
        None => std::future::pending().await,
    }
}

/// A task that ends with its owner.
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
