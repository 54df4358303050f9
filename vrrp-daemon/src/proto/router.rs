//! All virtual routers of this host: the set, and who is told what.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::{Centis, MonoNanos, Nanos};

use super::counters::Counters;
use super::deadlines::Deadlines;
use super::effect::{Effect, Reason, Remark};
use super::hold::Holds;
use super::input::{Input, ScriptState};
use super::instance::{Event, Instance, Outcome, Step};
use super::model::{FileId, GroupId, Model, ProcessId, RouterId, ScriptId, Track, TrackObject, UnitId};
use super::remarks::{Said, Unknown};
use super::tracking::{Facts, Share, Watch};

pub(super) mod estate;
mod group;
mod holding;
mod reload;
mod spread;
mod standby;

use group::Group;

/// State of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waiting for what the election needs.
    Init,
    /// Another router is, or may be, Master.
    Backup,
    /// We hold the addresses.
    Master,
    /// Something that counts is down.
    Fault,
}

/// The protocol for all virtual routers and sync groups of a [`Model`].
#[derive(Debug)]
pub struct Vrrp {
    model: Model,
    life: Life,
    facts: Facts,
    holds: Holds,
    /// What each virtual router tracks, and where it stands for itself; same order as `model.routers`.
    watches: Vec<Watch>,
    instances: Vec<Instance>,
    /// Same order as `model.groups`.
    groups: Vec<Group>,
    deadlines: Deadlines,
    /// Remarks on messages for none of ours.
    said: Said,
    /// Remarks on VRIDs that are not configured.
    unknown: Unknown,
}

/// Facts are noted at any time; states change only while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// Before [`Input::Start`].
    Gathering,
    Running,
    /// After [`Vrrp::adopt`], until [`Input::Start`].
    Resuming,
    /// After [`Input::Shutdown`].
    Stopped,
}

/// What a status display shows of one virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// State.
    pub state: State,
    /// Since when.
    pub since: MonoNanos,
    /// Why it is in this state.
    pub reason: Reason,
    /// Effective priority.
    pub priority: Priority,
    /// The Master as we know it: its address, priority and last advert.
    pub master: Option<MasterSeen>,
    /// Master_Down_Interval as it stands.
    pub master_down: Nanos,
    /// What it waits for.
    pub outlook: Outlook,
    /// Counters.
    pub counters: Counters,
}

/// What a virtual router waits for, and until when. A point that has passed is being waited out by something else: its
/// group, or its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Backup: it takes over then if nothing is heard.
    pub down_at: Option<MonoNanos>,
    /// Backup: its down timer ran out, and its sync group is not ready.
    pub waits_for_group: bool,
    /// Backup: its link is unproven, and that counts until then.
    pub hold_until: Option<MonoNanos>,
    /// Backup: a Master of lower priority is replaced from then on (`preempt_delay`).
    pub preempt_at: Option<MonoNanos>,
    /// Backup: it times by this interval, the Master's.
    pub interval: Option<Centis>,
    /// Master: the next advert.
    pub advert_at: Option<MonoNanos>,
    /// It stands by.
    pub standby: Option<StandbySeen>,
}

/// It stands by: it is not to be Master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StandbySeen {
    /// Until then; `None`: until it is told to resume.
    pub until: Option<MonoNanos>,
    /// Nobody else is there.
    pub alone: bool,
}

/// A Master whose unchanged adverts change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Source of its adverts.
    pub source: IpAddr,
    /// After a gap of this length the next one is to be handed over all the same.
    pub late_after: Nanos,
}

/// The Master that a Backup follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterSeen {
    /// Source of its adverts.
    pub address: IpAddr,
    /// Its priority.
    pub priority: Priority,
    /// Arrival of the last advert.
    pub last: MonoNanos,
}

