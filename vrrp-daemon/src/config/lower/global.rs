//! `global_defs`, and what it gives to instances that do not say otherwise.

use std::net::IpAddr;

use vrrp_common::id::Version;
use vrrp_common::time::Nanos;

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::include::is_include_check;
use crate::config::keywords::{GarpKey, GlobalKey, Key, Status};
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::proto::model::Announce;

/// Longest delay taken anywhere: a day, unless keepalived says less.
pub(super) const DAY: Nanos = Nanos::from_secs(86_400);

/// What instances take over.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) version: Option<Version>,
    /// Of static addresses (`default_interface`), with its place.
    pub(super) interface: Option<(String, Span)>,
    pub(super) strict: bool,
    pub(super) garp: Garp,
    pub(super) lower_no_advert: Option<bool>,
    pub(super) higher_send_advert: bool,
    pub(super) down_adverts: Option<u8>,
    pub(super) group4: Option<IpAddr>,
    pub(super) group6: Option<IpAddr>,
    pub(super) check_source: Option<bool>,
    pub(super) checksum_as_v2: bool,
    pub(super) uncommon: super::uncommon::Defaults,
    pub(super) priority_changes: bool,
}

/// `garp_…` as far as it was given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Garp {
    delay: Option<Nanos>,
    repeat: Option<u8>,
    refresh: Option<Nanos>,
    refresh_repeat: Option<u8>,
    lower_delay: Option<Nanos>,
    lower_repeat: Option<u8>,
}

impl Garp {
    /// Whether anything is said of lower-priority adverts.
    pub(super) fn says_lower(self) -> bool {
        self.lower_repeat.is_some_and(|repeat| repeat > 0) || self.lower_delay.is_some()
    }

    /// The instance's own settings, else the global ones, else keepalived's.
    pub(super) fn announce(self, defaults: Self) -> Announce {
        let theirs = Announce::default();
        Announce {
            repeat: self.repeat.or(defaults.repeat).unwrap_or(theirs.repeat),
            delay: self.delay.or(defaults.delay).unwrap_or(theirs.delay),
            refresh: self.refresh.or(defaults.refresh).unwrap_or(theirs.refresh),
            refresh_repeat: self
                .refresh_repeat
                .or(defaults.refresh_repeat)
                .unwrap_or(theirs.refresh_repeat),
            // The instance's own `garp_master_…` says nothing of contentions: those follow the global ones.
            lower_repeat: self
                .lower_repeat
                .or(defaults.lower_repeat)
                .or(defaults.repeat)
                .unwrap_or(theirs.lower_repeat),
            lower_delay: self
                .lower_delay
                .or(defaults.lower_delay)
                .or(defaults.delay)
                .unwrap_or(theirs.lower_delay),
        }
    }
}

