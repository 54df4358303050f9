//! `track_interface` and `track_script`, in instances and groups.

use std::collections::HashSet;

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::LinkId;
use crate::proto::model::{Track, TrackObject};

/// What a router or group tracks, each object once.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    pub(super) list: Vec<Track>,
    seen: HashSet<TrackObject>,
}

impl Tracks {
    /// Without this interface it cannot be Master; silently, unless it is tracked already.
    pub(super) fn needs(&mut self, link: LinkId) {
        let object = TrackObject::Link(link);
        if self.seen.insert(object) {
            self.list.push(Track {
                object,
                weight: 0,
                reverse: false,
            });
        }
    }
}

/// One entry, `NAME [weight N] [reverse|noreverse]`.
struct Entry<'s> {
    name: &'s Word,
    weight: Option<i16>,
    reverse: Option<bool>,
}

/// A weight, -253..=253.
pub(super) fn weight(text: &str) -> Option<i16> {
    text.parse().ok().filter(|weight| (-253..=253).contains(weight))
}

impl Lowering<'_> {
    /// The entries of a `track_interface` block; `own` is the interface of the instance that it stands in.
    pub(super) fn track_links(&mut self, block: &Statement, own: Option<LinkId>, tracks: &mut Tracks) {
        for entry in self.track_entries(block) {
            let link = self.link(&entry.name.text, entry.name.span);
            if own == Some(link) {
                self.sink.push(
                    Diagnostic::note(format!("`{}` is the instance's own interface", entry.name.text))
                        .remark(Remark::General)
                        .at(entry.name.span, "ignored")
                        .help("it counts anyway, unless `dont_track_primary` says otherwise"),
                );
                continue;
            }
            let track = Track {
                object: TrackObject::Link(link),
                weight: entry.weight.unwrap_or(0),
                reverse: entry.reverse.unwrap_or(false),
            };
            self.track(track, entry.name, tracks);
        }
    }

    /// The entries of a `track_script` block.
    pub(super) fn track_scripts(&mut self, block: &Statement, tracks: &mut Tracks) {
        for entry in self.track_entries(block) {
            let name = entry.name;
            let Some(known) = self.scripts.get(&name.text).copied() else {
                self.sink.push(
                    Diagnostic::warning(format!("there is no script `{}`", name.text))
                        .at(name.span, "ignored")
                        .help(format!("define it: `vrrp_script {} {{ … }}`", name.text)),
                );
                continue;
            };
            if known.disabled {
                self.sink.push(
                    Diagnostic::warning(format!(
                        "script `{}` is disabled, so it protects nothing here",
                        name.text
                    ))
                    .remark(Remark::General)
                    .at(name.span, "not tracked")
                    .help("see the warning at its `vrrp_script`"),
                );
                continue;
            }
            let track = Track {
                object: TrackObject::Script(known.id),
                weight: entry.weight.unwrap_or(known.weight),
                reverse: entry.reverse.unwrap_or(known.reverse),
            };
            self.track(track, name, tracks);
        }
    }

    fn track(&mut self, track: Track, name: &Word, tracks: &mut Tracks) {
        if !tracks.seen.insert(track.object) {
            self.sink.push(
                Diagnostic::warning(format!("`{}` is tracked twice", name.text))
                    .at(name.span, "ignored; the first one counts")
                    .help("remove one"),
            );
        } else {
            tracks.list.push(track);
        }
    }

    fn track_entries<'s>(&mut self, block: &'s Statement) -> Vec<Entry<'s>> {
        let mut entries: Vec<Entry<'s>> = Vec::new();
        for line in block.entries() {
            let mut words = line.iter();
            let start = entries.len();
            while let Some(word) = words.next() {
                let current = if entries.len() > start {
                    entries.last_mut()
                } else {
                    None
                };
                match (current, word.text.as_str()) {
                    (Some(entry), "weight") => {
                        let given = words.next();
                        entry.weight = given.and_then(|given| weight(&given.text));
                        if entry.weight.is_none() {
                            self.sink.push(
                                Diagnostic::warning("`weight` takes a whole number from -253 to 253")
                                    .at(given.unwrap_or(word).span, "ignored")
                                    .help("give one, or remove `weight` so that a failure is a fault"),
                            );
                        }
                    }
                    (Some(entry), "reverse") => entry.reverse = Some(true),
                    (Some(entry), "noreverse") => entry.reverse = Some(false),
                    _ => entries.push(Entry {
                        name: word,
                        weight: None,
                        reverse: None,
                    }),
                }
            }
        }
        entries
    }
}
