//! IPv6 addresses whose prefix length is another one: to the kernel they are the same address.

use vrrp_daemon::effects::addresses::Report;
use vrrp_daemon::proto::model::RouterId;
use vrrp_tests::lab::{Host, root_or_skip};

use super::addresses::{shown, writer};
use super::model::{BOND0, FIRST, LIMIT, cable, ip, lab, model, router};
use super::reload::{reconfigured, reload};

const ADDRESS: &str = "2001:db8::100";

fn prefix(host: &Host) -> Option<u64> {
    shown(host).get(&ip(ADDRESS))?["prefixlen"].as_u64()
}

/// `EEXIST` for another prefix length, and `EADDRNOTAVAIL` for its removal: what somebody else put there serves, and
/// stays. Whoever takes over hears of it.
#[test]
fn an_address_with_another_prefix_is_named_at_each_takeover() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let add = ["addr", "add", "2001:db8::100/128", "dev", "bond0", "nodad"];
    a.host.run("ip", &add).unwrap();
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &["2001:db8::100/64"])]));
    let next = || reports.recv_timeout(LIMIT).unwrap();
    for _ in 0..2 {
        writer.acquire(FIRST, 1);
        let taken = next();
        assert!(
            matches!(
                taken,
                Report::Acquired {
                    added: 0,
                    already: 1,
                    ..
                }
            ),
            "{taken:?}"
        );
        let expected = Report::OtherPrefix {
            router: FIRST,
            address: ip(ADDRESS),
            link: BOND0,
            prefix: 128,
            more: 0,
        };
        assert_eq!(next(), expected);
        writer.release(FIRST);
        assert_eq!(
            next(),
            Report::Released {
                router: RouterId(0),
                removed: 0
            }
        );
        assert_eq!(prefix(&a.host), Some(128));
    }
}

/// Were the new one added first, as with IPv4, the kernel would refuse it, and lose the old one after it.
#[test]
fn a_reload_may_give_an_address_another_prefix() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let old = model(vec![router(51, &["2001:db8::100/64"])]);
    let (writer, reports) = writer(&a.host, &old);
    writer.acquire(FIRST, 1);
    let taken = reports.recv_timeout(LIMIT).unwrap();
    assert!(matches!(taken, Report::Acquired { added: 1, .. }), "{taken:?}");
    assert_eq!(prefix(&a.host), Some(64));

    let new = model(vec![router(51, &["2001:db8::100/128"])]);
    let reports = reload(&writer, &old, &new, &[true]);
    assert_eq!(reconfigured(&reports), (0, 1, 0));
    assert_eq!(prefix(&a.host), Some(128));

    writer.release(FIRST);
    let gone = reports.recv_timeout(LIMIT).unwrap();
    assert!(matches!(gone, Report::Released { removed: 1, .. }), "{gone:?}");
    assert_eq!(prefix(&a.host), None);
}
