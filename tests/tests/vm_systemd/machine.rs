//! The guest as one of two hosts: what an operator does there, and what is to be seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vrrp_tests::lab::{Advert, Capture, Daemon, Direction, Host, Lab, Port, Program, Stamp};

/// Guests are slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// To ask costs a guest a quarter of a second of its time.
const PAUSE: Duration = Duration::from_millis(500);
pub(crate) const UNIT: &str = "vrrp-daemon.service";
pub(crate) const LVS: &str = "vrrp-daemon-lvs.service";
pub(crate) const KEEPALIVED: &str = "keepalived.service";
/// Where a user of this daemon has its file.
pub(crate) const FILE: &str = "/etc/vrrp-daemon/vrrp-daemon.conf";
/// Where a test puts what it needs.
pub(crate) const SCRATCH: &str = "/run/vm-systemd";
/// The file that comes with the package. Its addresses are those of the two hosts here.
const EXAMPLE: &str = "/usr/share/doc/vrrp-daemon/examples/vrrp-daemon.conf";
/// What belongs to the user, or to a test.
const WRITTEN: [&str; 3] = ["/etc/vrrp-daemon", "/etc/keepalived", SCRATCH];
/// All files before any package came.
static PRISTINE: OnceLock<BTreeSet<PathBuf>> = OnceLock::new();

/// What a test has run, to be shown if it fails.
static COMMANDS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn commands() -> MutexGuard<'static, Vec<String>> {
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) well: bool,
    /// All it printed.
    pub(crate) text: String,
}

/// Run a command line without quotes in it.
pub(crate) fn say(line: &str) -> Said {
    let begun = Instant::now();
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let took = begun.elapsed().as_millis();
    commands().push(format!("{took:>6} ms  {line}: {}", output.status));
    Said {
        well: output.status.success(),
        text,
    }
}

/// The same, and it has to work: what it printed.
#[track_caller]
pub(crate) fn run(line: &str) -> String {
    let said = say(line);
    assert!(said.well, "{line}: {}", said.text);
    said.text
}

/// Wait for it.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} in vain until {what}");
        thread::sleep(PAUSE);
    }
}

