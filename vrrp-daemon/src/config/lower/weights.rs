//! Weights that cannot count: those of an owner, whose priority never changes, and those of a group's member
//! whose group does not keep them. What becomes of such a track is `proto::tracking`'s; here it is said.

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::source::Span;
use crate::proto::model::{Track, TrackObject};

impl Lowering<'_> {
    /// The tracks of an owner.
    pub(super) fn weights_of_owner(&mut self, name: &str, tracks: &[Track], at: Span) {
        let why = format!("`{name}` owns its addresses, so its priority is 255 whatever it tracks");
        for track in tracks {
            self.weight_lost(*track, &why, at, "use a priority below 255");
        }
    }

    /// The tracks of a group's member, beside those of the group.
    pub(super) fn weights_of_member(
        &mut self,
        name: &str,
        own: &[Track],
        of_group: &[Track],
        keeps: bool,
        at: Span,
    ) {
        let why = format!("`{name}` is in a sync group that does not keep its members' weights");
        for track in own {
            if of_group.iter().any(|other| other.object == track.object) {
                let object = self.object(track.object);
                self.sink.push(
                    Diagnostic::warning(format!("`{name}` and its sync group both track {object}"))
                        .remark(Remark::General)
                        .at(at, "the group's entry counts")
                        .help("remove it from the instance"),
                );
            } else if !keeps {
                self.weight_lost(*track, &why, at, "set `sync_group_tracking_weight` in the group");
            }
        }
    }

    fn weight_lost(&mut self, track: Track, why: &str, at: Span, help: &str) {
        let outcome = match track.object {
            _ if track.weight == 0 => return,
            // keepalived leaves these as they are, and says nothing.
            TrackObject::Process(_) | TrackObject::Unit(_) => return,
            TrackObject::Link(_) | TrackObject::Script(_) => "is not tracked",
            TrackObject::File(_) => "loses its weight: any number in it but 0 is a fault",
        };
        let object = self.object(track.object);
        self.sink.push(
            Diagnostic::warning(format!("{why}: {object} {outcome}"))
                .remark(Remark::General)
                .at(at, "")
                .help(format!("{help}, or track it without a weight")),
        );
    }

    /// What it is, and its name.
    fn object(&self, object: TrackObject) -> String {
        let model = &self.config.model;
        let (kind, name) = match object {
            TrackObject::Link(link) => ("interface", model.links.get(link.index())),
            TrackObject::Script(script) => (
                "script",
                model.scripts.get(script.index()).map(|script| &script.name),
            ),
            TrackObject::File(file) => ("file", model.files.get(file.index()).map(|file| &file.name)),
            TrackObject::Process(process) => (
                "process",
                model.processes.get(process.index()).map(|process| &process.name),
            ),
            TrackObject::Unit(unit) => ("unit", model.units.get(unit.index()).map(|unit| &unit.name)),
        };
        format!("{kind} `{}`", name.map_or("?", String::as_str))
    }
}
