//! `vrrp_instance` as it is written: every keyword's value, still without meaning. `resolve` gives it one.

use std::net::IpAddr;

use vrrp_common::id::{Priority, Version, Vrid};
use vrrp_common::time::Nanos;

use super::Lowering;
use super::address::Peers;
use super::global::Garp;
use super::uncommon::Said;
use crate::config::Notify;
use crate::config::diag::Diagnostic;
use crate::config::keywords::{AuthKey, InstanceKey, Key, Status};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::config::source::Span;

/// The longest `preempt_delay` (keepalived's limit).
const PREEMPT_DELAY_MAX: Nanos = Nanos::from_secs(1_000);

/// A value and its place.
pub(super) type At<T> = Option<(T, Span)>;

/// `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initial {
    Master,
    Backup,
}

/// What a `vrrp_instance` block says; `None` where it says nothing.
#[derive(Debug)]
pub(super) struct Draft<'s> {
    pub(super) name: &'s Word,
    pub(super) state: At<Initial>,
    pub(super) interface: Option<&'s Word>,
    pub(super) vrid: At<Vrid>,
    /// A bad VRID was reported already.
    pub(super) vrid_bad: bool,
    pub(super) priority: At<Priority>,
    pub(super) interval: At<Nanos>,
    pub(super) version: At<Version>,
    pub(super) auth_type: Option<&'s Word>,
    pub(super) password: Option<&'s Word>,
    pub(super) addresses: Vec<&'s Statement>,
    pub(super) excluded: Vec<&'s Statement>,
    pub(super) no_addresses: bool,
    pub(super) routes: Vec<&'s Statement>,
    pub(super) rules: Vec<&'s Statement>,
    pub(super) promote_secondaries: bool,
    pub(super) unicast_source: At<IpAddr>,
    pub(super) peers: Peers,
    /// The first `unicast_peer`.
    pub(super) peer_block: Option<Span>,
    pub(super) unicast_ttl: At<u8>,
    pub(super) check_source: At<bool>,
    pub(super) multicast_source: At<IpAddr>,
    pub(super) multicast_group: At<IpAddr>,
    pub(super) no_preempt: Option<Span>,
    pub(super) preempt_delay: At<Nanos>,
    pub(super) track_links: Vec<&'s Statement>,
    pub(super) track_scripts: Vec<&'s Statement>,
    pub(super) track_files: Vec<&'s Statement>,
    pub(super) track_processes: Vec<&'s Statement>,
    pub(super) track_restarts: Vec<&'s Statement>,
    pub(super) track_primary: bool,
    pub(super) notify: Notify,
    pub(super) garp: Garp,
    pub(super) lower_no_advert: At<bool>,
    pub(super) higher_send_advert: At<bool>,
    pub(super) down_adverts: At<u8>,
    pub(super) checksum_as_v2: Option<bool>,
    pub(super) strict: Option<bool>,
    pub(super) uncommon: Said,
}

