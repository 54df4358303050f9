//! The manual pages vrrp-daemon(8) and vrrpctl(1), from the tables that the programs read their command lines by.

use std::io;

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, italic, roman};
use vrrp_daemon::cli::manual::{self, Part, Section};

use super::man::{ascii, section};
use super::{args, vrrpctl};

/// Of the last change that is not in the tables.
const DATE: &str = "2026-11-29";

pub(crate) fn daemon() -> io::Result<String> {
    let usage = "vrrp-daemon [OPTION]...\nvrrp-daemon -t [-f FILE]";
    let man = Man::new(vrrp_daemon::cli::command().override_usage(usage)).section("8");
    page("VRRP-DAEMON", man, None, manual::DESCRIPTION, manual::SECTIONS)
}

pub(crate) fn tool() -> io::Result<String> {
    let mut command = args::Arguments::command();
    command.build();
    let usage = "vrrpctl [--json] [--socket PATH] COMMAND [ARGUMENT]...";
    let man = Man::new(args::Arguments::command().override_usage(usage)).section("1");
    page(
        "VRRPCTL",
        man,
        Some(&mut command),
        vrrpctl::DESCRIPTION,
        vrrpctl::SECTIONS,
    )
}

fn page(
    title: &str,
    man: Man,
    commands: Option<&mut Command>,
    description: &[&str],
    sections: &[Section],
) -> io::Result<String> {
    let man = man
        .title(title)
        .date(DATE)
        .source("vrrp-daemon")
        .manual("vrrp-daemon");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    let mut described = Roff::new();
    section(&mut described, "DESCRIPTION");
    for (at, paragraph) in description.iter().enumerate() {
        if at > 0 {
            described.control("PP", []);
        }
        described.text(pages(paragraph));
    }
    out.extend(described.to_roff().into_bytes());
    man.render_options_section(&mut out)?;
    let mut rest = Roff::new();
    if let Some(commands) = commands {
        section(&mut rest, "COMMANDS");
        for command in commands.get_subcommands_mut() {
            entry(&mut rest, command);
        }
    }
    for part in sections {
        section(&mut rest, part.title);
        for (at, piece) in part.parts.iter().enumerate() {
            if at > 0 {
                rest.control("PP", []);
            }
            show(&mut rest, piece);
        }
    }
    out.extend(rest.to_roff().into_bytes());
    String::from_utf8(out).map_err(io::Error::other)
}

/// A command with its arguments; instead of one that has commands itself, these.
fn entry(page: &mut Roff, command: &mut Command) {
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        for command in command.get_subcommands_mut() {
            entry(page, command);
        }
        return;
    }
    let usage = command.render_usage().to_string();
    let (name, operands) = usage.split_once(" [OPTIONS]").unwrap_or((&usage, ""));
    let name = name.trim_start_matches("Usage: vrrpctl ");
    let own = |arg: &&Arg| {
        !arg.is_hide_set() && !arg.is_global_set() && !["help", "version"].contains(&arg.get_id().as_str())
    };
    let arguments: Vec<&Arg> = command.get_arguments().filter(own).collect();
    page.control("TP", []);
    let mut first = vec![bold(name)];
    for option in arguments.iter().filter(|arg| !arg.is_positional()) {
        // What one has to choose from stands with the operands.
        let long = option.get_long().unwrap_or_default();
        if !operands.contains(&format!("--{long}")) {
            first.push(roman(" ["));
            first.extend(head(option));
            first.push(roman("]"));
        }
    }
    first.push(roman(operands));
    page.text(first);
    if let Some(about) = command.get_about() {
        page.text([roman(sentence(&about.to_string()))]);
    }
    if arguments.is_empty() {
        return;
    }
    page.control("RS", []);
    for arg in arguments {
        page.control("TP", []);
        page.text(head(arg));
        page.text([roman(body(arg))]);
    }
    page.control("RE", []);
}

fn head(arg: &Arg) -> Vec<Inline> {
    let names = [
        arg.get_short().map(|short| format!("-{short}")),
        arg.get_long().map(|long| format!("--{long}")),
    ];
    let names: Vec<String> = names.into_iter().flatten().collect();
    let value = arg
        .get_num_args()
        .is_some_and(|count| count.takes_values())
        .then(|| arg.get_value_names().unwrap_or_default().join(" "));
    match (names.is_empty(), value) {
        (true, value) => vec![italic(value.unwrap_or_default())],
        (false, None) => vec![bold(names.join(", "))],
        (false, Some(value)) => vec![bold(names.join(", ")), roman(" "), italic(value)],
    }
}

fn body(arg: &Arg) -> String {
    let mut text = sentence(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| arg.get_action().takes_values() && !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("{} ({help})", value.get_name()),
            None => value.get_name().to_owned(),
        })
        .collect();
    if !values.is_empty() {
        text += &format!(" There are: {}.", values.join("; "));
    }
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        text += &format!(" [{}]", defaults.join(","));
    }
    ascii(&text)
}

/// What the help shows without a full stop.
fn sentence(text: &str) -> String {
    match text.ends_with(['.', ']']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

fn show(page: &mut Roff, part: &Part) {
    match part {
        Part::Text(text) => {
            page.text(pages(text));
        }
        Part::Items(items) => {
            for (item, text) in *items {
                page.control("TP", []);
                page.text([bold(*item)]);
                page.text(pages(&sentence(text)));
            }
        }
        Part::Example(what, lines) => {
            page.text([roman(*what)]);
            page.control("PP", []);
            page.control("RS", ["4"]);
            page.control("nf", []);
            for line in *lines {
                page.text([bold(*line)]);
            }
            page.control("fi", []);
            page.control("RE", []);
        }
        Part::Pages(names) => {
            let names = names.join(", ");
            page.text(pages(&names));
        }
    }
}

/// Text in which the names of manual pages, `vrrpctl(1)`, are bold.
fn pages(text: &str) -> Vec<Inline> {
    let mut out = Vec::new();
    let mut plain = String::new();
    for word in text.split_inclusive(' ') {
        match word.split_once('(') {
            Some((name, rest)) if !name.is_empty() && rest.starts_with(|c: char| c.is_ascii_digit()) => {
                out.extend([
                    roman(std::mem::take(&mut plain)),
                    bold(name),
                    roman(format!("({rest}")),
                ]);
            }
            _ => plain.push_str(word),
        }
    }
    out.push(roman(plain));
    out
}
