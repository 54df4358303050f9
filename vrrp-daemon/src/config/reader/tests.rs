//! The bounds: work grows with the text and with what it is allowed to bring, with nothing else.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::{Just, Strategy, any, prop};
use proptest::sample::select;
use proptest::{prop_assert, prop_oneof, proptest};

use super::super::diag::{Severity, Sink};
use super::super::environment::{Environment, ReadOptions};
use super::super::source::Sources;
use super::{LeftOut, MAX_MADE, Read, read};

/// A host whose every file is this one.
struct Mirror(Vec<u8>);

impl Environment for Mirror {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn list(&self, _directory: &Path) -> io::Result<Vec<String>> {
        Ok(vec!["a".to_owned(), "b".to_owned()])
    }

    fn is_executable(&self, _path: &Path) -> bool {
        false
    }

    fn search_path(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn interface_with(&self, _address: IpAddr) -> Option<String> {
        None
    }

    fn is_root(&self, _user: &str, _group: Option<&str>) -> Result<bool, String> {
        Ok(false)
    }

    fn insecure(&self, _path: &Path) -> Option<String> {
        None
    }

    fn cpus(&self) -> usize {
        1
    }

    fn interfaces(&self) -> Option<Vec<String>> {
        None
    }
}

/// Read bytes, and check that the work is in proportion. Whether it was refused.
fn bounded(bytes: &[u8], left_out: LeftOut) -> (Read, bool) {
    let (mut sources, mut sink) = (Sources::default(), Sink::default());
    let source = sources.add("x", bytes, None).unwrap();
    let host = Mirror(bytes.to_vec());
    let options = ReadOptions::default();
    let read = read(source, &host, &options, left_out, &mut sources, &mut sink);
    // Text that is not UTF-8 grows threefold.
    let given = sources.bytes() + read.made;
    assert!(read.work <= 8 * given + 64, "{} for {given}", read.work);
    assert!(read.lexed.tokens.len() <= 2 * given + 2);
    assert!(read.lexed.clean.len() <= 4 * given + 2);
    assert!(read.made <= 2 * MAX_MADE + bytes.len() * 3);
    let refused = sink
        .into_sorted()
        .iter()
        .any(|found| found.severity == Severity::Error);
    (read, refused)
}

/// A line as people write them, and as they do not.
fn line() -> impl Strategy<Value = String> {
    let name = || select(&["A", "B", "C", "x", "_RANDOM", "_ENV A", "NOPE"][..]);
    let word = || {
        prop_oneof![
            name().prop_map(|name| format!("${name}")),
            name().prop_map(|name| format!("${{{name}}}")),
            select(
                &[
                    "{",
                    "}",
                    "x {",
                    "\"a b\"",
                    "\"",
                    "'",
                    "#",
                    "\\",
                    "192.0.2.1",
                    "é",
                    "@x",
                    "~",
                    "(",
                    "$",
                    "${"
                ][..]
            )
            .prop_map(str::to_owned),
            select(&["script", "include", "vrrp_instance", "group"][..]).prop_map(str::to_owned),
        ]
    };
    let rest = || prop::collection::vec(word(), 0..6).prop_map(|words| words.join(" "));
    let number = || prop_oneof![-3_i64..40, any::<i64>()];
    prop_oneof![
        rest(),
        rest().prop_map(|rest| rest.replace(' ', "")),
        (name(), rest(), any::<bool>())
            .prop_map(|(name, rest, goes_on)| format!("${name}={rest}{}", if goes_on { " \\" } else { "" })),
        (name(), number(), number(), rest())
            .prop_map(|(name, first, last, rest)| format!("~SEQ({name}, {first}, {last}) {rest}")),
        (name(), rest(), rest()).prop_map(|(name, values, rest)| format!("~LST({name}, 1, {values}) {rest}")),
        (rest(), any::<bool>()).prop_map(|(rest, not)| format!("@{}a {rest}", if not { "^" } else { "" })),
        rest().prop_map(|rest| format!("{rest} \\")),
        Just("~SEQ(x, 1, 3) $B".to_owned()),
    ]
}

proptest! {
    #[test]
    fn lines_in_any_order(lines in prop::collection::vec(line(), 0..40), block in any::<bool>()) {
        let left_out = if block { LeftOut::Block } else { LeftOut::Line };
        bounded(lines.join("\n").as_bytes(), left_out);
    }

    #[test]
    fn bytes_in_any_order(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        bounded(&bytes, LeftOut::Block);
    }

    /// Whatever surrounds it, a definition and its use agree.
    #[test]
    fn what_is_put_in_is_what_was_defined(value in "[a-z0-9.]{1,20}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
        let text = format!("$V={value}\n{before}${{V}}{after}\n");
        let (read, refused) = bounded(text.as_bytes(), LeftOut::Line);
        prop_assert!(!refused);
        let whole = format!("{before}{value}{after}");
        prop_assert!(read.lexed.clean.contains(&whole));
    }
}

/// What could make a careless reader quadratic, or never end.
#[test]
fn large_texts_take_work_in_proportion() {
    let many = 20_000;
    let definition = "$V=a \\\n b\n";
    let texts = [
        "${".repeat(many),
        "$".repeat(many),
        "${V}".repeat(many),
        "$V ".repeat(many),
        format!("$V=x\n{}", "${V}".repeat(many)),
        format!("{definition}{}", "$V ".repeat(many)),
        format!("{definition}{}", "$V\n".repeat(many)),
        format!("$A= \\\n{}", "x \\\n".repeat(many)),
        "$A=\\\n".repeat(many),
        "@no x {\n".repeat(many),
        "@no $A=\\\n".repeat(many),
        "~SEQ(".repeat(many),
        "~SEQ(a,1,2) ".repeat(many / 100),
        "~SEQ(a,1,2) x {\n".repeat(many),
        "~LST(a,1,2) {\n}\n".repeat(many),
        format!("~LST(a{}) $a\n", ",1".repeat(many)),
        "\"".repeat(many),
        "\\".repeat(many),
        "{".repeat(many),
        "script '".repeat(many),
        "é\u{a0}“".repeat(many),
    ];
    for text in texts {
        for left_out in [LeftOut::Line, LeftOut::Block] {
            bounded(text.as_bytes(), left_out);
        }
    }
}

/// All that can multiply, multiplied: refused, with no more read than is allowed.
#[test]
fn what_multiplies_is_refused() {
    let mut names = "$N0=x\n".to_owned();
    for level in 1..9 {
        names.push_str(&format!(
            "$N{level}= \\\n{}\n",
            format!("${{N{}}} \\\n", level - 1).repeat(10)
        ));
    }
    let texts = [
        names + "$N8\n",
        "~SEQ(a,1,99999) ~SEQ(b,1,99999) ~SEQ(c,1,99999) $a $b $c\n".to_owned(),
        format!("~SEQ(a,1,99999) {{\n{}}}\n", "vrrp_instance $a {\n".repeat(1_000)),
        "$A=~SEQ(x,1,9) $A\n$A\n".to_owned(),
        "$A= \\\n $A \\\n $A\n$A\n".to_owned(),
        // Its own file, over and over.
        "include x\ninclude x\n".to_owned(),
        "include a\ninclude b\ninclude c\ninclude */*/*/{a,b,c}{d,e,f}{g,h,i}{j,k,l}{m,n,o}\n".to_owned(),
    ];
    for text in texts {
        let start = text.chars().take(40).collect::<String>();
        assert!(bounded(text.as_bytes(), LeftOut::Line).1, "{start}");
    }
}

/// One line may be the whole file.
#[test]
fn words_are_bounded_on_one_line() {
    for text in ["{".repeat(2_100_000), "a ".repeat(2_100_000)] {
        let (read, refused) = bounded(text.as_bytes(), LeftOut::Line);
        assert!(refused);
        assert!(read.lexed.tokens.len() <= 2_000_001);
    }
    assert!(
        bounded(
            format!("~LST(x{})", ", 1".repeat(200_000)).as_bytes(),
            LeftOut::Line
        )
        .1
    );
}
