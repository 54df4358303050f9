//! The language itself: quotes, comments, braces, and text that came through a web page.

use super::{host, instance, read, said};
use crate::config::keywords::Block;
use crate::config::lexer::split_command;
use crate::config::{Environment, ReadOptions, load, parse_str};

const BROKEN: &str = include_str!("../../../../tests/data/config/broken.conf");

#[test]
fn commands_are_split_like_a_shell_does() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        ("  \t ", &[]),
        ("/x a  b", &["/x", "a", "b"]),
        (r#"/x "a b" c"#, &["/x", "a b", "c"]),
        ("/x 'a \\ \"b' c", &["/x", "a \\ \"b", "c"]),
        (r#"/x a\ b "c\"d""#, &["/x", "a b", "c\"d"]),
        (r#"/x a"b c"d"#, &["/x", "ab cd"]),
        (r#"/x """#, &["/x", ""]),
        (r#"/x "open end"#, &["/x", "open end"]),
        ("/x end\\", &["/x", "end\\"]),
        // As C has it; 2.2.7: `'x' 'y' 'A'` of "x\ty \x41".
        (r"/x a\tb \x41\101 \xg \0", &["/x", "a\tb", "AA", "xg", "0"]),
    ];
    for (text, words) in table {
        assert_eq!(split_command(text), *words, "{text}");
    }
}

#[test]
fn scripts_as_they_are_written() {
    let table: &[(&str, &[&str])] = &[
        (r#""/bin/true a" b"#, &["/bin/true", "a", "b"]),
        (r#""/bin/true " a b"#, &["/bin/true", "a", "b"]),
        ("/bin/true a # b", &["/bin/true", "a"]),
        (
            r#""/bin/true 'a b' # !" c\#d"#,
            &["/bin/true", "a b", "#", "!", "c#d"],
        ),
        (r#"“/bin/true a”"#, &["/bin/true", "a"]),
        ("/bin/true\u{a0}a", &["/bin/true", "a"]),
        (r#""/bin/true \"a b\"""#, &["/bin/true", "a b"]),
        // 2.2.7 ends with a segmentation fault over the first two, and reads blocks in the third.
        ("/bin/true '{ a'", &["/bin/true", "{ a"]),
        ("/bin/true 'a # b' c", &["/bin/true", "a # b", "c"]),
        ("/bin/true '{a} b' # c", &["/bin/true", "{a} b"]),
        (r"/bin/true it\'s \{", &["/bin/true", "it's", "{"]),
        (r#""/bin/true {a} '}'""#, &["/bin/true", "{a}", "}"]),
        (
            r#""monitor_service.sh x""#,
            &["/usr/local/bin/monitor_service.sh", "x"],
        ),
    ];
    for (script, argv) in table {
        let loaded = read(&format!("vrrp_script s {{\n script {script}\n}}\n"));
        let config = loaded.config.unwrap();
        assert_eq!(config.scripts[0].command.argv, *argv, "{script}");
    }
}

/// 2.2.7 reads the 1024th byte of a line as the start of another: `Unknown keyword 'D'`, status 5. Blanks and a
/// comment there are nothing to it.
#[test]
fn long_lines_are_read_whole() {
    let with = |line: &str| read(&format!("global_defs {{\n{line}\n}}\n{}", instance("")));
    for (len, remarks) in [(1_023, 0), (1_024, 1)] {
        let name = "x".repeat(len - " router_id ".len());
        let loaded = with(&format!(" router_id {name}"));
        assert_eq!(said(&loaded).len(), remarks, "{:#?}", said(&loaded));
        assert_eq!(loaded.config.unwrap().global.router_id, Some(name));
    }
    let blanks = " ".repeat(1_100);
    assert_eq!(said(&with(&format!(" router_id x{blanks}# comment"))), [""; 0]);
}

#[test]
fn braces_and_lines_may_stand_anywhere() {
    let table = [
        "vrrp_instance P {\ninterface d0\nvirtual_router_id 51\nvirtual_ipaddress {\n192.0.2.100\n}\n}\n",
        "vrrp_instance P\n{\ninterface d0\nvirtual_router_id 51\n\n virtual_ipaddress # x {\n\n{\n192.0.2.100\n}\n}\n",
        "vrrp_instance P{ interface d0\nvirtual_router_id 51\nvirtual_ipaddress{192.0.2.100}}",
        "vrrp_instance P { interface d0\r\n\tvirtual_router_id 51 ! x\r\nvirtual_ipaddress { 192.0.2.100 } }\r\n",
        "vrrp_instance \"P\" { interface d0\rvirtual_router_id 51\rvirtual_ipaddress { 192.0.2.100 } }",
    ];
    let expected = read(table[0]).config.unwrap();
    assert_eq!(expected.model.routers[0].addresses.len(), 1);
    for text in table {
        let loaded = read(text);
        assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
        assert_eq!(loaded.config.unwrap(), expected, "{text}");
    }
}

#[test]
fn text_from_a_web_page_is_repaired_with_a_warning() {
    let clean = read(&instance(
        "priority 150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\"\n}",
    ));
    let expected = clean.config.unwrap();
    let table: &[(&str, &str)] = &[
        (
            "priority\u{a0}150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\"\n}",
            "a special space (U+00A0), read as a plain one",
        ),
        (
            "\u{3000}priority\u{3000}150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\"\n}",
            "a special space (U+3000), read as a plain one",
        ),
        (
            "priority 15\u{200b}0\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\"\n}",
            "an invisible character (U+200B), which is skipped",
        ),
        (
            "priority １５０\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\"\n}",
            "a full-width `１`, read as `1`",
        ),
        (
            "priority 150\nvirtual_ipaddress_excluded ｛\n 192.0.2.1 label \"d0:1\"\n｝",
            "a full-width `｛`, read as `{`",
        ),
        (
            "priority 150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label “d0:1”\n}",
            "typographic quotes, read as plain ones",
        ),
        (
            "priority 150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1”\n}",
            "typographic quotes, read as plain ones",
        ),
        (
            "priority 150\nvirtual_ipaddress_excluded {\n 192.0.2.1 label \"d0:1\n}",
            "a quote is not closed on its line",
        ),
    ];
    for (lines, remark) in table {
        let loaded = read(&instance(lines));
        let said = said(&loaded);
        assert!(said.len() == 1 && said[0].ends_with(remark), "{lines}\n{said:#?}");
        assert_eq!(loaded.config.unwrap(), expected, "{lines}");
    }
    let loaded = read(&("\u{feff}".to_owned() + &instance("")));
    assert_eq!(
        said(&loaded),
        ["warning 1:1 the file begins with a byte order mark, which is skipped"]
    );
    assert_eq!(loaded.config.unwrap().model.routers.len(), 1);
}

#[test]
fn bytes_that_are_not_utf_8_are_pointed_at() {
    let mut host = host();
    let text = instance("! caf\u{e9}").into_bytes();
    // The comment may hold anything; the name is warned about and kept.
    let latin1: Vec<u8> = b"# \xe9\xff\nvrrp_sync_group caf\xe9 {\n}\n"
        .iter()
        .copied()
        .chain(text)
        .collect();
    host.files.insert("latin1.conf".into(), latin1);
    let loaded = load("latin1.conf".as_ref(), &ReadOptions::default(), &host);
    let said = said(&loaded);
    assert_eq!(said[1], "warning 2:20 bytes that are not UTF-8, read as Latin-1");
    assert_eq!(loaded.config.unwrap().model.routers.len(), 1);
}

#[test]
fn a_missing_brace_is_found_at_the_first_keyword_that_cannot_be_there() {
    let whole = instance("authentication {\n auth_type PASS\n auth_pass x\n}\nmcast_src_ip 192.0.2.1")
        + &instance("").replace("P {", "Q {").replace("51", "52");
    let expected = read(&whole).config.unwrap();
    assert_eq!(expected.model.routers.len(), 2);
    // Each `}` on its own line, left out in turn.
    let places: Vec<usize> = whole.match_indices('}').map(|(at, _)| at).collect();
    assert_eq!(places.len(), 5);
    for at in places {
        let mut text = whole.clone();
        text.remove(at);
        let loaded = read(&text);
        let said = said(&loaded);
        assert!(
            said.len() == 1 && said[0].contains("is missing"),
            "{text}\n{said:#?}"
        );
        assert_eq!(loaded.config.unwrap(), expected, "{text}");
    }
}

/// A misplaced keyword in a file whose braces are in order closes nothing.
#[test]
fn a_misplaced_keyword_alone_closes_nothing() {
    let text = instance("authentication {\n auth_type PASS\n priority 7\n auth_pass x\n}");
    let loaded = read(&text);
    assert_eq!(said(&loaded), ["warning 9:2 unknown keyword `priority`"]);
    assert_eq!(
        loaded.diagnostics[0].help.as_deref(),
        Some("`priority` belongs in `vrrp_instance`")
    );
    let router = &loaded.config.unwrap().model.routers[0];
    assert_eq!(
        (router.priority.0, format!("{:?}", router.auth)),
        (100, "Pass(********)".to_owned())
    );
}

#[test]
fn suggestions() {
    for (word, meant) in [
        ("prority", "priority"),
        ("Interface", "interface"),
        ("virtual_ip_address", "virtual_ipaddress"),
        ("vitrual_router_id", "virtual_router_id"),
    ] {
        let loaded = read(&instance(&format!("{word} x")));
        assert_eq!(
            loaded.diagnostics[0].help,
            Some(format!("did you mean `{meant}`?")),
            "{word}"
        );
    }
    assert_eq!(read(&instance("frobnicate x")).diagnostics[0].help, None);
}

#[test]
fn includes_are_relative_to_their_file_and_in_order() {
    let mut host = host();
    let part = |name: &str, vrid: u8| {
        instance("")
            .replace("P {", &format!("{name} {{"))
            .replace("51", &vrid.to_string())
    };
    let file = |host: &mut super::FakeHost, path: &str, text: String| {
        host.files.insert(path.into(), text.into_bytes())
    };
    file(
        &mut host,
        "/etc/k/main.conf",
        "include conf.d/*.conf\ninclude {x,y}.inc # both\n".to_owned() + &part("LAST", 9),
    );
    file(&mut host, "/etc/k/conf.d/b.conf", part("B", 2));
    file(
        &mut host,
        "/etc/k/conf.d/a.conf",
        "include deeper/one\n".to_owned() + &part("A", 1),
    );
    file(&mut host, "/etc/k/conf.d/.hidden.conf", part("HIDDEN", 8));
    file(&mut host, "/etc/k/conf.d/deeper/one", part("ONE", 7));
    file(&mut host, "/etc/k/x.inc", part("X", 3));
    file(
        &mut host,
        "/etc/k/y.inc",
        "prority 5\n".to_owned() + &part("Y", 4),
    );
    let loaded = load("/etc/k/main.conf".as_ref(), &ReadOptions::default(), &host);
    let names: Vec<&str> = loaded
        .config
        .as_ref()
        .unwrap()
        .model
        .routers
        .iter()
        .map(|router| router.name.as_str())
        .collect();
    assert_eq!(names, ["ONE", "A", "B", "X", "Y", "LAST"]);
    assert_eq!(
        loaded.lines().map(|(_, line)| line).collect::<Vec<_>>(),
        ["(/etc/k/y.inc: Line 1) warning: unknown keyword `prority`; included from /etc/k/main.conf: Line 2"]
    );
    assert!(
        loaded
            .render(false)
            .contains("included from /etc/k/main.conf: Line 2")
    );

    file(&mut host, "/etc/k/loop.conf", "include loop.conf\n".to_owned());
    let loaded = load("/etc/k/loop.conf".as_ref(), &ReadOptions::default(), &host);
    assert_eq!(said(&loaded), ["error 1:9 /etc/k/loop.conf includes itself"]);
    assert!(host.read("/etc/k/loop.conf".as_ref()).is_ok());
}

/// What a user sees, to the letter.
#[test]
fn the_broken_file_is_shown_like_this() {
    let loaded = parse_str("tests/data/config/broken.conf", BROKEN, &host());
    assert!(loaded.config.is_none());
    let shown = loaded.render(false);
    assert!(!shown.contains("tops3cret"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/config/broken.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(path).unwrap());
}

/// No keyword stands twice in a block, and each has its line of documentation.
#[test]
fn the_table_is_in_order() {
    for block in Block::ALL {
        let mut names: Vec<&str> = block.keywords().iter().map(|keyword| keyword.name).collect();
        assert!(block.keywords().iter().all(|keyword| !keyword.doc.is_empty()));
        names.sort_unstable();
        assert!(
            names.windows(2).all(|pair| pair[0] != pair[1]),
            "{block:?} {names:?}"
        );
    }
}
