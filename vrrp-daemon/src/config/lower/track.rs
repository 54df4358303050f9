//! `track_interface`, `track_script`, `track_file` and `track_process`, in instances and groups.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::{Lowering, tracker};
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

impl Entry<'_> {
    fn track(&self, object: TrackObject, weight: i16, reverse: bool) -> Track {
        Track {
            object,
            weight: self.weight.unwrap_or(weight),
            reverse: self.reverse.unwrap_or(reverse),
        }
    }
}

/// The weights of interfaces and scripts.
pub(super) const WEIGHTS: RangeInclusive<i16> = -253..=253;

pub(super) fn weight(text: &str, range: &RangeInclusive<i16>) -> Option<i16> {
    text.parse().ok().filter(|weight| range.contains(weight))
}

impl Lowering<'_> {
    /// The entries of a `track_interface` block; `own` is the interface of the instance that it stands in.
    pub(super) fn track_links(&mut self, block: &Statement, own: Option<LinkId>, tracks: &mut Tracks) {
        for entry in self.track_entries(block, &WEIGHTS) {
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
            self.track(entry.track(TrackObject::Link(link), 0, false), entry.name, tracks);
        }
    }

    /// The entries of a `track_script` block.
    pub(super) fn track_scripts(&mut self, block: &Statement, tracks: &mut Tracks) {
        for entry in self.track_entries(block, &WEIGHTS) {
            let name = entry.name;
            let Some(known) = self.scripts.get(&name.text).copied() else {
                self.not_defined("script", "vrrp_script", name);
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
            self.track(
                entry.track(TrackObject::Script(known.id), known.weight, known.reverse),
                name,
                tracks,
            );
        }
    }

    /// The entries of a `track_file` block.
    pub(super) fn track_files(&mut self, block: &Statement, tracks: &mut Tracks) {
        for entry in self.track_entries(block, &tracker::WEIGHTS) {
            let name = entry.name;
            let Some(known) = self.files.get(&name.text).copied() else {
                self.not_defined("tracked file", "track_file", name);
                continue;
            };
            self.track(
                entry.track(TrackObject::File(known.id), known.weight, known.reverse),
                name,
                tracks,
            );
        }
    }

    /// The entries of a `track_process` block.
    pub(super) fn track_processes(&mut self, block: &Statement, tracks: &mut Tracks) {
        for entry in self.track_entries(block, &tracker::WEIGHTS) {
            let name = entry.name;
            let Some(known) = self.processes.get(&name.text).copied() else {
                self.not_defined("tracked process", "vrrp_track_process", name);
                continue;
            };
            self.track(
                entry.track(TrackObject::Process(known.id), known.weight, known.reverse),
                name,
                tracks,
            );
        }
    }

    fn not_defined(&mut self, what: &str, keyword: &str, name: &Word) {
        self.sink.push(
            Diagnostic::warning(format!("there is no {what} `{}`", name.text))
                .at(name.span, "ignored")
                .help(format!("define it: `{keyword} {} {{ … }}`", name.text)),
        );
    }

    /// `weight N [reverse]` of a tracked object; `otherwise` says what is used instead of a bad one.
    pub(super) fn weight_and_reverse(
        &mut self,
        statement: &Statement,
        range: &RangeInclusive<i16>,
        otherwise: &str,
    ) -> Option<(i16, bool)> {
        self.no_more(statement, 2);
        let word = statement.words.first().or_else(|| {
            self.one(statement);
            None
        })?;
        let weight = weight(&word.text, range);
        if weight.is_none() {
            let wanted = format!("a whole number from {} to {}", range.start(), range.end());
            self.out_of_range(statement, word, &wanted, otherwise);
        }
        let reverse = statement.words.get(1).is_some_and(|word| word.text == "reverse");
        Some((weight?, reverse))
    }

    pub(super) fn track(&mut self, track: Track, name: &Word, tracks: &mut Tracks) {
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

    fn track_entries<'s>(&mut self, block: &'s Statement, range: &RangeInclusive<i16>) -> Vec<Entry<'s>> {
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
                        entry.weight = given.and_then(|given| weight(&given.text, range));
                        if entry.weight.is_none() {
                            self.sink.push(
                                Diagnostic::warning(format!(
                                    "`weight` takes a whole number from {} to {}",
                                    range.start(),
                                    range.end()
                                ))
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
