//! Whatever the bytes, reading ends, soon, without a panic, and keeps its promises.

use proptest::prelude::{any, prop};
use proptest::sample::{Index, select};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{host, read};
use crate::config::{Environment as _, Host, Loaded, ReadOptions, Severity, exit_class, parse};

const NODE_A: &str = include_str!("../../../../examples/node-a.conf");

const SOUP: &[&str] = &[
    "vrrp_instance",
    "vrrp_script",
    "vrrp_sync_group",
    "global_defs",
    "virtual_server",
    "P",
    "{",
    "}",
    "\n",
    " ",
    "\"",
    "'",
    "“",
    "”",
    "\\",
    "#",
    "!",
    "\u{a0}",
    "\u{200b}",
    "｛",
    "１",
    "interface",
    "d0",
    "virtual_router_id",
    "51",
    "priority",
    "256",
    "-1",
    "virtual_ipaddress",
    "192.0.2.1",
    "fe80::1/64",
    "unicast_peer",
    "min_ttl",
    "group",
    "authentication",
    "auth_type",
    "PASS",
    "auth_pass",
    "secret",
    "track_script",
    "track_interface",
    "weight",
    "reverse",
    "script",
    "\"/bin/true x\"",
    "interval",
    "0.5",
    "state",
    "MASTER",
    "advert_int",
    "99999999999999999999",
    ".",
    "include",
    "*",
    "${",
    "$X=1",
    "@a",
    "~SEQ(",
    "\r",
    "\r\n",
    "é",
    "dev",
    "label",
    "brd",
    "+",
    "notify_master",
    "version",
    "3",
];

fn promises(loaded: &Loaded) -> Result<(), proptest::test_runner::TestCaseError> {
    let errors = loaded
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    prop_assert_eq!(errors, loaded.config.is_none());
    prop_assert!([0, 4, 5, 6].contains(&exit_class(loaded)));
    // Every finding can be shown, and lies in its file.
    let shown = loaded.render(false);
    prop_assert!(loaded.diagnostics.is_empty() != shown.contains(|c: char| !c.is_whitespace()));
    if let Some(config) = &loaded.config {
        let model = &config.model;
        prop_assert_eq!(model.routers.len(), config.router_notify.len());
        prop_assert_eq!(model.groups.len(), config.group_notify.len());
        prop_assert_eq!(model.scripts.len(), config.scripts.len());
        for router in &model.routers {
            prop_assert!(router.link.index() < model.links.len());
            prop_assert!(router.priority.0 >= 1);
            prop_assert!(
                router
                    .group
                    .is_none_or(|group| group.index() < model.groups.len())
            );
        }
        for group in &model.groups {
            prop_assert!(
                group
                    .members
                    .iter()
                    .all(|member| member.index() < model.routers.len())
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        promises(&parse("x", &bytes, &ReadOptions::default(), &host()))?;
    }

    #[test]
    fn words_in_any_order(words in prop::collection::vec(select(SOUP), 0..120), glue in prop::bool::ANY) {
        promises(&read(&words.join(if glue { "" } else { " " })))?;
    }

    /// The article's file with pieces cut out, doubled, and bytes changed.
    #[test]
    fn the_article_mutated(cuts in prop::collection::vec((any::<Index>(), any::<Index>(), 0_u8..4, any::<u8>()), 1..6)) {
        let mut bytes = NODE_A.as_bytes().to_vec();
        for (from, len, how, byte) in cuts {
            if bytes.is_empty() {
                break;
            }
            let from = from.index(bytes.len());
            let to = (from + len.index(40)).min(bytes.len());
            match how {
                0 => drop(bytes.drain(from..to)),
                1 => bytes[from] = byte,
                2 => bytes.insert(from, byte),
                _ => {
                    let piece = bytes[from..to].to_vec();
                    bytes.splice(to..to, piece);
                }
            }
        }
        promises(&parse("x", &bytes, &ReadOptions::default(), &host()))?;
    }

    /// A password never shows, wherever its line was torn.
    #[test]
    fn a_password_never_shows(at in any::<Index>(), byte in "[{}\"“#!\n a-z]") {
        let text = NODE_A.replace("337639943", "Sw0rdfishX");
        let at = at.index(text.len());
        // Not within the keyword or the password themselves.
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let torn = if text[line_start..].starts_with("        auth_pass") { line_start } else { at };
        let text = format!("{}{byte}{}", &text[..torn], &text[torn..]);
        let shown = read(&text).render(false);
        if byte != "\"" && byte != "“" && !text.contains(&format!("{byte}        auth_pass")) {
            prop_assert!(!shown.contains("Sw0rd"), "{}", shown);
        }
    }
}

/// Inputs that make a careless reader quadratic or recursive: this would not end. How much work the lines take is
/// counted in `reader::tests`.
#[test]
fn large_inputs_end_soon() {
    let many = 30_000;
    let inputs = [
        "{".repeat(many),
        "}".repeat(many),
        "x {".repeat(many),
        "vrrp_instance P {".repeat(many),
        "vrrp_instance P {\n".repeat(many),
        // One long line: what is looked for in its rest is looked for once.
        "{".repeat(40 * many),
        "~{".repeat(10 * many),
        "i{".repeat(10 * many),
        "\"".repeat(many),
        "\\\"".repeat(many),
        "“".repeat(many),
        "“a\" ".repeat(many),
        "${".repeat(many),
        "x\n".repeat(many),
        "a\u{a0}\n".repeat(many),
        "vrrp_sync_group G { group { A } }\n".repeat(many / 10),
        super::instance(&"track_interface { a b c }\n".repeat(many / 10)),
        super::instance(&format!(
            "unicast_peer {{\n{}}}",
            "192.0.2.1 192.0.2.2\n".repeat(many / 10)
        )),
        (0..20_000)
            .map(|n| super::instance("").replace("P {", &format!("P{n} {{")))
            .collect::<String>(),
    ];
    for text in inputs {
        promises(&read(&text)).unwrap();
    }
}

/// A word may be as long as the file; what is said of it is not.
#[test]
fn findings_are_short() {
    let word = "x".repeat(1 << 20);
    for text in [
        word.clone(),
        format!("vrrp_instance {word}"),
        format!("vrrp_instance P {{\n interface {word}\n virtual_ipaddress {{\n {word}\n }}\n}}\n"),
        format!("include {word}"),
        format!("include {}", "{a,b}".repeat(10_000)),
        format!("\u{201c}{word}\u{201d}"),
    ] {
        let shown = read(&text).render(false);
        assert!(shown.len() < 10_000, "{} bytes", shown.len());
    }
}

/// A device has no end, and a pipe would be waited for.
#[test]
fn only_regular_files_are_read() {
    // It is a regular file by its mode, and waits for the kernel's next message. (Nobody may read it in some
    // containers; then it is refused all the same.)
    assert!(Host.read("/proc/kmsg".as_ref()).is_err());
    for path in ["/dev/zero", "/dev/null", "/"] {
        let refused = Host.read(path.as_ref()).unwrap_err();
        assert_eq!(refused.to_string(), "not a regular file", "{path}");
    }
}
