//! Addresses, routes and rules that a crash left behind, and addresses that somebody else put there.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use nix::errno::Errno;

use super::table::is_gone;
use crate::proto::model::{Carried, LinkId, Model, RouterId, Transport, VirtualAddress, VirtualRouter};
use crate::sys::address::Entry;
use crate::sys::interface;
use crate::sys::netlink::Netlink;
use crate::sys::{route, rule};

/// What was found on the host before anybody became Master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The virtual router it belongs to.
    pub router: RouterId,
    /// As a person writes it.
    pub what: String,
    /// `Err` if it could not be removed: it may answer here while another router is Master.
    pub removed: Result<(), Errno>,
}

/// Remove the configured rules and routes that are there, and the virtual addresses, if they are ours: by their
/// `IFA_PROTO`, else by exact prefix and label. What a virtual router sends from is never touched, nor an
/// owner's address unless its `IFA_PROTO` says that we put it there. Runs once, before anything else is done.
///
/// # Errors
/// The host's addresses could not be read.
pub fn remove_leftovers(model: &Model) -> io::Result<Vec<Leftover>> {
    let mut netlink = Netlink::open()?;
    let present = read_all(&mut netlink)?;

    let indexes: Vec<_> = model.links.iter().map(|name| interface::index_of(name)).collect();
    let sources: Vec<_> = model.routers.iter().filter_map(configured_source).collect();
    let mut leftovers = remove_routing(&mut netlink, model, &indexes)?;
    for (id, router) in (0..).map(RouterId).zip(&model.routers) {
        for address in router.addresses.iter().chain(&router.excluded) {
            let name = model
                .links
                .get(address.link.index())
                .map(String::as_str)
                .unwrap_or_default();
            let Some(ifindex) = indexes.get(address.link.index()).copied().flatten() else {
                continue;
            };
            let on_link = present.iter().filter(|entry| entry.ifindex == ifindex);
            for entry in on_link.filter(|entry| is_left_over(entry, router, address, name)) {
                if sources.contains(&entry.address) {
                    continue;
                }
                let removed = remove(&mut netlink, entry)?;
                leftovers.push(Leftover {
                    router: id,
                    what: format!("{}/{} on {name}", entry.address, entry.prefix),
                    removed,
                });
            }
        }
    }
    Ok(leftovers)
}

/// A virtual address that is on the host by somebody else's doing, with another prefix or on another interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Double {
    /// The virtual router it belongs to.
    pub router: RouterId,
    /// The address.
    pub address: IpAddr,
    /// Prefix length, as it was found.
    pub prefix: u8,
    /// The interface, by name, that it was found on.
    pub link: String,
}

/// Look for virtual addresses that would be on the host twice, or answer while this host is Backup. An owner's are
/// the host's own.
///
/// # Errors
/// The host's addresses could not be read.
pub fn find_doubles(model: &Model) -> io::Result<Vec<Double>> {
    let present = read_all(&mut Netlink::open()?)?;
    let mut by_address: HashMap<IpAddr, Vec<&Entry>> = HashMap::new();
    for entry in &present {
        by_address.entry(entry.address).or_default().push(entry);
    }
    let routers = (0..).map(RouterId).zip(&model.routers);
    let shared = routers.filter(|(_, router)| !router.priority.is_owner());
    let addresses = shared.flat_map(|(id, router)| {
        let all = router.addresses.iter().chain(&router.excluded);
        all.map(move |address| (id, address))
    });
    let mut doubles = Vec::new();
    for (router, address) in addresses {
        for entry in by_address.get(&address.address).into_iter().flatten() {
            doubles.push(Double {
                router,
                address: entry.address,
                prefix: entry.prefix,
                link: interface::name_of(entry.ifindex).unwrap_or_else(|_| entry.ifindex.to_string()),
            });
        }
    }
    Ok(doubles)
}

/// Every address of the host.
pub(super) fn read_all(netlink: &mut Netlink) -> io::Result<Vec<Entry>> {
    let mut present = Vec::new();
    netlink.dump(
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        |entry| {
            if let RouteNetlinkMessage::NewAddress(message) = entry {
                present.extend(Entry::read(&message));
            }
        },
    )?;
    Ok(present)
}

/// Rules, then routes, each as it would be removed at the end: what is not exactly as configured, down to who made
/// it, is not touched.
fn remove_routing(
    netlink: &mut Netlink,
    model: &Model,
    indexes: &[Option<u32>],
) -> io::Result<Vec<Leftover>> {
    let ifindex = |link: LinkId| indexes.get(link.index()).copied().flatten();
    let mut asked = Vec::new();
    for (id, router) in (0..).map(RouterId).zip(&model.routers) {
        let rules = (0..).zip(&router.rules);
        asked.extend(rules.map(|(index, known)| (id, Carried::Rule(index), rule::remove(known))));
    }
    for (id, router) in (0..).map(RouterId).zip(&model.routers) {
        let routes = (0..).zip(&router.routes);
        let removable = routes.filter_map(|(index, known)| Some((index, route::remove(known, ifindex)?)));
        asked.extend(removable.map(|(index, request)| (id, Carried::Route(index), request)));
    }
    asked.reverse();

    let mut leftovers = Vec::new();
    // What the kernel can answer to at once.
    for chunk in asked.chunks(64) {
        let mut results = vec![Ok(()); chunk.len()];
        netlink.batch(chunk.iter().map(|(.., request)| request), |position, errno| {
            if let Some(result) = results.get_mut(position) {
                *result = Err(errno);
            }
        })?;
        for ((router, carried, _), removed) in chunk.iter().zip(results) {
            if removed.is_err_and(|errno| is_gone(*carried, errno)) {
                continue;
            }
            let holding = model.holding(*router);
            leftovers.push(Leftover {
                router: *router,
                what: holding.map_or_else(String::new, |holding| holding.describe(*carried)),
                removed,
            });
        }
    }
    Ok(leftovers)
}

fn configured_source(router: &VirtualRouter) -> Option<IpAddr> {
    match router.transport {
        Transport::Multicast { source, .. } | Transport::Unicast { source, .. } => source,
    }
}

fn is_left_over(entry: &Entry, router: &VirtualRouter, address: &VirtualAddress, link: &str) -> bool {
    if entry.address != address.address {
        return false;
    }
    // Without a label of its own an IPv4 address has its interface's name.
    let label = address
        .address
        .is_ipv4()
        .then(|| address.label.as_deref().unwrap_or(link));
    let prefix = address.extra.peer.map_or(address.prefix, |peer| peer.length);
    let exact = entry.prefix == prefix && entry.label.as_deref() == label;
    entry.ours || (exact && !router.priority.is_owner())
}

fn remove(netlink: &mut Netlink, entry: &Entry) -> io::Result<Result<(), Errno>> {
    let mut result = Ok(());
    netlink.batch([&entry.remove()], |_, errno| result = Err(errno))?;
    // Removing another one of its subnet may have taken it along.
    Ok(result.or_else(|errno| {
        if errno == Errno::EADDRNOTAVAIL {
            Ok(())
        } else {
            Err(errno)
        }
    }))
}
