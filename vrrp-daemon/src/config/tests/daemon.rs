//! What the file says of the daemon itself.

use vrrp_common::time::Nanos;

use super::{instance, read, said};
use crate::config::{Command, Fifo, Fifos, Global, Place, Process, RealTime, ScriptUser};

#[test]
fn the_daemon_itself() {
    let global = "net_namespace blue\ninstance one\nuse_pid_dir\nchild_wait_time 7\nglobal_defs {\n script_user nobody\n \
                  enable_script_security\n notify_fifo /run/all root nogroup\n notify_fifo_script \"/bin/true 'a b'\"\n \
                  vrrp_notify_fifo /run/vrrp\n vrrp_notify_priority_changes\n fifo_write_vrrp_states_on_reload\n \
                  startup_script \"/bin/true up\" root\n startup_script_timeout 20\n shutdown_script /bin/true\n \
                  vrrp_priority -5\n vrrp_rt_priority 200\n vrrp_rlimit_rttime 250000\n vrrp_no_swap\n \
                  vrrp_cpu_affinity 0 3 9\n process_names\n vrrp_process_name a_name_that_is_too_long\n \
                  umask IWGRP | IRWXO\n}\n";
    let loaded = read(&(global.to_owned() + &instance("notify /bin/true\nnotify_deleted")));
    assert_eq!(
        said(&loaded),
        [
            "warning 17:19 `vrrp_rt_priority` takes a whole number from 1 to 99, not `200`; 99 is used",
            "warning 20:24 `vrrp_cpu_affinity` takes CPUs from 0 to 3, not `9`; it is left out",
        ]
    );
    let config = loaded.config.unwrap();
    let user = |user: &str, group: Option<&str>| {
        Some(ScriptUser {
            user: user.to_owned(),
            group: group.map(str::to_owned),
        })
    };
    let command = |argv: &[&str], user| Command {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        user,
    };
    let Global {
        fifos,
        hooks,
        process,
        place,
        ..
    } = config.global;
    assert_eq!(
        fifos,
        Fifos {
            all: Some(Fifo {
                path: "/run/all".into(),
                owner: user("root", Some("nogroup")),
                script: Some(command(&["/bin/true", "a b"], user("nobody", None))),
            }),
            vrrp: Some(Fifo {
                path: "/run/vrrp".into(),
                owner: None,
                script: None,
            }),
            states_on_reload: true,
        }
    );
    let startup = hooks.startup.unwrap();
    assert_eq!(startup.command, command(&["/bin/true", "up"], user("root", None)));
    assert_eq!(startup.timeout, Nanos::from_secs(20));
    assert_eq!(hooks.shutdown.unwrap().timeout, Nanos::from_secs(10));
    assert_eq!(
        process,
        Process {
            nice: Some(-5),
            real_time: RealTime::At(99),
            real_time_limit: Some(Nanos::from_millis(250)),
            cpus: vec![0, 3],
            parent_name: Some("keepalived".to_owned()),
            vrrp_name: Some("a_name_that_is_".to_owned()),
            umask: Some(0o027),
        }
    );
    assert_eq!(
        place,
        Place {
            namespace: Some("blue".to_owned()),
            instance: Some("one".to_owned()),
            pid_dir: true,
            child_wait: Some(Nanos::from_secs(7)),
        }
    );
    let notify = &config.router_notify[0];
    assert_eq!(notify.any, Some(command(&["/bin/true"], user("nobody", None))));
    assert_eq!((notify.tell_deleted, notify.priority_changes), (true, Some(true)));
}

#[test]
fn real_time_is_asked_for_limited_or_declined() {
    for (line, expected) in [
        ("", RealTime::Default),
        ("max_auto_priority", RealTime::AtMost(99)),
        ("max_auto_priority 20", RealTime::AtMost(20)),
        ("max_auto_priority 0", RealTime::Never),
        ("max_auto_priority -1", RealTime::Never),
        ("max_auto_priority -1\nvrrp_rt_priority 7", RealTime::At(7)),
    ] {
        let loaded = read(&(format!("global_defs {{\n{line}\n}}\n") + &instance("")));
        assert_eq!(said(&loaded), [""; 0], "{line}");
        assert_eq!(
            loaded.config.unwrap().global.process.real_time,
            expected,
            "{line}"
        );
    }
}

#[test]
fn a_group_asks_for_its_members_priorities() {
    let group = "vrrp_sync_group G {\n group {\n P\n Q\n}\n notify_priority_changes\n}\n";
    let two = instance("")
        + &instance("notify_priority_changes off")
            .replace("P {", "Q {")
            .replace("id 5", "id 6");
    let config = read(&(two + group)).config.unwrap();
    let asked: Vec<_> = config
        .router_notify
        .iter()
        .map(|notify| notify.priority_changes)
        .collect();
    assert_eq!(asked, [Some(true), Some(true)]);
}
