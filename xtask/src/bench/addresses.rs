//! What the kernel takes to add and remove many addresses on one host, in several ways, without any daemon: so that
//! it is known which of them a daemon should use. The ways take turns.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Context;
use serde::Serialize;
use vrrp_tests::lab::{AddressBatch, AddressWatch, Change, Host, Lab, Netlink, Stamp, interface_index};

use super::Extent;
use super::progress::Progress;
use super::sample::Samples;
use super::trace::nanos;

/// Interfaces to spread addresses over.
const SPREAD: usize = 8;
/// All in one send.
const WHOLE: usize = usize::MAX;
/// What the daemon's writer puts into one send.
const CHUNK: usize = 64;

/// One way. The first of a family is what the others are compared with.
#[derive(Clone, Copy, Debug)]
struct Way {
    title: &'static str,
    kind: Kind,
    v4: bool,
    chunk: usize,
    backwards: bool,
    removal: Removal,
    interfaces: usize,
    watched: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// With the longest prefix.
    Single,
    /// All in one network.
    Prefix(u8),
    /// Routes of type local, and no address.
    LocalRoute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    LastFirst,
    FirstFirst,
    /// The first added, which is the network's primary address, comes last; else as `FirstFirst`.
    PrimaryLast,
}

const fn v4(title: &'static str) -> Way {
    Way {
        title,
        kind: Kind::Single,
        v4: true,
        chunk: WHOLE,
        backwards: false,
        removal: Removal::LastFirst,
        interfaces: 1,
        watched: false,
    }
}

const fn v6(title: &'static str) -> Way {
    Way {
        v4: false,
        ..v4(title)
    }
}

const WAYS: [Way; 15] = [
    v4("IPv4 /32, one send, last added goes first"),
    Way {
        watched: true,
        ..v4("  with a listener")
    },
    Way {
        chunk: CHUNK,
        ..v4("  in sends of 64")
    },
    Way {
        backwards: true,
        ..v4("  highest address first")
    },
    Way {
        removal: Removal::FirstFirst,
        ..v4("  first added goes first")
    },
    Way {
        interfaces: SPREAD,
        ..v4("  over 8 interfaces")
    },
    Way {
        kind: Kind::Prefix(8),
        ..v4("IPv4 /8, one network, last added goes first")
    },
    Way {
        kind: Kind::Prefix(8),
        removal: Removal::PrimaryLast,
        ..v4("  first added goes first, primary last")
    },
    Way {
        kind: Kind::LocalRoute,
        ..v4("IPv4 local routes, no address")
    },
    v6("IPv6 /128, one send, last added goes first"),
    Way {
        chunk: CHUNK,
        ..v6("  in sends of 64")
    },
    Way {
        removal: Removal::FirstFirst,
        ..v6("  first added goes first")
    },
    Way {
        interfaces: SPREAD,
        ..v6("  over 8 interfaces")
    },
    Way {
        kind: Kind::Prefix(64),
        ..v6("IPv6 /64, one network, last added goes first")
    },
    Way {
        kind: Kind::LocalRoute,
        ..v6("IPv6 local routes, no address")
    },
];

/// In nanoseconds, until the kernel has acknowledged the last.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    way: &'static str,
    v4: bool,
    addresses: usize,
    add: Samples,
    remove: Samples,
}

/// So many rounds of each way.
pub(super) fn run(extent: Extent, n: Option<usize>) -> anyhow::Result<Vec<Row>> {
    let (rounds, counts): (usize, &[usize]) = match extent {
        Extent::Smoke => (1, &[100]),
        Extent::Quick => (3, &[250, 1_000]),
        Extent::Full => (10, &[250, 1_000, 4_000]),
    };
    let rounds = n.unwrap_or(rounds);
    let progress = Progress::new("addresses", counts.len() * rounds * WAYS.len());
    let mut rows = Vec::new();
    for count in counts {
        let new = |way: &Way| Row {
            way: way.title,
            v4: way.v4,
            addresses: *count,
            add: Samples::default(),
            remove: Samples::default(),
        };
        let first = rows.len();
        rows.extend(WAYS.iter().map(new));
        for _ in 0..rounds {
            for (way, row) in WAYS.iter().zip(rows.iter_mut().skip(first)) {
                progress.say(&format!("{count}: {}", way.title.trim()));
                way.measure(row).with_context(|| way.title.trim())?;
                progress.step();
            }
        }
    }
    Ok(rows)
}

