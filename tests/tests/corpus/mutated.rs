//! The corpus, torn: whatever comes of it, reading ends without a panic, and an error and a configuration exclude
//! each other.

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::{any, prop};
use proptest::sample::{Index, select};
use proptest::{prop_assert, prop_assert_eq, proptest};
use vrrp_daemon::config::{Severity, exit_class};

use super::{files, ours};

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let read = |file: files::File| String::from_utf8_lossy(&fs::read(file.path).unwrap()).into_owned();
    files::all().into_iter().map(read).collect()
});

/// What a file is not usually torn by.
const ODD: &[&str] = &[
    "{",
    "}",
    "\"",
    "'",
    "\\\n",
    "$A=$B\n",
    "$B=x\\\n y\\\n",
    "${A}",
    "${_RANDOM 1 5}",
    "~SEQ(x, 1, 5) ",
    "~SEQ(x, 5, 0, 1) ",
    "~SEQx(x, 0, 0xfff) ",
    "~LST({a, b}, {1, 2}) ",
    "@node1 ",
    "@^node1 ",
    "include *.conf\n",
    "-1",
    "99999999999999999999",
    "1.0000000001",
    "\0",
    "\u{feff}",
    "::1/129",
    "192.0.2.1/33",
    "reverse",
    "weight",
];

/// A change of a text.
#[derive(Clone, Debug)]
enum Tear {
    Odd(&'static str),
    /// A line of any file.
    Line(Index, Index),
    /// So many bytes are gone.
    Cut(usize),
    /// So many bytes come again, this often.
    Again(usize, usize),
}

fn tear() -> impl proptest::strategy::Strategy<Value = (Index, Tear)> {
    use proptest::prop_oneof;
    use proptest::strategy::Strategy as _;
    let tears = prop_oneof![
        select(ODD).prop_map(Tear::Odd),
        (any::<Index>(), any::<Index>()).prop_map(|(file, line)| Tear::Line(file, line)),
        (0_usize..80).prop_map(Tear::Cut),
        (0_usize..200, 1_usize..20).prop_map(|(len, times)| Tear::Again(len, times)),
    ];
    (any::<Index>(), tears)
}

fn torn(text: &mut String, at: Index, tear: &Tear) {
    let at = text.floor_char_boundary(at.index(text.len() + 1));
    match tear {
        Tear::Odd(word) => text.insert_str(at, word),
        Tear::Line(file, line) => {
            let lines: Vec<&str> = file.get(&TEXTS).lines().collect();
            if !lines.is_empty() {
                text.insert_str(at, &format!("\n{}\n", line.get(&lines)));
            }
        }
        Tear::Cut(len) => drop(text.drain(at..text.floor_char_boundary(at + len))),
        Tear::Again(len, times) => {
            let piece = text[at..text.floor_char_boundary(at + len)].repeat(*times);
            text.insert_str(at, &piece);
        }
    }
}

proptest! {
    #[test]
    fn torn_files_do_no_harm(file in any::<Index>(), tears in prop::collection::vec(tear(), 1..12)) {
        let mut text = file.get(&TEXTS).clone();
        for (at, tear) in &tears {
            torn(&mut text, *at, tear);
        }
        let loaded = ours::read(&text);
        let errors = loaded.diagnostics.iter().any(|one| one.severity == Severity::Error);
        prop_assert_eq!(errors, loaded.config.is_none());
        prop_assert!([0, 4, 5, 6].contains(&exit_class(&loaded)));
        prop_assert_eq!(loaded.diagnostics.is_empty(), loaded.render(false).trim().is_empty());
    }
}
