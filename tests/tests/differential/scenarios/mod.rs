//! The scenarios, by what they are about.

/// A file's `VI_1` at `eth0` with virtual router 51, and these lines more. No script is told.
macro_rules! untold_1 {
    ($($more:literal),*) => {
        concat!(
            "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\npriority 200\nadvert_int 0.1\nversion 3\n",
            "garp_master_delay 1\nvirtual_ipaddress {\n192.0.2.100/24\n}\n",
            $($more,)*
            "}\n"
        )
    };
}

/// The same, and a script is told.
macro_rules! vi_1 {
    ($($more:literal)?) => {
        untold_1!("notify /usr/local/bin/tell.sh\n" $(, $more)?)
    };
}

/// `global_defs` with a FIFO, which keeps the order of two changes at one instant; keepalived's scripts may overtake
/// each other.
macro_rules! fifo {
    ($($more:literal)?) => {
        concat!(
            "global_defs {\nvrrp_notify_fifo /run/vrrp.fifo\nvrrp_notify_fifo_script /usr/local/bin/reader.sh\n",
            $($more,)?
            "}\n"
        )
    };
}

/// A file's `VI_2` at `eth1` with virtual router 52, and these lines more.
macro_rules! vi_2 {
    ($($more:literal)?) => {
        concat!(
            "vrrp_instance VI_2 {\ninterface eth1\nvirtual_router_id 52\npriority 150\nadvert_int 0.1\nversion 3\n",
            "garp_master_delay 1\nvirtual_ipaddress {\n198.51.100.100/24\n}\nnotify /usr/local/bin/tell.sh\n",
            $($more,)?
            "}\n"
        )
    };
}

/// A file's `VI_1` at `eth0` with virtual router 51, and these manners to speak.
macro_rules! spoken {
    ($($manner:ident)*) => {
        concat!(
            "vrrp_instance VI_1 {\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\npriority 200\n",
            "garp_master_delay 1\ngarp_lower_prio_delay 1\nnotify /usr/local/bin/tell.sh\n",
            "notify_master_rx_lower_pri \"/usr/local/bin/tell.sh lower VI_1 yes\"\n",
            $(manner!($manner),)*
            "}\n"
        )
    };
}

/// Lines of a file, by what they mean.
macro_rules! manner {
    (v2) => {
        "version 2\nadvert_int 1\n"
    };
    (v3) => {
        "version 3\nadvert_int 0.1\n"
    };
    (pass) => {
        "authentication {\nauth_type PASS\nauth_pass s3cret\n}\n"
    };
    (unicast) => {
        "unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n10.0.0.2\n}\n"
    };
    (ttl) => {
        "unicast_ttl 255\n"
    };
    (late_burst) => {
        "garp_lower_prio_delay 2\n"
    };
    (unicast_6) => {
        "unicast_src_ip 2001:db8::8\nunicast_peer {\n2001:db8::9\n2001:db8::2\n}\n"
    };
    (ipv4) => {
        "virtual_ipaddress {\n192.0.2.100/24\n}\n"
    };
    (ipv6) => {
        "virtual_ipaddress {\nfe80::100/64\n2001:db8::100/64\n}\n"
    };
    (nopreempt) => {
        "nopreempt\n"
    };
    (preempt_delay) => {
        "preempt_delay 3\n"
    };
}

mod beside;
mod changes;
mod contention;
mod election;
mod members;
mod options;
mod preemption;
mod reload;
mod takeover;
mod tracking;

use super::scenario::Scenario;

/// `VI_1`'s address, as it is held.
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";
/// The same for IPv6.
const HOLDS_6: &str = "holds 2001:db8::100/64 on eth0 scope global nodad";
/// keepalived says good-bye twice on a fault ...
const TWICE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 0";
/// ... ours once.
const ONCE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0";

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    [
        // Version 2 takes longest: first.
        contention::all(),
        preemption::all(),
        beside::all(),
        changes::all(),
        election::all(),
        members::all(),
        options::all(),
        reload::all(),
        takeover::all(),
        tracking::all(),
    ]
    .concat()
}
