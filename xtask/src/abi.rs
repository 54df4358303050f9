//! `cargo xtask abi`: writes down the layout that the XDP program and the daemon share, so that `cargo xtask lint` can
//! say when it changes and `ABI_VERSION` does not.
//!
//! The layout is what the compiler makes of the types, so that a change of an alias or of another module is seen too.

use std::any::type_name;
use std::fs;
use std::mem::offset_of;
use std::path::Path;

use anyhow::Context as _;
use vrrp_common::abi::{
    self, ABI_SECTION, ABI_VERSION, ADVERTS_PER_INTERVAL, BUCKET, BURST, COUNTER_SLOTS, COUNTERS,
    GAP_BUCKETS, INDEX_MASK, KEPT, Known, MAX_CELLS, MAX_INDEX, MAX_PDU, NO_SEAT, PEER_INDEX, PEERS, PROGRAM,
    Peer, PeerKey, PeerRules, PeerSeen, REFUSED, RING, RING_FULL_COUNTER, ROUTER_INDEX, ROUTERS, Record,
    RecordHeader, RefusedState, Router, RouterKey, RouterRules, SEEN, STRANGERS, StrangerKey, UNLISTED,
    Verdict,
};
use vrrp_common::id::Family;
use vrrp_common::wire::ethernet::EtherType;
use vrrp_common::wire::ladder::Refusal;

use crate::paths::workspace_root;

/// Where it is written down.
const RECORD: &str = "vrrp-common/src/abi/layout.txt";
/// Before the number in its first line.
const VERSION: &str = "ABI_VERSION ";

/// Options of `cargo xtask abi`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Args {}

/// Run the verb.
pub(crate) fn run(_: Args) -> anyhow::Result<()> {
    let path = workspace_root().join(RECORD);
    if let Ok(record) = fs::read_to_string(&path)
        && let Some(complaint) = not_raised(&record, ABI_VERSION, &layout())
    {
        anyhow::bail!("{complaint}");
    }
    let text = format!("{VERSION}{ABI_VERSION}\n{}", layout());
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What is wrong with the record; empty if nothing is.
pub(crate) fn stale(root: &Path) -> anyhow::Result<String> {
    let record = fs::read_to_string(root.join(RECORD)).unwrap_or_default();
    Ok(complaint(&record, ABI_VERSION, &layout()).unwrap_or_default())
}

/// The text of the layout, which is to name every public struct, enum and constant of these files.
pub(crate) fn names(text: &str) -> bool {
    layout()
        .split(|c: char| c != '_' && !c.is_alphanumeric())
        .any(|word| word == text)
}

/// What the record has to say against a layout under this version.
fn complaint(record: &str, version: u32, layout: &str) -> Option<String> {
    not_raised(record, version, layout).or_else(|| {
        let current = format!("{VERSION}{version}\n{layout}");
        (record != current).then(|| format!("{RECORD} is of another version: run `cargo xtask abi`"))
    })
}

/// Another layout under a version that is not above the one recorded.
fn not_raised(record: &str, version: u32, layout: &str) -> Option<String> {
    let (first, recorded) = record.split_once('\n')?;
    let of: u32 = first.strip_prefix(VERSION)?.parse().ok()?;
    if version > of || version == of && recorded == layout {
        return None;
    }
    let now = layout.lines().chain(std::iter::repeat(""));
    let then = recorded.lines().chain(std::iter::repeat(""));
    let lines = layout.lines().count().max(recorded.lines().count());
    let differs = then.zip(now).take(lines).find(|(then, now)| then != now);
    let what = differs.map_or(String::new(), |(then, now)| {
        format!(" (was `{}`, is `{}`)", then.trim(), now.trim())
    });
    Some(format!(
        "vrrp-common/src/abi.rs: the layout shared with the XDP program is not that of version {of}{what}, and \
         ABI_VERSION is {version}: raise it to {}, then run `cargo xtask abi`",
        of.saturating_add(1)
    ))
}

/// A struct: its size, and of each field the offset, the name and the type. A field that is left out does not compile.
macro_rules! fields {
    ($type:ident { $($field:ident),* }) => {{
        let _ = |$type { $($field: _),* }: $type| ();
        let mut text = format!(
            "struct {} of {} bytes, aligned to {}\n", stringify!($type), size_of::<$type>(), align_of::<$type>()
        );
        $(text.push_str(&format!(
            "{:>6} {}: {}\n", offset_of!($type, $field), stringify!($field), type_of(|all: &$type| &all.$field)
        ));)*
        text
    }};
}

fn type_of<T, F>(_: impl Fn(&T) -> &F) -> &'static str {
    type_name::<F>()
}

/// A line for each of these constants.
macro_rules! values {
    ($($name:path),* $(,)?) => {
        [$(format!("{} = {:?}\n", stringify!($name), $name)),*].concat()
    };
}

