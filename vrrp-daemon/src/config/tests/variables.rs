//! `$NAME=VALUE` and its uses. Run under keepalived 2.2.7 (`-t`, and `-d` for what it makes of it) unless said.

use super::{entries, host, instance, read, read_as, router_id, said};
use crate::config::{ReadOptions, load, parse, parse_str};

/// What 2.2.7 makes of each, silently.
#[test]
fn values_are_put_in_as_text() {
    let table = [
        ("$A1=abc", "${A1}", "abc"),
        ("$_A=abc", "${_A}", "abc"),
        ("$RID=  abc  # comment", "${RID}z", "abcz"),
        ("$X=51\n$X=52", "$X", "52"),
        ("$Y=abc", "a$Y $Y", "aabc"),
        ("$Y=abc", "a$Y.b", "a$Y.b"),
        ("$Y=abc", "a$Y# b", "aabc"),
        ("$A=1", "$A,$A)$A", "1,1)1"),
        ("$A=1", "$A;x", "$A;x"),
        ("$A=1", "'$A'", "'$A'"),
        ("$A=1", "\"a $A ${A}b\"", "a 1 1b"),
        ("$A=1", "\\$A", "\\1"),
        ("$A=1", "\\${A}", "\\1"),
        ("$A=1", "$$A", "$1"),
        ("$A=", "x${A}y", "xy"),
        ("$A=b c", "x${A}y", "xb"),
        ("$A= b  c  ", "\"x${A}y\"", "xb  cy"),
        ("$X=\"a b\"", "$X", "a b"),
        // A value is read again: what follows the use follows what is in the value.
        ("$A=abc\n$B=${A}x$A", "${B}-$A", "abcx$A-abc"),
        ("$B=$A\n$A=later", "$B", "later"),
        // Defined in the middle of a line.
        ("global_defs { $Z=77\n}", "$Z", "77"),
        ("$A=1", "$_INSTANCE", "vm"),
    ];
    for (before, value, expected) in table {
        assert_eq!(router_id(before, value).0, expected, "{before:?} {value}");
    }
}

/// 2.2.7: `Unknown keyword '$1A=abc'`, status 5.
#[test]
fn what_is_no_definition_is_an_unknown_keyword() {
    for line in ["$1A=abc", "$A.B=abc", "$N = 5", "$=x"] {
        let (_, said) = router_id(line, "x");
        let word = line.split(' ').next().unwrap();
        assert!(
            said.contains(&format!("warning 1:1 unknown keyword `{word}`")),
            "{said:#?}"
        );
    }
}

/// 2.2.7 keeps `$NOPE`, silently, and reads `${NOPE}` as the start of a block, status 5. Ours keeps both.
#[test]
fn what_is_not_defined_stays() {
    assert_eq!(
        router_id("$A=1", "$NOPE"),
        (
            "$NOPE".to_owned(),
            vec!["note 3:12 `$NOPE` is not defined".to_owned()]
        )
    );
    assert_eq!(
        router_id("$A=1", "a${NOPE}b"),
        (
            "a${NOPE}b".to_owned(),
            vec!["warning 3:13 `$NOPE` is not defined".to_owned()]
        )
    );
    // A script's own variables are none of ours. 2.2.7: `'$HOME' 'z' '$X'`.
    let text = "$X=z\nvrrp_script s {\n script \"/bin/true $HOME \\$X '$X'\"\n}\n";
    let loaded = read(text);
    assert_eq!(
        loaded.config.as_ref().unwrap().scripts[0].command.argv,
        ["/bin/true", "$HOME", "z", "$X"]
    );
    assert!(!said(&loaded).iter().any(|line| line.contains("not defined")));
}

