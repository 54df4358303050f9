//! `static_ipaddress`, `static_routes`, `static_rules`: there as long as the daemon runs.

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::RootKey;
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::LinkId;

impl Lowering<'_> {
    pub(super) fn statics(&mut self, key: RootKey, block: &Statement) {
        match key {
            RootKey::StaticAddresses => self.static_addresses(block),
            RootKey::StaticRoutes => {
                for lowered in self.routes(block) {
                    self.owned(lowered.track_group);
                    self.config.model.statics.routes.push(lowered.item);
                }
            }
            RootKey::StaticRules => {
                for lowered in self.rules(block) {
                    for name in lowered.interfaces {
                        self.must_exist(&name.text, name.span);
                    }
                    self.owned(lowered.rule.track_group);
                    self.config.model.statics.rules.push(lowered.rule.item);
                }
            }
            _ => {}
        }
    }

    fn static_addresses(&mut self, block: &Statement) {
        for line in block.entries() {
            // Without `dev` they are on `default_interface`.
            let named = line.iter().any(|word| word.text == "dev");
            let link = match (named, line.first()) {
                (false, Some(first)) => self.default_link(first),
                // Overruled by `dev`.
                _ => LinkId(0),
            };
            for lowered in self.address_line(line, link) {
                self.owned(lowered.track_group);
                self.config.model.statics.addresses.push(lowered.address);
            }
        }
    }

    fn default_link(&mut self, first: &Word) -> LinkId {
        match self.defaults.interface.clone() {
            Some((name, at)) => self.link(&name, at),
            None => self.link("eth0", first.span),
        }
    }

    /// keepalived would drop the instances of the group when the item is deleted; here it is put back.
    fn owned(&mut self, group: Option<&Word>) {
        if let Some(group) = group {
            self.sink.push_once(
                "track-group",
                || {
                    Diagnostic::note("`track_group`: a static item that somebody deletes is put back")
                        .remark(Remark::None)
                        .at(group.span, "its instances go on")
                },
                group.span,
            );
        }
    }
}
