//! `interface_up_down_delays`.

use vrrp_common::time::Nanos;

use super::Lowering;
use super::value::seconds;
use crate::config::LinkDelays;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;

/// keepalived's limit.
const MOST: Nanos = Nanos::from_secs(255);

impl Lowering<'_> {
    /// Entries `INTERFACE DOWN [UP]`, seconds. Without UP both are DOWN, as keepalived's manual has it (2.2.7
    /// takes 0). After the instances and groups: only their interfaces matter.
    pub(super) fn link_delays(&mut self, block: &Statement) {
        for line in block.entries() {
            let [name, rest @ ..] = line.as_slice() else {
                continue;
            };
            let (Some(down), extra) = (rest.first(), rest.get(2)) else {
                self.sink.push(
                    Diagnostic::warning(format!("`{}` has no delay", name.text))
                        .at(name.span, "ignored")
                        .help("write `INTERFACE DOWN [UP]`, in seconds"),
                );
                continue;
            };
            if let Some(extra) = extra {
                self.sink.push(
                    Diagnostic::warning("too many words for a delay")
                        .remark(Remark::None)
                        .at(extra.span, "ignored")
                        .help("write `INTERFACE DOWN [UP]`, one interface a line"),
                );
            }
            let Some(down) = self.link_delay(down) else {
                continue;
            };
            let up = match rest.get(1) {
                None => Some(down),
                Some(up) => self.link_delay(up),
            };
            let Some(up) = up else { continue };
            let Some(link) = self.links.get(&name.text).copied() else {
                self.unknown_delayed(name);
                continue;
            };
            let delays = &mut self.config.link_delays;
            if delays.len() <= link.index() {
                delays.resize(link.index() + 1, LinkDelays::default());
            }
            if let Some(known) = delays.get_mut(link.index()) {
                *known = LinkDelays { down, up };
            }
        }
    }

    fn link_delay(&mut self, word: &Word) -> Option<Nanos> {
        let delay = seconds(&word.text).filter(|delay| *delay <= MOST);
        if delay.is_none() {
            self.sink.push(
                Diagnostic::warning(format!("a delay is 0 to 255 seconds, not `{}`", word.text))
                    .at(word.span, "the line is ignored")
                    .help("write `INTERFACE DOWN [UP]`, in seconds"),
            );
        }
        delay
    }

    /// An interface that nothing depends on; keepalived remarks on one that is not there.
    fn unknown_delayed(&mut self, name: &Word) {
        let here = self.environment.interfaces();
        if here.is_some_and(|here| !here.contains(&name.text)) {
            self.sink.push(
                Diagnostic::warning(format!("there is no interface `{}`", name.text))
                    .at(name.span, "ignored")
                    .help("correct the name, or remove the line"),
            );
        }
    }
}
