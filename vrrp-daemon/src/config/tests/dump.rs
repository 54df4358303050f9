//! What `-d` shows.

use super::{host, instance, read};
use crate::config::{Passwords, parse_str};

#[test]
fn a_dump_shows_what_was_understood_and_what_there_was_to_remark() {
    let text = "global_defs { # first\n router_id \"a b\"\n}\n\
                vrrp_instance P {\n interface d0\n virtual_router_id 51\n priority 300 # too much\n prority 7\n\
                 authentication {\n auth_type PASS\n auth_pass s3cret\n}\n\
                 notify_master \"/bin/true 'x y' #1\"\n virtual_ipaddress {\n 192.0.2.100/24 label d0:1\n 192.0.2.100\n }\n}\n";
    let dump = read(text).dump(Passwords::Hidden);
    let expected = "\
global_defs {
    router_id \"a b\"
}

vrrp_instance P {
    # IPv4 by multicast, version 2, priority 100, VRID 51 on d0; the Master is dead after 3.609375 s of silence
    interface d0
    virtual_router_id 51
    # warning: `priority` takes a whole number from 1 to 255, not `300`; 100, the default, is used
    priority 300
    authentication {
        auth_type PASS
        auth_pass ********
    }
    # warning: scripts are run, and `enable_script_security` is not set
    notify_master \"/bin/true 'x y' #1\"
    virtual_ipaddress {
        192.0.2.100/24 label d0:1
        # warning: 192.0.2.100 is named twice
        192.0.2.100
    }
}

";
    assert_eq!(dump, expected);
}

/// Read again it is the same configuration.
#[test]
fn a_dump_can_be_read() {
    let article = include_str!("../../../../examples/node-a.conf");
    let dumped = include_str!("../../../../tests/data/config/dumped.conf");
    let odd = "$N=51\n$NOTE=a#b\nvrrp_script s {\n script \"/bin/true '{' \\\"x\\\"\" $NOTE\n}\n".to_owned()
        + &instance(
            "authentication {\n auth_type PASS\n auth_pass \"a!b c#\"\n}\ntrack_script {\n s weight 5\n}",
        )
        .replace("51", "$N");
    for text in [article, dumped, odd.as_str()] {
        let loaded = parse_str("one.conf", text, &host());
        let dump = loaded.dump(Passwords::Shown);
        let again = parse_str("two.conf", &dump, &host());
        assert!(loaded.config.is_some(), "{text}");
        assert_eq!(again.config, loaded.config, "{dump}");
        // A dump of a dump is that dump, less what was remarked about text that is gone.
        let twice = again.dump(Passwords::Shown);
        let facts = |dump: &str| -> Vec<String> {
            let lines = dump.lines().filter(|line| !line.trim_start().starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(facts(&twice), facts(&dump));
    }
}
