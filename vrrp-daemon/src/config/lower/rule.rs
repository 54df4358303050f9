//! Entries of `virtual_rules` and `static_rules`.

use vrrp_common::id::Family;

use super::Lowering;
use super::iproute::{Fate, Unusable, Words, number, range};
use super::names::Names;
use super::route::{KEEPALIVED, Lowered};
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::model::{Prefix, RuleAction, VirtualRule};

/// Priorities that are handed out where none is given: from here downwards, each family by itself, as
/// keepalived does.
#[derive(Debug)]
pub(super) struct Priorities {
    v4: u32,
    v6: u32,
}

impl Default for Priorities {
    fn default() -> Self {
        const FIRST: u32 = 16_384;
        Self { v4: FIRST, v6: FIRST }
    }
}

impl Priorities {
    fn next(&mut self, family: Family) -> u32 {
        let next = match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        let given = *next;
        *next = given.saturating_sub(1).max(1);
        given
    }
}

/// A rule as it is written.
#[derive(Default)]
struct Draft<'w> {
    family: Option<Family>,
    priority: Option<u32>,
    action: Option<RuleAction>,
    track_group: Option<&'w Word>,
}

/// A rule, and what it needs to be known for besides.
pub(super) struct LoweredRule<'w> {
    pub(super) rule: Lowered<'w, VirtualRule>,
    /// The interfaces that it names.
    pub(super) interfaces: Vec<&'w Word>,
}

