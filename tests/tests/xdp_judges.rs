//! One judgement in two places: the XDP program and the daemon say the same of every frame, of 200,000 in a run.
//!
//! A frame that they disagree about is made smaller as far as it shows the same, and printed so that it can become a
//! row of a table.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(dead_code, reason = "the packet builder serves the packet tables too")]

use std::hash::{BuildHasher as _, RandomState};

use vrrp_common::wire::ladder::Refusal;

mod judges;
mod packets;

use judges::Random;
use judges::bench::{Bench, Fault};
use judges::expected::{Left, Verdict};
use judges::mutation::{Case, case};
use packets::rows::{self, Fate, Row};
use packets::{Frame, hex, summed};

/// Of each of the two tests.
const FRAMES: usize = 100_000;
/// So many are shown before counters are read.
const AT_ONCE: usize = 64;
/// The seed of the fresh frames, to see a failure again.
const SEED: &str = "JUDGES_SEED";

#[test]
fn both_judges_agree_on_the_same_frames_every_time() {
    agree(0x112);
}

#[test]
fn both_judges_agree_on_fresh_frames() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => u64::from_str_radix(seed.trim_start_matches("0x"), 16).unwrap(),
        Err(_) => RandomState::new().hash_one(0),
    };
    println!("seed {seed:#x}");
    agree(seed);
}

/// The packet tables, whose fates are written down, are what the daemon says too; so is every single-bit error in a
/// frame that is accepted.
#[test]
fn both_judges_agree_on_the_tables_and_on_every_flipped_bit() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for Row { what, frame, fate } in rows::all() {
        assert_eq!(bench.disagreement(&frame), None, "{what}");
        assert_eq!(bench.expected(&frame).verdict(), verdict(fate), "{what}");
    }
    for Row { what, frame, .. } in rows::accepted() {
        for bit in 0..frame.len().min(120) * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(bench.disagreement(&flipped), None, "{what}, bit {bit}");
        }
    }
}

/// What the judges once disagreed about.
#[test]
fn disagreements_that_were_found() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let advert = hex("3133 6401 0064 8e32 c0000264");
    let in_vlan =
        |ethertype| Frame::new("192.0.2.9", "224.0.0.18", summed(advert.clone())).tag(ethertype, 10);
    let message = [hex("3135 c801 0019 bfbf c000026f"), vec![0; 1_100]].concat();
    let table = [
        ("VLAN 10", in_vlan(0x8100), Verdict::Held),
        (
            "service VLAN 10, which is another one",
            in_vlan(0x88a8),
            Verdict::NotOurs,
        ),
        (
            "too long, and refused by its length like one without options",
            Frame::new("192.0.2.1", "192.0.2.2", message.clone()).options(&[1; 4]),
            Verdict::Refused(Refusal::Length),
        ),
        (
            "a peer of VRID 53 at our one address writes to its namesake at the other",
            Frame::new(
                "192.0.2.1",
                "192.0.2.3",
                summed(hex("3135 c801 0019 0000 c000026f")),
            ),
            Verdict::Refused(Refusal::Source),
        ),
    ];
    for (what, frame, verdict) in table {
        let frame = frame.bytes();
        assert_eq!(bench.observe(&frame).0, verdict, "{what}");
        assert_eq!(bench.disagreement(&frame), None, "{what}");
    }
}

fn verdict(fate: Fate) -> Verdict {
    match fate {
        Fate::Accepted(_) | Fate::Unchanged | Fate::Kept => Verdict::Held,
        Fate::Refused(refusal) => Verdict::Refused(refusal),
        Fate::NotOurs => Verdict::NotOurs,
        Fate::NotJudged => Verdict::NotJudged,
        Fate::Other => Verdict::Other,
    }
}

fn agree(seed: u64) {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let mut random = Random::new(seed);
    for begun in (0..FRAMES).step_by(AT_ONCE) {
        let cases: Vec<Case> = (0..AT_ONCE).map(|_| case(&mut random)).collect();
        let frames: Vec<Vec<u8>> = cases.iter().map(Case::bytes).collect();
        if let Err(fault) = bench.show(&frames) {
            panic!(
                "{SEED}={seed:#x}, frames from {begun} on: {}",
                explain(&mut bench, &cases, fault)
            );
        }
        if random.one_in(4) {
            bench.hush_one(&mut random, &frames);
        }
    }
    bench.tallies_agree();
    all_kinds_were_there(&bench);
}

/// What was wrong, and with which frame.
fn explain(bench: &mut Bench, cases: &[Case], Fault { frame, what }: Fault) -> String {
    let suspects = match frame {
        Some(at) => &cases[at..=at],
        None => cases,
    };
    let found = suspects
        .iter()
        .find_map(|case| Some((case, bench.disagreement(&case.bytes())?)));
    let Some((case, found)) = found else {
        let frames: Vec<String> = cases.iter().map(|case| text(&case.bytes())).collect();
        return format!(
            "{what}; no frame of these alone does that:\n{}",
            frames.join("\n")
        );
    };
    let same = |bench: &mut Bench, frame: &[u8]| bench.disagreement(frame) == Some(found);
    let case = smaller(case, |frame| same(bench, frame));
    let frame = smaller_bytes(case.bytes(), |frame| same(bench, frame));
    let (kernel, expected) = found;
    format!(
        "{what}\n  the kernel: {kernel:?}, expected: {expected:?}\n  {:?}\n  to {:?}\n\
         Row {{\n    what: \"\",\n    frame: hex(\"{}\"),\n    fate: Fate::{expected:?},\n}}",
        case.mutations,
        case.advert,
        text(&frame),
    )
}

/// Without the mutations that do not matter.
fn smaller(case: &Case, mut same: impl FnMut(&[u8]) -> bool) -> Case {
    let mut case = case.clone();
    while let Some(fewer) = case
        .with_one_less()
        .into_iter()
        .find(|fewer| same(&fewer.bytes()))
    {
        case = fewer;
    }
    case
}

/// Without the bytes at the end, and with zeros for those, that do not matter.
fn smaller_bytes(mut frame: Vec<u8>, mut same: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    while frame.len() > 14 && same(&frame[..frame.len() - 1]) {
        frame.pop();
    }
    for at in 0..frame.len() {
        let byte = std::mem::take(&mut frame[at]);
        if !same(&frame) {
            frame[at] = byte;
        }
    }
    frame
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Frames that get nowhere would agree too.
fn all_kinds_were_there(bench: &Bench) {
    let seen = &bench.seen;
    println!(
        "held {:?}, {} unchanged\nrefused {:?}\nleft {:?}",
        seen.held, seen.unchanged, seen.refused, seen.left
    );
    assert!(seen.held.len() >= 14, "{:?}", seen.held);
    assert!(seen.unchanged > 100);
    for (refusal, count) in Refusal::ALL.into_iter().zip(seen.refused) {
        // No virtual router has the VRID 0.
        assert!(count > 50 || refusal == Refusal::Vrid, "{refusal:?}: {count}");
    }
    for left in [
        Left::OtherProtocol,
        Left::Unsound,
        Left::NoVrid,
        Left::LaterFragment,
        Left::NotOurs,
        Left::TooLong,
    ] {
        assert!(seen.left.get(&left).is_some_and(|count| *count > 5), "{left:?}");
    }
}
