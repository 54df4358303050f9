//! The demo's hosts, cables and captures.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use vrrp_tests::lab::{
    Advert, Capture, Captured, Daemon, Direction, Frame, Host, Lab, Port, Prober, Program, Stamp,
};

use crate::paths::{target_dir, workspace_root};

/// The prefix of the namespaces that `--keep` leaves.
const KEPT: &str = "vrrp-demo";

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    A,
    B,
}

impl Node {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its address on bond0 and on eth2, as `examples/` has them.
    const fn addresses(self) -> [Ipv4Addr; 2] {
        let last = match self {
            Self::A => 10,
            Self::B => 11,
        };
        [
            Ipv4Addr::new(20, 31, 250, last),
            Ipv4Addr::new(192, 168, 10, last),
        ]
    }

    const fn file(self) -> &'static str {
        match self {
            Self::A => "examples/node-a.conf",
            Self::B => "examples/node-b.conf",
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// A host with its two cables.
struct Pair {
    host: Host,
    front: Port,
    back: Port,
    seen: [Capture; 2],
    daemon: Option<Daemon>,
}

/// One of the two instances: what tells its adverts and addresses.
pub(super) struct Path {
    pub(super) instance: &'static str,
    pub(super) interface: &'static str,
    pub(super) vrid: u8,
    pub(super) vips: [Ipv4Addr; 2],
}

/// Everything the acts happen on.
pub(super) struct Stage {
    // Declared first, dropped first: the daemons go before the switch does.
    a: Pair,
    b: Pair,
    pub(super) prober: Prober,
    client: Host,
    program: Program,
    lasting: bool,
    lab: Lab,
}

impl Stage {
    /// The instances of `examples/`, in the order of the captures of a host.
    pub(super) const PATHS: [Path; 2] = [
        Path {
            instance: "VI_1",
            interface: "bond0",
            vrid: 133,
            vips: [Self::VIPS[0], Self::VIPS[1]],
        },
        Path {
            instance: "VI_2",
            interface: "eth2",
            vrid: 233,
            vips: [Self::VIPS[2], Self::VIPS[3]],
        },
    ];
    /// The four addresses that move.
    pub(super) const VIPS: [Ipv4Addr; 4] = [
        Ipv4Addr::new(20, 31, 250, 13),
        Ipv4Addr::new(20, 31, 250, 14),
        Ipv4Addr::new(192, 168, 10, 13),
        Ipv4Addr::new(192, 168, 10, 14),
    ];

    /// Hosts A, B and a client on two networks; nothing runs yet.
    pub(super) fn build(program: Program, keep: bool) -> anyhow::Result<Self> {
        let lab = match keep {
            true => Lab::named(KEPT)
                .with_context(|| format!("is a kept demo still up? Remove it first:\n  {}", removal()))?,
            false => Lab::new()?,
        };
        lab.network("front")?;
        lab.network("back")?;
        let a = pair(&lab, Node::A)?;
        let b = pair(&lab, Node::B)?;
        let client = lab.host("client")?;
        lab.connect(&client, "eth0", "front", &["20.31.250.100/24"])?;
        lab.connect(&client, "eth1", "back", &["192.168.10.100/24"])?;
        let prober = Prober::start(&client, &Self::VIPS, Duration::from_millis(10))?;
        Ok(Self {
            a,
            b,
            prober,
            client,
            program,
            lasting: keep,
            lab,
        })
    }

    /// Where pictures and captures go.
    pub(super) fn output() -> anyhow::Result<PathBuf> {
        let directory = target_dir().join("demo");
        fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(directory)
    }

    fn of(&self, node: Node) -> &Pair {
        match node {
            Node::A => &self.a,
            Node::B => &self.b,
        }
    }

    fn of_mut(&mut self, node: Node) -> &mut Pair {
        match node {
            Node::A => &mut self.a,
            Node::B => &mut self.b,
        }
    }

    /// Start the daemon on `node` with its file as it stands.
    pub(super) fn start(&mut self, node: Node) -> anyhow::Result<()> {
        let path = workspace_root().join(node.file());
        let file = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let host = &self.of(node).host;
        let daemon = match self.lasting {
            true => Daemon::start_lasting(host, &self.program, &file, Daemon::DETAILED),
            false => Daemon::start(host, &self.program, &file, Daemon::DETAILED),
        }?;
        self.of_mut(node).daemon = Some(daemon);
        Ok(())
    }

    /// SIGTERM, and wait for the end.
    pub(super) fn stop(&mut self, node: Node, limit: Duration) -> anyhow::Result<()> {
        let daemon = self.of_mut(node).daemon.take().context("nothing runs there")?;
        daemon.stop(limit).map(drop)
    }

    /// `kill -9` for all processes of the host.
    pub(super) fn crash(&mut self, node: Node) {
        if let Some(daemon) = self.of_mut(node).daemon.take() {
            daemon.crash();
        }
    }

    /// Pull the cable of bond0.
    pub(super) fn pull(&self, node: Node) -> anyhow::Result<()> {
        self.of(node).front.pull()
    }

    /// Plug it in again.
    pub(super) fn plug(&self, node: Node) -> anyhow::Result<()> {
        self.of(node).front.plug()
    }

    /// Neither network forwards for `node` any more; its carriers stay.
    pub(super) fn cut_off(&self, node: Node) -> anyhow::Result<()> {
        self.of(node).front.isolate()?;
        self.of(node).back.isolate()
    }

    /// Undo [`Stage::cut_off`].
    pub(super) fn reconnect(&self, node: Node) -> anyhow::Result<()> {
        self.of(node).front.heal()?;
        self.of(node).back.heal()
    }

    pub(super) fn holds_all(&self, node: Node) -> anyhow::Result<bool> {
        self.of(node).host.holds_all(&vips())
    }

    pub(super) fn holds_none(&self, node: Node) -> anyhow::Result<bool> {
        self.of(node).host.holds_none(&vips())
    }

    /// The host that holds all addresses while the other holds none.
    pub(super) fn holder(&self) -> anyhow::Result<Option<Node>> {
        for node in [Node::A, Node::B] {
            if self.holds_all(node)? && self.holds_none(node.other())? {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }

    /// The state in the notify script's last line.
    pub(super) fn last_notification(&self, node: Node) -> anyhow::Result<Option<String>> {
        let log = self.of(node).host.read("/run/vrrp-notify.log")?;
        Ok(log
            .lines()
            .last()
            .and_then(|line| line.split_whitespace().last())
            .map(str::to_owned))
    }

    /// The adverts of one instance that crossed `at`'s cable since then: (when, sent by `at` itself, which).
    pub(super) fn adverts(&self, at: Node, path: usize, since: Stamp) -> Vec<(Stamp, Node, Advert)> {
        let vrid = Self::PATHS[path].vrid;
        self.of(at).seen[path]
            .pick(since, |captured| {
                let advert = captured.frame().advert()?;
                let from = match captured.direction {
                    Direction::FromHost => at,
                    Direction::ToHost => at.other(),
                };
                (advert.vrid == vrid && advert.source == IpAddr::V4(from.addresses()[path]))
                    .then_some((from, advert))
            })
            .into_iter()
            .map(|(when, (from, advert))| (when, from, advert))
            .collect()
    }

    /// The gratuitous ARPs that `at` sent for the addresses of one instance.
    pub(super) fn announcements(&self, at: Node, path: usize, since: Stamp) -> Vec<(Stamp, Ipv4Addr)> {
        self.of(at).seen[path].pick(since, |captured: &Captured| match captured.frame() {
            Frame::GratuitousArp { address, .. }
                if captured.direction == Direction::FromHost && Self::PATHS[path].vips.contains(&address) =>
            {
                Some(address)
            }
            _ => None,
        })
    }

    /// How many adverts `node` has sent since then, over both cables.
    pub(super) fn adverts_of(&self, node: Node, since: Stamp) -> usize {
        (0..Self::PATHS.len())
            .flat_map(|path| self.adverts(node, path, since))
            .filter(|(_, from, _)| *from == node)
            .count()
    }

    /// Keep the captures beside the picture, for a look with tcpdump or Wireshark.
    pub(super) fn save_captures(&self) -> anyhow::Result<()> {
        let directory = Self::output()?;
        for node in [Node::A, Node::B] {
            for (path, capture) in Self::PATHS.iter().zip(&self.of(node).seen) {
                capture.save(&directory.join(format!("{node}-{}.pcap", path.interface)))?;
            }
        }
        Ok(())
    }

    /// What the daemons said, for when an act cannot go on.
    pub(super) fn print_logs(&self) {
        for node in [Node::A, Node::B] {
            let log = match self.of(node).host.read(Daemon::log_file(&self.program)) {
                Ok(log) => log,
                Err(error) => format!("(cannot be read: {error:#})"),
            };
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.len().saturating_sub(30);
            eprintln!("-- the end of {node}'s log:\n{}", lines[tail..].join("\n"));
        }
    }

    /// Leave all of it up, both daemons running, and say how to look around.
    pub(super) fn keep(mut self) -> anyhow::Result<()> {
        for node in [Node::A, Node::B] {
            if self.of(node).daemon.is_none() {
                self.start(node)?;
            }
        }
        println!("\nThe hosts stay up: {KEPT}-A, {KEPT}-B and {KEPT}-client.");
        println!("  addresses     ip -n {KEPT}-A addr");
        println!("  adverts       ip netns exec {KEPT}-A tcpdump -ni bond0 -vv 'ip proto 112 or arp'");
        println!("  pull a cable  ip -n {KEPT}-switch link set A.bond0 down    (up: plug it in again)");
        for node in [Node::A, Node::B] {
            let daemon = self.of_mut(node).daemon.take();
            let Some(pid) = daemon.as_ref().and_then(Daemon::pid) else {
                continue;
            };
            println!("  a shell on {node}  nsenter -n -m -t {pid}");
            println!(
                "  {node}'s log       /proc/{pid}/root{}",
                Daemon::log_file(&self.program)
            );
            if let Some(daemon) = daemon {
                daemon.let_go();
            }
        }
        println!("  remove it     {}", removal());
        self.lab.keep(&[&self.a.host, &self.b.host, &self.client]);
        Ok(())
    }
}

/// The command that removes a kept demo.
fn removal() -> String {
    format!(
        "for n in A B client switch; do ip netns pids {KEPT}-$n | xargs -r kill -9; ip netns del {KEPT}-$n; done"
    )
}

fn vips() -> [IpAddr; 4] {
    Stage::VIPS.map(IpAddr::V4)
}

/// A host with cables, files and captures, its daemon not yet started.
fn pair(lab: &Lab, node: Node) -> anyhow::Result<Pair> {
    let host = lab.host(&node.to_string())?;
    let [front, back] = node.addresses();
    let front = lab.connect(&host, "bond0", "front", &[&format!("{front}/24")])?;
    let back = lab.connect(&host, "eth2", "back", &[&format!("{back}/24")])?;
    let seen = [front.capture()?, back.capture()?];
    // The file names the first by its path; the second is found in PATH.
    for (script, place) in [
        ("notify.sh", "/etc/keepalived/notify.sh"),
        ("monitor_service.sh", "/usr/local/bin/monitor_service.sh"),
    ] {
        let path = workspace_root().join("examples").join(script);
        let content = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        host.install(place, content, 0o755)?;
    }
    Ok(Pair {
        host,
        front,
        back,
        seen,
        daemon: None,
    })
}