impl Lowering<'_> {
    /// The rules of a block, in their order.
    pub(super) fn rules<'w>(&mut self, block: &'w Statement) -> Vec<LoweredRule<'w>> {
        let entries = block.entries().iter();
        entries.filter_map(|line| self.rule(line).ok()).collect()
    }

    fn rule<'w>(&mut self, line: &'w [Word]) -> Result<LoweredRule<'w>, Unusable> {
        let Some(first) = line.first() else {
            return Err(Unusable);
        };
        let mut rule = VirtualRule {
            family: Family::V4,
            inverted: false,
            from: None,
            to: None,
            input: None,
            output: None,
            priority: 0,
            tos: 0,
            mark: None,
            realms: None,
            suppress_prefix: None,
            suppress_group: None,
            tunnel: None,
            users: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            l3mdev: false,
            protocol: KEEPALIVED,
            action: RuleAction::Nop,
            tracked: true,
        };
        let mut draft = Draft::default();
        let mut interfaces = Vec::new();
        let mut words = line.iter();
        while let Some(word) = words.next() {
            self.rule_word(word, &mut words, &mut rule, &mut draft, &mut interfaces)?;
        }
        let addressed = [rule.from, rule.to];
        let mut addressed = addressed
            .into_iter()
            .flatten()
            .map(|prefix| Family::of(prefix.address));
        let family = addressed.next().or(draft.family).unwrap_or(Family::V4);
        if addressed.next().is_some_and(|other| other != family)
            || draft.family.is_some_and(|said| said != family)
        {
            let why = "IPv4 and IPv6 do not go together in a rule";
            return Err(self.left_out("rule", first, why, Remark::General));
        }
        rule.family = family;
        // `from all` selects nothing.
        let some = |prefix: &Prefix| prefix.length > 0;
        rule.from = rule.from.filter(some);
        rule.to = rule.to.filter(some);
        rule.action = match (draft.action, rule.l3mdev) {
            (Some(action), _) => action,
            // The kernel finds the table.
            (None, true) => RuleAction::Table(0),
            (None, false) => {
                let why = "the rule says neither `table` nor anything else to do";
                return Err(self.left_out("rule", first, why, Remark::General));
            }
        };
        rule.priority = self.rule_priority(first, family, &draft)?;
        Ok(LoweredRule {
            rule: Lowered {
                item: rule,
                track_group: draft.track_group,
            },
            interfaces,
        })
    }

    fn rule_priority(&mut self, first: &Word, family: Family, draft: &Draft<'_>) -> Result<u32, Unusable> {
        if let Some(priority) = draft.priority {
            return Ok(priority);
        }
        if let Some(RuleAction::Goto(target)) = draft.action {
            let why = format!("`goto {target}` needs a `priority` below it");
            return Err(self.left_out("rule", first, &why, Remark::General));
        }
        let priority = self.priorities.next(family);
        self.sink.push(
            Diagnostic::warning("a rule without `priority`")
                .at(first.span, format!("{priority} is used, as keepalived does"))
                .help("write `priority N`, so that the order of rules does not depend on the order of lines"),
        );
        Ok(priority)
    }

    fn rule_word<'w>(
        &mut self,
        word: &'w Word,
        words: &mut Words<'w>,
        rule: &mut VirtualRule,
        draft: &mut Draft<'w>,
        interfaces: &mut Vec<&'w Word>,
    ) -> Result<(), Unusable> {
        let text = word.text.as_str();
        match text {
            "inet" => draft.family = Some(Family::V4),
            "inet6" => draft.family = Some(Family::V6),
            "not" => rule.inverted = true,
            "from" => rule.from = Some(self.required_prefix(word, words, draft.family)?),
            "to" => rule.to = Some(self.required_prefix(word, words, draft.family)?),
            "table" | "lookup" => {
                let table = self.required_number(Names::Tables, word, words)?;
                draft.action = Some(RuleAction::Table(table));
            }
            "preference" | "order" | "priority" | "pref" => {
                draft.priority = Some(self.required(word, words, "a number", number)?);
            }
            "dev" | "iif" => {
                let name = self.required_word(word, words)?;
                rule.input = Some(name.text.clone());
                interfaces.push(name);
            }
            "oif" => {
                let name = self.required_word(word, words)?;
                rule.output = Some(name.text.clone());
                interfaces.push(name);
            }
            "tos" | "dsfield" => rule.tos = self.required_byte(Names::Services, word, words)?,
            "fwmark" => rule.mark = Some(self.required(word, words, "MARK or MARK/MASK", mark)?),
            "realms" => rule.realms = Some(self.realms(word, words)?),
            "suppress_prefixlength" | "sup_pl" => {
                let longest = |text: &str| number(text).filter(|length| *length <= 128);
                rule.suppress_prefix = Some(self.required(word, words, "0 to 128", longest)?);
            }
            "suppress_ifgroup" | "sup_group" => {
                rule.suppress_group = Some(self.required_number(Names::Groups, word, words)?);
            }
            "tunnel-id" => {
                rule.tunnel = Some(self.required(word, words, "a number", |text| text.parse().ok())?);
            }
            "uidrange" => rule.users = Some(self.required(word, words, "FROM-TO", range)?),
            "ipproto" => {
                rule.ip_protocol = Some(self.required(word, words, "tcp, udp or a number", ip_protocol)?);
            }
            "sport" => rule.source_ports = Some(self.required(word, words, "PORT or FROM-TO", range)?),
            "dport" => rule.destination_ports = Some(self.required(word, words, "PORT or FROM-TO", range)?),
            "l3mdev" => rule.l3mdev = true,
            "protocol" => rule.protocol = self.required_byte(Names::Protocols, word, words)?,
            "type" => {
                let kind = self.required_word(word, words)?;
                self.rule_action(kind, words, draft)?;
            }
            "goto" | "nop" | "blackhole" | "unreachable" | "prohibit" => {
                self.rule_action(word, words, draft)?;
            }
            "no_track" => rule.tracked = false,
            "track_group" => draft.track_group = self.value_of(word, words, Fate::Kept),
            _ => {
                let why = format!("`{text}` is not a word of a rule");
                return Err(self.left_out("rule", word, &why, Remark::General));
            }
        }
        Ok(())
    }

    fn rule_action<'w>(
        &mut self,
        word: &Word,
        words: &mut Words<'w>,
        draft: &mut Draft<'w>,
    ) -> Result<(), Unusable> {
        draft.action = Some(match word.text.as_str() {
            "goto" => RuleAction::Goto(self.required(word, words, "the priority of a rule", number)?),
            "nop" => RuleAction::Nop,
            "blackhole" => RuleAction::Blackhole,
            "unreachable" => RuleAction::Unreachable,
            "prohibit" => RuleAction::Prohibit,
            other => {
                let why = format!("`{other}` is not what a rule does");
                return Err(self.left_out("rule", word, &why, Remark::General));
            }
        });
        Ok(())
    }
}

/// `MARK[/MASK]`
fn mark(text: &str) -> Option<(u32, Option<u32>)> {
    match text.split_once('/') {
        Some((mark, mask)) => Some((number(mark)?, Some(number(mask)?))),
        None => Some((number(text)?, None)),
    }
}

fn ip_protocol(text: &str) -> Option<u8> {
    match text {
        "icmp" => Some(1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "gre" => Some(47),
        "esp" => Some(50),
        "ah" => Some(51),
        "ipv6-icmp" => Some(58),
        "vrrp" => Some(112),
        "sctp" => Some(132),
        _ => text.parse().ok(),
    }
}
