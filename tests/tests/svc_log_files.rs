//! `-g`: a file for each of the two processes, and how much `-D` and `-DD` put into it.

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(20);

/// The two files of a daemon that was alone, became Master and was stopped.
fn files(options: &[&str]) -> [String; 2] {
    let duo = Duo::new().expect("two hosts");
    let (a, b) = (&duo.a, &duo.b);
    let file = Settings::unicast(a.address, b.address, 200).to_string();
    let options = [&["-n", "-G", "-g/run/ka.log", "--flush-log-file"], options].concat();
    let daemon =
        Daemon::start(&a.host, &Program::ours().expect("the daemon"), &file, &options).expect("starting it");
    until("the file has the mastership", LIMIT, || {
        let text = a.host.read("/run/ka_vrrp.log").unwrap_or_default();
        Ok(text.contains("(VI_1) Entering MASTER STATE: "))
    })
    .expect("its mastership in the file");
    a.await_mastery(Settings::ADDRESS, b, LIMIT)
        .expect("its mastership");
    assert!(daemon.stop(LIMIT).expect("its end").success());
    ["/run/ka.log", "/run/ka_vrrp.log"].map(|file| a.host.read(file).expect("a log file"))
}

#[test]
fn each_d_says_more() {
    if !root_or_skip() {
        return;
    }
    let announcing =
        "(VI_1) setting VIPs. Sending/queueing gratuitous ARPs on eth0 for 192.0.2.100: 5 rounds [";
    let sending = "(VI_1) sends an advert with priority 200 [";
    let fields =
        "[event=transition instance=VI_1 vrid=51 interface=eth0 from=BACKUP to=MASTER reason=master-down";
    for (options, expected) in [
        (&[][..], [false, false, false]),
        (&["-D"], [true, true, false]),
        (&["-DD"], [true, true, true]),
    ] {
        let [parent, protocol] = files(options);
        let found = [fields, announcing, sending].map(|part| protocol.contains(part));
        assert_eq!(found, expected, "{options:?}: {protocol}");
        // The ident and pid tell the lines apart where somebody joins the files.
        assert!(protocol.contains(" Keepalived_vrrp["), "{protocol}");
        assert!(protocol.contains("]: (VI_1) Stopped: the daemon stops; was MASTER, took "));
        let end = format!("configuration file {}", Daemon::FILE);
        let first = parent.lines().next().unwrap();
        assert!(
            first.contains("]: Starting Keepalived: vrrp-daemon ") && first.ends_with(&end),
            "{first}"
        );
        let last = parent.lines().last().unwrap();
        assert!(
            last.contains(" Keepalived[") && last.ends_with("]: Stopped Keepalived"),
            "{last}"
        );
        assert!(!parent.contains("(VI_1)"), "{parent}");
    }
}
