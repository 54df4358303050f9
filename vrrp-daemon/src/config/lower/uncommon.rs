//! Keywords that few configurations have, global and in instances.

use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::{Centis, Nanos};

use super::Lowering;
use super::global::DAY;
use super::instance::{At, Draft};
use super::pins::Pin;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::UncommonKey;
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::proto::model::{Preempt, ReceiveBuffer, Transport, Uncommon, V3Checksum, WhenLost, XdpMode};

/// The most bytes that a receive buffer is asked for.
const BUFFER_MAX: i64 = 1 << 30;

/// What an instance says of these; `None` where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) native_ipv6: bool,
    pub(super) fault_no_peer: Option<Span>,
    old_checksum: Option<OldChecksum>,
    track_source: bool,
    owner_ignore: Option<(bool, Span)>,
    late_backup: At<Priority>,
    receive_buffer: Option<u32>,
    pub(super) xdp: Option<XdpMode>,
    late_share: Option<u8>,
    pub(super) pins: Vec<Pin>,
    send_fault: Option<SendFault>,
    when_lost: Option<WhenLost>,
    link_hold: Option<Nanos>,
}

/// What `global_defs` says of these.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) owner_ignore: bool,
    pub(super) policy: Policy,
    /// `vrrp_rx_bufs_multiplier`, 3.
    pub(super) multiplier: Option<u8>,
    pub(super) send_fault: Option<SendFault>,
    pub(super) when_lost: Option<WhenLost>,
    pub(super) late_share: Option<u8>,
    pub(super) link_hold: Option<Nanos>,
}

/// `vrrp_rx_bufs_policy`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Policy {
    #[default]
    System,
    Mtu,
    Advert,
    Bytes(u32),
}

/// `vrrp_send_fault`.
#[derive(Clone, Copy, Debug)]
pub(super) enum SendFault {
    Off,
    /// As many adverts as a Backup waits for.
    Adverts,
    After(Nanos),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OldChecksum {
    Always,
    /// The old form is not even recognised; here both are accepted anyway.
    Never,
}

/// What these are resolved with.
#[derive(Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub(super) strict: bool,
    pub(super) version: Version,
    pub(super) family: Family,
    pub(super) interval: Centis,
    pub(super) down_adverts: u8,
    pub(super) preempt: Preempt,
    pub(super) transport: &'a Transport,
    /// Number of addresses in its adverts.
    pub(super) addresses: usize,
}

/// `vrrp_late_advert`, if nothing is said: one advert lost of three is worth a line.
const LATE_SHARE: u8 = 50;
/// What spanning tree needs to let a port forward: twice a forward delay of 15 s.
const LINK_HOLD: Nanos = Nanos::from_secs(30);

