//! Sends adverts: built once per source, all copies of one in one piece of memory, then one system call for all that
//! leave by the same socket, and nothing else.

mod prepared;
mod way;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use nix::errno::Errno;
use vrrp_common::id::Priority;
use vrrp_common::wire::emit::EmitError;

use crate::proto::model::{Model, RouterId};
use crate::proto::reload::Pairs;
use crate::sys::datagrams::Batch;
use prepared::{Copy, Open, Router};
use way::{Way, Ways};

/// Why no socket could be opened to send adverts from.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel refused.
    #[error("cannot open a socket to send adverts of {router} from {address}: {error}")]
    Socket {
        /// The virtual router's name.
        router: String,
        /// The source address.
        address: IpAddr,
        /// The kernel's answer.
        error: io::Error,
    },
    /// The configuration makes no legal advert.
    #[error("{router} has no advert to send: {error}")]
    Message {
        /// The virtual router's name.
        router: String,
        /// What is wrong with it.
        error: EmitError,
    },
}

/// Why an advert did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no source address or no interface to send from.
    #[error("there is no address to send from")]
    NotOpen,
    /// The kernel refused at least one copy.
    #[error("{errno}")]
    Refused {
        /// The first refusal.
        errno: Errno,
        /// Other copies went out.
        partly: bool,
    },
}

impl SendError {
    /// The `errno` for [`Input::SendFailed`](crate::proto::Input::SendFailed).
    #[must_use]
    pub fn errno(self) -> i32 {
        match self {
            Self::NotOpen => libc::EADDRNOTAVAIL,
            #[expect(
                clippy::as_conversions,
                reason = "the discriminant of a field-less repr(i32) enum"
            )]
            Self::Refused { errno, .. } => errno as i32,
        }
    }

    /// Whether some of the peers were sent their copy.
    #[must_use]
    pub const fn is_partial(self) -> bool {
        matches!(self, Self::Refused { partly: true, .. })
    }
}

/// The adverts of all virtual routers, with their sockets.
#[derive(Debug)]
pub struct AdvertSender {
    routers: Vec<Router>,
    ways: Ways,
    /// The batch that is put together: by which way, and who.
    queue: Vec<(usize, RouterId)>,
    /// Of those who go the same way: each copy.
    leaving: Vec<(RouterId, usize)>,
    batch: Batch,
}

