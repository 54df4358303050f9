//! The raw tree to a [`Config`]: meanings, defaults, and every remark of keepalived's that follows from them.
//!
//! Nothing here stops at the first fault: all of a file's errors come at once.

mod address;
mod carried;
mod clash;
mod daemon;
mod delays;
mod global;
mod group;
mod instance;
mod iproute;
mod names;
mod pacing;
mod pins;
mod resolve;
mod route;
mod rule;
mod script;
mod statics;
mod strict;
mod track;
mod tracker;
mod transport;
mod uncommon;
mod unit;
mod user;
mod value;
mod weights;

use std::collections::{HashMap, HashSet};

pub(super) use self::value::in_seconds;
use super::diag::{Diagnostic, Remark, Severity, Sink};
use super::environment::Environment;
use super::keywords::{Key, RootKey, Status};
use super::raw::{Statement, Tree};
use super::source::Span;
use super::{Config, UnitSpec};
use crate::proto::{FileId, GroupId, LinkId, ProcessId, RouterId, ScriptId, UnitId};

/// Everything needed while lowering, and the configuration as far as it has come.
struct Lowering<'a> {
    sink: &'a mut Sink,
    environment: &'a dyn Environment,
    config: Config,
    defaults: global::Defaults,
    names: names::NameTables,
    /// Of rules that name none.
    priorities: rule::Priorities,
    links: HashMap<String, LinkId>,
    scripts: HashMap<String, script::Known>,
    files: HashMap<String, tracker::Known<FileId>>,
    processes: HashMap<String, tracker::Known<ProcessId>>,
    units: HashMap<UnitSpec, UnitId>,
    routers: HashMap<String, RouterId>,
    groups: HashSet<String>,
    /// Where each router's `vrrp_instance` line stands.
    router_spans: Vec<Span>,
    /// The first script that will be run.
    first_script: Option<Span>,
    /// The first that others could change.
    insecure: Option<user::Insecure>,
    default_user: user::DefaultUser,
}

/// Lower a tree. The configuration is worth something only if no error was reported.
pub(super) fn lower(tree: &Tree, environment: &dyn Environment, sink: &mut Sink) -> Config {
    let mut lowering = Lowering {
        sink,
        environment,
        config: Config::default(),
        defaults: global::Defaults::default(),
        names: names::NameTables::default(),
        priorities: rule::Priorities::default(),
        links: HashMap::new(),
        scripts: HashMap::new(),
        files: HashMap::new(),
        processes: HashMap::new(),
        units: HashMap::new(),
        routers: HashMap::new(),
        groups: HashSet::new(),
        router_spans: Vec::new(),
        first_script: None,
        insecure: None,
        default_user: user::DefaultUser::default(),
    };
    // By dependence, not by place in the file: defaults, the daemon itself, scripts, instances, groups.
    // Static rules and those of instances share one count of priorities, in the file's order.
    for keys in [
        &[RootKey::Global][..],
        &[RootKey::Script, RootKey::File, RootKey::Process],
        &[
            RootKey::Instance,
            RootKey::StaticAddresses,
            RootKey::StaticRoutes,
            RootKey::StaticRules,
        ],
        &[RootKey::Group],
        &[RootKey::LinkDelays],
        &[RootKey::GarpGroup],
    ] {
        if keys.contains(&RootKey::Script) {
            lowering.daemon(tree);
        }
        for statement in &tree.statements {
            let Status::Works(Key::Root(key)) = statement.keyword.status else {
                continue;
            };
            if !keys.contains(&key) {
                continue;
            }
            match key {
                RootKey::Global => lowering.global(statement),
                RootKey::Script => lowering.script(statement),
                RootKey::File => lowering.tracked_file(statement),
                RootKey::Process => lowering.tracked_process(statement),
                RootKey::Instance => lowering.instance(statement),
                RootKey::Group => lowering.group(statement),
                RootKey::LinkDelays => lowering.link_delays(statement),
                RootKey::GarpGroup => lowering.garp_group(statement),
                RootKey::StaticAddresses | RootKey::StaticRoutes | RootKey::StaticRules => {
                    lowering.statics(key, statement);
                }
            }
        }
    }
    lowering.clashes();
    lowering.security();
    lowering.config.global.virtual_servers = tree.virtual_servers;
    if lowering.router_spans.is_empty() && !lowering.sink.has_errors() {
        lowering.sink.push(
            Diagnostic::warning("there is no virtual router in this configuration: nothing will be done")
                .remark(Remark::None)
                .help("write a `vrrp_instance NAME { … }`; README.md has an example"),
        );
    }
    if tree.virtual_servers > 0 {
        let count = tree.virtual_servers;
        let (noun, verb) = if count == 1 {
            ("server", "is")
        } else {
            ("servers", "are")
        };
        lowering.sink.push(
            Diagnostic::warning(format!("{count} virtual {noun} {verb} NOT run by this daemon"))
                .remark(Remark::None)
                .help("run `keepalived -C` with the same file beside it"),
        );
    }
    lowering.config
}

