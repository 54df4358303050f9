//! `vrrp_sync_group`.

use super::Lowering;
use super::track::Tracks;
use crate::config::Notify;
use crate::config::diag::Diagnostic;
use crate::config::keywords::{GroupKey, Key, Status};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::model::SyncGroup;
use crate::proto::{GroupId, RouterId};

impl Lowering<'_> {
    pub(super) fn group(&mut self, block: &Statement) {
        let Some(name) = self.name(block) else { return };
        if !self.groups.insert(name.text.clone()) {
            self.already_defined("sync group", name);
            return;
        }
        let id = self.group_id(name.span);
        let mut notify = Notify::default();
        let mut members = Vec::new();
        let mut tracks = Tracks::default();
        let mut keep_weights = false;
        for statement in block.statements() {
            let Status::Works(Key::Group(key)) = statement.keyword.status else {
                continue;
            };
            match key {
                GroupKey::Members => {
                    for word in statement.entries().iter().flatten() {
                        members.extend(self.member(word, id));
                    }
                }
                GroupKey::Notify(key) => self.notify(key, statement, &mut notify),
                GroupKey::TrackInterface => self.track_links(statement, None, &mut tracks),
                GroupKey::TrackScript => self.track_scripts(statement, &mut tracks),
                GroupKey::TrackFile => self.track_files(statement, &mut tracks),
                GroupKey::TrackProcess => self.track_processes(statement, &mut tracks),
                GroupKey::TrackRestarts => self.track_restarts(statement, &mut tracks),
                GroupKey::KeepWeights => keep_weights = true,
            }
        }
        match members.len() {
            0 => {
                self.sink.push(
                    Diagnostic::warning(format!("sync group `{}` has no members", name.text))
                        .at(name.span, "left out")
                        .help("name its instances in `group { … }`"),
                );
                return;
            }
            1 => self.sink.push(
                Diagnostic::note(format!("sync group `{}` has one member only", name.text))
                    .remark(crate::config::diag::Remark::General)
                    .at(name.span, "")
                    .help("name all instances that move together, or remove the group"),
            ),
            _ => {}
        }
        if notify.priority_changes == Some(true) {
            for member in &members {
                if let Some(notify) = self.config.router_notify.get_mut(member.index()) {
                    notify.priority_changes = Some(true);
                }
            }
        }
        for member in &members {
            let member = self.config.model.routers.get(member.index());
            if let Some((member, own)) = member.map(|router| (router.name.clone(), router.track.clone())) {
                self.weights_of_member(&member, &own, &tracks.list, keep_weights, name.span);
            }
        }
        self.config.model.groups.push(SyncGroup {
            name: name.text.clone(),
            members,
            track: tracks.list,
            keep_weights,
        });
        self.config.group_notify.push(notify);
    }

    /// Take an instance into the group; it can be in one only.
    fn member(&mut self, word: &Word, group: GroupId) -> Option<RouterId> {
        let Some(id) = self.routers.get(&word.text).copied() else {
            self.sink.push(
                Diagnostic::warning(format!("there is no instance `{}`", word.text))
                    .at(word.span, "ignored")
                    .help("write the name of a `vrrp_instance`"),
            );
            return None;
        };
        let router = self.config.model.routers.get_mut(id.index())?;
        if let Some(other) = router.group {
            let other = self
                .config
                .model
                .groups
                .get(other.index())
                .map_or("this group", |group| &group.name);
            self.sink.push(
                Diagnostic::warning(format!(
                    "instance `{}` is already a member of `{other}`",
                    word.text
                ))
                .at(word.span, "ignored")
                .help("an instance can be in one group only"),
            );
            return None;
        }
        router.group = Some(group);
        Some(id)
    }
}
