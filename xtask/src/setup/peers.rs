//! Programs that only the tests and the bench talk to: keepalived, rsyslogd, journald, dbus-daemon, tcpdump, nft, strace, mandoc and two
//! shells.

use super::packages::{self, Unpacked};

/// keepalived's, rsyslog's or systemd's package would start a service: see [`Unpacked`].
const PEERS: Unpacked = Unpacked {
    folder: "peers",
    packages: &[
        "keepalived",
        "rsyslog",
        // journald, and the library that has to be of the same build.
        "systemd",
        "libsystemd-shared",
        "dbus-daemon",
        "tcpdump",
        "nftables",
        "strace",
        "mandoc",
        "zsh",
        "fish",
    ],
};

/// Fetch and unpack the peers, unless they are there. Where there is no apt, the tests use what is in PATH.
pub(crate) fn fetch() -> anyhow::Result<()> {
    if packages::available() {
        return PEERS.fetch();
    }
    eprintln!(
        "setup: no apt-get here; tests take {} from PATH",
        PEERS.packages.join(", ")
    );
    Ok(())
}
