//! Completion: the shells' scripts (packaging/completions) ask this program, so that names come from the daemon that
//! runs. Where none answers there are none, and nothing is said.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use vrrp_daemon::cli::CONTROL_SOCKET;
use vrrp_daemon::obs::phrase::state_name;

use super::args::{Arguments, COMPLETE};

/// Complete and end, if a shell asks for that.
pub(crate) fn by_environment() {
    CompleteEnv::with_factory(command).var(COMPLETE).complete();
}

fn command() -> clap::Command {
    let of_instance = |command: clap::Command, argument: &'static str| {
        command.mut_arg(argument, |arg| arg.add(ArgValueCandidates::new(instances)))
    };
    let mut command = Arguments::command();
    for name in ["show", "explain", "peers", "counters"] {
        command = command.mut_subcommand(name, |command| of_instance(command, "name"));
    }
    for name in ["garp", "standby", "resume"] {
        let all = || instances().into_iter().chain(groups()).collect::<Vec<_>>();
        let of_any = |arg: clap::Arg| arg.add(ArgValueCandidates::new(all));
        command = command.mut_subcommand(name, |command| command.mut_arg("name", of_any));
    }
    command = command.mut_subcommand("check", |command| of_instance(command, "names"));
    match wants_option() {
        true => command,
        false => without_options(command)
            .disable_help_flag(true)
            .disable_version_flag(true),
    }
}

/// Options are offered to who has begun one: among names they are in the way. `--all` stands for a name.
fn without_options(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let stays = arg.is_positional() || arg.get_id() == "all";
        arg.hide(!stays)
    });
    command.mut_subcommands(without_options)
}

/// Whether the word that is completed begins as an option. The shells that do not say which word it is mean the last.
fn wants_option() -> bool {
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok();
    let mut words = std::env::args().skip_while(|word| word != "--").skip(1);
    let word = match index.and_then(|index| index.parse().ok()) {
        Some(index) => words.nth(index),
        None => words.last(),
    };
    word.is_some_and(|word| word.starts_with('-'))
}

fn instances() -> Vec<CompletionCandidate> {
    let status = super::status(&socket()).ok();
    let instances = status.into_iter().flat_map(|status| status.instances);
    instances
        .map(|instance| {
            let is = format!("{} on {}", state_name(instance.state), instance.interface);
            CompletionCandidate::new(instance.name).help(Some(is.into()))
        })
        .collect()
}

fn groups() -> Vec<CompletionCandidate> {
    let status = super::status(&socket()).ok();
    let groups = status.into_iter().flat_map(|status| status.groups);
    groups
        .map(|group| CompletionCandidate::new(group.name).help(Some("sync group".into())))
        .collect()
}

/// What `--socket` says on the line that is completed.
fn socket() -> PathBuf {
    let mut words = std::env::args_os();
    while let Some(word) = words.next() {
        if word == "--socket" {
            return words.next().unwrap_or_default().into();
        }
        if let Some(path) = word.to_str().and_then(|word| word.strip_prefix("--socket=")) {
            return path.into();
        }
    }
    CONTROL_SOCKET.into()
}
