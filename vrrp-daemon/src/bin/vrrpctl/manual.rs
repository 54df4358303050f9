//! What vrrpctl(1) says beyond the command line. Not part of the program: examples/manual reads it, and stands here so
//! that who changes a command sees it.

use vrrp_daemon::cli::manual::Part::{Example, Items, Pages, Text};
use vrrp_daemon::cli::manual::Section;

use super::args::{EXIT_CODES, PLUGIN};

/// Before the commands.
pub(crate) const DESCRIPTION: &[&str] = &[
    "vrrpctl asks a running vrrp-daemon(8) what state its virtual routers are in and why, moves a Master without editing a \
     file, tells what a reload would do before it does it, and judges for a monitoring system.",
    "It uses a UNIX socket, as root or as a member of the group that vrrp_control_group in the configuration names. What \
     cannot be done is one line on standard error that names the remedy.",
];

/// After them.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        title: "EXIT STATUS",
        parts: &[Items(&EXIT_CODES), Text(PLUGIN)],
    },
    Section {
        title: "SIGNALS",
        parts: &[Text(
            "vrrpctl events goes on until SIGINT (Ctrl-C), until its reader leaves, or until the daemon ends. Signals to the \
             daemon are in vrrp-daemon(8).",
        )],
    },
    Section {
        title: "JSON",
        parts: &[Text(
            "With --json, which all commands but replay take, fields may be added; those there are keep name, type and meaning. \
             docs/vrrpctl.md lists them, and what goes over the socket, for other programs.",
        )],
    },
    Section {
        title: "FILES",
        parts: &[Items(&[(
            "/run/vrrp-daemon/control.sock",
            "The daemon's control socket, unless --control-socket gives it another. Of a daemon with net_namespace or instance \
             in its configuration: /run/vrrp-daemon/control_NAMESPACE_INSTANCE.sock.",
        )])],
    },
    Section {
        title: "EXAMPLES",
        parts: &[
            Example(
                "Why is web in its state, and what would change it?",
                &["vrrpctl explain web"],
            ),
            Example(
                "Have another host be Master while this one is worked on, and take part again by itself after half an hour:",
                &["vrrpctl standby --all --for 30m"],
            ),
            Example(
                "See what a reload would change, then reload:",
                &["vrrpctl config diff", "vrrpctl reload"],
            ),
            Example(
                "Write down every transition until the daemon ends:",
                &["vrrpctl events --json >> transitions.json"],
            ),
            Example(
                "For a monitoring system; a Backup that should be Master is a warning:",
                &["vrrpctl check --warn backup,standby,tracked web"],
            ),
        ],
    },
    Section {
        title: "SEE ALSO",
        parts: &[Pages(&["vrrp-daemon(8)", "vrrp-daemon.conf(5)"])],
    },
];
