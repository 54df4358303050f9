//! The words for what the protocol does. Pure: model and effect in, one line out.
//!
//! A line begins with what keepalived writes on the same occasion, because alerting looks for it
//! (`(VI_1) Entering MASTER STATE`), and goes on with the reason and its evidence.

mod detail;
mod line;
mod restart;
#[cfg(test)]
mod tests;

pub use self::detail::detail;
pub use self::line::Phrase;
pub use self::restart::taken_over;

use std::net::IpAddr;

use tracing::Level;
use vrrp_common::id::{Family, Version, Vrid};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use crate::ingress::control::events::EventKind;
use crate::proto::model::Transport;
use crate::proto::router::MasterSeen;
use crate::proto::{
    Clue, Effect, FileId, HoldNews, LinkId, Model, NotifyState, ProcessId, Reason, Remark, RouterId,
    ScriptId, State, Subject, UnitId,
};

/// The words for an effect; `None` for what is not worth a line.
#[must_use]
pub fn phrase(model: &Model, now: MonoNanos, effect: &Effect) -> Option<Phrase> {
    match *effect {
        Effect::Transition {
            router,
            from,
            to,
            reason,
            heard,
        } => Some(transition(model, now, router, (from, to), &reason, heard)),
        Effect::Remark { router, remark } => Some(remarked(model, router, remark)),
        Effect::Notify {
            subject: Subject::Group(group),
            state,
            ..
        } => {
            let name = model.groups.get(group.index()).map_or("?", |group| &group.name);
            let state = match state {
                NotifyState::Master | NotifyState::Backup | NotifyState::Fault => state.word(),
                NotifyState::Stop | NotifyState::MasterRxLowerPri | NotifyState::Deleted => return None,
            };
            Some(Phrase {
                kind: Some(EventKind::Group),
                subject: Some(name.to_owned()),
                to: Some(state),
                ..Phrase::new(
                    Level::INFO,
                    format!("VRRP_Group({name}) Syncing instances to {state} state"),
                )
            })
        }
        Effect::Send { router, priority } if priority.is_release() => Some(
            Phrase {
                kind: Some(EventKind::Remark),
                reason: Some("priority-zero-sent"),
                ..Phrase::new(Level::INFO, format!("({}) sent 0 priority", name(model, router)))
            }
            .about(model, router),
        ),
        Effect::Release { router } => {
            let text = format!("({}) removing VIPs.", name(model, router));
            Some(Phrase::new(Level::DEBUG, text).about(model, router))
        }
        Effect::Acquire { router, announce } => {
            let mut text = format!("({}) setting VIPs.", name(model, router));
            if let Some(words) = detail::announcing(model, router, announce) {
                text.push_str(&format!(" {words}"));
            }
            Some(Phrase::new(Level::DEBUG, text).about(model, router))
        }
        Effect::Announce { router, rounds } => {
            let words = detail::announcing(model, router, rounds)?;
            let text = format!("({}) {words}", name(model, router));
            Some(Phrase::new(Level::DEBUG, text).about(model, router))
        }
        Effect::Send { .. }
        | Effect::Restore { .. }
        | Effect::AnnounceSource { .. }
        | Effect::Listen { .. }
        | Effect::Probe { .. }
        | Effect::Notify { .. } => None,
    }
}

