//! The answer to `status`: one snapshot, made on the protocol thread, so that its parts agree.

use std::net::IpAddr;
use std::path::PathBuf;

use vrrp_common::abi;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ladder::Refusal;

use super::kernel_path::KernelPath;
use super::observer::Observer;
use crate::ingress::control::status::{
    Address, Counters, Daemon, File, Frames, Group, Instance, Master, Preemption, Process, Reload,
    ReloadResult, Script, Sender, Standby, Status, Timers, Tracked, TrackedKind, TrackedOutcome, Unit,
    by_name,
};
use crate::proto::model::{Preempt, Track, TrackObject, VirtualRouter};
use crate::proto::{FileId, Model, Outlook, ProcessId, RouterId, ScriptId, Share, State, UnitId, Vrrp};
use crate::xdp::{self, Arrivals};

/// What a snapshot shows besides the protocol's own state.
#[derive(Debug)]
pub struct Snapshots {
    config_file: PathBuf,
    started: MonoNanos,
    /// Refused messages that named none of our virtual routers.
    refused_elsewhere: [u64; Refusal::ALL.len()],
    last_reload: Option<(MonoNanos, ReloadResult)>,
    reloads: u64,
    reloads_refused: u64,
}

/// What only the driver holds.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The protocol.
    pub vrrp: &'a Vrrp,
    /// How adverts arrive.
    pub kernel: &'a KernelPath,
    /// Index of each link, same order as `model.links`.
    pub ifindexes: &'a [Option<u32>],
    /// Whether an address is on the host.
    pub present: &'a dyn Fn(RouterId, IpAddr) -> bool,
    /// Words.
    pub observer: &'a dyn Observer,
    /// Notifications that could not be queued.
    pub notifications_dropped: u64,
}

impl Snapshots {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(config_file: PathBuf, started: MonoNanos) -> Self {
        Self {
            config_file,
            started,
            refused_elsewhere: [0; Refusal::ALL.len()],
            last_reload: None,
            reloads: 0,
            reloads_refused: 0,
        }
    }

    /// The configuration was read again.
    pub fn note_reload(&mut self, now: MonoNanos, result: ReloadResult) {
        self.last_reload = Some((now, result));
        match result {
            ReloadResult::Applied { .. } => self.reloads += 1,
            ReloadResult::Unchanged => {}
            ReloadResult::Refused => self.reloads_refused += 1,
        }
    }

    /// A refused message that named none of our virtual routers.
    pub fn note_refused(&mut self, refusal: Refusal) {
        let rungs = Refusal::ALL.iter().zip(&mut self.refused_elsewhere);
        for (_, count) in rungs.filter(|(rung, _)| **rung == refusal) {
            *count += 1;
        }
    }

    /// Count from zero again.
    pub fn clear_counters(&mut self) {
        self.refused_elsewhere = [0; Refusal::ALL.len()];
    }

    /// The whole daemon, now.
    #[must_use]
    pub fn take(&self, now: MonoNanos, view: View<'_>) -> Status {
        let model = view.vrrp.model();
        let ids = (0..).map(RouterId);
        let unseen = view.kernel.refused_silently();
        Status {
            daemon: Daemon {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                uptime_ms: now.since(self.started).as_millis(),
                config_file: self.config_file.clone(),
                notifications_dropped: view.notifications_dropped,
                last_reload: self.last_reload.map(|(at, result)| Reload {
                    ago_ms: now.since(at).as_millis(),
                    result,
                }),
                reloads: self.reloads,
                reloads_refused: self.reloads_refused,
            },
            instances: ids
                .zip(&model.routers)
                .filter_map(|(id, router)| {
                    let unseen = unseen.get(&id).copied().unwrap_or_default();
                    instance(now, view, id, router, unseen)
                })
                .collect(),
            groups: model
                .groups
                .iter()
                .map(|group| Group {
                    name: group.name.clone(),
                    state: shared_state(view.vrrp, &group.members),
                    members: group
                        .members
                        .iter()
                        .filter_map(|member| model.routers.get(member.index()))
                        .map(|member| member.name.clone())
                        .collect(),
                })
                .collect(),
            scripts: model
                .scripts
                .iter()
                .zip(0..)
                .map(|(script, id)| Script {
                    name: script.name.clone(),
                    state: view.vrrp.script(ScriptId(id)),
                    disabled: script.disabled,
                })
                .collect(),
            files: model
                .files
                .iter()
                .zip(0..)
                .map(|(file, id)| File {
                    name: file.name.clone(),
                    value: view.vrrp.file(FileId(id)),
                })
                .collect(),
            processes: model
                .processes
                .iter()
                .zip(0..)
                .map(|(process, id)| Process {
                    name: process.name.clone(),
                    quorum: view.vrrp.process(ProcessId(id)),
                })
                .collect(),
            units: model
                .units
                .iter()
                .zip(0..)
                .map(|(unit, id)| Unit {
                    name: unit.name.clone(),
                    steady: view.vrrp.unit(UnitId(id)),
                })
                .collect(),
            refused_elsewhere: by_name(&self.refused_elsewhere),
            frames: view.kernel.counters().map(|counters| frames(&counters)),
        }
    }
}