/// A host of containers has hundreds.
const INTERFACES_SHOWN: usize = 8;

impl Lowering<'_> {
    /// The name of a named block, unless it is missing.
    fn name<'s>(&mut self, statement: &'s Statement) -> Option<&'s super::lexer::Word> {
        let keyword = statement.keyword.name;
        match statement.words.as_slice() {
            [] => {
                self.sink.push(
                    Diagnostic::warning(format!("`{keyword}` has no name"))
                        .at(statement.span, "ignored with everything in it")
                        .help(format!("write `{keyword} NAME {{`")),
                );
                None
            }
            [name] => Some(name),
            [name, extra, ..] => {
                self.sink.push(
                    Diagnostic::warning(format!("`{keyword}` has one name"))
                        .at(extra.span, "ignored")
                        .help("a name is one word: write it without blanks, or in double quotes"),
                );
                Some(name)
            }
        }
    }

    /// The position of an interface in the model's list.
    fn link(&mut self, name: &str, at: Span) -> LinkId {
        if let Some(id) = self.links.get(name) {
            return *id;
        }
        self.must_exist(name, at);
        let id = LinkId(self.position(self.config.model.links.len(), "interfaces", at));
        self.config.model.links.push(name.to_owned());
        self.links.insert(name.to_owned(), id);
        id
    }

    /// An interface that is not there: keepalived does not start either, unless told to wait.
    fn must_exist(&mut self, name: &str, at: Span) {
        if self.config.global.dynamic_interfaces {
            return;
        }
        let Some(here) = self.environment.interfaces() else {
            return;
        };
        if !here.iter().any(|known| known == name) {
            let mut some: Vec<_> = here.iter().take(INTERFACES_SHOWN).map(String::as_str).collect();
            some.extend((here.len() > INTERFACES_SHOWN).then_some("…"));
            self.sink.push(
                Diagnostic::error(format!("non-existent interface `{name}`"))
                    .at(at, format!("this host has {}", some.join(", ")))
                    .help(
                        "correct the name, create the interface first, or set `dynamic_interfaces` in `global_defs` \
                         to wait for it",
                    ),
            );
        }
    }

    /// A list's next index; the 65 537th is an error.
    fn position(&mut self, len: usize, what: &str, at: Span) -> u16 {
        u16::try_from(len).unwrap_or_else(|_| {
            self.sink.push_once(
                what,
                || {
                    Diagnostic::error(format!("more than 65536 {what}"))
                        .at(at, "one too many")
                        .help("use fewer")
                },
                at,
            );
            u16::MAX
        })
    }

    fn router_id(&mut self, at: Span) -> RouterId {
        RouterId(self.position(self.config.model.routers.len(), "instances", at))
    }

    fn group_id(&mut self, at: Span) -> GroupId {
        GroupId(self.position(self.config.model.groups.len(), "sync groups", at))
    }

    fn script_id(&mut self, at: Span) -> ScriptId {
        ScriptId(self.position(self.config.model.scripts.len(), "scripts", at))
    }
}

/// Whether anything reported so far keeps the daemon from starting.
pub(super) fn any_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
