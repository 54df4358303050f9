//! The XDP path as the driver sees it: there or not, and attached where the virtual routers' links are.
//!
//! Native, then generic, then raw sockets alone; each outcome is said once per interface. Whatever fails here,
//! the raw sockets go on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use vrrp_common::wire::ladder::Refusal;

use crate::ingress::control::status::ReceivePath;
use crate::ingress::judge::{Judge, Judged};
use crate::proto::model::XdpMode;
use crate::proto::{Correspondence, LinkId, Model, RouterId};
use crate::xdp::{self, Attached, Mode, Place, Seen, XdpPath};

/// The XDP path, or its absence.
#[derive(Debug)]
pub struct KernelPath {
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    path: XdpPath,
    /// Same order as `model.routers`.
    places: Vec<Place>,
    /// Same order as `model.links`.
    links: Vec<Option<u32>>,
    /// `places` have changed since the program was told.
    stale: bool,
}

impl KernelPath {
    /// Load the program, unless the configuration says otherwise or the kernel does; then the raw sockets are
    /// alone, and the log says why, once.
    #[must_use]
    pub fn load(model: &Model) -> Self {
        let routers = &model.routers;
        if !routers.is_empty() && routers.iter().all(|router| router.uncommon.xdp == XdpMode::Off) {
            tracing::info!("XDP is off (vrrp_xdp off): adverts are received by raw sockets alone");
            return Self { loaded: None };
        }
        let object = xdp::embedded().ok_or(xdp::XdpError::NoObject);
        match object.and_then(XdpPath::load) {
            Ok(path) => Self {
                loaded: Some(Loaded {
                    path,
                    places: vec![Place::default(); model.routers.len()],
                    links: vec![None; model.links.len()],
                    stale: false,
                }),
            },
            Err(error) => {
                tracing::warn!("adverts are received by raw sockets alone: {error}");
                Self { loaded: None }
            }
        }
    }

    /// Another configuration. Virtual routers whose adverts arrive where they did keep their stamps, and the program
    /// stays where it is still of use.
    pub fn reconfigure(&mut self, old: &Model, new: &Model, correspondence: &Correspondence) {
        let Some(loaded) = &mut self.loaded else { return };
        let places = correspondence.routers.carry(std::mem::take(&mut loaded.places));
        loaded.places = places.into_iter().map(Option::unwrap_or_default).collect();
        let before = std::mem::take(&mut loaded.links);
        for (link, ifindex) in (0..).map(LinkId).zip(&before) {
            let goes_on = correspondence
                .links
                .after(link)
                .is_some_and(|after| mode(new, after) == mode(old, link));
            if let (Some(ifindex), false) = (ifindex, goes_on) {
                loaded.path.detach(*ifindex);
            }
        }
        let used = |link| new.routers.iter().any(|router| router.link == link);
        let links = (0..).map(LinkId).zip(correspondence.links.carry(before));
        loaded.links = links
            .map(|(link, ifindex)| ifindex.flatten().filter(|_| used(link)))
            .collect();
        for (place, router) in loaded.places.iter_mut().zip(&new.routers) {
            place.ifindex = loaded.links.get(router.link.index()).copied().flatten();
        }
        loaded.configure(new);
        for (link, ifindex) in (0..).map(LinkId).zip(loaded.links.clone()) {
            if let (Some(ifindex), Some(mode)) = (ifindex, mode(new, link))
                && loaded.path.attached(ifindex).is_none()
                && correspondence
                    .links
                    .before(link)
                    .and_then(|link| self::mode(old, link))
                    != Some(mode)
            {
                loaded.attach(ifindex, name(new, link), mode);
            }
        }
    }