impl Lowering<'_> {
    pub(super) fn instance(&mut self, block: &Statement) {
        let Some(name) = self.name(block) else { return };
        if self.routers.contains_key(&name.text) {
            self.already_defined("instance", name);
            return;
        }
        let mut draft = Draft::new(name);
        for statement in block.statements() {
            if let Status::Works(Key::Instance(key)) = statement.keyword.status {
                self.instance_keyword(key, statement, &mut draft);
            }
        }
        self.resolve(draft);
    }

    fn instance_keyword<'s>(&mut self, key: InstanceKey, statement: &'s Statement, draft: &mut Draft<'s>) {
        match key {
            InstanceKey::State => self.state(statement, draft),
            InstanceKey::Interface => self.interface(statement, draft),
            InstanceKey::Vrid => self.vrid(statement, draft),
            InstanceKey::Priority => {
                let value = self.byte(statement, 1..=255, "100, the default, is used");
                draft.priority = Some((value.map_or(Priority::DEFAULT, Priority), statement.span));
            }
            InstanceKey::Interval => {
                let range = Nanos::from_millis(10)..=Nanos::from_secs(255);
                let value = self.seconds(statement, range, "1 s, the default, is used");
                let at = statement.words.first().map_or(statement.span, |word| word.span);
                draft.interval = value.map(|value| (value, at)).or(draft.interval);
            }
            InstanceKey::Version => {
                let value = self.version(statement);
                draft.version = value.map(|value| (value, statement.span)).or(draft.version);
            }
            InstanceKey::Authentication => self.authentication(statement, draft),
            InstanceKey::Addresses => draft.addresses.push(statement),
            InstanceKey::Excluded => draft.excluded.push(statement),
            InstanceKey::NoAddresses => draft.no_addresses = true,
            InstanceKey::Routes => draft.routes.push(statement),
            InstanceKey::Rules => draft.rules.push(statement),
            InstanceKey::PromoteSecondaries => draft.promote_secondaries = true,
            InstanceKey::UnicastSource => draft.unicast_source = self.placed_address(statement),
            InstanceKey::Peers => {
                draft.peer_block.get_or_insert(statement.span);
                self.peers(statement, &mut draft.peers);
            }
            InstanceKey::UnicastTtl => {
                let ttl = self.byte(statement, 0..=255, "255 is used");
                draft.unicast_ttl = ttl.map(|ttl| (ttl, statement.span)).or(draft.unicast_ttl);
            }
            InstanceKey::CheckSource => {
                draft.check_source = self.placed_boolean(statement).or(draft.check_source)
            }
            InstanceKey::MulticastSource => draft.multicast_source = self.placed_address(statement),
            InstanceKey::MulticastGroup => draft.multicast_group = self.placed_address(statement),
            InstanceKey::NoPreempt => draft.no_preempt = Some(statement.span),
            InstanceKey::Preempt => draft.no_preempt = None,
            InstanceKey::PreemptDelay => {
                let value = self.seconds(statement, Nanos::ZERO..=PREEMPT_DELAY_MAX, "there is no delay");
                draft.preempt_delay = value.map(|value| (value, statement.span));
            }
            InstanceKey::TrackInterface => draft.track_links.push(statement),
            InstanceKey::TrackScript => draft.track_scripts.push(statement),
            InstanceKey::TrackFile => draft.track_files.push(statement),
            InstanceKey::TrackProcess => draft.track_processes.push(statement),
            InstanceKey::TrackRestarts => draft.track_restarts.push(statement),
            InstanceKey::DontTrackPrimary => draft.track_primary = false,
            InstanceKey::Notify(key) => self.notify(key, statement, &mut draft.notify),
            InstanceKey::Garp(key) => self.garp(key, statement, &mut draft.garp),
            InstanceKey::LowerNoAdvert => {
                draft.lower_no_advert = self.placed_boolean(statement).or(draft.lower_no_advert);
            }
            InstanceKey::HigherSendAdvert => {
                draft.higher_send_advert = self.placed_boolean(statement).or(draft.higher_send_advert);
            }
            InstanceKey::DownAdverts => {
                let count = self.byte(statement, 1..=100, "3 is used");
                draft.down_adverts = count.map(|count| (count, statement.span)).or(draft.down_adverts);
            }
            InstanceKey::ChecksumAsV2 => {
                draft.checksum_as_v2 = self.boolean(statement).or(draft.checksum_as_v2);
            }
            InstanceKey::Strict => {
                draft.strict = self.boolean(statement).or(draft.strict);
            }
            InstanceKey::Uncommon(key) => self.uncommon_keyword(key, statement, &mut draft.uncommon),
        }
    }

    fn state(&mut self, statement: &Statement, draft: &mut Draft<'_>) {
        let Some(word) = self.one(statement) else { return };
        let state = match word.text.as_str() {
            "MASTER" => Initial::Master,
            "BACKUP" => Initial::Backup,
            unknown => {
                let upper = unknown.to_ascii_uppercase();
                let mut diagnostic =
                    Diagnostic::warning(format!("unknown state `{unknown}`; BACKUP is used"))
                        .at(word.span, "");
                diagnostic = match upper.as_str() {
                    "MASTER" | "BACKUP" => diagnostic.help("write it in capitals").fix(word.span, upper),
                    _ => diagnostic.help("write MASTER or BACKUP"),
                };
                self.sink.push(diagnostic);
                Initial::Backup
            }
        };
        if let (Some((Initial::Master, first)), Initial::Backup) = (draft.state, state) {
            self.sink.push(
                Diagnostic::warning("`state BACKUP` after `state MASTER`")
                    .at(word.span, "ignored, as keepalived does")
                    .related(first, "this one counts")
                    .help("remove one of them"),
            );
            return;
        }
        draft.state = Some((state, statement.span));
    }

    fn interface<'s>(&mut self, statement: &'s Statement, draft: &mut Draft<'s>) {
        /// The kernel's limit, without the final zero (IFNAMSIZ).
        const NAME_LEN: usize = 15;
        let Some(word) = self.one(statement) else { return };
        if word.text == "lo" {
            self.sink.push(
                Diagnostic::warning("a loopback interface cannot carry VRRP")
                    .at(word.span, "ignored")
                    .help("write the interface that leads to the other hosts"),
            );
        } else if word.text.len() > NAME_LEN || word.text.contains('/') || word.text.is_empty() {
            self.sink.push(
                Diagnostic::error(format!("`{}` cannot be the name of an interface", word.text))
                    .at(word.span, "")
                    .help("`ip -br link` lists them; a name has at most 15 bytes"),
            );
            draft.interface = Some(word);
        } else {
            draft.interface = Some(word);
        }
    }

    fn vrid(&mut self, statement: &Statement, draft: &mut Draft<'_>) {
        let Some(word) = self.one(statement) else { return };
        match word.text.parse().ok().and_then(Vrid::new) {
            Some(vrid) => draft.vrid = Some((vrid, statement.span)),
            None => {
                draft.vrid_bad = true;
                self.sink.push(
                    Diagnostic::error(format!("`{}` is not a virtual router id", word.text))
                        .at(word.span, "")
                        .help("write a number from 1 to 255, the same on all hosts of this virtual router"),
                );
            }
        }
    }

    fn authentication<'s>(&mut self, block: &'s Statement, draft: &mut Draft<'s>) {
        for statement in block.statements() {
            let Status::Works(Key::Auth(key)) = statement.keyword.status else {
                continue;
            };
            match (key, self.one(statement)) {
                (AuthKey::Type, Some(word)) => draft.auth_type = Some(word),
                (AuthKey::Password, Some(word)) => draft.password = Some(word),
                (_, None) => {}
            }
        }
    }

    fn placed_boolean(&mut self, statement: &Statement) -> At<bool> {
        self.boolean(statement).map(|value| (value, statement.span))
    }

    fn placed_address(&mut self, statement: &Statement) -> At<IpAddr> {
        let address = self.address(statement)?;
        Some((
            address,
            statement.words.first().map_or(statement.span, |word| word.span),
        ))
    }
}

impl<'s> Draft<'s> {
    fn new(name: &'s Word) -> Self {
        Self {
            name,
            state: None,
            interface: None,
            vrid: None,
            vrid_bad: false,
            priority: None,
            interval: None,
            version: None,
            auth_type: None,
            password: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            no_addresses: false,
            routes: Vec::new(),
            rules: Vec::new(),
            promote_secondaries: false,
            unicast_source: None,
            peers: Peers::default(),
            peer_block: None,
            unicast_ttl: None,
            check_source: None,
            multicast_source: None,
            multicast_group: None,
            no_preempt: None,
            preempt_delay: None,
            track_links: Vec::new(),
            track_scripts: Vec::new(),
            track_files: Vec::new(),
            track_processes: Vec::new(),
            track_restarts: Vec::new(),
            track_primary: true,
            notify: Notify::default(),
            garp: Garp::default(),
            lower_no_advert: None,
            higher_send_advert: None,
            down_adverts: None,
            checksum_as_v2: None,
            strict: None,
            uncommon: Said::default(),
        }
    }
}
