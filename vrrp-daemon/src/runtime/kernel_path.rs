//! The XDP path as the driver sees it: there or not, and attached where the virtual routers' links are.
//!
//! Native, then generic, then raw sockets alone; each outcome is said once per interface. Whatever fails here,
//! the raw sockets go on.

mod vigil;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use vrrp_common::time::MonoNanos;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use crate::ingress::control::status::ReceivePath;
use crate::ingress::judge::{Judge, Judged};
use crate::proto::model::{Transport, VirtualRouter, XdpMode};
use crate::proto::router::Quiet;
use crate::proto::{Correspondence, LinkId, Model, RouterId};
use crate::sys::ethtool;
use crate::xdp::{self, Arrivals, AttachError, Attached, Counters, Event, Life, Mode, Place, XdpPath};
use vigil::Vigil;

/// The XDP path, or its absence.
#[derive(Debug)]
pub struct KernelPath {
    loaded: Option<Loaded>,
    /// The program is not to be put on any interface yet.
    held: bool,
}

#[derive(Debug)]
struct Loaded {
    path: XdpPath,
    /// Same order as `model.routers`.
    places: Vec<Place>,
    /// What each virtual router heard last, if it came through the ring; same order.
    heard: Vec<LastHeard>,
    /// Those of which something came through the ring since the kernel was told what is no news.
    fresh: Vec<RouterId>,
    /// Same order as `model.links`.
    links: Vec<Option<u32>>,
    /// Same order.
    around: Vec<Around>,
    /// Devices on which the program was missed, by index.
    vigils: BTreeMap<u32, Vigil>,
    /// `places` or `around` have changed since the program was told.
    stale: bool,
    /// When the raw sockets were empty last: what came before has been read.
    raw_empty_at: MonoNanos,
}

/// What hangs together with an interface.
#[derive(Clone, Debug, Default)]
struct Around {
    /// A bond's devices, on which the program runs in its place.
    members: BTreeSet<u32>,
    /// There are VLAN devices on it. Where the driver hands a tag over beside the frame, the program does not see it,
    /// and would take a VLAN's adverts to the group for the interface's own.
    vlans: bool,
}

/// The last advert of a virtual router that came through the ring and was accepted: what may be no news next time.
#[derive(Clone, Debug, Default)]
struct LastHeard {
    source: Option<IpAddr>,
    message: Vec<u8>,
    /// It is among those of which the kernel is still to be told.
    fresh: bool,
}

impl KernelPath {
    /// Load the program, unless the configuration says otherwise or the kernel does; then the raw sockets are
    /// alone, and the log says why, once.
    #[must_use]
    pub fn load(model: &Model) -> Self {
        let routers = &model.routers;
        if !routers.is_empty() && routers.iter().all(|router| router.uncommon.xdp == XdpMode::Off) {
            tracing::info!("XDP is off (vrrp_xdp off): adverts are received by raw sockets alone");
            return Self::none();
        }
        let object = xdp::embedded().ok_or(xdp::XdpError::NoObject);
        match object.and_then(|object| XdpPath::load_for(object, senders(model))) {
            Ok(path) => Self {
                loaded: Some(Loaded {
                    path,
                    places: vec![Place::default(); model.routers.len()],
                    heard: vec![LastHeard::default(); model.routers.len()],
                    fresh: Vec::with_capacity(model.routers.len()),
                    links: vec![None; model.links.len()],
                    around: vec![Around::default(); model.links.len()],
                    vigils: BTreeMap::new(),
                    stale: false,
                    raw_empty_at: MonoNanos(0),
                }),
                held: false,
            },
            Err(error) => {
                tracing::warn!("adverts are received by raw sockets alone: {error}");
                warn_of_pins(model, |_| true);
                Self::none()
            }
        }
    }