impl Lowering<'_> {
    pub(super) fn uncommon_keyword(&mut self, key: UncommonKey, statement: &Statement, said: &mut Said) {
        match key {
            UncommonKey::NativeIpv6 => said.native_ipv6 = true,
            UncommonKey::FaultNoPeer => said.fault_no_peer = Some(statement.span),
            UncommonKey::OldChecksum => said.old_checksum = self.old_checksum(statement),
            UncommonKey::TrackSource => said.track_source = true,
            UncommonKey::OwnerIgnore => {
                let value = self.boolean(statement).map(|value| (value, statement.span));
                said.owner_ignore = value.or(said.owner_ignore);
            }
            UncommonKey::LateBackup => {
                let given = match statement.words.is_empty() {
                    true => Some(254),
                    false => self.byte(statement, 1..=254, "254 is used").or(Some(254)),
                };
                said.late_backup = given.map(|given| (Priority(given), statement.span));
            }
            UncommonKey::ReceiveBuffer => {
                said.receive_buffer = self.buffer_size(statement).or(said.receive_buffer);
            }
            UncommonKey::Xdp => said.xdp = self.xdp_mode(statement, "the global one is used").or(said.xdp),
            UncommonKey::LateAdvert => {
                let share = self.late_share(statement, "the global share is used");
                said.late_share = share.or(said.late_share);
            }
            UncommonKey::PeerMac => said.pins.extend(self.pin(statement)),
            UncommonKey::SendFault => said.send_fault = self.send_fault(statement).or(said.send_fault),
            UncommonKey::LinkHold => said.link_hold = self.link_hold(statement).or(said.link_hold),
            UncommonKey::WhenLost => said.when_lost = self.when_lost(statement).or(said.when_lost),
        }
    }

    /// `auto|native|generic|off`.
    pub(super) fn xdp_mode(&mut self, statement: &Statement, otherwise: &str) -> Option<XdpMode> {
        let word = self.one(statement)?;
        let mode = match word.text.as_str() {
            "auto" => Some(XdpMode::Auto),
            "native" => Some(XdpMode::Native),
            "generic" => Some(XdpMode::Generic),
            "off" => Some(XdpMode::Off),
            _ => None,
        };
        if mode.is_none() {
            self.out_of_range(statement, word, "auto, native, generic or off", otherwise);
        }
        mode
    }

    /// `PERCENT|off`; 0: never.
    pub(super) fn late_share(&mut self, statement: &Statement, otherwise: &str) -> Option<u8> {
        let word = self.one(statement)?;
        let share = match word.text.as_str() {
            "off" => Some(0),
            text => text.parse().ok().filter(|share| *share <= 100),
        };
        if share.is_none() {
            self.out_of_range(statement, word, "percent from 1 to 100, or off", otherwise);
        }
        share
    }

    /// `[SECONDS|off]`.
    pub(super) fn send_fault(&mut self, statement: &Statement) -> Option<SendFault> {
        match statement.words.first().map(|word| word.text.as_str()) {
            None => Some(SendFault::Adverts),
            Some("off") => {
                self.no_more(statement, 1);
                Some(SendFault::Off)
            }
            Some(_) => self
                .seconds(statement, Nanos::ZERO..=DAY, "three adverts are waited for")
                .map_or(Some(SendFault::Adverts), |after| Some(SendFault::After(after))),
        }
    }

    /// `restore|backup`.
    pub(super) fn when_lost(&mut self, statement: &Statement) -> Option<WhenLost> {
        let word = self.one(statement)?;
        match word.text.as_str() {
            "restore" => Some(WhenLost::Restore),
            "backup" => Some(WhenLost::Backup),
            _ => {
                self.out_of_range(statement, word, "restore or backup", "it is ignored");
                None
            }
        }
    }

    /// `SECONDS|off`.
    pub(super) fn link_hold(&mut self, statement: &Statement) -> Option<Nanos> {
        match statement.words.first().map(|word| word.text.as_str()) {
            Some("off") => {
                self.no_more(statement, 1);
                Some(Nanos::ZERO)
            }
            _ => self.seconds(statement, Nanos::ZERO..=DAY, "it is ignored"),
        }
    }

    /// `MTU|ADVERT|BYTES`.
    pub(super) fn buffer_policy(&mut self, statement: &Statement) -> Option<Policy> {
        match statement.words.first().map(|word| word.text.as_str()) {
            Some("MTU") => Some(Policy::Mtu),
            Some("ADVERT") => Some(Policy::Advert),
            _ => self.buffer_size(statement).map(Policy::Bytes),
        }
    }

    fn buffer_size(&mut self, statement: &Statement) -> Option<u32> {
        let bytes = self.number(statement, 1..=BUFFER_MAX, "the system's default is used")?;
        u32::try_from(bytes).ok()
    }

    fn old_checksum(&mut self, statement: &Statement) -> Option<OldChecksum> {
        match statement.words.first() {
            None => Some(OldChecksum::Always),
            Some(word) if word.text == "never" => Some(OldChecksum::Never),
            Some(word) => {
                self.out_of_range(statement, word, "`never` or nothing", "it is ignored");
                None
            }
        }
    }

    /// How the IPv4 VRRPv3 checksum is made.
    pub(super) fn checksum(&self, draft: &Draft<'_>) -> V3Checksum {
        if draft.checksum_as_v2.unwrap_or(self.defaults.checksum_as_v2) {
            V3Checksum::MessageOnly
        } else if draft.uncommon.old_checksum == Some(OldChecksum::Always) {
            V3Checksum::Group
        } else {
            V3Checksum::PseudoHeader
        }
    }

    pub(super) fn uncommon(&mut self, draft: &Draft<'_>, resolved: Resolved<'_>) -> Uncommon {
        let said = &draft.uncommon;
        let defaults = self.defaults.uncommon;
        Uncommon {
            promote_secondaries: draft.promote_secondaries,
            owner_is_deaf: self.deaf_owner(said, resolved.strict),
            late_is_backup: self.late_backup(said, resolved.preempt),
            lacks_peers: self.lacks_peers(draft, resolved.transport),
            source_is_tracked: said.track_source,
            send_fault: match said.send_fault.or(defaults.send_fault) {
                None | Some(SendFault::Off) => None,
                Some(SendFault::Adverts) => {
                    Some(resolved.interval.nanos().times(u64::from(resolved.down_adverts)))
                }
                Some(SendFault::After(after)) => Some(after),
            },
            receive_buffer: receive_buffer(said, defaults, &resolved),
            xdp: said.xdp.unwrap_or(self.config.global.xdp),
            when_lost: said.when_lost.or(defaults.when_lost).unwrap_or_default(),
            late_share: said.late_share.or(defaults.late_share).unwrap_or(LATE_SHARE),
            link_hold: said.link_hold.or(defaults.link_hold).unwrap_or(LINK_HOLD),
        }
    }

    /// `strict` wants it; else as written.
    fn deaf_owner(&mut self, said: &Said, strict: bool) -> bool {
        if let (true, Some((false, at))) = (strict, said.owner_ignore) {
            self.not_strict("owner_ignore_adverts off", at);
        }
        let asked = said
            .owner_ignore
            .map_or(self.defaults.uncommon.owner_ignore, |(value, _)| value);
        strict || asked
    }

    fn late_backup(&mut self, said: &Said, preempt: Preempt) -> Option<Priority> {
        let (highest, at) = said.late_backup?;
        if preempt != Preempt::Never {
            self.sink.push(
                Diagnostic::warning("`timer_expired_backup` needs `nopreempt`")
                    .at(at, "ignored")
                    .help("add `nopreempt`; otherwise the election decides at once between two Masters"),
            );
            return None;
        }
        Some(highest)
    }

    fn lacks_peers(&mut self, draft: &Draft<'_>, transport: &Transport) -> bool {
        let Some(at) = draft.uncommon.fault_no_peer else {
            return false;
        };
        let lacks = matches!(transport, Transport::Multicast { .. });
        if lacks {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has no unicast peer", draft.name.text))
                    .remark(Remark::General)
                    .at(at, "it stays in FAULT")
                    .help("name the other hosts in `unicast_peer { … }`"),
            );
        }
        lacks
    }
}

