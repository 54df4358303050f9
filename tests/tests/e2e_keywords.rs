//! Keywords whose effect is seen outside of the daemon only: in the adverts' headers, and in what the kernel says of
//! its processes. keepalived 2.2.7 with the same file, where it knows the keyword.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use vrrp_tests::lab::{Advert, Daemon, Duo, Program, Settings, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(20);

/// One way to send, and what the first advert of A, a Master of priority 200, looks like.
struct Row {
    /// In `global_defs`.
    global: &'static str,
    /// In the instance.
    inside: &'static str,
    unicast: bool,
    /// Source, destination, TTL.
    sent: (&'static str, &'static str, u8),
    /// The message's checksum.
    checksum: u16,
    /// Whether keepalived 2.2.7 knows the keyword.
    theirs: bool,
}

/// The message is 3133 c801 000a ---- c000 0264: the sum of these is bba3 (carries added), without a pseudo-header.
/// With one (source c000 0201, destination, protocol 0070, length 000c) it is the complement of that sum.
const ROWS: &[Row] = &[
    Row {
        global: "",
        inside: "unicast_ttl 64",
        unicast: true,
        sent: ("192.0.2.1", "192.0.2.2", 64),
        // bba3 + c000 + 0201 + c000 + 0202 + 007c
        checksum: 0xbfdb,
        theirs: true,
    },
    Row {
        global: "",
        inside: "mcast_src_ip 192.0.2.77",
        unicast: false,
        sent: ("192.0.2.77", "224.0.0.18", 255),
        // bba3 + c000 + 024d + e000 + 0012 + 007c
        checksum: 0xa17f,
        theirs: true,
    },
    Row {
        global: "",
        inside: "mcast_dst_ip 224.0.0.99",
        unicast: false,
        sent: ("192.0.2.1", "224.0.0.99", 255),
        // bba3 + c000 + 0201 + e000 + 0063 + 007c
        checksum: 0xa17a,
        theirs: true,
    },
    Row {
        global: "vrrp_mcast_group4 224.0.0.77",
        inside: "",
        unicast: false,
        sent: ("192.0.2.1", "224.0.0.77", 255),
        checksum: 0xa190,
        theirs: true,
    },
    Row {
        global: "",
        inside: "old_unicast_checksum",
        unicast: true,
        sent: ("192.0.2.1", "192.0.2.2", 255),
        // As if it went to 224.0.0.18.
        checksum: 0xa1cb,
        theirs: true,
    },
    Row {
        global: "v3_checksum_as_v2",
        inside: "",
        unicast: true,
        sent: ("192.0.2.1", "192.0.2.2", 255),
        checksum: 0x445c,
        theirs: false,
    },
];

impl Row {
    fn sends(&self, program: &Program) {
        let duo = Duo::new().unwrap();
        let (a, b) = (&duo.a, &duo.b);
        let settings = Settings {
            inside: self.inside,
            ..Settings::unicast(a.address, b.address, 200)
        };
        let settings = Settings {
            peer: settings.peer.filter(|_| self.unicast),
            ..settings
        };
        let file = format!("global_defs {{\n{}\n}}\n{settings}", self.global);
        let _daemon = Daemon::start(&a.host, program, &file, Daemon::DETAILED).unwrap();
        let (_, advert) = a.await_adverts(1, Stamp(0), LIMIT).unwrap();
        let Advert {
            source,
            destination,
            ttl,
            ref pdu,
            ..
        } = advert;
        let (from, to, limit) = self.sent;
        let name = program.name();
        let expected: (IpAddr, IpAddr, u8) = (from.parse().unwrap(), to.parse().unwrap(), limit);
        assert_eq!((source, destination, ttl), expected, "{name}:\n{file}");
        let checksum = u16::from_be_bytes(pdu[6..8].try_into().unwrap());
        assert_eq!(checksum, self.checksum, "{name}: {checksum:#06x}\n{file}");
    }
}

