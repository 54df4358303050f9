//! Whom scripts run as, and whether they run at all. What keepalived 2.2.7 makes of each was tried with `-t`.

use super::{FakeHost, host, said};
use crate::config::{Command, Loaded, ScriptUser, exit_class, parse_str};

fn load(host: &FakeHost, globals: &str, user: &str) -> Loaded {
    let text = format!(
        "global_defs {{\n{globals}\n}}\nvrrp_instance P {{\n interface d0\n virtual_router_id 51\n virtual_ipaddress \
         {{ 192.0.2.100 }}\n notify /bin/true {user}\n}}\n"
    );
    parse_str("test.conf", &text, host)
}

fn command(loaded: &Loaded) -> Option<&Command> {
    loaded.config.as_ref()?.router_notify.first()?.any.as_ref()
}

fn user(loaded: &Loaded) -> Option<&ScriptUser> {
    command(loaded)?.user.as_ref()
}

fn named(name: &str) -> ScriptUser {
    ScriptUser {
        user: name.to_owned(),
        group: None,
    }
}

#[test]
fn without_script_user_it_is_keepalived_script_or_root() {
    let loaded = load(&host(), "", "");
    assert!(command(&loaded).is_some());
    assert_eq!((user(&loaded), exit_class(&loaded)), (None, 6));

    let with_user = FakeHost {
        packaged_user: true,
        ..host()
    };
    let loaded = load(&with_user, "enable_script_security", "");
    assert_eq!(user(&loaded), Some(&named("keepalived_script")));
    assert_eq!(exit_class(&loaded), 0);
}

#[test]
fn with_security_root_must_be_named() {
    let loaded = load(&host(), "enable_script_security", "");
    assert_eq!((command(&loaded), exit_class(&loaded)), (None, 5));
    assert_eq!(
        said(&loaded),
        [
            "warning 8:9 scripts without a user of their own are never run: `enable_script_security` is set, and there \
             is neither `script_user` nor a user keepalived_script"
        ]
    );
    let loaded = load(&host(), "enable_script_security\nscript_user root", "");
    assert_eq!((user(&loaded), exit_class(&loaded)), (Some(&named("root")), 0));
    // The order of the two does not matter.
    let loaded = load(&host(), "script_user root\nenable_script_security", "");
    assert_eq!((user(&loaded), exit_class(&loaded)), (Some(&named("root")), 0));
}

#[test]
fn who_does_not_exist_runs_nothing() {
    let loaded = load(&host(), "script_user nosuch", "");
    assert_eq!((command(&loaded), exit_class(&loaded)), (None, 5));
    let loaded = load(&host(), "script_user nobody nosuch", "");
    assert_eq!((command(&loaded), exit_class(&loaded)), (None, 5));
    let loaded = load(&host(), "script_user root\nenable_script_security", "nosuch");
    // Of a notify script's user 2.2.7 says nothing.
    assert_eq!((command(&loaded), exit_class(&loaded)), (None, 0));
    assert_eq!(said(&loaded), ["warning 9:2 there is no user `nosuch`"]);
    // One that does runs in spite of a `script_user` that does not.
    let loaded = load(&host(), "script_user nosuch", "nobody");
    assert_eq!(user(&loaded), Some(&named("nobody")));
}

#[test]
fn a_script_that_others_could_change_is_not_run_as_root_with_security() {
    let open = FakeHost {
        insecure: ["/bin/true".into()].into(),
        ..host()
    };
    let loaded = load(&open, "enable_script_security\nscript_user root", "");
    assert_eq!((command(&loaded), exit_class(&loaded)), (None, 5));
    assert_eq!(
        said(&loaded),
        ["warning 9:9 insecure script `/bin/true`: everybody may change it; it is never run as root"]
    );
    // As somebody else it may be.
    let loaded = load(&open, "enable_script_security\nscript_user root", "nobody");
    assert_eq!((user(&loaded), exit_class(&loaded)), (Some(&named("nobody")), 0));
    // Without security it is run, and remarked on.
    let loaded = load(&open, "script_user root", "");
    assert_eq!((user(&loaded), exit_class(&loaded)), (Some(&named("root")), 6));
    assert!(
        loaded
            .render(false)
            .contains("runs as root, and everybody may change it")
    );
}

#[test]
fn the_group_of_the_control_socket() {
    let group = |globals: &str| {
        let loaded = load(&host(), globals, "");
        let group = loaded.config.as_ref().map(|config| config.global.control_group);
        (group, said(&loaded))
    };
    let (unset, before) = group("");
    assert_eq!(unset, Some(None));
    assert_eq!(
        group("vrrp_control_group operators"),
        (Some(Some(4711)), before.clone())
    );
    // A warning, and nobody but root: the daemon runs.
    let (missing, said) = group("vrrp_control_group nosuch");
    assert_eq!(missing, Some(None));
    assert_eq!(said.len(), before.len() + 1, "{said:?}");
}
