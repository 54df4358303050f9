//! What the manual pages say beyond the options: vrrp-daemon(8) here, vrrpctl(1) beside its command line. `cargo xtask
//! docs` makes the pages from these and from the tables that `--help` is made from.

/// A section of a manual page.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// In capitals, as manual pages have it.
    pub title: &'static str,
    /// In this order.
    pub parts: &'static [Part],
}

/// A piece of a section.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A paragraph.
    Text(&'static str),
    /// Things, and what they are.
    Items(&'static [(&'static str, &'static str)]),
    /// What for, and lines as they are typed.
    Example(&'static str, &'static [&'static str]),
    /// Other pages, such as `vrrpctl(1)`.
    Pages(&'static [&'static str]),
}

use self::Part::{Example, Items, Pages, Text};

/// What vrrp-daemon(8) says before its options.
pub const DESCRIPTION: &[&str] = &[
    "vrrp-daemon runs virtual routers after VRRP versions 2 and 3 (RFC 3768, RFC 9568): several hosts share addresses, one of \
     them, the Master, holds them, and when it falls silent another takes them over. It reads keepalived's configuration and \
     takes keepalived's options, so that it can stand in for keepalived's VRRP half; see vrrp-daemon.conf(5).",
    "Where the kernel allows it an XDP program judges adverts before the network stack. Where it does not, the daemon receives by \
     raw sockets and says so in its log.",
    "Two processes run: the parent, which starts the other one again when it dies, and the protocol process. Signals go to the \
     parent. vrrpctl(1) asks and steers the daemon while it runs.",
];

/// The sections of vrrp-daemon(8) after its options.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "SIGNALS",
        parts: &[Items(&[
            (
                "SIGTERM, SIGINT",
                "Give up with priority 0, remove the virtual addresses, run notify scripts, and end. After vrrpctl handover: stay \
                 on duty for a successor. --ignore-sigint leaves SIGINT to others.",
            ),
            (
                "SIGHUP",
                "Read the configuration again. One that cannot run changes nothing, and the log says why; vrrpctl reload says it \
                 where it was asked for.",
            ),
            (
                "SIGUSR1, SIGUSR2, SIGRTMIN+2, SIGRTMAX-1, SIGRTMAX",
                "keepalived writes files to /tmp on these. Here nothing is written, and a line in the log says which command of \
                 vrrpctl(1) shows it; SIGRTMAX-1 sets the counters to zero as there.",
            ),
        ])],
    },
    Section {
        title: "EXIT STATUS",
        parts: &[Items(&[
            (
                "0",
                "It was stopped, or has handed over. With -t: there is nothing to remark.",
            ),
            (
                "1",
                "Wrong usage, or something that may be otherwise the next time.",
            ),
            (
                "2",
                "It cannot run: the configuration is bad, a capability is missing, or another daemon runs. Starting it again would \
                 end the same way.",
            ),
            ("4", "With -t: the configuration cannot be read."),
            (
                "5",
                "With -t: there are remarks, as keepalived counts them. The last line says whether the daemon starts.",
            ),
            (
                "6",
                "With -t: the same, and a script could be changed by somebody who is not root.",
            ),
        ])],
    },
    Section {
        title: "FILES",
        parts: &[Items(&[
            ("/etc/vrrp-daemon/vrrp-daemon.conf", "The configuration."),
            (
                "/etc/keepalived/keepalived.conf",
                "The configuration, if the other one is not there.",
            ),
            ("/run/vrrp-daemon/control.sock", "Where vrrpctl(1) connects."),
            ("/run/keepalived.pid", "Process id of the parent."),
            ("/run/keepalived_vrrp.pid", "Process id of the protocol process."),
        ])],
    },
    Section {
        title: "EXAMPLES",
        parts: &[
            Example(
                "Check a configuration, and touch nothing:",
                &["vrrp-daemon -t -f /etc/keepalived/keepalived.conf"],
            ),
            Example(
                "Run in the foreground, and log to the terminal in detail:",
                &["vrrp-daemon -n -l -D"],
            ),
            Example(
                "Write down all that the protocol is told, and see what it made of it:",
                &[
                    "vrrp-daemon --record /tmp/vrrp.rec",
                    "vrrpctl replay /tmp/vrrp.rec",
                ],
            ),
        ],
    },
    Section {
        title: "SEE ALSO",
        parts: &[Pages(&[
            "vrrpctl(1)",
            "vrrp-daemon.conf(5)",
            "keepalived(8)",
            "keepalived.conf(5)",
        ])],
    },
    Section {
        title: "STANDARDS",
        parts: &[Text("RFC 9568 (VRRP version 3) and RFC 3768 (version 2).")],
    },
];
