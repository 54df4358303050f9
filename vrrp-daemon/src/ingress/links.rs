//! Watches interfaces and addresses, and tells what changed for our virtual routers.
//!
//! Two rtnetlink connections: one hears events, the other asks for everything, at the start and whenever
//! events were lost. Events that arrive during such a dump are applied after it: each says how a thing is
//! now, so the last one is right whatever the dump already knew.

mod table;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{Stream, StreamExt, TryStreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup, new_connection, new_multicast_connection};
use tokio::sync::mpsc;
use vrrp_common::wire::ethernet::Mac;

use crate::proto::LinkState;
use crate::proto::model::{LinkId, Model, RouterId};
use table::Table;

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
    /// The address that a virtual router sends from, `None` while there is none: `unicast_src_ip` or
    /// `mcast_src_ip` if on the host, else the first of its interface. Never a virtual address.
    Source {
        /// The virtual router.
        router: RouterId,
        /// The address.
        address: Option<IpAddr>,
    },
    /// A virtual address left its interface. For a Master that is somebody else's doing, to be undone; our
    /// own releases are told too.
    VipRemoved {
        /// The virtual router.
        router: RouterId,
        /// The address.
        address: IpAddr,
    },
    /// All that was there has been told (also after events were lost).
    Synced,
}

/// The kernel cannot be asked or listened to.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No netlink socket.
    #[error("cannot watch interfaces: {0}")]
    Open(#[from] io::Error),
    /// The kernel refused to list interfaces or addresses.
    #[error("cannot list interfaces and addresses: {0}")]
    Dump(#[from] rtnetlink::Error),
    /// The connection ended.
    #[error("the kernel's event stream ended")]
    Ended,
}

/// Pause before a broken connection is made anew.
const RETRY: Duration = Duration::from_millis(200);

type Messages = futures_util::stream::BoxStream<'static, (NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// Watch until the receiver of `events` is dropped. To be spawned on a runtime: at best not the protocol
/// thread's, since asking the kernel can wait for its routing lock. When the queue is full this waits, and
/// what the kernel could not deliver meanwhile is asked for again.
///
/// # Errors
/// The kernel could not be asked at the start. Later failures are mended here.
pub async fn run(model: Model, events: mpsc::Sender<LinkEvent>) -> Result<(), LinkError> {
    let mut table = Table::new(&model);
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
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
    ];
    let (listening, _handle, messages) = new_multicast_connection(&groups)?;
    let (asking, handle, _) = new_connection()?;
    let _tasks = [Task(tokio::spawn(listening)), Task(tokio::spawn(asking))];
    let mut messages: Messages = messages.boxed();

    let mut stale = true;
    loop {
        if stale {
            resync(table, &handle).await?;
            if !deliver(table, events).await || events.send(LinkEvent::Synced).await.is_err() {
                return Ok(());
            }
            *synced_once = true;
        }
        let next = tokio::select! {
            () = events.closed() => return Ok(()),
            next = messages.next() => next,
        };
        let Some((message, _)) = next else {
            return Err(LinkError::Ended);
        };
        stale = matches!(message.payload, NetlinkPayload::Overrun(_));
        if let NetlinkPayload::InnerMessage(message) = message.payload {
            table.apply(&message);
            if !deliver(table, events).await {
                return Ok(());
            }
        }
    }
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
    table.end_resync();
    Ok(())
}

async fn apply_all(
    table: &mut Table,
    entries: impl Stream<Item = Result<RouteNetlinkMessage, rtnetlink::Error>>,
) -> Result<(), LinkError> {
    let mut entries = std::pin::pin!(entries);
    while let Some(entry) = entries.try_next().await? {
        table.apply(&entry);
    }
    Ok(())
}

/// Pass on what changed; `false` when nobody listens.
async fn deliver(table: &mut Table, events: &mpsc::Sender<LinkEvent>) -> bool {
    for event in table.changes() {
        if events.send(event).await.is_err() {
            return false;
        }
    }
    true
}

/// A task that ends with its owner.
struct Task(tokio::task::JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
