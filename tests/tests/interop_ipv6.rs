//! VRRPv3 over IPv6: two of ours, and each with Debian's keepalived 2.2.7 as the other router.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use vrrp_tests::lab::{Daemon, Direction, Duo, Frame, Host, Program, Side, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(20);
const LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x54));
const GLOBAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x54));
const VIPS: [IpAddr; 2] = [LINK_LOCAL, GLOBAL];
const GROUP: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
const ALL_NODES: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));

/// Hosts' own global addresses.
const fn own(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Multicast,
    Unicast,
}

impl Form {
    fn file(self, number: u16, priority: u8) -> String {
        let unicast = match self {
            Self::Multicast => String::new(),
            Self::Unicast => format!(
                "    unicast_src_ip {}\n    unicast_peer {{\n        {}\n    }}\n",
                own(number),
                own(3 - number)
            ),
        };
        format!(
            "vrrp_instance VI_6 {{
    state BACKUP
    interface eth0
    virtual_router_id 54
    priority {priority}
    advert_int 0.1
    version 3
{unicast}    virtual_ipaddress {{
        fe80::54/64
        2001:db8::54/64
    }}
}}
"
        )
    }
}

/// The two hosts with IPv6 addresses. Duplicate address detection is on, so that its absence means something.
fn duo() -> anyhow::Result<Duo> {
    let duo = Duo::new()?;
    for (side, number) in [(&duo.a, 1), (&duo.b, 2)] {
        let address = format!("{}/64", own(number));
        side.host
            .run("ip", &["addr", "add", &address, "dev", "eth0", "nodad"])?;
        side.host
            .run("sh", &["-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad"])?;
    }
    Ok(duo)
}

/// The hardware address of eth0.
fn hardware(host: &Host) -> anyhow::Result<[u8; 6]> {
    let links: serde_json::Value =
        serde_json::from_str(&host.run("ip", &["-j", "link", "show", "dev", "eth0"])?)?;
    let text = links[0]["address"].as_str().unwrap_or_default();
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()?;
    bytes
        .try_into()
        .map_err(|_| anyhow::anyhow!("{text} is no Ethernet address"))
}

fn await_mastery(side: &Side, other: &Side) -> anyhow::Result<()> {
    until(
        &format!("host {} alone holds both", side.host.name()),
        LIMIT,
        || Ok(side.host.holds_all(&VIPS)? && other.host.holds_none(&VIPS)?),
    )
}

/// `side` announces both addresses, in the bytes that neighbours heed.
fn await_announcements(side: &Side, since: Stamp) -> anyhow::Result<()> {
    let mac = hardware(&side.host)?;
    for vip in VIPS {
        let what = format!("an unsolicited advertisement of {vip}");
        let (_, frame) = side.capture.wait_for(&what, since, LIMIT, |captured| {
            let frame = captured.frame();
            let ours = captured.direction == Direction::FromHost;
            let announces =
                matches!(frame, Frame::UnsolicitedNa { address, .. } if IpAddr::V6(address) == vip);
            (ours && announces).then_some(frame)
        })?;
        let Frame::UnsolicitedNa {
            overrides,
            hardware,
            source,
            destination,
            hop_limit,
            ..
        } = frame
        else {
            unreachable!("picked above");
        };
        assert_eq!(
            (overrides, hardware, source, destination, hop_limit),
            (true, Some(mac), vip, ALL_NODES, 255)
        );
    }
    Ok(())
}

/// The addresses of which `side` has asked whether somebody has them already.
fn probed(side: &Side) -> Vec<Ipv6Addr> {
    let probes = side.capture.pick(Stamp(0), |captured| match captured.frame() {
        Frame::DuplicateProbe { address } if captured.direction == Direction::FromHost => Some(address),
        _ => None,
    });
    probes.into_iter().map(|(_, address)| address).collect()
}

/// `first` on A is Master, stops in order, comes back, and dies; `second` on B takes over each time.
fn play(form: Form, first: &Program, second: &Program) -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = duo()?;
    let (a, b) = (&duo.a, &duo.b);
    let begun = Stamp::now();
    let _on_b = Daemon::start(&b.host, second, &form.file(2, 100), Daemon::DETAILED)?;
    let start_a = || Daemon::start(&a.host, first, &form.file(1, 200), Daemon::DETAILED);
    let on_a = start_a()?;
    await_mastery(a, b)?;
    await_announcements(a, begun)?;

    let settled = Stamp::now();
    let (_, advert) = a.await_adverts(5, settled, LIMIT)?;
    assert_eq!(b.sent(settled), []);
    assert!(b.heard(settled).len() >= 4);
    // keepalived 2.2.7 leaves the kernel's default on IPv6 unicast; who receives must not mind.
    let hop_limit = match (form, first) {
        (Form::Unicast, Program::Keepalived { .. }) => 64,
        _ => 255,
    };
    assert_eq!(
        (advert.version, advert.vrid, advert.ttl, advert.interval_ms),
        (3, 54, hop_limit, 100)
    );
    assert_eq!(advert.addresses, VIPS);
    match form {
        Form::Multicast => {
            let IpAddr::V6(source) = advert.source else {
                unreachable!("IPv6 only")
            };
            assert!(
                source.is_unicast_link_local() && IpAddr::V6(source) != LINK_LOCAL,
                "{source}"
            );
            assert_eq!(advert.destination, GROUP);
        }
        Form::Unicast => assert_eq!(
            (advert.source, advert.destination),
            (own(1).into(), own(2).into())
        ),
    }

    let stopped = Stamp::now();
    on_a.stop(LIMIT)?;
    await_mastery(b, a)?;
    await_announcements(b, stopped)?;
    assert!(b.heard(stopped).iter().any(|(_, advert)| advert.priority == 0));

    let on_a = start_a()?;
    await_mastery(a, b)?;
    let died = Stamp::now();
    a.port.isolate()?;
    on_a.crash();
    await_announcements(b, died)?;
    until("the heir holds both", LIMIT, || b.host.holds_all(&VIPS))?;

    // None of this asked whether somebody else has the addresses, although the kernel would have.
    assert!(probed(a).is_empty() && probed(b).is_empty());
    b.host
        .run("ip", &["addr", "add", "2001:db8::99/64", "dev", "eth0"])?;
    until("the probe for an ordinary address is seen", LIMIT, || {
        Ok(probed(b) == [own(0x99)])
    })
}

#[test]
fn multicast_between_two_of_ours() -> anyhow::Result<()> {
    let ours = Program::ours()?;
    play(Form::Multicast, &ours, &ours)
}

#[test]
fn multicast_ours_first() -> anyhow::Result<()> {
    play(Form::Multicast, &Program::ours()?, &Program::keepalived()?)
}

#[test]
fn multicast_keepalived_first() -> anyhow::Result<()> {
    play(Form::Multicast, &Program::keepalived()?, &Program::ours()?)
}

#[test]
fn unicast_ours_first() -> anyhow::Result<()> {
    play(Form::Unicast, &Program::ours()?, &Program::keepalived()?)
}

#[test]
fn unicast_keepalived_first() -> anyhow::Result<()> {
    play(Form::Unicast, &Program::keepalived()?, &Program::ours()?)
}
