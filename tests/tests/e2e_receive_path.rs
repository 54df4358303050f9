//! The three ways an advert can arrive: each is named by `vrrpctl status`, each detects the same death in the
//! same time, and none leaves anything attached.

use std::time::Duration;

use aya::Ebpf;
use aya::programs::Xdp;
use aya::programs::xdp::XdpMode;
use vrrp_daemon::xdp::embedded;
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, Stamp, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(10);
/// 3 x 100 ms + 156/256 x 100 ms: VRRPv3, priority 100.
const MASTER_DOWN: Duration = Duration::from_nanos(360_937_500);
const INTERVAL: Duration = Duration::from_millis(100);
/// The captures stamp after the sender and before the receiver: that much may be missing from a wait.
const STAMPING: Duration = Duration::from_millis(1);

/// Whether the kernel has a program on eth0, whoever put it there.
fn has_program(host: &Host) -> anyhow::Result<bool> {
    Ok(host
        .run("ip", &["-j", "link", "show", "dev", "eth0"])?
        .contains("\"xdp\""))
}

/// Somebody else's program on eth0, until it is dropped. It happens to be ours, without rules: it passes
/// everything.
fn foreign_program(host: &Host) -> anyhow::Result<Ebpf> {
    let object = embedded().ok_or_else(|| anyhow::anyhow!("no XDP program: run `cargo xtask build`"))?;
    host.namespace().inside(|| {
        let mut loaded = Ebpf::load(object)?;
        let programs: Vec<String> = loaded.programs().map(|(name, _)| name.to_owned()).collect();
        anyhow::ensure!(programs.len() == 1, "{programs:?}");
        for (_, program) in loaded.programs_mut() {
            let program: &mut Xdp = program.try_into()?;
            program.load()?;
            program.attach("eth0", XdpMode::Driver)?;
        }
        Ok(loaded)
    })
}

/// A is Master and dies; B, which runs with `before` in its file, takes over in time.
fn play(before: &'static str, expected: &str, taken: bool) -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let ours = Program::ours()?;
    let foreign = taken.then(|| foreign_program(&b.host)).transpose()?;
    let start = |side: &vrrp_tests::lab::Side, settings: Settings| {
        Daemon::start(&side.host, &ours, &settings.to_string(), Daemon::DETAILED)
    };
    let on_b = start(
        b,
        Settings {
            before,
            ..Settings::unicast(b.address, a.address, 100)
        },
    )?;
    let on_a = start(a, Settings::unicast(a.address, b.address, 200))?;
    a.await_mastery(VIP, b, LIMIT)?;
    a.await_adverts(5, Stamp::now(), LIMIT)?;

    assert_eq!(on_a.status()?["instances"][0]["receive_path"], "xdp-generic");
    let status = on_b.status()?;
    let instance = &status["instances"][0];
    assert_eq!(
        (&instance["receive_path"], &instance["state"]),
        (&expected.into(), &"BACKUP".into())
    );
    assert_eq!(has_program(&b.host)?, taken || expected != "raw");
    let log = on_b.log()?;
    let said = log
        .lines()
        .filter(|line| line.contains("raw socket alone") || line.contains("raw sockets alone"));
    assert_eq!(said.count(), usize::from(expected == "raw"), "{log}");

    let died = Stamp::now();
    a.port.isolate()?;
    on_a.crash();
    let (priority, waited) = duo.takeover(VIP, died, LIMIT)?;
    assert_eq!(priority, 200);
    assert!(waited + STAMPING >= MASTER_DOWN, "too early: {waited:?}");
    assert!(waited <= MASTER_DOWN + INTERVAL, "too late: {waited:?}");

    // The kernel takes the program away with the last process that held it, a moment after that.
    on_b.crash();
    drop(foreign);
    for side in [a, b] {
        until("nothing is left attached", LIMIT, || {
            Ok(!has_program(&side.host)?)
        })?;
    }
    Ok(())
}

#[test]
fn xdp_in_the_driver() -> anyhow::Result<()> {
    play("global_defs {\n    vrrp_xdp native\n}", "xdp-native", false)
}

#[test]
fn xdp_in_the_stack() -> anyhow::Result<()> {
    play("global_defs {\n    vrrp_xdp generic\n}", "xdp-generic", false)
}

/// In its driver, a flood of whatever the kernel has to carry further makes it lose adverts: at 10 ms and 300,000 UDP datagrams a
/// second a Backup took over some ten times in 20 s (`cargo xtask bench flood`).
#[test]
fn a_veth_device_is_spared_the_driver() -> anyhow::Result<()> {
    play("", "xdp-generic", false)
}

#[test]
fn the_raw_socket_alone_by_choice() -> anyhow::Result<()> {
    play("global_defs {\n    vrrp_xdp off\n}", "raw", false)
}

#[test]
fn the_raw_socket_alone_because_somebody_else_has_the_interface() -> anyhow::Result<()> {
    play("", "raw", true)
}