impl Way {
    /// Once there and back, on a host of its own: the kernel goes on with the multicast groups of IPv6 addresses
    /// long after these are gone.
    fn measure(&self, row: &mut Row) -> anyhow::Result<()> {
        let lab = Lab::new()?;
        let host = lab.host("A")?;
        lab.network("front")?;
        for interface in 0..self.interfaces {
            lab.connect(&host, &format!("eth{interface}"), "front", &[])?;
        }
        let _watch = self.watched.then(|| AddressWatch::start(&host)).transpose()?;
        let netlink = Netlink::open(&host)?;
        let mut add = Vec::new();
        let mut remove = Vec::new();
        for (interface, mut addresses) in self.shares(row.addresses).into_iter().enumerate() {
            let index = interface_index(&host, &format!("eth{interface}"))?;
            add.extend(self.batches(Change::Added, index, &addresses));
            match self.removal {
                Removal::LastFirst => addresses.reverse(),
                Removal::FirstFirst => {}
                Removal::PrimaryLast => addresses.rotate_left(1),
            }
            remove.extend(self.batches(Change::Removed, index, &addresses));
        }
        row.add.0.push(change(&netlink, &add)?);
        row.remove.0.push(change(&netlink, &remove)?);
        nothing_left(&host, self.v4)
    }

    /// The addresses of each interface, in the order of their addition.
    fn shares(&self, count: usize) -> Vec<Vec<IpAddr>> {
        let mut addresses: Vec<_> = (1..).take(count).map(|number| address(self.v4, number)).collect();
        if self.backwards {
            addresses.reverse();
        }
        let share = count.div_ceil(self.interfaces).max(1);
        addresses.chunks(share).map(<[IpAddr]>::to_vec).collect()
    }

    fn batches(&self, change: Change, index: u32, addresses: &[IpAddr]) -> Vec<AddressBatch> {
        let batch = |chunk: &[IpAddr]| match self.kind {
            Kind::Single => AddressBatch::new(change, index, chunk),
            Kind::Prefix(prefix) => AddressBatch::with_prefix(change, index, chunk, prefix),
            Kind::LocalRoute => AddressBatch::local_routes(change, index, chunk),
        };
        addresses.chunks(self.chunk).map(batch).collect()
    }
}

/// From 10.0.0.0/8 or `2001:db8::/64`.
fn address(v4: bool, number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    if v4 {
        Ipv4Addr::new(10, 1, high, low).into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number).into()
    }
}

fn change(netlink: &Netlink, batches: &[AddressBatch]) -> anyhow::Result<i64> {
    let begun = Stamp::now();
    for batch in batches {
        netlink.change(batch)?;
    }
    Ok(nanos(begun, Stamp::now()))
}

/// Whatever the way, all must be gone.
fn nothing_left(host: &Host, v4: bool) -> anyhow::Result<()> {
    let left = (1..=4_000).map(|number| address(v4, number));
    let left: Vec<_> = left.collect();
    anyhow::ensure!(host.holds_none(&left)?, "addresses were left behind");
    Ok(())
}

/// The table: medians, and what they are of the first way's of the family.
pub(super) fn print(rows: &[Row]) {
    println!(
        "\nAdding and removing addresses, until acknowledged: ms, median (p90), % of the family's first way"
    );
    let mut count = 0;
    let mut first: Option<&Row> = None;
    for row in rows {
        if count != row.addresses {
            count = row.addresses;
            println!("\n{count} addresses, n = {}", row.add.0.len());
            println!("  {:<48}{:>28}{:>28}", "", "add", "remove");
        }
        let base = match first {
            Some(base) if (base.v4, base.addresses) == (row.v4, row.addresses) => base,
            _ => row,
        };
        first = Some(base);
        println!(
            "  {:<48}{:>28}{:>28}",
            row.way,
            cell(&row.add, &base.add),
            cell(&row.remove, &base.remove)
        );
    }
}

fn cell(samples: &Samples, base: &Samples) -> String {
    let (summary, base) = (samples.summary(), base.summary());
    let millis = |nanos: i64| super::sample::decimal(nanos, 10_000, 100);
    let percent = (summary.median() * 100).checked_div(base.median());
    format!(
        "{} ({}) {:>4} %",
        millis(summary.median()),
        millis(summary.p90()),
        percent.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{SPREAD, Way, address, v4};

    #[test]
    fn every_address_is_on_one_interface() {
        let way = Way {
            interfaces: SPREAD,
            ..v4("spread")
        };
        let shares = way.shares(100);
        let sizes: Vec<_> = shares.iter().map(Vec::len).collect();
        assert_eq!(sizes, [13, 13, 13, 13, 13, 13, 13, 9]);
        assert_eq!(shares[7][8], IpAddr::from([10, 1, 0, 100]));
        assert_eq!(address(false, 258), "2001:db8::1:102".parse::<IpAddr>().unwrap());
    }
}
