//! What a reload would change, in words. No password stands in them.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::config::{Config, FileSpec, Notify, ProcessSpec, ScriptSpec};
use crate::ingress::control::message::{Change, ChangeKind};
use crate::proto::model::{
    Model, Preempt, SyncGroup, Track, TrackObject, Transport, VirtualAddress, VirtualRouter,
};
use crate::proto::{Correspondence, LinkId, RouterId};

/// From one configuration to another, in the order of the new one; what is gone comes last of its kind.
#[must_use]
pub fn between(old: &Config, new: &Config) -> Vec<Change> {
    let correspondence = Correspondence::between(&old.model, &new.model);
    let mut changes = global(old, new);
    routers(old, new, &correspondence, &mut changes);
    groups(old, new, &correspondence, &mut changes);
    objects("script", &scripts(old), &scripts(new), &mut changes);
    objects("file", &files(old), &files(new), &mut changes);
    objects("process", &processes(old), &processes(new), &mut changes);
    changes
}

fn change(subject: String, kind: ChangeKind, details: Vec<String>) -> Change {
    Change {
        subject,
        kind,
        details,
    }
}

fn global(old: &Config, new: &Config) -> Vec<Change> {
    let mut details = Vec::new();
    let (before, after) = (&old.global, &new.global);
    if before.process != after.process {
        details.push("scheduling, CPUs, name or umask of the process: at the next start".to_owned());
    }
    if before.place != after.place {
        details.push("net_namespace, instance, use_pid_dir or child_wait_time: at the next start".to_owned());
    }
    if (before.startup_delay, before.delay_after_boot) != (after.startup_delay, after.delay_after_boot) {
        details.push("vrrp_startup_delay or vrrp_delay_after_boot: at the next start".to_owned());
    }
    if before.control_group != after.control_group {
        details.push("vrrp_control_group".to_owned());
    }
    if before.fifos != after.fifos {
        details.push("notify FIFOs".to_owned());
    }
    if before.pacing != after.pacing {
        details.push("least time between announcements".to_owned());
    }
    if before.virtual_servers != after.virtual_servers {
        details.push(format!(
            "virtual servers, which this daemon does not run: {} -> {}",
            before.virtual_servers, after.virtual_servers
        ));
    }
    let mut rest = before.clone();
    rest.process = after.process.clone();
    rest.place = after.place.clone();
    rest.startup_delay = after.startup_delay;
    rest.delay_after_boot = after.delay_after_boot;
    rest.control_group = after.control_group;
    rest.fifos = after.fifos.clone();
    rest.pacing = after.pacing.clone();
    rest.virtual_servers = after.virtual_servers;
    let flags = |model: &Model| (model.log_unknown_vrids, model.pass_accepted);
    if rest != *after || flags(&old.model) != flags(&new.model) {
        details.push("other settings in global_defs".to_owned());
    }
    if old.model.statics != new.model.statics {
        details.push("static addresses, routes or rules".to_owned());
    }
    match details.is_empty() {
        true => Vec::new(),
        false => vec![change("global".to_owned(), ChangeKind::Changed, details)],
    }
}

fn routers(old: &Config, new: &Config, correspondence: &Correspondence, changes: &mut Vec<Change>) {
    let ids = || (0..=u16::MAX).map(RouterId);
    let none = Notify::default();
    let notify = |config: &'_ Config, id: RouterId| {
        config
            .router_notify
            .get(id.index())
            .cloned()
            .unwrap_or_else(|| none.clone())
    };
    for (id, router) in ids().zip(&new.model.routers) {
        let subject = format!("instance {}", router.name);
        let before = correspondence.routers.before(id);
        match before.and_then(|before| Some((before, old.model.routers.get(before.index())?))) {
            None => changes.push(change(subject, ChangeKind::Added, summary(&new.model, router))),
            Some((before, was)) => {
                let mut details = differences((&old.model, was), (&new.model, router));
                if notify(old, before) != notify(new, id) {
                    details.push("notify scripts".to_owned());
                }
                if !details.is_empty() {
                    changes.push(change(subject, ChangeKind::Changed, details));
                }
            }
        }
    }
    for gone in correspondence.routers.gone() {
        if let Some(router) = old.model.routers.get(gone.index()) {
            let details = vec!["gives up with priority 0 if it is Master".to_owned()];
            changes.push(change(
                format!("instance {}", router.name),
                ChangeKind::Removed,
                details,
            ));
        }
    }
}

