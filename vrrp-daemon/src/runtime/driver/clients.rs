//! What clients of the control socket ask of the protocol thread.

use std::collections::BTreeSet;
use std::time::Duration;

use vrrp_common::time::Nanos;

use super::super::snapshot::View;
use super::Driver;
use crate::ingress::control::message::{Done, Target};
use crate::ingress::control::{Action, ControlRequest, Tally};
use crate::proto::model::Carried;
use crate::proto::{Input, RouterId, State};
use crate::sys::clock;

impl Driver {
    /// A client that left in the meantime is no error.
    pub(super) fn answer(&mut self, request: ControlRequest) {
        match request {
            ControlRequest::Status { reply } => {
                self.catch_up();
                let present =
                    |router: RouterId, address| self.presence.has(router, Carried::Address(address));
                let status = self.parts.snapshots.take(
                    clock::now(),
                    View {
                        vrrp: &self.parts.vrrp,
                        kernel: &self.parts.kernel,
                        ifindexes: &self.ifindexes,
                        present: &present,
                        observer: self.parts.observer.as_ref(),
                        notifications_dropped: self.parts.notifier.dropped(),
                    },
                );
                let _ = reply.send(status);
            }
            ControlRequest::Reload { reply } => self.request_reload(Some(reply)),
            ControlRequest::Tally { reply } => drop(reply.send(self.tally())),
            ControlRequest::Expect { lease, reply } => drop(reply.send(self.expect(nanos(lease)))),
            ControlRequest::Take { reply, settled } => self.hand_over(reply, settled),
            ControlRequest::Act {
                action,
                target,
                reply,
            } => {
                let _ = reply.send(self.act(action, &target));
            }
        }
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let routers = (0..).map(RouterId).take(self.parts.vrrp.model().routers.len());
        for status in routers.filter_map(|router| self.parts.vrrp.status(router)) {
            let count = match status.state {
                State::Init => &mut tally.init,
                State::Backup => &mut tally.backup,
                State::Master => &mut tally.master,
                State::Fault => &mut tally.fault,
            };
            *count = count.saturating_add(1);
        }
        tally
    }

    fn act(&mut self, action: Action, target: &Target) -> Result<Done, String> {
        if !self.started {
            return Err("the daemon has not begun the election: ask again".to_owned());
        }
        let with_group = action != Action::Garp;
        let mut routers = self.targets(target, with_group)?;
        match action {
            Action::Garp => {
                routers.retain(|router| self.is(*router, State::Master));
                if routers.is_empty() {
                    return Err("it is not Master: only a Master announces addresses".to_owned());
                }
                for router in &routers {
                    if let Some(config) = self.parts.vrrp.model().routers.get(router.index()) {
                        self.parts.writer.announce(*router, config.announce.repeat);
                    }
                }
            }
            Action::Standby { length } => {
                // What has arrived until now belongs to what ends here.
                self.catch_up();
                let length = length.map(nanos);
                for router in self.leaders(&routers) {
                    self.feed(Input::Standby { router, length });
                }
            }
            Action::Resume => {
                routers.retain(|router| self.stands_by(*router));
                if routers.is_empty() {
                    return Err("it does not stand by: there is nothing to resume".to_owned());
                }
                for router in self.leaders(&routers) {
                    self.feed(Input::Resume { router });
                }
            }
        }
        let model = self.parts.vrrp.model();
        let names = routers
            .iter()
            .filter_map(|router| model.routers.get(router.index()));
        Ok(Done {
            names: names.map(|router| router.name.clone()).collect(),
        })
    }

    /// One of each sync group: the protocol moves the others with it.
    fn leaders(&self, routers: &[RouterId]) -> Vec<RouterId> {
        let group = |router: &RouterId| {
            let config = self.parts.vrrp.model().routers.get(router.index());
            config.and_then(|config| config.group)
        };
        let mut moved = BTreeSet::new();
        let first = |router: &&RouterId| group(router).is_none_or(|group| moved.insert(group));
        routers.iter().filter(first).copied().collect()
    }

    /// By name, of an instance or a sync group; `with_group`: with all that move together with it.
    fn targets(&self, target: &Target, with_group: bool) -> Result<Vec<RouterId>, String> {
        let model = self.parts.vrrp.model();
        let ids = || (0..).map(RouterId).zip(&model.routers);
        let Target::Name(name) = target else {
            return match model.routers.is_empty() {
                true => Err("there is no instance in the configuration".to_owned()),
                false => Ok(ids().map(|(id, _)| id).collect()),
            };
        };
        let group = |name: &String| model.groups.iter().find(|group| group.name == *name);
        if let Some((id, router)) = ids().find(|(_, router)| router.name == *name) {
            let of = router
                .group
                .filter(|_| with_group)
                .and_then(|group| model.groups.get(group.index()));
            return Ok(of.map_or_else(|| vec![id], |group| sorted(&group.members)));
        }
        match group(name) {
            Some(group) => Ok(sorted(&group.members)),
            None => Err(format!(
                "there is no instance or sync group `{name}`: `vrrpctl status` lists them"
            )),
        }
    }

    fn is(&self, router: RouterId, state: State) -> bool {
        let status = self.parts.vrrp.status(router);
        status.is_some_and(|status| status.state == state)
    }

    fn stands_by(&self, router: RouterId) -> bool {
        let status = self.parts.vrrp.status(router);
        status.is_some_and(|status| status.outlook.standby.is_some())
    }
}

fn sorted(members: &[RouterId]) -> Vec<RouterId> {
    let mut members = members.to_vec();
    members.sort_unstable();
    members
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
