//! `include` and its stricter forms. Run under keepalived 2.2.7 (`-t`) unless said.

use super::{FakeHost, host, instance, said};
use crate::config::{Environment as _, Loaded, ReadOptions, exit_class, load};

fn file(host: &mut FakeHost, path: &str, text: &str) {
    host.files.insert(path.into(), text.as_bytes().to_vec());
}

/// The article's host with some files, and a main file that is to be included around.
fn with_files(before: &str, line: &str) -> FakeHost {
    let mut host = host();
    file(&mut host, "/etc/k/sub/rid", "router_id sub");
    file(&mut host, "/etc/k/sub/nest", "include rid");
    file(&mut host, "/etc/k/sub/nest2", "include sub/rid");
    file(&mut host, "/etc/k/d/a.conf", "router_id a\n");
    file(&mut host, "/etc/k/d/b.conf", "router_id b\n");
    file(&mut host, "/etc/k/close", "router_id x\n}\nglobal_defs {");
    let text = format!("{before}\nglobal_defs {{\n {line}\n}}\n{}", instance(""));
    file(&mut host, "/etc/k/main.conf", &text);
    host
}

fn loaded(before: &str, line: &str, all_includes: bool) -> Loaded {
    let options = ReadOptions {
        config_id: Some("a".to_owned()),
        all_includes,
    };
    load("/etc/k/main.conf".as_ref(), &options, &with_files(before, line))
}

/// 2.2.7 takes each of these silently. (Its manual says that conditions and variables do not work.)
#[test]
fn includes_stand_anywhere() {
    for (before, line, expected) in [
        ("", "include sub/rid # comment", "sub"),
        ("", "include sub/nest", "sub"),
        ("", "include d/*.conf", "b"),
        ("", "include d/{b,a}.conf", "a"),
        ("", "@a include sub/rid", "sub"),
        ("", "} global_defs { include sub/rid", "sub"),
        ("$X=sub/rid", "include $X", "sub"),
        ("$X=sub", "include ${X}/rid", "sub"),
        ("$X=include sub/rid", "$X", "sub"),
        ("", "~LST(x, a, b) include d/${x}.conf", "b"),
        ("", "include close", "x"),
        // 2.2.7 looks for a file whose name has the quotes in it.
        ("", "include \"sub/rid\"", "sub"),
        // 2.2.7 looks for `sub/rid }`.
        ("", "} global_defs { include sub/rid } global_defs {", "sub"),
    ] {
        let loaded = loaded(before, line, false);
        assert_eq!(said(&loaded), [""; 0], "{line}");
        let router_id = loaded.config.unwrap().global.router_id;
        assert_eq!(router_id.as_deref(), Some(expected), "{line}");
    }
    assert_eq!(
        loaded("", "@b include sub/rid", true)
            .config
            .unwrap()
            .global
            .router_id,
        None
    );
}

/// `-t`'s status with 2.2.7; with 6 it does not start either. Status 0 goes with a line in its log for what is
/// missing by name, and with nothing for a wildcard or a directory.
#[test]
fn what_must_be_there() {
    // include, -r, -m, -w, -b, -a
    let table = [
        ("nofile", [0, 0, 6, 6, 0, 6]),
        ("nofile*", [0, 0, 0, 6, 0, 6]),
        ("{nofile,sub/rid}", [0, 0, 0, 0, 6, 6]),
        ("{nofile,nofile2}", [0, 0, 0, 0, 6, 6]),
        ("d/{a,z}.conf", [0, 0, 0, 0, 6, 6]),
        ("sub/rid d/a.conf", [0, 0, 6, 6, 0, 6]),
        ("d/*.conf", [0; 6]),
    ];
    for (pattern, statuses) in table {
        for (keyword, status) in [
            "include", "includer", "includem", "includew", "includeb", "includea",
        ]
        .iter()
        .zip(statuses)
        {
            let loaded = loaded("", &format!("{keyword} {pattern}"), false);
            assert_eq!(
                exit_class(&loaded),
                status,
                "{keyword} {pattern} {:#?}",
                said(&loaded)
            );
            assert_eq!(loaded.config.is_some(), status == 0);
            assert_eq!(
                said(&loaded).is_empty(),
                pattern == "d/*.conf",
                "{keyword} {pattern}"
            );
        }
        // -e, and `include_check`, ask for all of it.
        assert_eq!(
            exit_class(&loaded("", &format!("include {pattern}"), true)),
            statuses[5]
        );
        assert_eq!(
            exit_class(&loaded("", &format!("include_check\ninclude {pattern}"), false)),
            statuses[5]
        );
        assert_eq!(
            exit_class(&loaded(
                "",
                &format!("include_check match\ninclude {pattern}"),
                false
            )),
            statuses[2]
        );
    }
}