/// The layout.
fn layout() -> String {
    let mut text = [
        fields!(RouterKey {
            ifindex,
            vlan,
            destination,
            family,
            vrid,
            pad
        }),
        fields!(RouterRules {
            spacing,
            sources,
            shown_every,
            slot,
            seat,
            password,
            interval,
            flags,
            version,
            auth_type,
            ttl_min,
            ttl_max,
            mac,
            pad
        }),
        fields!(PeerKey { slot, source }),
        fields!(PeerRules {
            seat,
            mac,
            ttl_min,
            ttl_max,
            pinned,
            pad
        }),
        fields!(Peer { key, rules }),
        fields!(Known {
            late_after,
            source,
            peer,
            len,
            pad,
            message
        }),
        fields!(Router {
            rules,
            key,
            pad,
            known
        }),
        fields!(PeerSeen {
            alive,
            quiet,
            last,
            kept,
            full_at,
            late,
            hushed,
            gaps
        }),
        fields!(RefusedState { silent, told }),
        fields!(StrangerKey { ifindex, source }),
        fields!(RecordHeader {
            stamp,
            alive,
            quiet,
            ifindex,
            vlan,
            source,
            destination,
            slot,
            seat,
            pdu_len,
            source_mac,
            family,
            ttl,
            verdict,
            pad
        }),
        fields!(Record { header, pdu }),
        values!(
            RouterRules::CHECK_SOURCE,
            RouterRules::PASS_ACCEPTED,
            RouterRules::CHECK_MAC,
            RecordHeader::LEN,
            PeerSeen::NOTHING,
            ABI_SECTION,
            PROGRAM,
            ROUTERS,
            ROUTER_INDEX,
            PEERS,
            PEER_INDEX,
            INDEX_MASK,
            MAX_INDEX,
            MAX_CELLS,
            BUCKET,
            SEEN,
            KEPT,
            REFUSED,
            UNLISTED,
            STRANGERS,
            RING,
            COUNTERS,
            NO_SEAT,
            MAX_PDU,
            BURST,
            ADVERTS_PER_INTERVAL,
            GAP_BUCKETS,
            COUNTER_SLOTS,
            RING_FULL_COUNTER,
        ),
    ]
    .concat();
    let verdicts = [
        Verdict::Accepted,
        Verdict::Unchanged,
        Verdict::Kept,
        Verdict::NotOurs,
        Verdict::NotJudged,
    ];
    for verdict in verdicts.into_iter().chain(Refusal::ALL.map(Verdict::Refused)) {
        text.push_str(&format!("Verdict::{verdict:?} = {}\n", verdict.counter()));
    }
    let tag = abi::with_tag(10, EtherType::SERVICE_VLAN, 0xf014);
    let key = abi::refused_key(5, Refusal::Interval.number());
    let words = abi::address_words([1, 2, 3, 4].into()).map(u32::to_ne_bytes);
    let stranger = abi::stranger_mac([1, 2, 3, 4, 5, 6]);
    text.push_str(&format!("stranger_mac(1, 2, 3, 4, 5, 6) = {stranger:?}\n"));
    text.push_str(&format!("with_tag(10, SERVICE_VLAN, 0xf014) = {tag:#x}\n"));
    text.push_str(&format!("refused_key(5, Interval) = {key:#x}\n"));
    let router = RouterKey {
        ifindex: 2,
        vlan: 10,
        destination: abi::address_words([224, 0, 0, 18].into()),
        family: 4,
        vrid: 51,
        pad: [0; 2],
    }
    .hash();
    text.push_str(&format!("hash(2, 10, 224.0.0.18, 51) = {router:#x}\n"));
    let peer = PeerKey {
        slot: 3,
        source: abi::address_words([192, 0, 2, 1].into()),
    }
    .hash();
    text.push_str(&format!("hash(3, 192.0.2.1) = {peer:#x}\n"));
    text.push_str(&format!(
        "bucket({router:#x}) = {}\n",
        abi::bucket(router, MAX_INDEX - 1)
    ));
    text.push_str(&format!("entry({router:#x}, 9) = {:#x}\n", abi::entry(router, 9)));
    text.push_str(&format!("Known::NOBODY sits in {}\n", Known::NOBODY.peer.seat));
    let bit = abi::source_bit(&abi::address_words([192, 0, 2, 1].into()));
    text.push_str(&format!("source_bit(192.0.2.1) = {bit:#x}\n"));
    text.push_str(&format!("address_words(1.2.3.4) = {words:?}\n"));
    for family in [Family::V4, Family::V6] {
        text.push_str(&format!(
            "family_byte({family:?}) = {}\n",
            abi::family_byte(family)
        ));
    }
    for gap in [0, 2_048, 10_000_000, u64::MAX] {
        text.push_str(&format!("gap_bucket({gap}) = {}\n", abi::gap_bucket(gap)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{complaint, names, not_raised};

    const RECORD: &str = "ABI_VERSION 3\nstruct A of 4 bytes\n     0 b: u32\n";
    const SAME: &str = "struct A of 4 bytes\n     0 b: u32\n";
    const OTHER: &str = "struct A of 4 bytes\n     0 b: i32\n";

    #[test]
    fn another_layout_needs_another_version() {
        assert_eq!(complaint(RECORD, 3, SAME), None);
        assert_eq!(
            complaint(RECORD, 3, OTHER).unwrap(),
            "vrrp-common/src/abi.rs: the layout shared with the XDP program is not that of version 3 (was `0 b: u32`, \
             is `0 b: i32`), and ABI_VERSION is 3: raise it to 4, then run `cargo xtask abi`"
        );
        // What was at the end is gone.
        assert!(
            complaint(RECORD, 3, "struct A of 4 bytes\n")
                .unwrap()
                .contains("(was `0 b: u32`, is ``)")
        );
        // A version that has been is not another one.
        assert!(not_raised(RECORD, 2, OTHER).is_some());
        assert!(not_raised(RECORD, 2, SAME).is_some());
    }

    #[test]
    fn a_raised_version_is_to_be_written_down() {
        let remedy = "vrrp-common/src/abi/layout.txt is of another version: run `cargo xtask abi`";
        assert_eq!(complaint(RECORD, 4, OTHER).unwrap(), remedy);
        assert_eq!(not_raised(RECORD, 4, OTHER), None);
        assert_eq!(complaint("", 4, SAME).unwrap(), remedy);
    }

    #[test]
    fn names_are_whole_words() {
        assert!(names("RouterKey") && names("NO_SEAT") && names("CHECK_MAC"));
        assert!(!names("PeerR") && !names("SEAT"));
    }
}