/// The reason for a router's state in words; spans end at `now`.
#[must_use]
pub fn reason(model: &Model, router: RouterId, now: MonoNanos, reason: &Reason) -> String {
    match *reason {
        Reason::Started => "started".to_owned(),
        Reason::Owner => "it owns the addresses (priority 255)".to_owned(),
        Reason::MasterDown {
            master: Some(master),
            last_heard,
            interval,
        } => format!(
            "nothing heard from {master} for {} (Master_Down_Interval {interval})",
            now.since(last_heard)
        ),
        Reason::MasterDown {
            master: None,
            last_heard,
            interval,
        } => format!(
            "no Master heard for {} (Master_Down_Interval {interval})",
            now.since(last_heard)
        ),
        Reason::MasterReleased { master: Some(master) } => format!("{master} stood down with priority 0"),
        Reason::MasterReleased { master: None } => "the Master stood down with priority 0".to_owned(),
        Reason::Preempted { master, priority } => {
            format!("its priority is higher than that of {master} ({priority})")
        }
        Reason::HigherAddress {
            source,
            mac,
            priority,
        } => format!(
            "Master received advert from {source} with same priority {priority} but higher IP address than ours{}",
            sent_by(mac)
        ),
        Reason::HigherPriority {
            source,
            mac,
            priority,
        } => format!(
            "Master received advert from {source} with higher priority {priority}{}",
            sent_by(mac)
        ),
        Reason::OversleptTakenOver { source, late } => {
            format!("woke {late} late and {source} had taken over meanwhile")
        }
        Reason::Overslept { late } => {
            format!("woke {late} late, when another may be Master already (timer_expired_backup)")
        }
        Reason::CannotSend { errno } => format!(
            "no advert leaves the host: {} (vrrp_send_fault)",
            std::io::Error::from_raw_os_error(errno)
        ),
        Reason::NoPeers => "it has no unicast peer: name the other hosts in unicast_peer".to_owned(),
        Reason::LinkDown { link } => format!("interface {} is not up", link_name(model, link)),
        Reason::LinkUnproven { link } => format!(
            "waiting for {} to receive something (vrrp_link_hold)",
            link_name(model, link)
        ),
        Reason::ScriptFailing { script } => format!("script {} fails", script_name(model, script)),
        Reason::FileFailing { file } => {
            format!("the number in tracked file {} says so", file_name(model, file))
        }
        Reason::ProcessFailing { process } => {
            format!(
                "not as many as configured run of process {}",
                process_name(model, process)
            )
        }
        Reason::UnitFailing { unit } => format!(
            "a unit restarts too often or has failed (track_restarts {})",
            unit_name(model, unit)
        ),
        Reason::Lost { lost } => {
            let what = model.holding(router).map(|holding| holding.describe(lost));
            format!(
                "another program removed {} (vrrp_vip_removed backup)",
                what.unwrap_or_default()
            )
        }
        Reason::NoSource => no_source(model, router),
        Reason::Recovered => "everything tracked is well again".to_owned(),
        Reason::Group { leader } => format!("its sync group follows {}", name(model, leader)),
        Reason::Standby => "asked to stand by (vrrpctl standby)".to_owned(),
        Reason::Resumed => "took part again after standing by".to_owned(),
        Reason::Shutdown => "the daemon stops".to_owned(),
        Reason::Removed => "it is not in the new configuration".to_owned(),
        Reason::Reloaded => "the configuration was reloaded".to_owned(),
    }
}

fn no_source(model: &Model, router: RouterId) -> String {
    let Some(router) = model.routers.get(router.index()) else {
        return "there is no address to send from".to_owned();
    };
    let link = link_name(model, router.link);
    let (source, keyword) = match router.transport {
        Transport::Unicast { source, .. } => (source, "unicast_src_ip"),
        Transport::Multicast { source, .. } => (source, "mcast_src_ip"),
    };
    if let Some(source) = source {
        return format!("{link} does not have {source}: give it that address, or correct {keyword}");
    }
    let family = match router.family {
        Family::V4 => "IPv4",
        Family::V6 => "link-local IPv6",
    };
    format!("{link} has no {family} address to send from: give it one")
}