impl AdvertSender {
    /// Nothing can be sent until [`set_source`](Self::set_source) says from where.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self {
            routers: model.routers.iter().map(Router::new).collect(),
            ways: Ways::default(),
            queue: Vec::with_capacity(model.routers.len()),
            leaving: Vec::with_capacity(model.routers.len()),
            batch: Batch::default(),
        }
    }

    /// Another configuration. Where nothing changed that an advert or its way depends on, the open socket stays
    /// with what was prepared for it; elsewhere there is a new one. The counting of packets goes on.
    ///
    /// Answers what cannot be sent from any more, with the reason.
    pub fn reconfigure(&mut self, model: &Model, routers: &Pairs<RouterId>) -> Vec<OpenError> {
        let mut failed = Vec::new();
        let carried = routers.carry(std::mem::take(&mut self.routers));
        let routers = model.routers.iter().zip(carried).map(|(config, before)| {
            let mut router = Router::new(config);
            let Some(before) = before else { return router };
            let same = router.sends_like(&before);
            router.id = before.id;
            router.open = match before.open {
                Some(open) if same => Some(open),
                Some(Open { source, ifindex, .. }) if ifindex.is_some() || !router.is_multicast() => router
                    .open(&mut self.ways, source, ifindex)
                    .map_err(|error| failed.push(error))
                    .ok(),
                Some(_) | None => None,
            };
            router
        });
        self.routers = routers.collect();
        failed
    }

    /// Send from `source` on the interface of this index from now on; `None` for either closes the socket
    /// (unicast needs no interface: then the kernel routes). Repeating what holds already does nothing.
    ///
    /// # Errors
    /// The socket is closed then.
    pub fn set_source(
        &mut self,
        router: RouterId,
        source: Option<IpAddr>,
        ifindex: Option<u32>,
    ) -> Result<(), OpenError> {
        let Some(router) = self.routers.get_mut(router.index()) else {
            return Ok(());
        };
        if let (Some(open), Some(source)) = (&router.open, source)
            && (open.source, open.ifindex) == (source, ifindex)
        {
            return Ok(());
        }
        router.open = None;
        if let Some(source) = source.filter(|_| ifindex.is_some() || !router.is_multicast()) {
            router.open = Some(router.open(&mut self.ways, source, ifindex)?);
        }
        Ok(())
    }

    /// Let an advert of this priority, to the group or to every peer, go with the next [`flush`](Self::flush). What is
    /// queued for this virtual router already goes at once, with all the others: both share their memory.
    pub fn queue(
        &mut self,
        router: RouterId,
        priority: Priority,
        failed: &mut impl FnMut(RouterId, SendError),
    ) {
        if self
            .routers
            .get(router.index())
            .is_some_and(|router| router.waits)
        {
            self.flush(failed);
        }
        if let Err(error) = self.enqueue(router, |copy| copy.set_priority(priority)) {
            failed(router, error);
        }
    }

    /// Send what is queued. Never waits; a peer that cannot be reached keeps nobody else from getting an advert.
    /// `failed` is told of each virtual router some of whose copies did not go out.
    pub fn flush(&mut self, failed: &mut impl FnMut(RouterId, SendError)) {
        // Those of one way come together.
        self.queue.sort_unstable();
        let queue = std::mem::take(&mut self.queue);
        for of_one_way in queue.chunk_by(|(a, _), (b, _)| a == b) {
            self.leaving.clear();
            for (_, router) in of_one_way {
                let copies = self.open(*router).map_or(0, |(_, copies)| copies.len());
                self.leaving.extend((0..copies).map(|copy| (*router, copy)));
            }
            self.send_leaving();
        }
        for (_, router) in &queue {
            let Some(sender) = self.routers.get_mut(router.index()) else {
                continue;
            };
            sender.waits = false;
            if let Err(error) = sender.outcome() {
                failed(*router, error);
            }
        }
        self.queue = queue;
        self.queue.clear();
    }

    /// Send one advert of this priority by itself.
    ///
    /// # Errors
    /// The first refusal.
    pub fn send(&mut self, router: RouterId, priority: Priority) -> Result<(), SendError> {
        self.send_alone(router, |copy| copy.set_priority(priority))
    }

    /// Send what is like the last advert but of VRID 0, which nobody has: whether it leaves the host says whether
    /// adverts do, and nobody is disturbed by it.
    ///
    /// # Errors
    /// The first refusal.
    pub fn probe(&mut self, router: RouterId) -> Result<(), SendError> {
        let result = self.send_alone(router, |copy| copy.set_vrid(0));
        if let Some(router) = self.routers.get_mut(router.index())
            && let Some(open) = &mut router.open
        {
            for copy in &mut open.copies {
                copy.set_vrid(router.vrid.value());
            }
        }
        result
    }

    fn send_alone(&mut self, router: RouterId, change: impl Fn(&mut Copy)) -> Result<(), SendError> {
        debug_assert!(self.queue.is_empty(), "a batch is sent before anything else is");
        let mut result = Ok(());
        self.enqueue(router, change)?;
        self.flush(&mut |_, error| result = Err(error));
        result
    }

    fn enqueue(&mut self, id: RouterId, change: impl Fn(&mut Copy)) -> Result<(), SendError> {
        let router = self.routers.get_mut(id.index()).ok_or(SendError::NotOpen)?;
        let way = Arc::as_ptr(&router.prepare(change)?.way).addr();
        router.waits = true;
        self.queue.push((way, id));
        Ok(())
    }

    fn open(&self, router: RouterId) -> Option<(&Way, &[Copy])> {
        let open = self.routers.get(router.index())?.open.as_ref()?;
        Some((&open.way, &open.copies))
    }

    /// The copies that leave by one way.
    fn send_leaving(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        let leaving = std::mem::take(&mut self.leaving);
        let mut rest = leaving.as_slice();
        while let Some((router, _)) = rest.first()
            && let Some((way, _)) = self.open(*router)
        {
            let messages = rest.iter().filter_map(|(router, copy)| {
                let copy = self.open(*router)?.1.get(*copy)?;
                Some((&*copy.packet, &copy.destination))
            });
            let (done, result) = match batch.send(&way.socket, way.flags, messages) {
                Ok(sent) => (sent.max(1), Ok(())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Of the first: the others are still to be tried.
                Err(error) => (1, Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))),
            };
            let (tried, left) = rest.split_at(done.min(rest.len()));
            for (router, _) in tried {
                let Some(router) = self.routers.get_mut(router.index()) else {
                    continue;
                };
                match result {
                    Ok(()) => router.sent = true,
                    Err(errno) => {
                        router.refused.get_or_insert(errno);
                    }
                }
            }
            rest = left;
        }
        self.batch = batch;
        self.leaving = leaving;
    }
}