impl Vrrp {
    /// All virtual routers in [`State::Init`], every link and source unknown (down), nothing tracked known.
    #[must_use]
    pub fn new(model: Model, now: MonoNanos) -> Self {
        let ids = || (0..=u16::MAX).map(RouterId);
        let instances = ids()
            .zip(&model.routers)
            .map(|(id, config)| Instance::new(id, config.priority, now));
        let watches = ids().zip(&model.routers).map(|(id, _)| Watch::new(&model, id));
        Self {
            life: Life::Gathering,
            facts: Facts::new(&model),
            holds: Holds::new(model.links.len()),
            watches: watches.collect(),
            instances: instances.collect(),
            groups: vec![Group::default(); model.groups.len()],
            deadlines: Deadlines::new(model.routers.len()),
            said: Said::default(),
            unknown: Unknown::default(),
            model,
        }
    }

    /// The configuration this runs.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Take one input; append what is to be done to `effects`, in order. An id that the model does not have
    /// is ignored.
    pub fn handle(&mut self, now: MonoNanos, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Start => self.start(now, effects),
            Input::Tick => self.tick(now, effects),
            Input::Advert(heard) => {
                self.heard_from(now, heard.router, (heard.source, heard.at), effects);
                self.tell(now, heard.router, Event::Advert(heard), effects);
            }
            Input::StillThere {
                router,
                source,
                at,
                adverts,
            } => {
                self.heard_from(now, router, (source, at), effects);
                self.tell(now, router, Event::StillThere { source, at, adverts }, effects);
            }
            Input::Refused {
                router: None,
                source,
                mac,
                refusal,
            } => {
                let remark = Remark::Refused { source, mac, refusal };
                if self.said.admits(now, &remark) {
                    effects.push(Effect::Remark { router: None, remark });
                }
            }
            Input::Refused {
                router: Some(router),
                source,
                mac,
                refusal,
            } => {
                self.heard_from(now, router, (source, now), effects);
                self.at(now, router, effects, |instance, step| {
                    instance.refused(step, source, mac, refusal)
                });
            }
            Input::Stranger {
                router,
                source,
                mac,
                vrid,
                clue,
            } => {
                let remark = Remark::Stranger {
                    source,
                    mac,
                    vrid,
                    clue,
                };
                self.stranger(now, router, remark, effects);
            }
            Input::Link { link, state } => {
                if self.facts.note_link(link, state) {
                    self.link_moved(now, link, state, effects);
                    self.reconsider(now, effects, |watch| watch.watches(TrackObject::Link(link)));
                }
            }
            Input::Proven { link } => self.prove(now, link, now, effects),
            Input::Script { script, state } => {
                if self.facts.note_script(script, state) {
                    self.reconsider(now, effects, |watch| watch.watches(TrackObject::Script(script)));
                }
            }
            Input::File { file, value } => {
                if self.facts.note_file(file, value) {
                    self.reconsider(now, effects, |watch| watch.watches(TrackObject::File(file)));
                }
            }
            Input::Process { process, quorum } => {
                if self.facts.note_process(process, quorum) {
                    self.reconsider(now, effects, |watch| watch.watches(TrackObject::Process(process)));
                }
            }
            Input::Unit { unit, steady } => {
                if self.facts.note_unit(unit, steady) {
                    self.reconsider(now, effects, |watch| watch.watches(TrackObject::Unit(unit)));
                }
            }
            Input::Source { router, address } => {
                let known = self
                    .instances
                    .get_mut(router.index())
                    .map(|instance| instance.set_source(address));
                if known.is_some() {
                    self.reconsider(now, effects, |watch| watch.router == router);
                }
            }
            Input::Lost { router, lost } => {
                self.tell(now, router, Event::Lost { lost }, effects);
            }
            Input::AddressesRefused { router, failed } => {
                let remark = Remark::AddressesRefused { failed };
                self.at(now, router, effects, |instance, step| {
                    instance.remark(step, remark)
                });
            }
            Input::SendFailed {
                router,
                errno,
                partly,
            } => {
                let fault = self.at(now, router, effects, |instance, step| {
                    instance.send_failed(step, errno, partly)
                });
                if fault == Some(true) {
                    self.reconsider(now, effects, |watch| watch.router == router);
                }
            }
            Input::Probed { router } => {
                let recovered = self.at(now, router, effects, Instance::probed);
                if recovered == Some(true) {
                    self.reconsider(now, effects, |watch| watch.router == router);
                }
            }
            Input::Standby { router, length } => {
                self.stand_by(now, router, length.map(|length| now + length), effects);
            }
            Input::Resume { router } => self.end_standby(now, router, effects),
            Input::Shutdown => self.shutdown(now, effects),
        }
    }

    fn stranger(
        &mut self,
        now: MonoNanos,
        router: Option<RouterId>,
        remark: Remark,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(router) = router {
            self.at(now, router, effects, |instance, step| {
                instance.remark(step, remark)
            });
        } else if let Remark::Stranger { vrid, .. } = remark
            && self.unknown.admits(now, vrid)
        {
            effects.push(Effect::Remark { router: None, remark });
        }
    }

    /// When to hand over the next [`Input::Tick`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoNanos> {
        self.deadlines.first().map(|(at, _)| at)
    }

    /// [`Vrrp::next_deadline`], if it is a Backup's down timer.
    #[must_use]
    pub fn next_takeover(&self) -> Option<MonoNanos> {
        let (at, router) = self.deadlines.first()?;
        let instance = self.instances.get(router.index())?;
        instance.takes_over_at().filter(|takeover| *takeover == at)
    }

    /// The virtual routers whose down timer is due at `now`: before the [`Input::Tick`], the driver reads
    /// their stamps and feeds [`Input::StillThere`]. Beside a due one come those of its sync group whose timer
    /// ran out before, since they would take over together; one may be named twice.
    pub fn down_timers_due(&self, now: MonoNanos) -> impl Iterator<Item = RouterId> + '_ {
        self.deadlines
            .due(now)
            .filter_map(|router| self.watches.get(router.index()))
            .flat_map(|watch| watch.company.iter())
            .copied()
            .filter(move |router| {
                self.instances
                    .get(router.index())
                    .is_some_and(|instance| instance.down_timer_passed(now))
            })
    }

    /// The Master whose adverts, as long as they stay the same, need not be handed over one by one:
    /// [`Input::StillThere`] tells of them when a timer is due. That holds until [`Effect::Listen`].
    #[must_use]
    pub fn quiet(&self, router: RouterId) -> Option<Quiet> {
        let config = self.model.routers.get(router.index())?;
        self.instances.get(router.index())?.quiet(config)
    }

    /// Count from zero again, everywhere.
    pub fn clear_counters(&mut self) {
        for instance in &mut self.instances {
            instance.clear_counters();
        }
    }

    /// What to show of a virtual router; `None` for an unknown id.
    #[must_use]
    pub fn status(&self, router: RouterId) -> Option<Status> {
        let config = self.model.routers.get(router.index())?;
        Some(self.instances.get(router.index())?.status(config))
    }

    /// What a virtual router tracks as things stand, and what each of it amounts to: what made its priority.
    pub fn tracked(&self, router: RouterId) -> impl Iterator<Item = (Track, Share)> + '_ {
        let tracks = self.watches.get(router.index()).map(|watch| &watch.tracks);
        tracks
            .into_iter()
            .flatten()
            .map(|track| (*track, self.facts.share(track)))
    }

    /// The last verdict on a tracked script.
    #[must_use]
    pub fn script(&self, script: ScriptId) -> Option<ScriptState> {
        self.facts.script(script)
    }

    /// The number last read in a tracked file.
    #[must_use]
    pub fn file(&self, file: FileId) -> Option<i32> {
        self.facts.file(file)
    }

    /// Whether as many run of a tracked process as wanted.
    #[must_use]
    pub fn process(&self, process: ProcessId) -> Option<bool> {
        self.facts.process(process)
    }

    /// Whether a tracked unit is steady: not restarted too often, and not failed.
    #[must_use]
    pub fn unit(&self, unit: UnitId) -> Option<bool> {
        self.facts.unit(unit)
    }

    fn start(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        match self.life {
            Life::Gathering | Life::Resuming => self.resume(now, effects),
            Life::Running | Life::Stopped => {}
        }
    }

    fn tick(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        let before = effects.len();
        // Each step moves the deadline past `now` or removes it, so this ends.
        while let Some((at, router)) = self.deadlines.first()
            && at <= now
        {
            self.tell(now, router, Event::Due, effects);
        }
        self.spread(effects.get(before..).unwrap_or_default());
    }

    fn shutdown(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        if self.life != Life::Running {
            self.life = Life::Stopped;
            return;
        }
        self.life = Life::Stopped;
        for router in (0..=u16::MAX).map(RouterId).take(self.instances.len()) {
            let _settled = self.step(now, router, Event::Stop, effects);
        }
        for (id, _) in (0..=u16::MAX).map(GroupId).zip(&self.groups) {
            group::stopped(id, effects);
        }
    }

    /// One event for one virtual router, and what it means for its group.
    fn tell(&mut self, now: MonoNanos, router: RouterId, event: Event, effects: &mut Vec<Effect>) {
        match self.step(now, router, event, effects) {
            Outcome::Settled => {}
            Outcome::Wants => {
                self.hold_over(now, router, effects);
                self.promote_if_agreed(now, router, effects);
            }
            Outcome::Held => self.hold_begins(router, effects),
            Outcome::StoodDown { to_higher_address } => {
                self.tell_siblings(now, router, Event::StandDown { leader: router }, effects);
                if to_higher_address {
                    self.let_pass(now, router, effects);
                }
            }
            Outcome::SteppedAside => {
                self.tell_siblings(now, router, Event::StepAside { leader: router }, effects);
            }
            Outcome::Contested => self.tell_siblings(now, router, Event::Contested, effects),
        }
        self.reunite(now, router, effects);
        self.tell_group(router, effects);
    }

    /// Facts have changed for the virtual routers that `concerns` picks.
    fn reconsider(&mut self, now: MonoNanos, effects: &mut Vec<Effect>, concerns: impl Fn(&Watch) -> bool) {
        if self.life == Life::Resuming {
            return;
        }
        for ((watch, config), instance) in self
            .watches
            .iter_mut()
            .zip(&self.model.routers)
            .zip(&mut self.instances)
        {
            if concerns(watch) {
                watch.standing = self
                    .facts
                    .standing(watch, instance.source(), instance.mute(config));
                let remark =
                    instance.set_priority(config, self.facts.priority(config.priority, &watch.tracks));
                self.deadlines.set(watch.router, instance.deadline());
                let mut step = Step { config, now, effects };
                if let Some(remark) = remark
                    && self.life == Life::Running
                {
                    instance.remark(&mut step, remark);
                }
                instance.note_quiet(&mut step);
            }
        }
        if self.life == Life::Running {
            for router in (0..=u16::MAX).map(RouterId).take(self.watches.len()) {
                if self.watches.get(router.index()).is_some_and(&concerns) {
                    self.settle(now, router, effects);
                }
            }
        }
    }

    /// One event for one instance alone, and its next deadline.
    fn step(&mut self, now: MonoNanos, router: RouterId, event: Event, effects: &mut Vec<Effect>) -> Outcome {
        self.at(now, router, effects, |instance, step| instance.step(step, event))
            .unwrap_or(Outcome::Settled)
    }

    fn at<T>(
        &mut self,
        now: MonoNanos,
        router: RouterId,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&mut Instance, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let instance = self.instances.get_mut(router.index())?;
        let config = self.model.routers.get(router.index())?;
        let mut step = Step { config, now, effects };
        let done = act(instance, &mut step);
        instance.note_quiet(&mut step);
        self.deadlines.set(router, instance.deadline());
        Some(done)
    }
}