/// `(VI_1) Entering MASTER STATE: WHY; was BACKUP, last advert of 192.0.2.2 31.250 ms ago`; how long it took is
/// [`Phrase::took`]'s to add.
fn transition(
    model: &Model,
    now: MonoNanos,
    router: RouterId,
    (from, to): (State, State),
    why: &Reason,
    heard: Option<MasterSeen>,
) -> Phrase {
    let name = name(model, router);
    let words = reason(model, router, now, why);
    let mut text = match (from, to) {
        (State::Init, State::Backup) => format!("({name}) Entering BACKUP STATE (init): {words}"),
        (_, State::Init) => format!("({name}) Stopped: {words}"),
        (_, to) => format!("({name}) Entering {} STATE: {words}", state_name(to)),
    };
    text.push_str("; was ");
    text.push_str(state_name(from));
    let age = heard.map(|heard| now.since(heard.last));
    // The words of a dead Master's end have it.
    if let Some(heard) = heard
        && !matches!(why, Reason::MasterDown { .. })
    {
        let (address, age) = (heard.address, now.since(heard.last));
        text.push_str(&format!(", last advert of {address} {age} ago"));
    }
    let level = match to {
        State::Fault => Level::WARN,
        State::Init | State::Backup | State::Master => Level::INFO,
    };
    Phrase {
        kind: Some(EventKind::Transition),
        from: Some(state_name(from)),
        to: Some(state_name(to)),
        reason: Some(reason_name(why)),
        source: heard.map(|heard| heard.address),
        age,
        ..Phrase::new(level, text)
    }
    .about(model, router)
}

fn remarked(model: &Model, router: Option<RouterId>, remark: Remark) -> Phrase {
    let name = router.map(|router| name(model, router));
    let (level, kind, source, mut words) = words(model, remark);
    // In version 3 an interval is refused for one reason only; it need not be ours.
    if let Remark::Refused {
        source,
        mac,
        refusal: Refusal::Interval,
    } = remark
        && version(model, router) == Some(Version::V3)
    {
        words = format!(
            "advert from {source} refused: its interval is 0: correct advert_int there{}",
            sent_by(mac)
        );
    }
    let text = match name {
        Some(name) => format!("({name}) {words}"),
        None => words,
    };
    let phrase = Phrase {
        kind: Some(EventKind::Remark),
        reason: Some(kind),
        source,
        ..Phrase::new(level, text)
    };
    match router {
        Some(router) => phrase.about(model, router),
        None => phrase,
    }
}

/// An interface that has not received anything yet.
fn hold(link: &str, news: HoldNews) -> (Level, String) {
    match news {
        HoldNews::Waits { hold } => (
            Level::WARN,
            format!(
                "{link} has carrier and has received nothing yet: waiting up to {} for it (vrrp_link_hold)",
                seconds(hold)
            ),
        ),
        HoldNews::Proven { after } => (
            Level::INFO,
            format!(
                "{link} has received something, {} after it came up: listening for a Master",
                seconds(after)
            ),
        ),
        HoldNews::Over { after } => (
            Level::WARN,
            format!(
                "{link} has received nothing in {}: going on as if nobody were there (vrrp_link_hold)",
                seconds(after)
            ),
        ),
    }
}

/// Seconds, to the tenth where it is not 0.
fn seconds(span: Nanos) -> String {
    match span.as_millis() / 100 {
        tenths if tenths % 10 == 0 => format!("{} s", tenths / 10),
        tenths => format!("{}.{} s", tenths / 10, tenths % 10),
    }
}

/// The machine behind an address that may be anybody's, if the path told.
fn sent_by(mac: Option<Mac>) -> String {
    mac.map_or_else(String::new, |mac| format!("; sent by MAC address {mac}"))
}