fn receive_buffer(said: &Said, defaults: Defaults, resolved: &Resolved<'_>) -> ReceiveBuffer {
    /// IP header, VRRP head, and VRRPv2's authentication.
    const IPV4_HEADER: usize = 20;
    const IPV6_HEADER: usize = 40;
    const HEAD: usize = 8;
    const AUTH: usize = 8;
    let times = u32::from(defaults.multiplier.unwrap_or(3));
    if let Some(bytes) = said.receive_buffer {
        return ReceiveBuffer::Bytes(bytes);
    }
    match defaults.policy {
        Policy::System => ReceiveBuffer::System,
        Policy::Mtu => ReceiveBuffer::Mtus(times),
        Policy::Bytes(bytes) => ReceiveBuffer::Bytes(bytes),
        Policy::Advert => {
            let header = match resolved.family {
                Family::V4 => IPV4_HEADER,
                Family::V6 => IPV6_HEADER,
            };
            let tail = match resolved.version {
                Version::V2 => AUTH,
                Version::V3 => 0,
            };
            let addresses = resolved.addresses * usize::from(resolved.family.address_len());
            let advert = u32::try_from(header + HEAD + addresses + tail).unwrap_or(u32::MAX);
            ReceiveBuffer::Bytes(advert.saturating_mul(times))
        }
    }
}