    /// Raw sockets alone.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            loaded: None,
            held: false,
        }
    }

    /// Stay off the interfaces until [`go`](Self::go): another process's program is there, or its raw sockets are to go
    /// on hearing what this one's program would take.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Go where the interfaces are known to be.
    pub fn go(&mut self, model: &Model) {
        self.held = false;
        let Some(loaded) = &mut self.loaded else { return };
        for (link, ifindex) in (0..).map(LinkId).zip(loaded.links.clone()) {
            if let (Some(ifindex), Some(mode)) = (ifindex, mode(model, link)) {
                loaded.attach(model, link, ifindex, mode);
            }
        }
    }

    /// Another configuration. Virtual routers whose adverts arrive where they did keep their stamps, and the program
    /// stays where it is still of use.
    pub fn reconfigure(&mut self, old: &Model, new: &Model, correspondence: &Correspondence) {
        let Some(loaded) = &mut self.loaded else { return };
        let places = correspondence.routers.carry(std::mem::take(&mut loaded.places));
        loaded.places = places.into_iter().map(Option::unwrap_or_default).collect();
        let heard = correspondence.routers.carry(std::mem::take(&mut loaded.heard));
        loaded.heard = heard.into_iter().map(Option::unwrap_or_default).collect();
        for last in &mut loaded.heard {
            last.fresh = false;
        }
        loaded.fresh.clear();
        let before = std::mem::take(&mut loaded.links);
        for (link, ifindex) in (0..).map(LinkId).zip(&before) {
            let goes_on = correspondence
                .links
                .after(link)
                .is_some_and(|after| mode(new, after) == mode(old, link));
            if let (Some(ifindex), false) = (ifindex, goes_on) {
                loaded.detach(*ifindex);
            }
        }
        let used = |link| new.routers.iter().any(|router| router.link == link);
        let links = (0..).map(LinkId).zip(correspondence.links.carry(before));
        loaded.links = links
            .map(|(link, ifindex)| ifindex.flatten().filter(|_| used(link)))
            .collect();
        // All of it is told again.
        loaded.around = vec![Around::default(); new.links.len()];
        loaded.settle_places(new);
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
                loaded.attach(new, link, ifindex, mode);
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
        if let Some(loaded) = &mut self.loaded {
            let Loaded {
                path,
                links,
                heard,
                fresh,
                ..
            } = loaded;
            path.drain(|event| {
                let judged = judged(links, judge, &event);
                note(heard, fresh, &judged, &event);
                tell(judged, &event, sink);
            });
        }
    }

    /// What came in and is not in the ring: adverts that found it full, or came faster than the daemon wants to be woken.
    /// To be called before a timer decides anything. Cheap when there is nothing.
    pub fn drain_kept(&mut self, judge: &Judge, sink: &mut impl FnMut(Judged)) {
        if let Some(loaded) = &mut self.loaded {
            let Loaded { path, links, .. } = loaded;
            let result = path.take_kept(|event| tell(judged(links, judge, &event), &event, sink));
            if let Err(error) = result {
                tracing::warn!("{error}; adverts that came in a burst may be lost");
            }
        }
    }

    /// Whether [`drain_kept`](Self::drain_kept) would find anything. No system call.
    #[must_use]
    pub fn keeps_some(&self) -> bool {
        self.loaded
            .as_ref()
            .is_some_and(|loaded| loaded.path.keeps_some())
    }

    /// Unchanged adverts of `source` for `router` since it was asked last, `None` if there were none. No system call.
    pub fn life(&mut self, router: RouterId, source: IpAddr) -> Option<Life> {
        self.loaded.as_mut()?.path.life(router, source)
    }

    /// Tell the kernel which of the adverts just heard are no news from now on; `quiet` says whose need not wake anybody.
    /// To be called when everything that was drained has been fed to the protocol.
    pub fn hush(&mut self, quiet: impl Fn(RouterId) -> Option<Quiet>) {
        let Some(Loaded {
            path, heard, fresh, ..
        }) = &mut self.loaded
        else {
            return;
        };
        for router in fresh.drain(..) {
            let Some(last) = heard.get_mut(router.index()) else {
                continue;
            };
            last.fresh = false;
            if let Some(quiet) = quiet(router)
                && last.source == Some(quiet.source)
                && let Err(error) = path.hush(router, quiet.source, &last.message, quiet.late_after)
            {
                tracing::warn!("{error}; every advert of {} wakes the daemon", quiet.source);
            }
        }
    }

    /// Every advert for `router` is news from now on. What came until then and was not told goes to `sink`: should one
    /// have come since the stamps were read, it is the next one that the protocol hears.
    pub fn listen(&mut self, router: RouterId, sink: &mut impl FnMut(Judged)) {
        let Some(loaded) = &mut self.loaded else { return };
        loaded.path.listen(router, |source, life| {
            sink(Judged::Unchanged {
                router,
                source,
                at: life.at,
                adverts: life.adverts,
            });
        });
    }

    /// An interface has this index and this address now, or is gone: attach there, for the virtual routers on it.
    pub fn set_link(&mut self, model: &Model, link: LinkId, ifindex: Option<u32>, mac: Option<Mac>) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some(known) = loaded.links.get_mut(link.index()) else {
            return;
        };
        let runs_here = model.routers.iter().any(|router| router.link == link);
        if !runs_here {
            return;
        }
        for (router, place) in model.routers.iter().zip(&mut loaded.places) {
            if router.link == link && place.mac != mac {
                place.mac = mac;
                loaded.stale = true;
            }
        }
        if *known == ifindex {
            return;
        }
        if let Some(gone) = std::mem::replace(known, ifindex) {
            loaded.detach(gone);
        }
        loaded.settle_places(model);
        // Rules first: a program without them would pass everything, which is harmless but useless.
        loaded.configure(model);
        if let (Some(ifindex), Some(mode)) = (ifindex, mode(model, link).filter(|_| !self.held)) {
            loaded.attach(model, link, ifindex, mode);
        }
    }

    /// A device joined a bond, or left it. The program learns it by [`refresh`](Self::refresh).
    pub fn set_member(&mut self, link: LinkId, ifindex: u32, joined: bool) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some(around) = loaded.around.get_mut(link.index()) else {
            return;
        };
        loaded.stale |= if joined {
            around.members.insert(ifindex)
        } else {
            around.members.remove(&ifindex)
        };
    }

    /// There are VLAN devices on an interface now, or none any more. The program learns it by
    /// [`refresh`](Self::refresh).
    pub fn set_vlans(&mut self, model: &Model, link: LinkId, some: bool) {
        let Some(loaded) = &mut self.loaded else { return };
        let Some(around) = loaded.around.get_mut(link.index()) else {
            return;
        };
        around.vlans = some;
        let multicast = |router: &&VirtualRouter| router.link == link && is_multicast(router);
        if some && let Some(router) = model.routers.iter().find(multicast) {
            tracing::info!(
                "({}) {} has VLAN devices, whose adverts the XDP program may not tell from untagged ones: adverts to \
                 the group are received by the raw socket",
                router.name,
                name(model, link)
            );
        }
        loaded.settle_places(model);
        loaded.stale = true;
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

    /// Tell the program what there was no room for when it was to be told, as there may be after a grace period of the
    /// kernel's. Cheap when nothing is owed.
    pub fn pay(&mut self, model: &Model) {
        if let Some(loaded) = &mut self.loaded
            && loaded.path.can_pay()
        {
            loaded.configure(model);
        }
    }

    /// Whether this message of the raw socket is the copy of one that the program has judged (`vrrp_xdp_pass`).
    pub fn has_judged(&mut self, judged: &Judged) -> bool {
        let (Some(loaded), Judged::Heard(heard)) = (&mut self.loaded, judged) else {
            return false;
        };
        loaded
            .path
            .is_copy(heard.router, heard.source, loaded.raw_empty_at)
    }

    /// All that had come to the raw sockets by then has been read.
    pub fn raw_was_empty(&mut self, at: MonoNanos) {
        if let Some(loaded) = &mut self.loaded {
            loaded.raw_empty_at = at;
        }
    }

    /// The Ethernet address of a sender whose message for `router` (or for none of ours) came by the raw socket.
    #[must_use]
    pub fn mac_of(&self, model: &Model, router: Option<RouterId>, source: IpAddr) -> Option<Mac> {
        let loaded = self.loaded.as_ref()?;
        let router = router.and_then(|router| model.routers.get(router.index()));
        let here = router.map(|router| loaded.links.get(router.link.index()).copied().flatten());
        let links = loaded.links.iter().copied().flatten();
        let of = |ifindex| loaded.path.stranger(ifindex, source);
        match here {
            Some(ifindex) => ifindex.and_then(of),
            None => { links }.find_map(of),
        }
    }

    /// Another configuration may call other gaps late; `quiet` says which.
    pub fn retune(&mut self, quiet: impl Fn(RouterId) -> Option<Quiet>) {
        let Some(Loaded { path, heard, .. }) = &mut self.loaded else {
            return;
        };
        for router in (0..).map(RouterId).take(heard.len()) {
            if let Some(quiet) = quiet(router)
                && let Err(error) = path.set_late_after(router, quiet.source, quiet.late_after)
            {
                tracing::warn!("{error}; late adverts of {} may go unnoticed", quiet.source);
            }
        }
    }

    /// What became of the frames so far; `None` without a program.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.loaded.as_ref()?.path.counters().ok()
    }

    /// Count from zero again.
    pub fn clear_counters(&mut self) {
        let result = self.loaded.as_mut().map(|loaded| loaded.path.clear_counters());
        if let Some(Err(error)) = result {
            tracing::warn!("{error}; some counters go on");
        }
    }

    /// An advert for `router` came by the raw socket: what the ring brought before it is not the last one any more, so
    /// everything is news again, as in [`listen`](Self::listen). Where the program should have taken it, this looks
    /// whether it is still there.
    pub fn overtaken(
        &mut self,
        model: &Model,
        router: RouterId,
        now: MonoNanos,
        sink: &mut impl FnMut(Judged),
    ) {
        let Some(loaded) = &mut self.loaded else { return };
        if let Some(last) = loaded.heard.get_mut(router.index()) {
            last.source = None;
        }
        loaded.look_after(model, router, now);
        self.listen(router, sink);
    }

    /// How adverts for `router` come in, by sender.
    pub fn arrivals(&self, router: RouterId) -> impl Iterator<Item = Arrivals> + '_ {
        let loaded = self.loaded.iter();
        loaded.flat_map(move |loaded| loaded.path.arrivals(router))
    }

    /// How adverts for this virtual router arrive.
    #[must_use]
    pub fn receive_path(&self, router: RouterId) -> ReceivePath {
        let device = |loaded: &Loaded| loaded.path.device_of(router);
        let loaded = self.loaded.as_ref();
        match loaded.and_then(|loaded| loaded.path.attached(device(loaded)?)) {
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

/// Room for every virtual router, for every peer that it lists or the Master that it follows, and as much again for a
/// reload.
fn senders(model: &Model) -> u32 {
    let of_one = |router: &VirtualRouter| match &router.transport {
        Transport::Unicast { peers, .. } => peers.len().max(1) + 1,
        Transport::Multicast { .. } => 2,
    };
    let all: usize = model.routers.iter().map(of_one).sum();
    u32::try_from(all.saturating_mul(2).max(256)).unwrap_or(u32::MAX)
}

fn link(links: &[Option<u32>], ifindex: u32) -> Option<LinkId> {
    let link = links.iter().position(|known| *known == Some(ifindex))?;
    u16::try_from(link).ok().map(LinkId)
}

fn judged(links: &[Option<u32>], judge: &Judge, event: &Event<'_>) -> Judged {
    // An interface, or a virtual router on it, that was taken out while its advert was in the ring: what the program
    // took for ours then may have been a VLAN's.
    let Some(link) = link(links, event.ifindex).filter(|_| event.router.is_some()) else {
        return Judged::NotOurs;
    };
    match event.refused {
        Some(refusal) => Judged::Refused {
            router: event.router,
            source: event.source(),
            mac: event.datagram.source_mac,
            refusal,
        },
        None => judge.judge(link, &event.datagram, event.at),
    }
}

/// An advert, and before it those of the same sender that the kernel kept to itself.
fn tell(judged: Judged, event: &Event<'_>, sink: &mut impl FnMut(Judged)) {
    if let (Some(before), Some(router)) = (event.before, event.router) {
        sink(Judged::Unchanged {
            router,
            source: event.source(),
            at: before.at,
            adverts: before.adverts,
        });
    }
    sink(judged);
}

/// Remember what was heard last.
fn note(heard: &mut [LastHeard], fresh: &mut Vec<RouterId>, judged: &Judged, event: &Event<'_>) {
    let Judged::Heard(advert) = judged else { return };
    if let Some(last) = heard.get_mut(advert.router.index()) {
        last.source = Some(advert.source);
        last.message.clear();
        last.message.extend_from_slice(event.datagram.pdu);
        if !std::mem::replace(&mut last.fresh, true) {
            fresh.push(advert.router);
        }
    }
}

fn is_multicast(router: &VirtualRouter) -> bool {
    matches!(router.transport, Transport::Multicast { .. })
}

impl Loaded {
    /// Where adverts of each virtual router come in, by what is known of the interfaces.
    fn settle_places(&mut self, model: &Model) {
        for (place, router) in self.places.iter_mut().zip(&model.routers) {
            let link = router.link.index();
            let vlans = self.around.get(link).is_some_and(|around| around.vlans);
            let ifindex = self.links.get(link).copied().flatten();
            place.ifindex = ifindex.filter(|_| !(vlans && is_multicast(router)));
        }
    }

    fn configure(&mut self, model: &Model) {
        self.stale = false;
        for (ifindex, around) in self.links.iter().zip(&self.around) {
            if let Some(ifindex) = ifindex {
                self.path.set_members(*ifindex, &around.members);
            }
        }
        match self.path.configure(model, &self.places, model.pass_accepted) {
            Ok(left_out) => {
                for router in left_out {
                    let name = model
                        .routers
                        .get(router.index())
                        .map_or("?", |router| &router.name);
                    tracing::debug!(
                        "({name}) shares VRID and address with another instance, or finds no room: raw socket alone"
                    );
                }
            }
            Err(error) => tracing::warn!("{error}; adverts go to the raw sockets"),
        }
    }

    fn attach(&mut self, model: &Model, link: LinkId, ifindex: u32, mode: Mode) {
        let name = name(model, link);
        let spared = mode == Mode::Auto && loses_frames_natively(name);
        let mode = if spared { Mode::Generic } else { mode };
        match self.path.attach(ifindex, mode) {
            Ok(attached) => {
                let why = if spared {
                    ", since a veth device loses frames under load in native mode"
                } else {
                    ""
                };
                tracing::info!("{name}: XDP attached ({attached}{why}); the raw socket stays open beside it");
            }
            Err(error) => {
                tracing::warn!("{name}: adverts are received by the raw socket alone: {error}");
                warn_of_pins(model, |router| router.link == link);
                if error == AttachError::Taken {
                    self.vigils.entry(ifindex).or_default().is_taken();
                }
            }
        }
    }

    fn detach(&mut self, ifindex: u32) {
        self.path.detach(ifindex);
        self.vigils.remove(&ifindex);
    }
}

/// With a native program the end of a veth pair has a ring of 256 frames, which whoever sends fills faster than it is emptied: what
/// comes then is lost, a Master's adverts too (drivers/net/veth.c). Without one, and with a generic one, the sender itself carries
/// its frames through the stack.
fn loses_frames_natively(interface: &str) -> bool {
    ethtool::driver(interface).is_ok_and(|driver| driver == "veth")
}

/// A raw socket does not tell who sent the frame.
fn warn_of_pins(model: &Model, here: impl Fn(&VirtualRouter) -> bool) {
    let pinned = |router: &&VirtualRouter| match &router.transport {
        Transport::Unicast { peers, .. } => peers.iter().any(|peer| peer.mac.is_some()),
        Transport::Multicast { .. } => false,
    };
    for router in model.routers.iter().filter(|router| here(router)).filter(pinned) {
        tracing::warn!(
            "({}) vrrp_peer_mac does not count without XDP: any MAC address may send for its peers",
            router.name
        );
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