/// Level, name, other router and words of a remark.
fn words(model: &Model, remark: Remark) -> (Level, &'static str, Option<IpAddr>, String) {
    match remark {
        Remark::Refused { source, mac, refusal } => (
            Level::WARN,
            "refused",
            Some(source),
            format!(
                "advert from {source} refused: {}{}",
                refused(refusal),
                sent_by(mac)
            ),
        ),
        Remark::Stranger {
            source,
            mac,
            vrid,
            clue,
        } => (
            Level::WARN,
            "stranger",
            Some(source),
            strange(source, vrid, clue) + &sent_by(mac),
        ),
        Remark::IntervalAdopted { source, theirs, ours } => (
            Level::INFO,
            "interval-adopted",
            Some(source),
            format!("{source} advertises every {theirs}, we every {ours}: following the Master's interval"),
        ),
        Remark::IntervalTooLong { source, theirs, kept } => (
            Level::WARN,
            "interval-too-long",
            Some(source),
            format!(
                "{source} advertises every {theirs}, more than ten times our interval: keeping {kept}; \
                 set the same advert_int on both"
            ),
        ),
        Remark::IntervalTooShort { source, theirs, kept } => (
            Level::WARN,
            "interval-too-short",
            Some(source),
            format!(
                "{source} advertises every {theirs}, less than a tenth of our interval: keeping {kept}; \
                 set the same advert_int on both"
            ),
        ),
        Remark::Late {
            source,
            gap,
            master_down,
        } => (
            Level::WARN,
            "late-advert",
            Some(source),
            format!(
                "an advert of {source} came {gap} after the one before; we take over after {master_down} without one"
            ),
        ),
        Remark::AddressesDiffer { source, mac } => (
            Level::WARN,
            "addresses-differ",
            Some(source),
            format!(
                "{source} advertises other addresses than ours: make virtual_ipaddress the same on both{}",
                sent_by(mac)
            ),
        ),
        Remark::LowerPriority {
            source,
            mac,
            priority,
        } => (
            Level::INFO,
            "lower-priority",
            Some(source),
            format!(
                "Received advert from {source} with lower priority {priority}, forcing new election{}",
                sent_by(mac)
            ),
        ),
        Remark::PreemptPending {
            source,
            mac,
            priority,
        } => (
            Level::INFO,
            "preempt-pending",
            Some(source),
            format!(
                "received lower priority ({priority}) advert from {source} - discarding{}",
                sent_by(mac)
            ),
        ),
        Remark::TwoOwners { source, mac } => (
            Level::WARN,
            "two-owners",
            Some(source),
            format!(
                "{source} claims priority 255 too: only the owner of the addresses may have it{}",
                sent_by(mac)
            ),
        ),
        Remark::SameAddress { source, mac } => (
            Level::WARN,
            "same-address",
            Some(source),
            format!(
                "another router sends with our own address {source}: give each its own{}",
                sent_by(mac)
            ),
        ),
        Remark::Overslept { late } => (
            Level::WARN,
            "overslept",
            None,
            format!("woke {late} late as Master and heard nobody else: carrying on"),
        ),
        Remark::LinkHold { link, news } => {
            let (level, words) = hold(link_name(model, link), news);
            (level, "link-hold", None, words)
        }
        Remark::SendFailed { errno } => (
            Level::WARN,
            "send-failed",
            None,
            format!(
                "adverts cannot be sent: {}",
                std::io::Error::from_raw_os_error(errno)
            ),
        ),
        Remark::SendRecovered => (
            Level::INFO,
            "send-recovered",
            None,
            "adverts can be sent again".to_owned(),
        ),
        Remark::Standby { length } => (
            Level::INFO,
            "standby",
            None,
            match length {
                Some(length) => format!("stands by for {}, as asked", seconds(length)),
                None => "stands by until it is told to resume, as asked".to_owned(),
            },
        ),
        Remark::StandbyAlone => (
            Level::WARN,
            "standby-alone",
            None,
            "stands by and hears no Master: nobody holds the addresses; `vrrpctl resume` takes them back"
                .to_owned(),
        ),
        Remark::Resumed { over } => (
            Level::INFO,
            "resumed",
            None,
            match over {
                true => "the time to stand by is over: takes part again".to_owned(),
                false => "takes part again, as asked".to_owned(),
            },
        ),
        Remark::AddressesRefused { failed } => (
            Level::WARN,
            "addresses-refused",
            None,
            format!("{failed} virtual addresses could not be added: see the lines before"),
        ),
        Remark::PriorityChanged { from, to } => (
            Level::INFO,
            "priority-changed",
            None,
            format!("Changing effective priority from {from} to {to}"),
        ),
    }
}

