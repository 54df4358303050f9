//! How the program finds what the daemon has told it of a virtual router or of a peer.
//!
//! That stands in a *cell*, a numbered place in an array, together with its key. An index, an array of [`Bucket`]s, says in
//! which; the bucket follows from the hash of the key, and so does the entry in it. A cell that an entry points to is never
//! written: what changes is written into a cell that nobody can find, the entry is made to point there in one store, and the
//! cell before is used again only after every run of the program that may have found it has ended (read-copy-update). So the
//! program never reads half of anything, and takes no lock.
//!
//! The kernel's hash maps do not promise that: since Linux 6.1 the memory of an entry is used again at once
//! (kernel/bpf/memalloc.c), while another CPU may still read it. They are also slower.

/// Entries next to one another, among which that of a key is looked for.
pub type Bucket = [u64; BUCKET];
/// Entries in a [`Bucket`].
pub const BUCKET: usize = 4;

/// The longest index, in buckets.
pub const MAX_INDEX: u32 = 1 << 16;
/// The most cells: they are numbered by 16 bits. The first is nobody's: an empty entry points there.
pub const MAX_CELLS: u32 = (1 << CELL_BITS) - 1;
const CELL_BITS: u32 = 16;

/// The name of the program's variable that holds the length of both indexes, a power of two, less one; set at load.
pub const INDEX_MASK: &str = "INDEX_MASK";

/// The bucket for a key with this hash.
#[inline(always)]
#[must_use]
#[expect(clippy::as_conversions, reason = "the lower half is all that is wanted")]
pub const fn bucket(hash: u64, mask: u32) -> u32 {
    hash as u32 & mask
}

/// The entry of a key with this hash that points to `cell`: 48 bits of the hash, and the number. No two in a bucket have the
/// same 48 bits.
#[inline(always)]
#[must_use]
#[expect(clippy::as_conversions, reason = "`u64::from` is not const yet")]
pub const fn entry(hash: u64, cell: u16) -> u64 {
    hash >> CELL_BITS << CELL_BITS | cell as u64
}

/// The cell to look into for a key with this hash; 0 if there is none. Without a branch: the kernel's verifier would walk
/// through all that follows once for each answer.
#[inline(always)]
#[must_use]
#[expect(clippy::as_conversions, reason = "16 bits")]
pub const fn cell(bucket: &Bucket, hash: u64) -> u32 {
    let [a, b, c, d] = *bucket;
    (pointed(a, hash) | pointed(b, hash) | pointed(c, hash) | pointed(d, hash)) as u32
}

/// The cell of an entry if it is for this hash, else 0.
#[inline(always)]
const fn pointed(entry: u64, hash: u64) -> u64 {
    let differs = (entry ^ hash) >> CELL_BITS;
    // All ones if nothing differs.
    let same = (differs.wrapping_sub(1) >> 63).wrapping_neg();
    entry & same & ((1 << CELL_BITS) - 1)
}

/// Two words as one.
#[inline(always)]
#[expect(clippy::as_conversions, reason = "`u64::from` is not const yet")]
pub(super) const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// Two numbers as one, all bits of which depend on all that differs between keys. With one of the two the same, no two others
/// come to the same.
#[inline(always)]
pub(super) const fn mix(one: u64, other: u64) -> u64 {
    // Odd factors lose nothing, and carry upwards what the shifts bring down again.
    let mixed = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other;
    let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;
    use std::collections::BTreeMap;

    use super::{BUCKET, bucket, cell, entry};
    use crate::abi::{PeerKey, RouterKey, address_words};
    use crate::id::Vrid;

    #[test]
    fn an_entry_is_found_by_48_bits_of_its_hash() {
        let hash = 0x1234_5678_9abc_def0;
        let found = |entries| cell(&entries, hash);
        assert_eq!(found([0, entry(hash, 7), entry(!hash, 9), 0]), 7);
        assert_eq!(found([entry(hash, 0xffff), 0, 0, 0]), 0xffff);
        assert_eq!(found([0, 0, 0, entry(hash ^ 1 << 16, 7)]), 0);
        assert_eq!(found([0, 0, 0, entry(hash ^ 1 << 63, 7)]), 0);
        assert_eq!(found([0; BUCKET]), 0);
        // The hash that looks like an empty entry.
        assert_eq!(cell(&[0, entry(5, 3), 0, 0], 5), 3);
    }

    /// So many find a place in their bucket.
    fn placed(hashes: impl Iterator<Item = u64>, mask: u32) -> usize {
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        hashes
            .filter(|hash| {
                let taken = taken.entry(bucket(*hash, mask)).or_default();
                *taken += 1;
                *taken <= BUCKET
            })
            .count()
    }

    /// 64 devices with 8 VLANs each, a VRID on each of them, of both families.
    #[test]
    fn virtual_routers_on_many_devices_find_a_place() {
        let keys = (1..=64_u32).flat_map(|ifindex| {
            [0, 1, 2, 100, 4_094, 4_096 + 10, 81_930, 33_550_000]
                .into_iter()
                .flat_map(move |vlan| {
                    let vrid = Vrid::new(u8::try_from(ifindex).unwrap()).unwrap();
                    let groups: [IpAddr; 2] = [[224, 0, 0, 18].into(), "ff02::12".parse().unwrap()];
                    groups.map(|group| RouterKey::new(ifindex, vlan, vrid, group).hash())
                })
        });
        assert_eq!(placed(keys, 8_191), 64 * 8 * 2);
    }

    /// As many again on one device: all VRIDs of both families, and unicast ones from two addresses.
    #[test]
    fn virtual_routers_on_one_device_find_a_place() {
        let destinations: [IpAddr; 4] = [
            [224, 0, 0, 18].into(),
            [192, 0, 2, 1].into(),
            "ff02::12".parse().unwrap(),
            "fe80::1".parse().unwrap(),
        ];
        let keys = (1..=255).flat_map(|vrid| {
            destinations.map(|destination| RouterKey::new(2, 0, Vrid::new(vrid).unwrap(), destination).hash())
        });
        assert_eq!(placed(keys, 8_191), 255 * 4);
    }

    /// 250 virtual routers with the same four peers, of either family.
    #[test]
    fn peers_find_a_place() {
        let v4: fn(u8) -> IpAddr = |host| [192, 0, 2, host].into();
        let v6: fn(u8) -> IpAddr = |host| [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)].into();
        for address in [v4, v6] {
            let keys = (1..=250).flat_map(|slot| {
                (1..=4).map(move |host| {
                    let source = address_words(address(host));
                    PeerKey { slot, source }.hash()
                })
            });
            assert_eq!(placed(keys, 8_191), 1_000);
        }
    }
}
