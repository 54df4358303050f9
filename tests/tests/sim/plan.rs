//! How the hosts of a simulation are configured.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::checksum::{GROUP_V4, GROUP_V6};
use vrrp_common::wire::ladder::{Peer, TtlRange};
use vrrp_daemon::proto::model::{
    AddressExtra, Announce, GroupId, Model, Preempt, Script, SyncGroup, Track, TrackObject, Transport,
    Uncommon, V3Checksum, VirtualAddress, VirtualRouter,
};
use vrrp_daemon::proto::{RouterId, ScriptId};

use super::host::{address, link};

/// The script whose failure is a fault.
pub(crate) const CHECK: ScriptId = ScriptId(0);
/// The script whose failure costs [`WEIGHT`].
pub(crate) const WEIGHTED: ScriptId = ScriptId(1);
pub(super) const WEIGHT: i16 = -60;

/// How the hosts of one simulation are configured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// One for each host; 255 starts as Master.
    pub(crate) priorities: Vec<u8>,
    /// On every second segment the last host has the first one's priority, and so on.
    pub(crate) contrary: bool,
    pub(crate) version: Version,
    pub(crate) family: Family,
    /// To every other host alone, and from no others.
    pub(crate) unicast: bool,
    /// One virtual router on each; several are one sync group.
    pub(crate) segments: usize,
    pub(crate) interval: Centis,
    pub(crate) preempt: Preempt,
    /// The kernel is silent about unchanged adverts.
    pub(crate) silent: bool,
    /// Lateness of waking.
    pub(crate) lateness: Nanos,
    pub(crate) delay: Nanos,
    pub(crate) jitter: Nanos,
}

impl Plan {
    /// The configured priority of a host on a segment.
    pub(crate) fn priority(&self, host: usize, segment: usize) -> Priority {
        let place = if self.contrary && !segment.is_multiple_of(2) {
            self.priorities.len() - 1 - host
        } else {
            host
        };
        Priority(self.priorities[place])
    }
}

pub(crate) fn model(plan: &Plan, host: usize) -> Model {
    let group = (plan.segments > 1).then_some(GroupId(0));
    let check = Track {
        object: TrackObject::Script(CHECK),
        weight: 0,
        reverse: false,
    };
    let weighted = Track {
        object: TrackObject::Script(WEIGHTED),
        weight: WEIGHT,
        ..check
    };
    let transport = |segment| {
        let others = (0..plan.priorities.len()).filter(|&other| other != host);
        if plan.unicast {
            Transport::Unicast {
                source: Some(address(plan.family, host, segment)),
                peers: others
                    .map(|other| Peer {
                        mac: None,
                        address: address(plan.family, other, segment),
                        ttl: TtlRange::ON_LINK,
                    })
                    .collect(),
                ttl: 255,
                check_source: true,
            }
        } else {
            Transport::Multicast {
                group: match plan.family {
                    Family::V4 => IpAddr::V4(GROUP_V4),
                    Family::V6 => IpAddr::V6(GROUP_V6),
                },
                source: None,
            }
        }
    };
    let routers = (0..plan.segments).map(|segment| VirtualRouter {
        name: format!("VI_{segment}"),
        link: link(segment),
        vrid: Vrid::new(51).unwrap(),
        version: plan.version,
        family: plan.family,
        priority: plan.priority(host, segment),
        interval: plan.interval,
        initially_master: plan.priority(host, segment).is_owner(),
        preempt: plan.preempt,
        down_adverts: 3,
        auth: match plan.version {
            Version::V2 => Auth::pass("secret").0,
            Version::V3 => Auth::None,
        },
        transport: transport(segment),
        // Both readings on one segment.
        v3_checksum: if host.is_multiple_of(2) {
            V3Checksum::PseudoHeader
        } else {
            V3Checksum::MessageOnly
        },
        addresses: vec![VirtualAddress {
            address: match plan.family {
                Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
                Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x51)),
            },
            prefix: 32,
            link: link(segment),
            label: None,
            scope: 0,
            broadcast: None,
            dad: false,
            extra: AddressExtra::default(),
        }],
        excluded: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        // A group drops its members' weights, and has its own.
        track: vec![check, weighted],
        track_primary: true,
        announce: Announce::default(),
        advert_on_lower: true,
        advert_on_higher: false,
        group,
        uncommon: Uncommon::default(),
    });
    let members = (0..plan.segments)
        .map(|segment| RouterId(u16::try_from(segment).unwrap()))
        .collect();
    Model {
        links: (0..plan.segments)
            .map(|segment| format!("eth{segment}"))
            .collect(),
        routers: routers.collect(),
        groups: group
            .map(|_| SyncGroup {
                name: "VG".to_owned(),
                members,
                track: vec![weighted],
                keep_weights: false,
            })
            .into_iter()
            .collect(),
        scripts: ["check", "weighted"]
            .map(|name| Script {
                name: name.to_owned(),
                disabled: false,
            })
            .to_vec(),
        ..Model::default()
    }
}
