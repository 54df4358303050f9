//! `@ID` and `@^ID`. Each file was run under keepalived 2.2.7 (`-t`, and `-d` for what it makes of it).

use super::{read_as, said};
use crate::config::{Config, ReadOptions, parse};

fn priority_and_addresses(config: &Config) -> Vec<(String, u8, Vec<String>)> {
    let routers = config.model.routers.iter();
    routers
        .map(|router| {
            let addresses = router.addresses.iter().map(|address| address.address.to_string());
            (router.name.clone(), router.priority.0, addresses.collect())
        })
        .collect()
}

/// 2.2.7 with `-i mst`: router id `one`, priority 150, 192.0.2.100 and .102, status 0.
#[test]
fn lines_are_for_one_host_or_for_all_others() {
    let text = "global_defs {
 @mst router_id one
 @^mst router_id two
 @ mst router_id three
}
@mst vrrp_instance P {
 interface d0
 virtual_router_id 51
 @mst priority 150
 @bck priority 50
 @^bck virtual_ipaddress {
 192.0.2.100
 @bck 192.0.2.101
 @mst 192.0.2.102
 }
@bck virtual_ipaddress {
@bck 192.0.2.103
@bck }
}
";
    let loaded = read_as("mst", text);
    assert_eq!(said(&loaded), [""; 0]);
    let config = loaded.config.unwrap();
    assert_eq!(config.global.router_id.as_deref(), Some("one"));
    assert_eq!(
        priority_and_addresses(&config),
        [(
            "P".to_owned(),
            150,
            vec!["192.0.2.100".to_owned(), "192.0.2.102".to_owned()]
        )]
    );
}

/// Without `-i` it is the short host name: 2.2.7 on host `vm` takes `@vm`, and neither `@vm.x` nor `@VM`.
#[test]
fn the_id_is_compared_whole() {
    let text = "global_defs {\n @vm router_id one\n @^vm router_id two\n @vm.x router_id three\n @VM router_id four\n}\n";
    let options = ReadOptions::default().on_this_host();
    let id = options.config_id.clone().unwrap();
    assert!(!id.is_empty() && !id.contains('.'), "{id}");
    let here = text.replace("vm", &id).replace("VM", "someoneElse");
    let loaded = parse("x", here.as_bytes(), &options, &super::host());
    assert_eq!(loaded.config.unwrap().global.router_id.as_deref(), Some("one"));
    let loaded = read_as("vm", text);
    assert_eq!(loaded.config.unwrap().global.router_id.as_deref(), Some("one"));
}

/// 2.2.7 with `-i x`: all these lines are silent, status 0. The first condition is the line's only one.
#[test]
fn conditions_that_stand_alone() {
    let text = "@x\n@y\n@\n@^\n@^x\n@\"x\" global_defs {\n@x}\n".to_owned() + &super::instance("");
    let loaded = read_as("x", &text);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!(loaded.config.unwrap().model.routers.len(), 1);

    let loaded = read_as("x", &super::instance("@x @x priority 77"));
    assert_eq!(said(&loaded), ["warning 7:4 unknown keyword `@x`"]);
}

/// 2.2.7 with `-i x`: `router_id c`; what is left out goes up to the end of its line, the `}` too: `There are 1
/// missing '}'s`, and line 2 is in the block of line 1.
#[test]
fn after_a_brace_a_line_begins_anew() {
    let text = "global_defs { @x router_id c\n @y router_id d }\n}\n@y global_defs { router_id e }\n"
        .to_owned()
        + &super::instance("").replace("P {", "P { @y priority 7");
    let loaded = read_as("x", &text);
    assert_eq!(said(&loaded), [""; 0]);
    let config = loaded.config.unwrap();
    assert_eq!(config.global.router_id.as_deref(), Some("c"));
    assert_eq!(config.model.routers[0].priority.0, 100);
}

/// 2.2.7 leaves out the first line and reads the others at the root: eleven `Unknown keyword` and `Extra '}'`,
/// status 5; within an instance they would be read into it. Ours leaves out the block.
#[test]
fn a_block_is_left_out_with_its_line() {
    for opening in [
        "@foo vrrp_instance Q {",
        "@foo vrrp_instance Q\n{",
        "@foo vrrp_instance Q # {\n\n {",
    ] {
        let text = format!(
            "{opening}\n interface d0\n virtual_router_id 53\n virtual_ipaddress {{ 192.0.2.100 }}\n}}\n{}",
            super::instance("@bar virtual_ipaddress_excluded {\n 192.0.2.9\n }\n priority 7")
        );
        let loaded = read_as("vm", &text);
        let said = said(&loaded);
        assert_eq!(said.len(), 2, "{opening} {said:#?}");
        assert!(said[0].ends_with("1:1 the block of this line is left out with it"));
        assert_eq!(
            priority_and_addresses(&loaded.config.unwrap()),
            [("P".to_owned(), 7, vec!["192.0.2.100".to_owned()])]
        );
    }
}

/// Two first lines for one block, of which each host reads one: 2.2.7 with `-i b` has instance B, status 0.
#[test]
fn two_lines_may_open_one_block() {
    let text = super::instance("").replace("vrrp_instance P {", "@a vrrp_instance A {\n@b vrrp_instance B {");
    for (id, name) in [("a", "A"), ("b", "B")] {
        let loaded = read_as(id, &text);
        assert_eq!(said(&loaded), [""; 0]);
        assert_eq!(loaded.config.unwrap().model.routers[0].name, name);
    }
}

/// 2.2.7 leaves out `$M= \` and reads the line after it as one of its own: `Unknown keyword '192.0.2.102'`.
#[test]
fn a_definition_is_left_out_with_all_its_lines() {
    let text = "@a $X=51\n@^a $X=52\n@a $M= \\\n 192.0.2.100 \\\n 192.0.2.101\n@b $M= \\\n 192.0.2.102 \\\n 192.0.2.103\n\
                vrrp_instance P {\n interface d0\n virtual_router_id $X\n virtual_ipaddress {\n $M\n }\n}\n";
    let loaded = read_as("a", text);
    assert_eq!(
        said(&loaded),
        ["warning 6:1 a definition of several lines is left out by its condition"]
    );
    let config = loaded.config.unwrap();
    assert_eq!(config.model.routers[0].vrid.value(), 51);
    assert_eq!(
        priority_and_addresses(&config)[0].2,
        ["192.0.2.100", "192.0.2.101"]
    );
}

/// 2.2.7 with `-i a`: `router_id one`.
#[test]
fn a_variable_may_hold_a_condition() {
    let text = "$C=@a\n$D=@b\nglobal_defs {\n $C router_id one\n $D router_id two\n}\n".to_owned()
        + &super::instance("");
    let loaded = read_as("a", &text);
    assert_eq!(said(&loaded), [""; 0]);
    assert_eq!(loaded.config.unwrap().global.router_id.as_deref(), Some("one"));
}