#[test]
fn adverts_are_addressed_as_the_file_says() {
    if !root_or_skip() {
        return;
    }
    let (ours, theirs) = (Program::ours().unwrap(), Program::keepalived().unwrap());
    for row in ROWS {
        row.sends(&ours);
        if row.theirs {
            row.sends(&theirs);
        }
    }
}

/// Of a process or thread of the daemon, as proc(5) tells it.
#[derive(Debug, PartialEq, Eq)]
struct Scheduled {
    name: String,
    /// SCHED_FIFO priority; 0 without.
    real_time: u32,
    nice: i32,
    cpus: String,
    locked: bool,
}

impl Scheduled {
    fn read(directory: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("{directory}/stat")).ok()?;
        let status = fs::read_to_string(format!("{directory}/status")).ok()?;
        // The fields after the name in parentheses, from the third on.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields[number - 3];
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().trim().to_owned()
        };
        Some(Self {
            name: value("Name:"),
            real_time: field(40).parse().unwrap(),
            nice: field(19).parse().unwrap(),
            cpus: value("Cpus_allowed_list:"),
            locked: value("VmLck:") != "0 kB",
        })
    }
}

const PROCESS: &str = "global_defs {
    enable_script_security
    script_user root
    vrrp_process_name the_vrrp
    vrrp_rt_priority 12
    vrrp_rlimit_rttime 200000
    vrrp_no_swap
    vrrp_cpu_affinity 0
    vrrp_priority -7
}
vrrp_script look {
    script \"/bin/sh -c 'cat /proc/self/stat > /run/stat.new; cat /proc/self/status > /run/status; mv /run/stat.new /run/stat'\"
    interval 1
}
";

/// What the file wants of the protocol thread it has, and its scripts have not.
#[test]
fn the_process_is_scheduled_as_the_file_says() {
    if !root_or_skip() {
        return;
    }
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let all = own
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let all = all.unwrap().trim();
    // In real time keepalived leaves the nice value alone; ours has threads that are not in real time. Its scripts
    // stay on the daemon's CPUs.
    for (program, nice, script_cpus) in [
        (Program::ours().unwrap(), -7, all),
        (Program::keepalived().unwrap(), 0, "0"),
    ] {
        let duo = Duo::new().unwrap();
        let (a, b) = (&duo.a, &duo.b);
        let settings = Settings {
            before: PROCESS,
            inside: "track_script {\n look\n}",
            ..Settings::unicast(a.address, b.address, 200)
        };
        let _daemon = Daemon::start(&a.host, &program, &settings.to_string(), Daemon::DETAILED).unwrap();
        a.await_adverts(1, Stamp(0), LIMIT).unwrap();
        until("the script has run", LIMIT, || {
            Ok(!a.host.read("/run/stat")?.is_empty())
        })
        .unwrap();

        let pid = a.host.read("/run/keepalived_vrrp.pid").unwrap();
        let protocol = format!("/proc/{}", pid.trim());
        assert_eq!(
            Scheduled::read(&protocol).unwrap(),
            Scheduled {
                name: "the_vrrp".to_owned(),
                real_time: 12,
                nice,
                cpus: "0".to_owned(),
                locked: true,
            },
            "{}",
            program.name()
        );
        let limits = fs::read_to_string(format!("{protocol}/limits")).unwrap();
        let budget = limits
            .lines()
            .find(|line| line.starts_with("Max realtime timeout"));
        assert!(
            budget.unwrap().contains(" 200000 "),
            "{}: {budget:?}",
            program.name()
        );

        // Scripts are neither in real time nor nicer than others.
        let script = a.host.read("/run/stat").unwrap();
        let fields: Vec<&str> = script.rsplit_once(") ").unwrap().1.split(' ').collect();
        assert_eq!(
            (fields[19 - 3], fields[40 - 3]),
            ("0", "0"),
            "{}: {script}",
            program.name()
        );
        let status = a.host.read("/run/status").unwrap();
        let cpus = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        assert_eq!(cpus.map(str::trim), Some(script_cpus), "{}", program.name());
    }
}