fn summary(model: &Model, router: &VirtualRouter) -> Vec<String> {
    vec![
        format!(
            "VRID {} on {}, priority {}, advert every {}",
            router.vrid.value(),
            link(model, router.link),
            router.priority,
            router.interval
        ),
        format!(
            "addresses {}",
            addresses(model, router).into_iter().collect::<Vec<_>>().join(" ")
        ),
    ]
}

fn differences((old, was): (&Model, &VirtualRouter), (new, is): (&Model, &VirtualRouter)) -> Vec<String> {
    let mut details = Vec::new();
    let out = &mut details;
    differ(out, "name", &was.name, &is.name);
    differ(out, "priority", was.priority, is.priority);
    differ(out, "advert_int", was.interval, is.interval);
    differ(out, "preemption", preempt(was.preempt), preempt(is.preempt));
    differ(out, "version", was.version.number(), is.version.number());
    differ(out, "down_timer_adverts", was.down_adverts, is.down_adverts);
    if was.auth != is.auth {
        out.push("authentication".to_owned());
    }
    come_and_go(out, "peer", &peers(was), &peers(is));
    differ(out, "sent from", source(was), source(is));
    come_and_go(out, "address", &addresses(old, was), &addresses(new, is));
    come_and_go(out, "track", &tracks(old, &was.track), &tracks(new, &is.track));
    let group = |model: &Model, router: &VirtualRouter| {
        let group = router.group.and_then(|group| model.groups.get(group.index()));
        group.map_or("none".to_owned(), |group| group.name.clone())
    };
    differ(out, "sync group", group(old, was), group(new, is));
    if was.announce != is.announce {
        out.push("gratuitous ARP".to_owned());
    }
    // Interfaces are numbers in there: where one comes or goes, routes may be named that stay the same.
    if format!("{:?}{:?}", was.routes, was.rules) != format!("{:?}{:?}", is.routes, is.rules) {
        out.push("virtual routes or rules".to_owned());
    }
    // Whatever has no words of its own. Indices are the models' and say nothing.
    let rest = VirtualRouter {
        name: is.name.clone(),
        link: is.link,
        priority: is.priority,
        interval: is.interval,
        preempt: is.preempt,
        version: is.version,
        down_adverts: is.down_adverts,
        auth: is.auth,
        transport: is.transport.clone(),
        addresses: is.addresses.clone(),
        excluded: is.excluded.clone(),
        routes: is.routes.clone(),
        rules: is.rules.clone(),
        track: is.track.clone(),
        announce: is.announce,
        group: is.group,
        ..was.clone()
    };
    let transport_differs =
        was.transport != is.transport && peers(was) == peers(is) && source(was) == source(is);
    if rest != *is || transport_differs {
        out.push("other settings".to_owned());
    }
    details
}

fn groups(old: &Config, new: &Config, correspondence: &Correspondence, changes: &mut Vec<Change>) {
    let members = |model: &Model, group: &SyncGroup| -> BTreeSet<String> {
        let members = group.members.iter();
        members
            .filter_map(|member| model.routers.get(member.index()))
            .map(|member| member.name.clone())
            .collect()
    };
    for (index, group) in (0..=u16::MAX).zip(&new.model.groups) {
        let subject = format!("group {}", group.name);
        let before = correspondence.groups.before(index.into());
        let Some((at, was)) = before.and_then(|at| Some((at, old.model.groups.get(at.index())?))) else {
            let members = members(&new.model, group)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ");
            changes.push(change(
                subject,
                ChangeKind::Added,
                vec![format!("members {members}")],
            ));
            continue;
        };
        let mut details = Vec::new();
        differ(&mut details, "name", &was.name, &group.name);
        come_and_go(
            &mut details,
            "member",
            &members(&old.model, was),
            &members(&new.model, group),
        );
        come_and_go(
            &mut details,
            "track",
            &tracks(&old.model, &was.track),
            &tracks(&new.model, &group.track),
        );
        differ(
            &mut details,
            "sync_group_tracking_weight",
            was.keep_weights,
            group.keep_weights,
        );
        if old.group_notify.get(at.index()) != new.group_notify.get(usize::from(index)) {
            details.push("notify scripts".to_owned());
        }
        if !details.is_empty() {
            changes.push(change(subject, ChangeKind::Changed, details));
        }
    }
    for gone in correspondence.groups.gone() {
        if let Some(group) = old.model.groups.get(gone.index()) {
            let subject = format!("group {}", group.name);
            changes.push(change(subject, ChangeKind::Removed, Vec::new()));
        }
    }
}