/// `unseen`: what the kernel refused for it, by rung, beside what the daemon saw.
fn instance(
    now: MonoNanos,
    view: View<'_>,
    id: RouterId,
    router: &VirtualRouter,
    unseen: [u64; Refusal::ALL.len()],
) -> Option<Instance> {
    let status = view.vrrp.status(id)?;
    let mut counters = status.counters;
    for (seen, unseen) in counters.refused.iter_mut().zip(unseen) {
        *seen += unseen;
    }
    let link_name = |link: crate::proto::LinkId| {
        let name = view.vrrp.model().links.get(link.index());
        name.cloned().unwrap_or_default()
    };
    let (reason_code, reason) = view.observer.reason(view.vrrp, id);
    let model = view.vrrp.model();
    let group = router.group.and_then(|group| model.groups.get(group.index()));
    Some(Instance {
        name: router.name.clone(),
        vrid: router.vrid.value(),
        interface: link_name(router.link),
        version: router.version.number(),
        group: group.map(|group| group.name.clone()),
        state: status.state,
        since_ms: now.since(status.since).as_millis(),
        reason,
        reason_code: reason_code.to_owned(),
        priority_configured: router.priority.0,
        priority_effective: status.priority.0,
        tracked: view
            .vrrp
            .tracked(id)
            .map(|(track, share)| tracked(model, track, share))
            .collect(),
        preempt: match router.preempt {
            Preempt::Never => Preemption::Never,
            Preempt::After(Nanos::ZERO) => Preemption::AtOnce,
            Preempt::After(delay) => Preemption::AfterMs(delay.as_millis()),
        },
        standby: status.outlook.standby.map(|standby| Standby {
            left_ms: standby.until.map(|until| until.since(now).as_millis()),
            alone: standby.alone,
        }),
        timers: timers(now, &status.outlook),
        master: status
            .master
            .filter(|_| status.state != State::Master)
            .map(|master| Master {
                address: master.address,
                priority: master.priority.0,
                last_advert_ms: now.since(master.last).as_millis(),
            }),
        master_down_us: status.master_down.as_micros(),
        interval_ms: router.interval.nanos().as_millis(),
        receive_path: view.kernel.receive_path(id),
        addresses: router
            .addresses
            .iter()
            .chain(&router.excluded)
            .map(|address| Address {
                address: address.address,
                prefix: address.prefix,
                interface: link_name(address.link),
                present: (view.present)(id, address.address),
            })
            .collect(),
        counters: Counters::from(&counters),
        senders: view
            .kernel
            .arrivals(id)
            .map(|arrivals| sender(now, &arrivals))
            .collect(),
    })
}

fn tracked(model: &Model, track: Track, share: Share) -> Tracked {
    let (kind, name) = match track.object {
        TrackObject::Link(link) => (TrackedKind::Interface, model.links.get(link.index())),
        TrackObject::Script(script) => {
            let script = model.scripts.get(script.index());
            (TrackedKind::Script, script.map(|script| &script.name))
        }
        TrackObject::File(file) => {
            let file = model.files.get(file.index());
            (TrackedKind::File, file.map(|file| &file.name))
        }
        TrackObject::Process(process) => {
            let process = model.processes.get(process.index());
            (TrackedKind::Process, process.map(|process| &process.name))
        }
        TrackObject::Unit(unit) => {
            let unit = model.units.get(unit.index());
            (TrackedKind::Unit, unit.map(|unit| &unit.name))
        }
    };
    Tracked {
        kind,
        name: name.cloned().unwrap_or_default(),
        weight: track.weight,
        reverse: track.reverse,
        outcome: match share {
            Share::Adds(share) => TrackedOutcome::Adds(share),
            Share::Fault => TrackedOutcome::Fault,
            Share::Unknown => TrackedOutcome::Unknown,
        },
    }
}

fn timers(now: MonoNanos, outlook: &Outlook) -> Timers {
    let micros = |at: Option<MonoNanos>| at.map(|at| at.since(now).as_micros());
    let millis = |at: Option<MonoNanos>| at.map(|at| at.since(now).as_millis());
    Timers {
        advert_us: micros(outlook.advert_at),
        takeover_us: micros(outlook.down_at),
        master_interval_ms: outlook.interval.map(|interval| interval.nanos().as_millis()),
        preempt_ms: millis(outlook.preempt_at),
        link_hold_ms: millis(outlook.hold_until),
        waits_for_group: outlook.waits_for_group,
    }
}

fn sender(now: MonoNanos, arrivals: &Arrivals) -> Sender {
    let micros = |bucket| Nanos(abi::gap_bucket_start(bucket)).as_micros();
    Sender {
        source: arrivals.source,
        last_us: arrivals.last.map(|last| now.since(last).as_micros()),
        unread: arrivals.unread,
        late: arrivals.late,
        gaps_us: (0..)
            .map(micros)
            .zip(arrivals.gaps)
            .filter(|(_, count)| *count != 0)
            .collect(),
    }
}

fn frames(counters: &xdp::Counters) -> Frames {
    Frames {
        accepted: counters.accepted,
        unchanged: counters.unchanged,
        kept: counters.kept,
        ring_full: counters.ring_full,
        not_ours: counters.not_ours,
        not_judged: counters.not_judged,
        refused: by_name(&counters.refused),
    }
}

/// The state that all members are in, if it is one.
fn shared_state(vrrp: &Vrrp, members: &[RouterId]) -> Option<State> {
    let mut states = members
        .iter()
        .map(|member| vrrp.status(*member).map(|status| status.state));
    let first = states.next()??;
    states.all(|state| state == Some(first)).then_some(first)
}
