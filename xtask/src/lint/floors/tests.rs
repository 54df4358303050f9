use super::{Finding, Source, floors, globs, purity, shared, unsafe_code};

/// Lines and rules of what was found.
fn lines(findings: &[Finding]) -> Vec<usize> {
    findings.iter().map(|finding| finding.line).collect()
}

fn check_floors(file: &str, text: &str) -> Vec<String> {
    floors(&Source::new(file, text))
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn check_purity(text: &str) -> Vec<usize> {
    let dependencies = ["aya", "nix", "serde", "tokio", "vrrp_common"].map(str::to_owned);
    lines(&purity(
        &Source::new("vrrp-daemon/src/proto/router.rs", text),
        &dependencies,
    ))
}

#[test]
fn a_floor_above_is_named_with_file_and_line() {
    assert_eq!(
        check_floors(
            "vrrp-daemon/src/effects/notify.rs",
            "use crate::proto::Effect;\n\nuse crate::runtime::driver;\n"
        ),
        ["vrrp-daemon/src/effects/notify.rs:3: `effects` (F3) uses `runtime` (F4), which is above it"]
    );
}

#[test]
fn siblings_are_caught_however_they_are_written() {
    let beside = |line| {
        format!("vrrp-daemon/src/ingress/raw.rs:{line}: `ingress` uses `effects`, which is beside it on F3")
    };
    for text in [
        "use crate::effects::announce;",
        "use crate::{proto::Input, effects::announce};",
        "use super::super::effects;",
        "fn f() { crate::effects::announce::now(); }",
        "fn f() { tokio::select! { _ = crate::effects::next() => {} } }",
        "mod inner { use super::super::super::effects::announce; }",
    ] {
        assert_eq!(
            check_floors("vrrp-daemon/src/ingress/raw.rs", text),
            [beside(1)],
            "{text}"
        );
    }
}

#[test]
fn what_the_floors_allow() {
    let table = [
        (
            "vrrp-daemon/src/ingress/raw.rs",
            "use crate::{sys::rawsock, proto::Input}; use super::ring; use vrrp_common::wire;",
        ),
        ("vrrp-daemon/src/ingress/mod.rs", "pub mod raw; use self::raw::X;"),
        (
            "vrrp-daemon/src/config/lower.rs",
            "use crate::proto::input::Input;",
        ),
        (
            "vrrp-daemon/src/xdp/maps.rs",
            "use crate::proto::model::RouterId;",
        ),
        (
            "vrrp-daemon/src/main.rs",
            "use vrrp_daemon::cli; use vrrp_daemon::runtime::driver;",
        ),
        ("vrrp-daemon/src/bin/vrrpctl/main.rs", "use vrrp_daemon::cli::x;"),
        ("vrrp-daemon/src/lib.rs", "pub mod proto;"),
        (
            "vrrp-daemon/src/effects/tests.rs",
            "use crate::ingress::raw::Socket;",
        ),
        (
            "vrrp-daemon/src/effects/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::ingress::raw::Socket; }",
        ),
        ("xtask/src/lint.rs", "use crate::runtime::x; use crate::proto::y;"),
    ];
    for (file, text) in table {
        assert_eq!(check_floors(file, text), [""; 0], "{file}: {text}");
    }
}

#[test]
fn thin_syscalls_know_the_model_only() {
    for module in ["sys", "xdp"] {
        let file = format!("vrrp-daemon/src/{module}/maps.rs");
        assert_eq!(
            check_floors(&file, "\nuse crate::proto::router::Vrrp;"),
            [format!(
                "{file}:2: `{module}` may use the types of `proto::model` and nothing else of `proto`"
            )]
        );
    }
}

#[test]
fn a_module_without_a_floor_is_refused() {
    let found = check_floors("vrrp-daemon/src/helpers/mod.rs", "");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`helpers` has no floor"), "{found:?}");
}

#[test]
fn proto_reads_no_clock_socket_file_or_log() {
    for text in [
        "use std::time::Duration;",
        "use std::{collections::BTreeMap, time::Instant as T};",
        "use std::net::UdpSocket;",
        "use std::net::{IpAddr, TcpStream};",
        "fn f() { std::fs::read(\"x\"); }",
        "use std::io::Write as _;",
        "use std::thread;",
        "use std::sync::{Arc, Mutex};",
        "use tokio::sync::mpsc;",
        "fn f() { nix::unistd::getpid(); }",
        "fn f(at: SystemTime) {}",
        "fn f() { println!(); }",
    ] {
        assert!(!check_purity(text).is_empty(), "{text}");
    }
    assert_eq!(
        check_purity("use std::fmt;\n\nuse std::fs;\nuse aya::Ebpf;"),
        [3, 4]
    );
}

#[test]
fn proto_may_use_values() {
    for text in [
        "use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};",
        "use std::collections::BTreeMap; use core::fmt; use std::sync::Arc;",
        "use serde::{Serialize, Deserialize}; use vrrp_common::time::MonoNanos;",
        "/// `std::time::Instant` is not for us.\nfn f() {}",
        "#[cfg(test)]\nmod tests { use std::time::Instant; }",
    ] {
        assert_eq!(check_purity(text), [0; 0], "{text}");
    }
    // Other modules may use what they like.
    let driver = Source::new("vrrp-daemon/src/runtime/driver.rs", "use std::time::Instant;");
    assert_eq!(purity(&driver, &[]), []);
}

#[test]
fn unsafe_is_found_outside_its_modules() {
    let text = "// unsafe in a comment\nfn f() {\n    unsafe { g() }\n}\n";
    let find = |file| lines(&unsafe_code(&Source::new(file, text)));
    assert_eq!(find("vrrp-daemon/src/effects/announce.rs"), [3]);
    assert_eq!(find("vrrp-daemon/src/effects/tests.rs"), [3], "tests too");
    assert_eq!(find("vrrp-daemon/src/system.rs"), [3], "a name that begins alike");
    assert_eq!(find("vrrp-daemon/src/sys/process.rs"), [0; 0]);
    assert_eq!(find("vrrp-common/src/abi.rs"), [0; 0]);
}

#[test]
fn glob_imports_are_found_outside_tests() {
    let find = |file, text| lines(&globs(&Source::new(file, text)));
    assert_eq!(
        find(
            "vrrp-daemon/src/cli.rs",
            "use a::b;\nuse a::*;\nuse c::{d, e::*};"
        ),
        [2, 3]
    );
    assert_eq!(
        find(
            "vrrp-daemon/src/cli.rs",
            "fn f(a: u8) -> u8 { a * u8::MAX * b::C }"
        ),
        [0; 0]
    );
    assert_eq!(find("vrrp-daemon/src/cli/tests.rs", "use super::*;"), [0; 0]);
    assert_eq!(
        find("xtask/src/lint.rs", "#[cfg(test)]\nmod tests { use super::*; }"),
        [0; 0]
    );
}

#[test]
fn what_is_shared_with_the_kernel_is_written_down() {
    let text = "pub const MORE: u32 = 1;\npub const fn f() {}\npub struct Known;\npub(crate) struct Own;\n\
                #[cfg(test)]\nmod tests { pub struct Test; }\npub enum Kind {}";
    let find = |file| lines(&shared(&Source::new(file, text), |name| name == "Known"));
    assert_eq!(find("vrrp-common/src/abi/rules.rs"), [1, 7]);
    assert_eq!(find("vrrp-common/src/wire/rules.rs"), [0; 0]);
}