/// What is tracked, with how it is looked at.
type Tracked<'c, S> = Vec<(&'c str, &'c S)>;

fn scripts(config: &Config) -> Tracked<'_, ScriptSpec> {
    let names = config.model.scripts.iter().map(|script| script.name.as_str());
    names.zip(&config.scripts).collect()
}

fn files(config: &Config) -> Tracked<'_, FileSpec> {
    let names = config.model.files.iter().map(|file| file.name.as_str());
    names.zip(&config.files).collect()
}

fn processes(config: &Config) -> Tracked<'_, ProcessSpec> {
    let names = config.model.processes.iter().map(|process| process.name.as_str());
    names.zip(&config.processes).collect()
}

fn objects<S: PartialEq>(kind: &str, old: &Tracked<'_, S>, new: &Tracked<'_, S>, changes: &mut Vec<Change>) {
    let find = |list: &Tracked<'_, S>, name: &str| list.iter().position(|(other, _)| *other == name);
    for (name, spec) in new {
        let subject = format!("{kind} {name}");
        match find(old, name).and_then(|at| old.get(at)) {
            None => changes.push(change(subject, ChangeKind::Added, Vec::new())),
            Some((_, was)) if was != spec => {
                let details = vec!["how it is looked at".to_owned()];
                changes.push(change(subject, ChangeKind::Changed, details));
            }
            Some(_) => {}
        }
    }
    for (name, _) in old {
        if find(new, name).is_none() {
            changes.push(change(format!("{kind} {name}"), ChangeKind::Removed, Vec::new()));
        }
    }
}

fn differ<T: Display + PartialEq>(details: &mut Vec<String>, what: &str, was: T, is: T) {
    if was != is {
        details.push(format!("{what} {was} -> {is}"));
    }
}

fn come_and_go(details: &mut Vec<String>, what: &str, was: &BTreeSet<String>, is: &BTreeSet<String>) {
    details.extend(is.difference(was).map(|new| format!("{what} {new}: new")));
    details.extend(was.difference(is).map(|gone| format!("{what} {gone}: gone")));
}

fn preempt(preempt: Preempt) -> String {
    match preempt {
        Preempt::Never => "nopreempt".to_owned(),
        Preempt::After(delay) if delay.0 == 0 => "at once".to_owned(),
        Preempt::After(delay) => format!("after {} s", delay.as_millis() / 1000),
    }
}

fn peers(router: &VirtualRouter) -> BTreeSet<String> {
    match &router.transport {
        Transport::Multicast { group, .. } => BTreeSet::from([group.to_string()]),
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.address.to_string()).collect(),
    }
}

fn source(router: &VirtualRouter) -> String {
    let (Transport::Multicast { source, .. } | Transport::Unicast { source, .. }) = &router.transport;
    source.map_or("the interface's address".to_owned(), |source| source.to_string())
}

fn addresses(model: &Model, router: &VirtualRouter) -> BTreeSet<String> {
    let words = |address: &VirtualAddress| {
        format!(
            "{}/{} on {}",
            address.address,
            address.prefix,
            link(model, address.link)
        )
    };
    router
        .addresses
        .iter()
        .chain(&router.excluded)
        .map(words)
        .collect()
}

fn tracks(model: &Model, tracks: &[Track]) -> BTreeSet<String> {
    let words = |track: &Track| {
        let (kind, name) = match track.object {
            TrackObject::Link(link) => ("interface", model.links.get(link.index())),
            TrackObject::Script(script) => (
                "script",
                model.scripts.get(script.index()).map(|script| &script.name),
            ),
            TrackObject::File(file) => ("file", model.files.get(file.index()).map(|file| &file.name)),
            TrackObject::Process(process) => {
                let process = model.processes.get(process.index());
                ("process", process.map(|process| &process.name))
            }
            TrackObject::Unit(unit) => ("unit", model.units.get(unit.index()).map(|unit| &unit.name)),
        };
        let reverse = if track.reverse { " reverse" } else { "" };
        let name = name.map_or("?", String::as_str);
        format!("{kind} {name} weight {}{reverse}", track.weight)
    };
    tracks.iter().map(words).collect()
}

fn link(model: &Model, link: LinkId) -> &str {
    model.links.get(link.index()).map_or("?", String::as_str)
}

#[cfg(test)]
mod tests;