/// 2.2.7: 0 for `include`, 6 for all others.
#[test]
fn a_directory_is_no_file() {
    let mut names = with_files("", "include /");
    file(&mut names, "/etc/k/main.conf", "include /etc\n");
    let options = ReadOptions::default();
    let real = crate::config::Host;
    assert!(real.read("/etc".as_ref()).is_err());
    for (keyword, status) in [("include", 0), ("includer", 6), ("includeb", 6)] {
        let directory = std::env::temp_dir().join(format!("vrrp-include-{}-{keyword}", std::process::id()));
        let written = std::fs::write(&directory, format!("{keyword} /etc\n"));
        let loaded = load(&directory, &options, &real);
        std::fs::remove_file(&directory).unwrap();
        written.unwrap();
        assert_eq!(exit_class(&loaded), status, "{:#?}", said(&loaded));
    }
}

/// 2.2.7 reads until it has no descriptors left, and reports each line thousands of times.
#[test]
fn circles_end() {
    let mut host = host();
    file(&mut host, "/k/loop", "x\ninclude loop\n");
    file(&mut host, "/k/a", "include b\n");
    file(&mut host, "/k/b", "include a\n");
    // Another name for itself each time.
    file(&mut host, "/k/dots", "include ./dots\n");
    for depth in 1..40 {
        let path = format!("/k/{}dots", "./".repeat(depth));
        file(&mut host, &path, "include ./dots\n");
    }
    for (path, error) in [
        ("/k/loop", "error 2:9 /k/loop includes itself"),
        ("/k/a", "error 1:9 /k/a includes itself"),
    ] {
        let loaded = load(path.as_ref(), &ReadOptions::default(), &host);
        assert!(said(&loaded).contains(&error.to_owned()), "{:#?}", said(&loaded));
        assert!(loaded.config.is_none());
    }
    let loaded = load("/k/dots".as_ref(), &ReadOptions::default(), &host);
    assert!(loaded.config.is_none());
}

#[test]
fn findings_name_all_files_around() {
    let mut host = host();
    file(&mut host, "/k/main", "\ninclude one\n");
    file(&mut host, "/k/one", "\n\ninclude two\n");
    file(&mut host, "/k/two", "frobnicate\n");
    let loaded = load("/k/main".as_ref(), &ReadOptions::default(), &host);
    let lines: Vec<String> = loaded.lines().map(|(_, line)| line).collect();
    assert_eq!(
        lines[0],
        "(/k/two: Line 1) warning: unknown keyword `frobnicate`; included from /k/one: Line 3; included from \
         /k/main: Line 2"
    );
    let shown = loaded.render(false);
    let nearest = shown.find("included from /k/one: Line 3").unwrap();
    assert!(shown[nearest..].contains("included from /k/main: Line 2"));
}

/// What could not be read any more is not looked for: a hundred thousand includes of a large file end soon.
#[test]
fn files_that_are_too_large_end_the_reading() {
    let mut host = host();
    host.files
        .insert("/etc/k/large".into(), vec![b'#'; (16 << 20) + 1]);
    let text = format!("~SEQ(i, 1, 20000) include large\n{}", instance(""));
    file(&mut host, "/etc/k/main.conf", &text);
    let loaded = load("/etc/k/main.conf".as_ref(), &ReadOptions::default(), &host);
    assert_eq!(
        said(&loaded),
        [
            "error 1:27 /etc/k/large is too large",
            "error 1:27 the files are too large"
        ]
    );
}
