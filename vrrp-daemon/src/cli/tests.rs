use std::ffi::OsString;
use std::path::PathBuf;

use super::{Action, CoreDump, Options, parse};
use crate::config::{Place, ReadOptions};

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("vrrp-daemon")
        .chain(line.split_whitespace())
        .map(OsString::from)
        .collect()
}

fn options(line: &str) -> Options {
    match parse(words(line)) {
        Ok(Action::Run(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

#[test]
fn the_usual_command_line() {
    let options = options("-n -l -D -f /tmp/a.conf -p /run/a.pid -r /run/b.pid");
    assert_eq!(options.config, path("/tmp/a.conf"));
    assert_eq!(options.pid_file, Some(path("/run/a.pid")));
    assert_eq!(options.vrrp_pid_file, Some(path("/run/b.pid")));
    assert!(options.foreground && options.log.console && !options.log.syslog);
    assert_eq!(options.log.detail, 1);
    assert!(options.respawn && options.release_on_stop && !options.child);
}

#[test]
fn defaults_are_keepaliveds() {
    let options = options("-f x");
    let placed = options.placed(&Place::default());
    assert_eq!(placed.pid_file, path("/run/keepalived.pid"));
    assert_eq!(placed.vrrp_pid_file, path("/run/keepalived_vrrp.pid"));
    assert_eq!(placed.control_socket, path("/run/vrrp-daemon/control.sock"));
    assert_eq!((placed.namespace, placed.suffix), (None, String::new()));
    assert!(!options.foreground && !options.log.console && options.log.syslog);
    // LOG_DAEMON
    assert_eq!((options.log.facility, options.log.detail), (3, 0));
    assert_eq!(
        (options.log.file, options.record, options.umask),
        (None, None, None)
    );
}

#[test]
fn lines_of_real_unit_files() {
    // Debian, Fedora, the article, an old init script, and the long names.
    for line in [
        "--dont-fork",
        "-D",
        "-n -D",
        "-D -d -S 0",
        "-DdS0",
        "-P -x -A unix:/run/snmpx -c /run/c.pid -b /run/b.pid",
        "--use-file=/etc/keepalived/keepalived.conf --vrrp --log-detail --pid=/run/a --vrrp_pid /run/b",
        "--log-console --dump-conf --dont-release-vrrp --dont-release-ipvs --dont-respawn",
        "--all --no_bfd -B -C -P -X -I -a -m -M --perf=all --debug=DvEc --no-mem-check --ignore-sigint",
        "--snmp --snmp-agent-socket=/x --address-monitoring --core-dump --core-dump-pattern=core.%p",
        "--namespace=blue --config-id node1 --all-config --umask=022 --config-fd 3 -e -i node1 -u 027 -s red",
        "--log-fac=local7 --dont-fo",
    ] {
        let _ = options(line);
    }
}

#[test]
fn syslog_facilities() {
    for (line, facility) in [
        ("-S 0", 16),
        ("-S7", 23),
        ("-S local0", 16),
        ("--log-facility=local7", 23),
        ("-S user", 1),
        ("-S daemon", 3),
    ] {
        assert_eq!(options(line).log.facility, facility, "{line}");
    }
    // keepalived complains and runs.
    for line in ["-S 8", "-S mail", "-S local8"] {
        let options = options(line);
        assert_eq!((options.log.facility, options.remarks.len()), (3, 1), "{line}");
    }
    assert!(parse(words("-S")).is_err());
}

#[test]
fn optional_arguments_are_attached_or_absent() {
    let test = |config: &str, output: Option<&str>| Action::Test {
        config: path(config),
        reading: ReadOptions::default(),
        namespace: None,
        output: output.map(path),
    };
    let table = [
        ("-t -f a.conf", test("a.conf", None)),
        ("-f a.conf -t", test("a.conf", None)),
        ("-t/tmp/out -f a.conf", test("a.conf", Some("/tmp/out"))),
        ("-nlt/tmp/out -f a.conf", test("a.conf", Some("/tmp/out"))),
        ("--config-test -f a.conf", test("a.conf", None)),
        (
            "--config-test=/tmp/out -f a.conf",
            test("a.conf", Some("/tmp/out")),
        ),
    ];
    for (line, expected) in table {
        assert_eq!(parse(words(line)).unwrap(), expected, "{line}");
    }
    assert_eq!(options("-g -n").log.file, Some(path("/tmp/keepalived.log")));
    assert_eq!(
        options("-Dg/var/log/ka.log").log.file,
        Some(path("/var/log/ka.log"))
    );
    assert_eq!(
        options("--log-file=/var/log/ka.log").log.file,
        Some(path("/var/log/ka.log"))
    );
}

#[test]
fn how_the_file_is_read() {
    let reading = |line: &str| options(line).reading;
    assert_eq!(reading("-n"), ReadOptions::default());
    let expected = ReadOptions {
        config_id: Some("node1".to_owned()),
        all_includes: true,
    };
    assert_eq!(reading("-e -i node1"), expected);
    assert_eq!(reading("--config-id=node1 --all-config"), expected);
}

#[test]
fn the_log_file_names_its_process() {
    for (given, expected) in [
        ("/var/log/ka.log", "/var/log/ka_vrrp.log"),
        ("/var/log/ka.d/ka", "/var/log/ka.d/ka_vrrp"),
        ("a.b.log", "a.b_vrrp.log"),
    ] {
        assert_eq!(
            options(&format!("--log-file={given}")).log.vrrp_file(),
            Some(path(expected))
        );
    }
}

#[test]
fn detail_adds_up_and_console_replaces_syslog() {
    assert_eq!(options("-D -D").log.detail, 2);
    assert_eq!(options("-DD --log-detail").log.detail, 3);
    assert!(!options("-G").log.syslog);
    assert!(options("-a").log.addresses && !options("-n").log.addresses);
    let both = options("-l -g/x --flush-log-file");
    assert!(both.log.console && !both.log.syslog && both.log.flush);
}

#[test]
fn negations() {
    let options = options("-R -V -u 022 -s blue --record /tmp/rec --control-socket /tmp/c --child");
    assert!(!options.respawn && !options.release_on_stop && options.child);
    assert_eq!(options.umask, Some(0o022));
    assert_eq!(options.namespace.as_deref(), Some("blue"));
    assert_eq!(options.record, Some(path("/tmp/rec")));
    assert_eq!(options.control_socket, Some(path("/tmp/c")));
}

#[test]
fn signal_numbers_are_keepaliveds() {
    // As keepalived 2.2.7 prints them on Linux with glibc.
    for (name, number) in [
        ("STOP", "15\n"),
        ("RELOAD", "1\n"),
        ("DATA", "10\n"),
        ("STATS", "12\n"),
        ("STATS_CLEAR", "63\n"),
        ("JSON", "36\n"),
        ("TDATA", "64\n"),
    ] {
        let printed = parse(words(&format!("--signum={name}"))).unwrap();
        assert_eq!(printed, Action::Print(number.to_owned()));
    }
}

#[test]
fn wrong_usage_is_said_with_the_remedy() {
    for (line, part) in [
        ("--signum=BOGUS", "give STOP, RELOAD, DATA"),
        ("--nonsense", "unexpected argument '--nonsense'"),
        ("-C", "run keepalived -C beside it"),
        ("-T", "run keepalived -T"),
        ("--genhash", "run keepalived -T"),
    ] {
        let error = parse(words(line)).unwrap_err().to_string();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn help_and_version_are_printed() {
    assert_eq!(
        parse(words("-v")).unwrap(),
        Action::Print("vrrp-daemon 0.1.0\nA drop-in for the VRRP half of Keepalived v2.2.7\n".to_owned())
    );
    let Ok(Action::Print(help)) = parse(words("-h")) else {
        panic!("no help")
    };
    assert!(
        help.contains("--use-file <FILE>") && help.contains("Accepted without effect"),
        "{help}"
    );
    assert!(!help.contains("--child") && !help.contains("--script-runner"));
}

/// Tried with 2.2.7: each of these is complained about, and it runs.
#[test]
fn what_keepalived_forgives_is_a_remark() {
    for (line, remark) in [
        (
            "-u 9999",
            "-u 9999 is no file mode mask and is ignored: give one such as 022",
        ),
        (
            "-u abc",
            "-u abc is no file mode mask and is ignored: give one such as 022",
        ),
        ("stray -n more", "unexpected arguments are ignored: stray more"),
        ("-n -- -t", "unexpected arguments are ignored: -t"),
    ] {
        assert_eq!(options(line).remarks, [remark], "{line}");
    }
    assert_eq!(options("-u 0x1ff").umask, Some(0o777));
    assert_eq!(options("-u 027").remarks, [""; 0]);
}

#[test]
fn core_dumps() {
    assert_eq!(options("-n").core_dump, None);
    assert_eq!(options("-m").core_dump, Some(CoreDump::AsConfigured));
    assert_eq!(
        options("-mM").core_dump,
        Some(CoreDump::Pattern("core".to_owned()))
    );
    assert_eq!(
        options("-Mcore.%p").core_dump,
        Some(CoreDump::Pattern("core.%p".to_owned()))
    );
}

/// The names that 2.2.7 gave its files, each with its configuration.
#[test]
fn several_daemons_have_each_their_own_files() {
    let place = |namespace: Option<&str>, instance: Option<&str>, pid_dir| Place {
        namespace: namespace.map(str::to_owned),
        instance: instance.map(str::to_owned),
        pid_dir,
        child_wait: None,
    };
    for (line, place, parent, vrrp, socket) in [
        (
            "-n",
            place(None, None, true),
            "keepalived.pid",
            "vrrp.pid",
            "control.sock",
        ),
        (
            "-n",
            place(None, Some("foo"), false),
            "keepalived_foo.pid",
            "vrrp_foo.pid",
            "control_foo.sock",
        ),
        (
            "-n",
            place(Some("bar"), Some("foo"), true),
            "bar/keepalived_foo.pid",
            "bar/vrrp_foo.pid",
            "control_bar_foo.sock",
        ),
        (
            "-s blue",
            place(Some("bar"), None, false),
            "blue/keepalived.pid",
            "blue/vrrp.pid",
            "control_blue.sock",
        ),
    ] {
        let placed = options(line).placed(&place);
        assert_eq!(placed.pid_file, path("/run/keepalived").join(parent), "{place:?}");
        assert_eq!(
            placed.vrrp_pid_file,
            path("/run/keepalived").join(vrrp),
            "{place:?}"
        );
        assert_eq!(
            placed.control_socket,
            path("/run/vrrp-daemon").join(socket),
            "{place:?}"
        );
    }
    let placed = options("-p /a -r /b --control-socket /c").placed(&place(Some("bar"), Some("foo"), true));
    assert_eq!(
        (placed.pid_file, placed.vrrp_pid_file, placed.control_socket),
        (path("/a"), path("/b"), path("/c"))
    );
    assert_eq!(placed.suffix, "_bar_foo");
}

#[test]
fn the_form_of_log_lines() {
    assert!(!options("-n").log.json);
    assert!(options("--log-format json -l").log.json);
    assert!(!options("--log-format=text").log.json);
    let error = parse(words("--log-format xml")).unwrap_err().to_string();
    assert!(error.contains("[possible values: text, json]"), "{error}");
}