/// 2.2.7 makes the same addresses of these, silently.
#[test]
fn values_of_several_lines() {
    let table: &[(&str, &str, &[&str])] = &[
        (
            "$B= \\\n 192.0.2.1 \\ # c\n 192.0.2.2 # d \\\n 192.0.2.3\n",
            "$B",
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        // A line of a value is a line like any other, read when its turn comes.
        (
            "$B= \\\n ~SEQ(y, 1, 2) 192.0.2.$y \\\n @a 192.0.2.77 \\\n @b 192.0.2.78 \\\n $Q=79 \\\n 192.0.2.$Q \\\n 192.0.2.${y}5 # foo\n$y=99",
            "$B\n~SEQ(z,3,4) 192.0.2.$z",
            &[
                "192.0.2.1",
                "192.0.2.2",
                "192.0.2.77",
                "192.0.2.79",
                "192.0.2.25",
                "192.0.2.3",
                "192.0.2.4",
            ],
        ),
    ];
    for (before, lines, addresses) in table {
        let expected = addresses.iter().map(|address| (*address).to_owned()).collect();
        assert_eq!(entries(before, lines), (expected, vec![]), "{before}");
    }
    let template = "$INST= \\\nvrrp_instance $NM { \\\n interface d0 \\\n virtual_router_id $ID \\\n virtual_ipaddress { \\\n 192.0.2.$ID \\\n } \\\n}\n";
    let loaded = read(&format!(
        "{template}$NM=P\n$ID=51\n$INST\n$NM=Q\n$ID=52\n$INST\n$NM=R\n$ID=53\n${{INST}}\n"
    ));
    assert_eq!(said(&loaded), [""; 0]);
    let routers = loaded.config.unwrap().model.routers;
    let known: Vec<_> = routers
        .iter()
        .map(|router| (router.name.as_str(), router.vrid.value()))
        .collect();
    assert_eq!(known, [("P", 51), ("Q", 52), ("R", 53)]);
}

/// In the middle of a line 2.2.7 does not know a variable of several lines: it stays. Ours puts it in.
#[test]
fn a_value_of_several_lines_in_the_middle_of_a_line() {
    let before = "$B=192.0.2.1 \\\n 192.0.2.2 \\\n 192.0.2.3";
    let (addresses, said) = entries(before, "192.0.2.9 $B 192.0.2.10");
    assert_eq!(
        addresses,
        ["192.0.2.9", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.10"]
    );
    assert_eq!(said, [""; 0]);
}

/// 2.2.7: `/tmp/x/sub` in the file included from there, the id of `-i`, 0 to 32767, from 5, 3 to 4; no `_ENV`
/// (it reads a block); its `_HASH` begins a comment, ours is a plain `#` as in 2.4.
#[test]
fn predefined_variables() {
    let mut host = host();
    host.random = 40_003;
    host.variables
        .insert("SITE".to_owned(), b"ber\xe9lin\nx".to_vec());
    host.files.insert(
        "/etc/k/main.conf".into(),
        b"include sub/names\nglobal_defs {\n router_id \"${_PWD}|${_INSTANCE}|${_RANDOM}|${_RANDOM 5}|${_RANDOM 3 4}|$N|${_ENV SITE}|$_BANG ${_HASH}\"\n}\n".to_vec(),
    );
    host.files.insert(
        "/etc/k/sub/names".into(),
        b"global_defs {\n router_id ${_PWD}\n}\n$N=${_PWD}".to_vec(),
    );
    let options = ReadOptions {
        config_id: Some("node1".to_owned()),
        all_includes: false,
    };
    let loaded = load("/etc/k/main.conf".as_ref(), &options, &host);
    assert_eq!(
        loaded.config.unwrap().global.router_id.as_deref(),
        Some("/etc/k|node1|7235|7245|4|$N|beré\u{6c}in|! #")
    );
}

/// 2.2.7 does not end over the first two, and makes `yyyy…` of the third.
#[test]
fn a_variable_that_comes_back_to_itself_is_an_error() {
    for before in ["$A=$A", "$A=$B\n$B=x${C}y\n$C=${A}", "$A=1\n$A=y${A}"] {
        let text = format!("{before}\nglobal_defs {{\n router_id $A\n}}\n");
        let loaded = read(&text);
        let errors: Vec<_> = said(&loaded)
            .into_iter()
            .filter(|line| line.starts_with("error"))
            .collect();
        assert_eq!(errors.len(), 1, "{before} {errors:#?}");
        assert!(errors[0].contains("comes back to `$A`"), "{errors:#?}");
        assert!(loaded.config.is_none());
    }
}

/// A finding shows the use, and where the text is from.
#[test]
fn a_finding_names_the_definition() {
    let text = "$PRIO=300\n".to_owned() + &instance(" priority $PRIO");
    let loaded = read(&text);
    assert_eq!(said(&loaded).len(), 1);
    assert!(
        said(&loaded)[0].starts_with("warning 8:11 "),
        "{:#?}",
        said(&loaded)
    );
    let shown = loaded.render(false);
    for line in [
        "8 |  priority $PRIO",
        "1 | $PRIO=300",
        "this is the value of `$PRIO`",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let line = loaded.diagnostics[0].line(&loaded.sources);
    assert!(line.starts_with("(test.conf: Line 8) warning: "), "{line}");
    assert!(
        line.ends_with("; this is the value of `$PRIO` (test.conf: Line 1)"),
        "{line}"
    );
}

/// A password is not shown where it is defined either.
#[test]
fn a_password_in_a_variable_never_shows() {
    for (definition, used) in [
        ("$SECRET=tops3cret", "auth_pass $SECRET"),
        ("$A= \\\n auth_pass tops3cret", "$A"),
        ("$S=tops3cret\n$A= \\\n auth_pass $S", "${A}"),
    ] {
        let text = format!(
            "{definition}\n{}",
            instance(&format!(" authentication {{\n auth_type PASS\n {used}\n }}"))
        );
        let loaded = read(&text);
        assert!(
            said(&loaded)[0].contains("is cut to 8 characters"),
            "{:#?}",
            said(&loaded)
        );
        assert!(
            !loaded.render(false).contains("s3cret"),
            "{}",
            loaded.render(false)
        );
        let auth = &loaded.config.unwrap().model.routers[0].auth;
        assert_eq!(*auth, vrrp_common::wire::ladder::Auth::Pass(*b"tops3cre"));
    }
}

/// 2.2.7 sends the bytes as they are in the file.
#[test]
fn a_password_keeps_its_bytes() {
    let text = instance("authentication {\n auth_type PASS\n auth_pass p@ss\n }");
    for written in [&b"p\xe9ss"[..], b"p\xc3\xa9s", b"\"\xff\x80#\"", b"p\xee\xbe\x80"] {
        let mut bytes = text.clone().into_bytes();
        let at = text.find("p@ss").unwrap();
        bytes.splice(at..at + 4, written.iter().copied());
        let loaded = parse("x", &bytes, &ReadOptions::default(), &host());
        let mut expected = [0; 8];
        let plain = written.iter().filter(|byte| **byte != b'"');
        expected
            .iter_mut()
            .zip(plain)
            .for_each(|(slot, byte)| *slot = *byte);
        let auth = &loaded.config.unwrap().model.routers[0].auth;
        assert_eq!(
            *auth,
            vrrp_common::wire::ladder::Auth::Pass(expected),
            "{written:?}"
        );
    }
}

/// Values within values grow fast: the reader stops long before memory does.
#[test]
fn a_thousand_million_laughs() {
    let mut text = "$L0=lol\n".to_owned();
    for level in 1..10 {
        text.push_str(&format!(
            "$L{level}={}\n",
            format!("${{L{}}}", level - 1).repeat(10)
        ));
    }
    let lines = text.replace("}${", "} \\\n${");
    for bomb in [text, lines] {
        let loaded = parse_str("x", &(bomb + "global_defs {\n router_id ${L9}\n}\n"), &host());
        assert!(
            said(&loaded)
                .iter()
                .any(|line| line.starts_with("error") && line.contains("more than 4 MiB")),
            "{:#?}",
            said(&loaded)
        );
        assert!(loaded.config.is_none());
    }
    // Values without text are counted, too.
    let empty = "$A=\n$B=".to_owned()
        + &"${A}".repeat(2_000)
        + "\n$C="
        + &"${B}".repeat(2_000)
        + "\nrouter_id ${C}\n";
    assert!(read_as("a", &empty).config.is_none());
}
