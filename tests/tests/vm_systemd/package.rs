//! Installed and removed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use vrrp_tests::lab::Stamp;

use super::machine::{FILE, LVS, Machine, UNIT, has_address, new_files, property, run, say, state};

#[test]
fn installed_without_a_configuration_it_waits_for_one() {
    let machine = Machine::bare();
    let said = machine.install(1);
    assert!(
        said.contains("vrrp-daemon: not started, there is no configuration yet"),
        "{said}"
    );
    assert_eq!(state(UNIT), ["inactive", "enabled"]);
    assert_eq!(state(LVS), ["inactive", "disabled"]);
    // Nor is it a failure to ask for it.
    run("systemctl start vrrp-daemon");
    assert_eq!(state(UNIT), ["inactive", "enabled"]);
    assert_eq!(property(UNIT, "Result"), "success");
}

#[test]
fn its_files_are_roots_and_nobody_else_may_write_them() {
    let _machine = Machine::configured();
    let listed = run("dpkg-query --listfiles vrrp-daemon");
    let mut programs = BTreeSet::new();
    let mut pages = 0;
    for path in listed.lines().filter(|path| Path::new(path).is_file()) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        assert_eq!((metadata.uid(), metadata.gid()), (0, 0), "{path}");
        match mode {
            0o755 => {
                programs.insert(path);
            }
            other => assert_eq!(other, 0o644, "{path}"),
        }
        if path.starts_with("/usr/share/man/") {
            assert!(path.ends_with(".gz"), "{path}");
            pages += 1;
        }
    }
    assert_eq!(
        programs.into_iter().collect::<Vec<_>>(),
        ["/usr/bin/vrrpctl", "/usr/sbin/vrrp-daemon"]
    );
    assert!(pages > 0, "{listed}");
    for file in ["copyright", "changelog.gz", "changelog.Debian.gz"] {
        let file = format!("/usr/share/doc/vrrp-daemon/{file}");
        assert!(listed.lines().any(|path| path == file), "{file}");
    }
    for program in ["vrrp-daemon", "vrrpctl"] {
        run(&format!("{program} --version"));
    }
    // It complains without failing, too. There is no `man` here to look up the pages with.
    let units = [UNIT, LVS].map(|unit| format!("/usr/lib/systemd/system/{unit}"));
    assert_eq!(
        run(&format!("systemd-analyze verify --man=no {}", units.join(" "))),
        ""
    );
}

#[test]
fn removed_it_gives_up_its_addresses_and_leaves_nothing_but_configuration() {
    let machine = Machine::bare();
    machine.install(1);
    drop(machine);
    let machine = Machine::master();
    let b = machine.start_b();
    machine.await_adverts(2);

    let since = Stamp::now();
    run("dpkg --remove vrrp-daemon");
    assert!(!has_address());
    machine.await_release(since);
    drop(b);
    let running = say("pgrep --list-full vrrp-daemon");
    assert!(!running.well, "{}", running.text);
    let folder = PathBuf::from("/etc/vrrp-daemon");
    let users = [folder.clone(), PathBuf::from(FILE)];
    // Enabled is what an administrator had it, until it is purged.
    let configuration = [
        "/etc/default/vrrp-daemon",
        "/etc/systemd/system/multi-user.target.wants/vrrp-daemon.service",
    ];
    let left: BTreeSet<PathBuf> = new_files()
        .into_iter()
        .filter(|path| !path.starts_with("/var/lib/systemd/deb-systemd-helper-enabled"))
        .collect();
    let expected = users.iter().cloned().chain(configuration.map(PathBuf::from));
    assert_eq!(left, expected.collect());

    // What the user wrote stays his.
    run("dpkg --purge vrrp-daemon");
    assert_eq!(new_files(), users.into_iter().collect());
}

/// For dpkg that is an upgrade of one that did not run.
#[test]
fn installed_again_after_a_removal_it_is_not_started() {
    let machine = Machine::configured();
    run("dpkg --remove vrrp-daemon");
    let said = machine.install(1);
    assert!(said.contains("systemctl start vrrp-daemon does it"), "{said}");
    assert_eq!(state(UNIT), ["inactive", "enabled"]);
}