impl Lowering<'_> {
    pub(super) fn global(&mut self, block: &Statement) {
        for statement in block.statements() {
            if let Status::Works(Key::Global(key)) = statement.keyword.status {
                self.global_keyword(key, statement);
            }
        }
    }

    fn global_keyword(&mut self, key: GlobalKey, statement: &Statement) {
        match key {
            GlobalKey::RouterId => {
                if let Some(word) = self.one(statement) {
                    self.config.global.router_id = Some(word.text.clone());
                }
            }
            // Done while the files are read.
            GlobalKey::IncludeCheck => {
                for word in statement
                    .words
                    .iter()
                    .filter(|word| !is_include_check(&word.text))
                {
                    self.sink.push(
                        Diagnostic::warning(format!(
                            "`{}` is nothing that includes can be checked for",
                            word.text
                        ))
                        .at(word.span, "ignored")
                        .help(
                            "write readable, match, wildcard_match or brace_match, or none of them for all",
                        ),
                    );
                }
            }
            GlobalKey::DefaultInterface => {
                let word = self.one(statement);
                self.defaults.interface = word.map(|word| (word.text.clone(), word.span));
            }
            GlobalKey::IprouteUsr => {
                if let Some(word) = self.one(statement) {
                    self.names.set_usr(&word.text);
                }
            }
            GlobalKey::IprouteEtc => {
                if let Some(word) = self.one(statement) {
                    self.names.set_etc(&word.text);
                }
            }
            GlobalKey::ScriptSecurity => self.config.global.script_security = true,
            GlobalKey::ScriptUser => self.script_user(statement),
            GlobalKey::Strict => {
                if let Some(strict) = self.boolean(statement) {
                    self.defaults.strict = strict;
                }
            }
            GlobalKey::Version => self.defaults.version = self.version(statement).or(self.defaults.version),
            GlobalKey::Garp(key) => {
                let mut garp = self.defaults.garp;
                self.garp(key, statement, &mut garp);
                self.defaults.garp = garp;
            }
            GlobalKey::MinGarp => {
                if self.boolean(statement) == Some(true) {
                    let garp = &mut self.defaults.garp;
                    garp.repeat = garp.repeat.or(Some(1));
                    garp.delay = garp.delay.or(Some(Nanos::ZERO));
                }
            }
            GlobalKey::GarpInterval => {
                self.config.global.pacing.garp = self.pace(statement).unwrap_or_default();
            }
            GlobalKey::GnaInterval => {
                self.config.global.pacing.gna = self.pace(statement).unwrap_or_default();
            }
            GlobalKey::LowerNoAdvert => {
                self.defaults.lower_no_advert = self.boolean(statement).or(self.defaults.lower_no_advert);
            }
            GlobalKey::HigherSendAdvert => {
                self.defaults.higher_send_advert = self
                    .boolean(statement)
                    .unwrap_or(self.defaults.higher_send_advert);
            }
            GlobalKey::DownAdverts => {
                self.defaults.down_adverts = self
                    .byte(statement, 1..=100, "3 is used")
                    .or(self.defaults.down_adverts);
            }
            GlobalKey::Group4 => {
                self.defaults.group4 = self.group_address(statement, true).or(self.defaults.group4);
            }
            GlobalKey::Group6 => {
                self.defaults.group6 = self.group_address(statement, false).or(self.defaults.group6);
            }
            GlobalKey::CheckSource => {
                self.defaults.check_source = self.boolean(statement).or(self.defaults.check_source);
            }
            GlobalKey::StartupDelay => {
                if let Some(delay) = self.seconds(statement, Nanos::ZERO..=DAY, "there is no delay") {
                    self.config.global.startup_delay = delay;
                }
            }
            GlobalKey::DynamicInterfaces => {
                // `allow_if_changes` asks for nothing more: links are known by name here.
                self.no_more(statement, 1);
                self.config.global.dynamic_interfaces = true;
            }
            GlobalKey::ChecksumAsV2 => {
                self.defaults.checksum_as_v2 =
                    self.boolean(statement).unwrap_or(self.defaults.checksum_as_v2);
            }
            GlobalKey::Xdp => {
                if let Some(mode) = self.xdp_mode(statement, "auto is used") {
                    self.config.global.xdp = mode;
                }
            }
            GlobalKey::XdpPass => {
                let pass = self.boolean(statement);
                self.config.model.pass_accepted = pass.unwrap_or(self.config.model.pass_accepted);
            }
            GlobalKey::LateAdvert => {
                let share = self.late_share(statement, "50 is used");
                self.defaults.uncommon.late_share = share.or(self.defaults.uncommon.late_share);
            }
            GlobalKey::OwnerIgnore => {
                self.defaults.uncommon.owner_ignore = self
                    .boolean(statement)
                    .unwrap_or(self.defaults.uncommon.owner_ignore);
            }
            GlobalKey::DelayAfterBoot => {
                if let Some(delay) = self.seconds(statement, Nanos::ZERO..=DAY, "there is no delay") {
                    self.config.global.delay_after_boot = delay;
                }
            }
            GlobalKey::BufferPolicy => {
                if let Some(policy) = self.buffer_policy(statement) {
                    self.defaults.uncommon.policy = policy;
                }
            }
            GlobalKey::BufferMultiplier => {
                self.defaults.uncommon.multiplier = self
                    .byte(statement, 1..=255, "3 is used")
                    .or(self.defaults.uncommon.multiplier);
            }
            GlobalKey::LogUnknown => self.config.model.log_unknown_vrids = true,
            GlobalKey::LinkHold => {
                self.defaults.uncommon.link_hold =
                    self.link_hold(statement).or(self.defaults.uncommon.link_hold);
            }
            GlobalKey::ControlGroup => self.control_group(statement),
            GlobalKey::WhenLost => {
                self.defaults.uncommon.when_lost =
                    self.when_lost(statement).or(self.defaults.uncommon.when_lost);
            }
            GlobalKey::SendFault => {
                self.defaults.uncommon.send_fault =
                    self.send_fault(statement).or(self.defaults.uncommon.send_fault);
            }
        }
    }

    /// One of the `garp_…` keywords, global or in an instance.
    pub(super) fn garp(&mut self, key: GarpKey, statement: &Statement, garp: &mut Garp) {
        let time = |this: &mut Self, old| {
            this.seconds(statement, Nanos::ZERO..=DAY, "the default is used")
                .or(old)
        };
        match key {
            GarpKey::Delay => garp.delay = time(self, garp.delay),
            GarpKey::Repeat => garp.repeat = self.rounds(statement, 1).or(garp.repeat),
            GarpKey::Refresh => garp.refresh = time(self, garp.refresh),
            GarpKey::RefreshRepeat => {
                garp.refresh_repeat = self.rounds(statement, 1).or(garp.refresh_repeat);
            }
            GarpKey::LowerDelay => garp.lower_delay = time(self, garp.lower_delay),
            GarpKey::LowerRepeat => {
                let given = self.byte(statement, 0..=255, "the default is used");
                garp.lower_repeat = given.or(garp.lower_repeat);
            }
        }
    }

    /// Rounds of announcements. keepalived takes any number, and says that it makes 0 into 1 where there must be
    /// one.
    fn rounds(&mut self, statement: &Statement, least: u8) -> Option<u8> {
        let rounds = self.number(statement, 0..=i64::from(u32::MAX), "the default is used")?;
        let rounds = u8::try_from(rounds).unwrap_or_else(|_| {
            self.sink.push(
                Diagnostic::note(format!("`{}` is at most 255 here", statement.keyword.name))
                    .remark(Remark::None)
                    .at(statement.span, "255 is used"),
            );
            u8::MAX
        });
        if rounds < least {
            self.sink.push(
                Diagnostic::warning(format!("`{}` must be at least 1", statement.keyword.name))
                    .at(statement.span, "1 is used")
                    .help("write 1 or more"),
            );
        }
        Some(rounds.max(least))
    }

    /// `version`, `vrrp_version`.
    pub(super) fn version(&mut self, statement: &Statement) -> Option<Version> {
        match self.number(statement, 2..=3, "the default is used")? {
            2 => Some(Version::V2),
            _ => Some(Version::V3),
        }
    }

    /// A multicast group of the family.
    pub(super) fn group_address(&mut self, statement: &Statement, v4: bool) -> Option<IpAddr> {
        let address = self.address(statement)?;
        if address.is_multicast() && address.is_ipv4() == v4 {
            return Some(address);
        }
        let family = if v4 { "IPv4" } else { "IPv6" };
        if let Some(word) = statement.words.first() {
            self.sink.push(
                Diagnostic::warning(format!("`{}` is not an {family} multicast address", word.text))
                    .at(word.span, "ignored")
                    .help("remove it to use the standard group"),
            );
        }
        None
    }
}