    /// Readable while adverts wait in the ring; `None` without a program.
    #[must_use]
    pub fn ring(&self) -> Option<BorrowedFd<'_>> {
        self.loaded.as_ref().map(|loaded| loaded.path.as_fd())
    }

    /// Judge what is in the ring by the same code as what the raw sockets bring.
    pub fn drain(&mut self, judge: &Judge, sink: &mut impl FnMut(Judged)) {
        let Some(Loaded { path, links, .. }) = &mut self.loaded else {
            return;
        };
        path.drain(|event| {
            let link = links.iter().position(|ifindex| *ifindex == Some(event.ifindex));
            // An interface that went away while its advert was in the ring.
            let Some(link) = link.and_then(|link| u16::try_from(link).ok()) else {
                return;
            };
            sink(match event.refused {
                Some(refusal) => Judged::Refused {
                    router: event.router,
                    source: event.datagram.source,
                    refusal,
                },
                None => judge.judge(LinkId(link), &event.datagram, event.at),
            });
        });
    }

    /// The last advert of `source` for `router` that the kernel accepted, also one that found the ring full.
    #[must_use]
    pub fn last_seen(&self, router: RouterId, source: IpAddr) -> Option<Seen> {
        self.loaded.as_ref()?.path.last_seen(router, source)
    }

    /// An interface has this index now, or is gone: attach there, for the virtual routers on it.
    pub fn set_link(&mut self, model: &Model, link: LinkId, ifindex: Option<u32>) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some(known) = loaded.links.get_mut(link.index()) else {
            return;
        };
        let runs_here = model.routers.iter().any(|router| router.link == link);
        if *known == ifindex || !runs_here {
            return;
        }
        if let Some(gone) = *known {
            loaded.path.detach(gone);
        }
        *known = ifindex;
        for (router, place) in model.routers.iter().zip(&mut loaded.places) {
            if router.link == link {
                place.ifindex = ifindex;
            }
        }
        // Rules first: a program without them would pass everything, which is harmless but useless.
        loaded.configure(model);
        if let (Some(ifindex), Some(mode)) = (ifindex, mode(model, link)) {
            loaded.attach(ifindex, name(model, link), mode);
        }
    }

    /// A virtual router sends from this address now, which is where unicast adverts are sent to. The program
    /// learns it by [`refresh`](Self::refresh).
    pub fn set_source(&mut self, router: RouterId, source: Option<IpAddr>) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some(place) = loaded.places.get_mut(router.index()) else {
            return;
        };
        if place.source != source {
            place.source = source;
            loaded.stale = true;
        }
    }

    /// Tell the program what [`set_source`](Self::set_source) has changed. All at once: telling takes time for
    /// every virtual router there is.
    pub fn refresh(&mut self, model: &Model) {
        if let Some(loaded) = self.loaded.as_mut().filter(|loaded| loaded.stale) {
            loaded.configure(model);
        }
    }

    /// `router` follows `source` now: keep its stamps.
    pub fn follow(&mut self, router: RouterId, source: IpAddr) {
        if let Some(loaded) = &mut self.loaded
            && let Err(error) = loaded.path.follow(router, source)
        {
            tracing::warn!("{error}; stamps of {source} are not kept");
        }
    }

    /// How adverts on this interface arrive.
    #[must_use]
    pub fn receive_path(&self, ifindex: Option<u32>) -> ReceivePath {
        let loaded = self.loaded.as_ref().zip(ifindex);
        match loaded.and_then(|(loaded, ifindex)| loaded.path.attached(ifindex)) {
            Some(Attached::Native) => ReceivePath::XdpNative,
            Some(Attached::Generic) => ReceivePath::XdpGeneric,
            None => ReceivePath::Raw,
        }
    }

    /// What the kernel refused for each virtual router without showing it to us, by rung.
    #[must_use]
    pub fn refused_silently(&self) -> HashMap<RouterId, [u64; Refusal::ALL.len()]> {
        let loaded = self.loaded.as_ref();
        loaded
            .and_then(|loaded| loaded.path.refused_silently().ok())
            .unwrap_or_default()
    }
}

impl Loaded {
    fn configure(&mut self, model: &Model) {
        self.stale = false;
        match self.path.configure(model, &self.places, false) {
            Ok(ambiguous) => {
                for router in ambiguous {
                    let name = model
                        .routers
                        .get(router.index())
                        .map_or("?", |router| &router.name);
                    tracing::debug!(
                        "({name}) shares VRID and address with another instance: raw socket alone"
                    );
                }
            }
            Err(error) => tracing::warn!("{error}; adverts go to the raw sockets"),
        }
    }

    fn attach(&mut self, ifindex: u32, name: &str, mode: Mode) {
        match self.path.attach(ifindex, mode) {
            Ok(attached) => {
                tracing::info!("{name}: XDP attached ({attached}); the raw socket stays open beside it")
            }
            Err(error) => tracing::warn!("{name}: adverts are received by the raw socket alone: {error}"),
        }
    }
}

fn name(model: &Model, link: LinkId) -> &str {
    model.links.get(link.index()).map_or("?", String::as_str)
}

/// How to attach to an interface: as the first of its virtual routers says that does not say `off`.
fn mode(model: &Model, link: LinkId) -> Option<Mode> {
    let here = model.routers.iter().filter(|router| router.link == link);
    here.map(|router| router.uncommon.xdp)
        .find_map(|mode| match mode {
            XdpMode::Off => None,
            XdpMode::Auto => Some(Mode::Auto),
            XdpMode::Native => Some(Mode::Native),
            XdpMode::Generic => Some(Mode::Generic),
        })
}
