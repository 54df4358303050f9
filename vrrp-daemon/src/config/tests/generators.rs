//! `~SEQ`, `~SEQx` and `~LST`. The entries were run under keepalived 2.2.7 (`-t`, and `-d` for what it makes of them).

use super::{entries, read, read_as, said};
use crate::config::Severity;

/// What 2.2.7 makes of each, silently.
#[test]
fn values_one_after_the_other() {
    let table: &[(&str, &[&str])] = &[
        (
            "~SEQ(x, 1, 3) 192.0.2.$x",
            &["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        ),
        (
            "~SEQ(y, 10, 5, 20) 192.0.2.$y dev d0",
            &["192.0.2.10", "192.0.2.15", "192.0.2.20"],
        ),
        ("~SEQ(z, 33, -1, 32) 192.0.2.$z", &["192.0.2.33", "192.0.2.32"]),
        ("~SEQ(x,3,2) 192.0.5.$x", &["192.0.5.3", "192.0.5.2"]),
        ("~SEQ (x,1,2)192.0.2.$x # c", &["192.0.2.1", "192.0.2.2"]),
        ("~SEQ(x,0xe,0xf) 192.0.3.$x", &["192.0.3.14", "192.0.3.15"]),
        ("~SEQ(x,010,011) 192.0.4.$x", &["192.0.4.8", "192.0.4.9"]),
        ("~SEQx(x, 0x10, 0x11) 192.0.2.$x", &["192.0.2.10", "192.0.2.11"]),
        (
            "~SEQ(x, 1, 2) ~SEQ(y, $x, 2) 192.1.${x}.${y}",
            &["192.1.1.1", "192.1.1.2", "192.1.2.2"],
        ),
        ("~LST(x, 1, 7) 192.0.2.$x", &["192.0.2.1", "192.0.2.7"]),
        (
            "~LST( { r , s } , { 5 , 6 } ,{7,8}) 194.${r}.${s}.1",
            &["194.5.6.1", "194.7.8.1"],
        ),
        (
            "~LST(p, 1, 2,) 194.0.2.${p}5",
            &["194.0.2.15", "194.0.2.25", "194.0.2.5"],
        ),
        (
            "@a ~SEQ(x,1,2) 192.0.2.$x\n@b ~SEQ(x,3,4) 192.0.2.$x",
            &["192.0.2.1", "192.0.2.2"],
        ),
        (
            "~SEQ(x,1,2) @a 192.0.4.$x\n~SEQ(x,1,2) @b 192.0.5.$x",
            &["192.0.4.1", "192.0.4.2"],
        ),
        // The variable stays, with its last value.
        (
            "$x=77\n192.0.2.$x\n~SEQ(x,1,2) 192.0.3.$x\n192.0.4.${x}",
            &["192.0.2.77", "192.0.3.1", "192.0.3.2", "192.0.4.2"],
        ),
        (
            "$A=1\n$B=2\n~SEQ(x,$A,${B}) 192.0.2.$x",
            &["192.0.2.1", "192.0.2.2"],
        ),
        ("$G=~SEQ(x,1,2) 192.0.5.$x\n$G", &["192.0.5.1", "192.0.5.2"]),
    ];
    for (lines, addresses) in table {
        assert_eq!(
            entries("", lines),
            (addresses.iter().map(|a| (*a).to_owned()).collect(), vec![]),
            "{lines}"
        );
    }
}

/// 2.2.7: `Invalid ~SEQ definition`, `values` or `specification`, the line is left out, status 5.
#[test]
fn what_cannot_be_read_is_left_out() {
    for line in [
        "~SEQ(x,1) 192.0.3.1",
        "~SEQ(x,1,0,3) 192.0.6.$x",
        "~SEQ(x,1,-1,3) 192.0.6.$x",
        "~SEQ(x,a,3) 192.0.7.$x",
        "~SEQ(x,1,3 192.0.8.$x",
        "~SEQx(x, A, C) 192.0.5.1${x}",
        "~LST(x) 192.0.9.${x}",
        "~LST(p, 192.0.2.1 dev d0, 192.0.2.2) $p",
        "~LST(w, {\"5 6\"}, 7) 192.$w",
        "~SEQ(1,1,3) 192.0.9.1",
    ] {
        let (addresses, said) = entries("", &format!("192.0.2.1\n{line}"));
        assert_eq!(addresses, ["192.0.2.1"], "{line}");
        assert_eq!(said.len(), 1, "{line} {said:#?}");
        assert!(
            said[0].starts_with("warning 7:1 `~") && said[0].ends_with("cannot be read"),
            "{said:#?}"
        );
    }
    // Only at the start of a line is it one: 2.2.7 too takes this for an option of the address.
    let (addresses, said) = entries("", "192.0.2.1 ~SEQ(x,1,2)");
    assert_eq!(addresses, ["192.0.2.1"]);
    assert_eq!(said, ["warning 6:11 unknown option `~SEQ(x,1,2)` of an address"]);
}

const TEMPLATE: &str = "$INST= \\
vrrp_instance VI_$x { \\
 interface d0 \\
 virtual_router_id $x \\
 virtual_ipaddress { \\
  192.0.2.$x \\
 } \\
}
";

/// 2.2.7: instances VI_1 and VI_2 with VRID 1 and 2, status 0.
#[test]
fn a_template_of_several_lines_is_repeated() {
    let loaded = read(&(TEMPLATE.to_owned() + "~SEQ(x, 1, 2) $INST\n"));
    assert_eq!(said(&loaded), [""; 0]);
    let routers = loaded.config.unwrap().model.routers;
    let known: Vec<_> = routers
        .iter()
        .map(|router| {
            (
                router.name.as_str(),
                router.vrid.value(),
                router.addresses[0].address.to_string(),
            )
        })
        .collect();
    assert_eq!(
        known,
        [
            ("VI_1", 1, "192.0.2.1".to_owned()),
            ("VI_2", 2, "192.0.2.2".to_owned())
        ]
    );
}

/// 2.2.7 repeats the line alone: `Unexpected '{' - ignoring`, `There are 2 missing '}'s`, and one instance that
/// has the name of the first and the VRID of the last.
#[test]
fn a_block_is_repeated_with_its_line() {
    let block = "vrrp_instance VI_$x {\n interface d0\n virtual_router_id $x\n virtual_ipaddress {\n  192.0.2.$x\n }\n}\n";
    for text in [
        format!("~SEQ(x, 1, 3) {block}"),
        format!("~SEQ(x, 1, 3) {{\n{block}}}\n"),
        format!("~LST({{x, y}}, {{1}}, {{2}}, {{3}}) {{\n{block}\n}} # end\n"),
    ] {
        let loaded = read(&text);
        assert_eq!(said(&loaded).len(), 1, "{text} {:#?}", said(&loaded));
        assert!(said(&loaded)[0].ends_with("1:1 the block of this line is repeated with it"));
        let routers = loaded.config.unwrap().model.routers;
        let known: Vec<_> = routers
            .iter()
            .map(|router| (router.name.as_str(), router.vrid.value()))
            .collect();
        assert_eq!(known, [("VI_1", 1), ("VI_2", 2), ("VI_3", 3)], "{text}");
    }
}

/// The finding points at what is written, and says which repetition it is of.
#[test]
fn a_finding_names_its_repetition() {
    let loaded = read(&(TEMPLATE.to_owned() + "~SEQ(x, 255, 256) $INST\n"));
    assert!(said(&loaded).contains(&"error 9:19 `256` is not a virtual router id".to_owned()));
    let shown = loaded.render(false);
    for line in [
        " --> test.conf:9:19",
        "9 | ~SEQ(x, 255, 256) $INST",
        "4 |  virtual_router_id $x \\",
        "this is the value of `$INST`",
        "repeated by this, with `x` = `256`",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let mut lines = loaded
        .lines()
        .filter(|(severity, _)| *severity == Severity::Error);
    assert_eq!(
        lines.next().unwrap().1,
        "(test.conf: Line 9) error: `256` is not a virtual router id (write a number from 1 to 255, the same on \
          all hosts of this virtual router); this is the value of `$INST` (test.conf: Line 4); repeated by this, \
          with `x` = `256` (test.conf: Line 9)"
    );
}

#[test]
fn repetitions_are_bounded() {
    let endless = "~SEQ(a, 1, 100000000) ~SEQ(b, 1, 100000000) x$a\n";
    for text in [endless.to_owned(), endless.repeat(10)] {
        let loaded = read_as("a", &text);
        assert!(
            said(&loaded)
                .iter()
                .any(|line| line.ends_with("generators repeat more than 100000 times in all"))
        );
        assert!(loaded.config.is_none());
    }
    // As many as a large site has.
    let lines =
        "192.0.2.1\n }\n virtual_ipaddress_excluded {\n ~SEQ(a, 0, 39) ~SEQ(b, 0, 249) 10.0.${a}.${b}";
    assert_eq!(entries("", lines).1, [""; 0]);
}
