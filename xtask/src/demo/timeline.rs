//! What the captures say about one takeover.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context;
use vrrp_tests::lab::{Outage, Stamp};

use super::stage::{Node, Stage};

/// A takeover on both cables.
pub(super) struct Takeover {
    pub(super) old: Node,
    /// When it was brought about.
    since: Stamp,
    /// One for each of [`Stage::PATHS`].
    pub(super) paths: Vec<PathTakeover>,
}

/// A takeover as the new Master's cable of one instance saw it.
pub(super) struct PathTakeover {
    /// The old Master's last advert.
    pub(super) last_advert: Stamp,
    /// What that one said.
    pub(super) last_priority: u8,
    /// The new Master's first advert; `None` when it was not on the cable before the end: a unicast advert
    /// waits in the kernel while the dead host does not answer ARP.
    first_advert: Option<Stamp>,
    /// Its first gratuitous ARP.
    pub(super) first_announcement: Stamp,
    /// The earlier of the two: the new Master had made up its mind.
    pub(super) detection: Stamp,
    /// What the client saw, for each address of the instance.
    pub(super) outages: Vec<(Ipv4Addr, Outage)>,
}

impl Takeover {
    /// Read from the captures on the heir's cables, and from the client, what came after `since`.
    pub(super) fn read(stage: &Stage, old: Node, since: Stamp) -> anyhow::Result<Self> {
        let heir = old.other();
        let paths = (0..Stage::PATHS.len())
            .map(|path| {
                // Far enough back that the last advert before the death is among them.
                let before = Stamp(since.0.saturating_sub(5_000_000_000));
                let adverts = stage.adverts(heir, path, before);
                let first_advert = adverts
                    .iter()
                    .find(|(at, from, _)| *from == heir && *at >= since)
                    .map(|(at, ..)| *at);
                let (first_announcement, _) = *stage
                    .announcements(heir, path, since)
                    .first()
                    .context("the new Master sent no gratuitous ARP")?;
                let detection = first_advert.unwrap_or(first_announcement).min(first_announcement);
                let (last_advert, _, last) = adverts
                    .iter()
                    .rfind(|(at, from, _)| *from == old && *at < detection)
                    .context("the old Master's adverts were not captured")?;
                let outages = Stage::PATHS[path]
                    .vips
                    .iter()
                    .filter_map(|&vip| Some((vip, stage.prober.longest_outage(vip, since)?)))
                    .collect();
                Ok(PathTakeover {
                    last_advert: *last_advert,
                    last_priority: last.priority,
                    first_advert,
                    first_announcement,
                    detection,
                    outages,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { old, since, paths })
    }

    /// A table of milliseconds since the event, one column for each cable.
    pub(super) fn print(&self, master_down: Duration) {
        let heir = self.old.other();
        let row = |title: &str, value: &dyn Fn(&PathTakeover) -> String| {
            let cells: Vec<String> = self.paths.iter().map(value).collect();
            println!("  {title:<38}{:>14}{:>14}", cells[0], cells[1]);
        };
        let titles: Vec<String> = Stage::PATHS
            .iter()
            .map(|path| format!("{} {}", path.instance, path.interface))
            .collect();
        println!("  {:<38}{:>14}{:>14}", "ms after the event", titles[0], titles[1]);
        row(&format!("last advert of {}", self.old), &|path| {
            signed(self.since, path.last_advert)
        });
        row(&format!("first advert of {heir}"), &|path| {
            path.first_advert
                .map_or_else(|| "no ARP yet".to_owned(), |at| signed(self.since, at))
        });
        row(&format!("first gratuitous ARP of {heir}"), &|path| {
            signed(self.since, path.first_announcement)
        });
        for index in 0..2 {
            row(
                &format!("client's first answer, address {}", index + 1),
                &|path| match path.outages.get(index).and_then(|(_, outage)| outage.first) {
                    Some(first) => signed(self.since, first),
                    None => "-".to_owned(),
                },
            );
        }
        row("from last advert to detection", &|path| {
            signed(path.last_advert, path.detection)
        });
        row("  Master_Down_Interval in theory", &|path| {
            match path.last_priority {
                // The skew alone: (256 - 100) / 256 s.
                0 => format!("skew +{}", milliseconds(609_375_000)),
                _ => format!("+{}", milliseconds(master_down.as_nanos())),
            }
        });
        if self.paths.iter().any(|path| path.last_priority == 0)
            && self.paths.iter().any(|path| path.last_priority != 0)
        {
            println!("    (a sync group moves as one: when the later of its instances is due)");
        }
        row("client without an answer for", &|path| {
            let longest = path
                .outages
                .iter()
                .map(|(_, outage)| outage.duration(Stamp::now()))
                .max();
            milliseconds(longest.unwrap_or_default().as_nanos())
        });
    }
}

/// Milliseconds from one point to another with one decimal and a sign.
pub(super) fn signed(from: Stamp, to: Stamp) -> String {
    match to >= from {
        true => format!("+{}", milliseconds(to.since(from).as_nanos())),
        false => format!("-{}", milliseconds(from.since(to).as_nanos())),
    }
}

/// Nanoseconds as milliseconds with one decimal.
fn milliseconds(nanos: u128) -> String {
    format!("{}.{}", nanos / 1_000_000, nanos / 100_000 % 10)
}
