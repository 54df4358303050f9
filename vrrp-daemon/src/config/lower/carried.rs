//! The routes and rules of an instance, and what it needs for them.

use super::Lowering;
use super::instance::Draft;
use super::track::Tracks;
use crate::config::diag::Diagnostic;
use crate::config::lexer::Word;
use crate::proto::LinkId;
use crate::proto::model::{VirtualRoute, VirtualRule};

impl Lowering<'_> {
    /// Its routes and rules. As in keepalived, it is in FAULT while an interface that they name is down, unless
    /// they say `no_track`.
    pub(super) fn routes_and_rules(
        &mut self,
        draft: &Draft<'_>,
        own: LinkId,
        tracks: &mut Tracks,
    ) -> (Vec<VirtualRoute>, Vec<VirtualRule>) {
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        for block in &draft.routes {
            for lowered in self.routes(block) {
                self.only_static(lowered.track_group);
                let route = lowered.item;
                for link in route.links().filter(|link| route.tracked && *link != own) {
                    tracks.needs(link);
                }
                routes.push(route);
            }
        }
        for block in &draft.rules {
            for lowered in self.rules(block) {
                self.only_static(lowered.rule.track_group);
                let rule = lowered.rule.item;
                for name in lowered.interfaces {
                    let link = self.link(&name.text, name.span);
                    if rule.tracked && link != own {
                        tracks.needs(link);
                    }
                }
                rules.push(rule);
            }
        }
        (routes, rules)
    }

    fn only_static(&mut self, group: Option<&Word>) {
        if let Some(group) = group {
            self.sink.push(
                Diagnostic::warning("`track_group` is for static addresses, routes and rules")
                    .at(group.span, "ignored")
                    .help("remove it: this belongs to its instance anyway"),
            );
        }
    }
}
