//! What an unknown word may have been meant for.

use super::Block;

/// Keywords that old versions had and that old files still have, and what to write now.
const HISTORIC: &[(&str, &str)] = &[
    ("vrrp_unicast_bind", "write `unicast_src_ip ADDRESS`"),
    ("vrrp_unicast_peer", "write `unicast_peer { ADDRESS }`"),
    (
        "lvs_sync_daemon_inteface",
        "remove it: the load balancer has `lvs_sync_daemon` in `global_defs`",
    ),
];

/// What to write in place of a keyword of old versions.
pub(in crate::config) fn remedy(word: &str) -> Option<&'static str> {
    HISTORIC
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, remedy)| *remedy)
}

/// What an unknown word may have been meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Guess {
    /// This keyword of the block, misspelt.
    Misspelt(&'static str),
    /// A keyword of another block.
    Belongs(Block),
}

/// Find what was meant by an unknown word in a block.
pub(in crate::config) fn guess(block: Block, word: &str) -> Option<Guess> {
    const LONGEST: usize = 40;
    if let Some(other) = Block::ALL.into_iter().find(|other| other.find(word).is_some()) {
        return Some(Guess::Belongs(other));
    }
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let tolerated = (word.len() / 3).clamp(1, 3);
    block
        .keywords()
        .iter()
        .filter(|keyword| keyword.name.len().abs_diff(word.len()) <= tolerated)
        .map(|keyword| (distance(&lower, keyword.name), keyword.name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| Guess::Misspelt(name))
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, c) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, d) in to.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, column) + usize::from(c != *d))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && previous == Some(*d) && to.get(column - 1) == Some(&c);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    last.last().copied().unwrap_or(usize::MAX)
}
