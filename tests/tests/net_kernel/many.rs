//! Many addresses of one subnet: the kernel keeps a primary address and a list of secondary ones.

use vrrp_daemon::effects::addresses::Report;
use vrrp_tests::lab::{AddressWatch, Change, Host, Stamp, root_or_skip, until};

use super::addresses::{announced, shown, writer};
use super::model::{FIRST, LIMIT, cable, ip, lab, model, router};

/// Removing a primary address takes the secondary ones along.
fn no_promotion(host: &Host) {
    for which in ["all", "bond0"] {
        let knob = format!("net.ipv4.conf.{which}.promote_secondaries=0");
        host.run("sysctl", &["-qw", &knob]).unwrap();
    }
}

/// The kernel looks for a secondary address from the begin of its list, where the first added stands; the primary one
/// must be the last, or the others would go with it, and nobody would know which.
#[test]
fn secondary_addresses_go_first_added_first_and_the_primary_last() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    no_promotion(&a.host);
    let list = [
        "192.0.2.10/24",
        "192.0.2.11/24",
        "198.51.100.1/24",
        "192.0.2.12/24",
        "203.0.113.7",
        "198.51.100.2/24",
        // Another subnet, for its prefix is.
        "192.0.2.13/25",
    ];
    let addresses = list.map(|text| ip(text.split('/').next().unwrap()));
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &list)]));
    writer.acquire(FIRST, 0);
    let acquired = reports.recv_timeout(LIMIT).unwrap();
    assert!(
        matches!(acquired, Report::Acquired { added: 7, .. }),
        "{acquired:?}"
    );

    let watch = AddressWatch::start(&a.host).unwrap();
    writer.release(FIRST);
    let released = reports.recv_timeout(LIMIT).unwrap();
    assert_eq!(
        released,
        Report::Released {
            router: FIRST,
            removed: 7
        }
    );
    watch
        .wait_for(Change::Removed, &addresses, Stamp(0), LIMIT)
        .unwrap();
    let expected = [
        "192.0.2.11",
        "192.0.2.12",
        "198.51.100.2",
        "192.0.2.13",
        "203.0.113.7",
        "198.51.100.1",
        "192.0.2.10",
    ];
    assert_eq!(watch.order(Change::Removed, Stamp(0)), expected.map(ip));
}

/// In chunks, and given up and taken back in the midst of them: each address is removed by its own request, and what
/// was wished last holds in the end.
#[test]
fn hundreds_of_one_subnet_come_and_go() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    no_promotion(&a.host);
    let addresses: Vec<_> = (1..=250).map(|n| format!("198.51.100.{n}/24")).collect();
    let list: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (writer, reports) = writer(&a.host, &model(vec![router(51, &list)]));
    writer.acquire(FIRST, 1);
    assert!(writer.flush(LIMIT));
    assert_eq!(shown(&a.host).len(), 250);
    until("250 announcements", LIMIT, || {
        Ok(announced(&a.capture).len() == 250)
    })
    .unwrap();

    let watch = AddressWatch::start(&a.host).unwrap();
    writer.release(FIRST);
    watch
        .wait_for(Change::Removed, &[ip("198.51.100.2")], Stamp(0), LIMIT)
        .unwrap();
    writer.acquire(FIRST, 0);
    assert!(writer.flush(LIMIT));
    assert_eq!(shown(&a.host).len(), 250);

    while reports.try_recv().is_ok() {}
    writer.release(FIRST);
    assert_eq!(
        reports.recv_timeout(LIMIT).unwrap(),
        Report::Released {
            router: FIRST,
            removed: 250
        }
    );
    assert_eq!(shown(&a.host).len(), 0);
    writer.acquire(FIRST, 0);
    let again = reports.recv_timeout(LIMIT).unwrap();
    assert!(matches!(again, Report::Acquired { added: 250, .. }), "{again:?}");
}