/// A file and its folders.
pub(crate) fn write(path: &str, content: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Change the daemon's file as an operator would.
pub(crate) fn edit(from: &str, to: &str) {
    let file = fs::read_to_string(FILE).unwrap();
    assert!(file.contains(from), "{file}");
    write(FILE, &file.replace(from, to));
}

/// One property of a unit.
pub(crate) fn property(unit: &str, name: &str) -> String {
    let text = run(&format!("systemctl show --value --property {name} {unit}"));
    text.trim().to_owned()
}

/// Whether it runs, and whether it is to at the next boot.
pub(crate) fn state(unit: &str) -> [String; 2] {
    ["ActiveState", "UnitFileState"].map(|name| property(unit, name))
}

/// What the unit has written to the journal since then.
pub(crate) fn journal(since: Stamp) -> String {
    let seconds = since.0 / 1_000_000_000;
    run(&format!(
        "journalctl --no-pager --output cat --unit {UNIT} --since @{seconds}"
    ))
}

/// The daemon's process that speaks VRRP.
pub(crate) fn protocol_process() -> String {
    let file = fs::read_to_string("/run/keepalived_vrrp.pid").unwrap();
    file.lines().next().unwrap().to_owned()
}

pub(crate) fn runs(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

/// What `vrrpctl status --json` says of the one instance.
pub(crate) fn instance() -> Value {
    let said = say("vrrpctl status --json");
    let status: Value = serde_json::from_str(&said.text).unwrap_or_default();
    status["instances"][0].clone()
}

pub(crate) fn has_address() -> bool {
    run("ip -brief address show dev eth0").contains("192.0.2.100/24")
}

#[track_caller]
pub(crate) fn await_state(state: &str) {
    wait_until(&format!("the guest is {state}"), || {
        instance()["state"] == state && has_address() == (state == "MASTER")
    });
}

/// Every file there is, but for what the system itself writes: the journal, its caches, dpkg's database.
fn files() -> BTreeSet<PathBuf> {
    let not_ours = "-path /run/systemd -o -path /run/udev -o -path /run/log -o -path /run/agetty.reload -o -path /var/log -o -path /var/lib/dpkg \
                    -o -path /var/lib/systemd/timers -o -path /tmp -o -path /var/tmp -o -path /opt/tests";
    let found = run(&format!("find / /run -xdev ( {not_ours} ) -prune -o -print"));
    found.lines().map(PathBuf::from).collect()
}

/// What has come since no package had ever been there.
pub(crate) fn new_files() -> BTreeSet<PathBuf> {
    files().difference(PRISTINE.get().unwrap()).cloned().collect()
}

/// The version that is installed; empty without one.
pub(crate) fn version() -> String {
    let said = say("dpkg-query --show --showformat ${db:Status-Status}-${Version} vrrp-daemon");
    let version = said.text.strip_prefix("installed-").unwrap_or_default();
    version.to_owned()
}

/// The guest, called A as in the lab's other tests, and a host B in a namespace, joined by a switch. When it goes,
/// nothing runs on A; a package stays for the next test, which says what it needs.
pub(crate) struct Machine {
    pub(crate) b: Host,
    /// What crosses B's cable.
    at_b: Capture,
    _cable: Port,
    _lab: Lab,
}

impl Machine {
    /// No package, not even its configuration.
    pub(crate) fn bare() -> Self {
        let machine = Self::new();
        if !version().is_empty() || Path::new("/etc/default/vrrp-daemon").exists() {
            run("dpkg --purge vrrp-daemon");
        }
        machine
    }

    /// The package, with its example as the configuration.
    pub(crate) fn configured() -> Self {
        let machine = Self::new();
        if !version().ends_with("-1") {
            machine.install(1);
        }
        write(FILE, &fs::read_to_string(EXAMPLE).unwrap());
        machine
    }

    /// The same, started and Master.
    pub(crate) fn master() -> Self {
        let machine = Self::configured();
        run("systemctl start vrrp-daemon");
        await_state("MASTER");
        machine
    }

    fn new() -> Self {
        assert_eq!(
            std::env::var("VRRP_VM").as_deref(),
            Ok("1"),
            "this runs in a virtual machine only: `cargo xtask test --vm systemd`"
        );
        commands().clear();
        PRISTINE.get_or_init(files);
        let lab = Lab::new().unwrap();
        lab.network("front").unwrap();
        let b = lab.host("B").unwrap();
        let cable = lab.connect(&b, "eth0", "front", &["192.0.2.2/24"]).unwrap();
        // The other end is the first process's, which is in no namespace of the lab's.
        let switch = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            lab.switch().run("ip", &words).unwrap();
        };
        switch("link add A.eth0 type veth peer name eth0 netns 1");
        switch("link set A.eth0 up master front");
        run("ip link set eth0 up");
        run("ip address add 192.0.2.1/24 dev eth0");
        Self {
            at_b: cable.capture().unwrap(),
            b,
            _cable: cable,
            _lab: lab,
        }
    }

    /// Install the package of this revision, over whatever is there: what dpkg and the package said.
    pub(crate) fn install(&self, revision: u32) -> String {
        let folder = PathBuf::from(std::env::var_os("VRRP_PACKAGES").unwrap());
        let suffix = format!("-{revision}_amd64.deb");
        let mut packages = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        let package = packages
            .find(|path| path.to_string_lossy().ends_with(&suffix))
            .unwrap();
        run(&format!("dpkg --install {}", package.display()))
    }

    /// The other host, with the same file.
    pub(crate) fn start_b(&self) -> Daemon {
        let file = fs::read_to_string(EXAMPLE).unwrap();
        let swapped = file
            .replace("192.0.2.1 ", "OTHER ")
            .replace("192.0.2.2 ", "192.0.2.1 ")
            .replace("OTHER ", "192.0.2.2 ");
        Daemon::start(&self.b, &Program::ours().unwrap(), &swapped, Daemon::QUIET).unwrap()
    }

    /// The adverts that have reached B since then.
    pub(crate) fn heard(&self, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.adverts(Direction::ToHost, since)
    }

    /// The adverts that B has sent since then.
    pub(crate) fn sent(&self, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.adverts(Direction::FromHost, since)
    }

    fn adverts(&self, direction: Direction, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.at_b.pick(since, |captured| {
            let advert = captured.frame().advert();
            advert.filter(|_| captured.direction == direction)
        })
    }

    /// Wait for so many adverts that reach B from now on.
    #[track_caller]
    pub(crate) fn await_adverts(&self, count: usize) {
        let since = Stamp::now();
        wait_until("B has heard adverts", || self.heard(since).len() >= count);
    }

    /// Wait until B is Master: A has said priority 0 since then, as the last of its words, before B's first.
    #[track_caller]
    pub(crate) fn await_release(&self, since: Stamp) {
        wait_until("B is Master", || !self.sent(since).is_empty());
        let heard = self.heard(since);
        let (at, last) = heard.last().unwrap();
        assert_eq!(last.priority, 0, "{heard:?}");
        assert!(self.sent(since)[0].0 >= *at, "two Masters");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            let journal = say("journalctl --no-pager --boot --lines 60 --output short-precise");
            println!("{}\n{}", commands().join("\n"), journal.text);
        }
        say(&format!("systemctl stop {UNIT} {LVS} {KEEPALIVED}"));
        say(&format!("systemctl reset-failed {UNIT} {LVS} {KEEPALIVED}"));
        for path in WRITTEN {
            let _not_there = fs::remove_dir_all(path);
        }
        say("ip link delete eth0");
    }
}
