//! What shells complete by. The daemon's options are in its scripts; `vrrpctl` is asked by its own, so that it can name
//! the virtual routers that run.

use std::io;

use clap::Command;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use clap_complete::{Shell, generate};

use super::args::COMPLETE;

pub(crate) fn daemon(shell: &str) -> Option<io::Result<String>> {
    let shell = match shell {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return None,
    };
    // bash would be offered what is hidden.
    let all = vrrp_daemon::cli::command();
    let shown = all.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
    let mut command = Command::new("vrrp-daemon")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(shown);
    let mut out = Vec::new();
    generate(shell, &mut command, "vrrp-daemon", &mut out);
    Some(text(out))
}

pub(crate) fn tool(shell: &str) -> Option<io::Result<String>> {
    let (completer, more): (&dyn EnvCompleter, &str) = match shell {
        "bash" => (&Bash, ""),
        // The first time the file is loaded because something is to be completed.
        "zsh" => (
            &Zsh,
            "if [ \"$funcstack[1]\" = \"_vrrpctl\" ]; then\n    _clap_dynamic_completer_vrrpctl \"$@\"\nfi\n",
        ),
        "fish" => (&Fish, ""),
        _ => return None,
    };
    let mut out = Vec::new();
    let written = completer.write_registration(COMPLETE, "vrrpctl", "vrrpctl", "vrrpctl", &mut out);
    out.extend(more.bytes());
    Some(written.and_then(|()| text(out)))
}

fn text(out: Vec<u8>) -> io::Result<String> {
    String::from_utf8(out).map_err(io::Error::other)
}
