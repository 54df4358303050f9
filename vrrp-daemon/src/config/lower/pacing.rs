//! `vrrp_garp_interval`, `vrrp_gna_interval` and `garp_group`: the pace of announcements.

use vrrp_common::time::Nanos;

use super::Lowering;
use super::value::seconds;
use crate::config::PacingGroup;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::{GarpGroupKey, Key, Status};
use crate::config::lexer::Word;
use crate::config::raw::Statement;

/// The longest interval that keepalived takes in `global_defs`: as many microseconds as fit 32 bits.
const LONGEST: Nanos = Nanos::from_micros(4_294_967_295);
/// The longest that it takes in a group: half of that.
const LONGEST_IN_GROUP: Nanos = Nanos::from_micros(2_147_483_647);

impl Lowering<'_> {
    /// A global interval. `vrrp_garp_interval 0` stands in most copied files, and keepalived remarks that it is
    /// out of range.
    pub(super) fn pace(&mut self, statement: &Statement) -> Option<Nanos> {
        let word = self.one(statement)?;
        let name = statement.keyword.name;
        let interval = seconds(&word.text).filter(|interval| *interval <= LONGEST);
        match interval {
            Some(Nanos::ZERO) => self.sink.push(
                Diagnostic::note(format!("`{name} 0` is the default"))
                    .remark(Remark::General)
                    .at(word.span, "keepalived calls this out of range")
                    .help("remove the line"),
            ),
            Some(_) => {}
            None => self.out_of_range(
                statement,
                word,
                "seconds from 0.000001 to 4294.967295",
                "there is no pause",
            ),
        }
        interval
    }

    pub(super) fn garp_group(&mut self, block: &Statement) {
        let mut group = PacingGroup::default();
        for statement in block.statements() {
            let Status::Works(Key::GarpGroup(key)) = statement.keyword.status else {
                continue;
            };
            let range = Nanos::ZERO..=LONGEST_IN_GROUP;
            match key {
                GarpGroupKey::Garp => {
                    group.garp = self
                        .seconds(statement, range, "there is no pause")
                        .unwrap_or_default();
                }
                GarpGroupKey::Gna => {
                    group.gna = self
                        .seconds(statement, range, "there is no pause")
                        .unwrap_or_default();
                }
                GarpGroupKey::Interface => {
                    if let Some(word) = self.one(statement) {
                        self.paced_interface(word, &mut group);
                    }
                }
                GarpGroupKey::Interfaces => {
                    for word in statement.entries().iter().flatten() {
                        self.paced_interface(word, &mut group);
                    }
                }
            }
        }
        if group.garp == Nanos::ZERO && group.gna == Nanos::ZERO {
            let given = |key| {
                let is =
                    |statement: &Statement| statement.keyword.status == Status::Works(Key::GarpGroup(key));
                block.statements().iter().any(is)
            };
            // keepalived takes a zero for an interval, silently.
            let silent = given(GarpGroupKey::Garp) || given(GarpGroupKey::Gna);
            self.sink.push(
                Diagnostic::warning("this `garp_group` has no interval")
                    .remark(if silent { Remark::None } else { Remark::General })
                    .at(block.span, "ignored")
                    .help("give `garp_interval` or `gna_interval`, in seconds"),
            );
        }
        self.config.global.pacing.groups.push(group);
    }

    fn paced_interface(&mut self, word: &Word, group: &mut PacingGroup) {
        self.must_exist(&word.text, word.span);
        let mut earlier = self.config.global.pacing.groups.iter();
        if group.interfaces.contains(&word.text) || earlier.any(|other| other.interfaces.contains(&word.text))
        {
            self.sink.push(
                Diagnostic::warning(format!("`{}` is in a `garp_group` already", word.text))
                    .at(word.span, "ignored")
                    .help("name each interface once"),
            );
        } else {
            group.interfaces.push(word.text.clone());
        }
    }
}