/// An advert that none of ours hears, with what to look at.
fn strange(source: IpAddr, vrid: Vrid, clue: Clue) -> String {
    match clue {
        Clue::UnknownVrid => format!("advert from {source} for VRID {vrid}, which is not configured here"),
        Clue::OurAddress => format!(
            "{source} advertises an address of ours under VRID {vrid}: set the same virtual_router_id on both"
        ),
        Clue::Multicast => format!(
            "{source} sends its adverts to the group and we ours to peers, so neither hears the other: write \
             unicast_peer on both or on neither"
        ),
        Clue::Unicast => format!(
            "{source} sends its adverts to us alone and we ours to the group, so neither hears the other: write \
             unicast_peer on both or on neither"
        ),
    }
}

/// A refusal in words, with what to look at.
fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Fragment => "it is an IP fragment",
        Refusal::Truncated => "it is cut short",
        Refusal::Version => "its version is neither 2 nor 3",
        Refusal::Type => "it is no advertisement",
        Refusal::Vrid => "no virtual router here has its VRID",
        Refusal::Source => "the sender is not a unicast_peer: add it there if it should be one",
        Refusal::Mac => {
            "its MAC address is not the one that the peer is pinned to: if the peer's network card was replaced, change \
             vrrp_peer_mac"
        }
        Refusal::Ttl => "its TTL says that it came through a router",
        Refusal::RouterVersion => "it is of the other VRRP version: set `version` the same on both",
        Refusal::Count => "it lists no address",
        Refusal::Length => "its length does not fit its number of addresses",
        Refusal::Checksum => "its checksum is wrong",
        Refusal::AuthType => "its authentication type differs: set auth_type the same on both",
        Refusal::AuthPassword => "its password differs: set auth_pass the same on both",
        Refusal::Interval => "its interval differs: set advert_int the same on both",
    }
}

/// The name of a reason in fields.
#[must_use]
pub fn reason_name(reason: &Reason) -> &'static str {
    match reason {
        Reason::Started => "started",
        Reason::Owner => "owner",
        Reason::MasterDown { .. } => "master-down",
        Reason::MasterReleased { .. } => "master-released",
        Reason::Preempted { .. } => "preempted",
        Reason::HigherAddress { .. } => "higher-address",
        Reason::HigherPriority { .. } => "higher-priority",
        Reason::OversleptTakenOver { .. } => "overslept-taken-over",
        Reason::Overslept { .. } => "overslept",
        Reason::CannotSend { .. } => "cannot-send",
        Reason::NoPeers => "no-peers",
        Reason::LinkDown { .. } => "link-down",
        Reason::ScriptFailing { .. } => "script-failing",
        Reason::FileFailing { .. } => "file-failing",
        Reason::ProcessFailing { .. } => "process-failing",
        Reason::UnitFailing { .. } => "unit-failing",
        Reason::Lost { .. } => "lost",
        Reason::NoSource => "no-source",
        Reason::LinkUnproven { .. } => "link-unproven",
        Reason::Recovered => "recovered",
        Reason::Group { .. } => "group",
        Reason::Standby => "standby",
        Reason::Resumed => "resumed",
        Reason::Shutdown => "shutdown",
        Reason::Removed => "removed",
        Reason::Reloaded => "reloaded",
    }
}

/// keepalived's word for a state.
#[must_use]
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault => "FAULT",
    }
}

fn version(model: &Model, router: Option<RouterId>) -> Option<Version> {
    Some(model.routers.get(router?.index())?.version)
}

fn name(model: &Model, router: RouterId) -> &str {
    model
        .routers
        .get(router.index())
        .map_or("?", |router| &router.name)
}

fn link_name(model: &Model, link: LinkId) -> &str {
    model.links.get(link.index()).map_or("?", String::as_str)
}

fn script_name(model: &Model, script: ScriptId) -> &str {
    model
        .scripts
        .get(script.index())
        .map_or("?", |script| &script.name)
}

fn file_name(model: &Model, file: FileId) -> &str {
    model.files.get(file.index()).map_or("?", |file| &file.name)
}

fn process_name(model: &Model, process: ProcessId) -> &str {
    model
        .processes
        .get(process.index())
        .map_or("?", |process| &process.name)
}

fn unit_name(model: &Model, unit: UnitId) -> &str {
    model.units.get(unit.index()).map_or("?", |unit| &unit.name)
}
