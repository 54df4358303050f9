//! Tests of the whole machine through [`Vrrp`](super::Vrrp), with literal effects and deadlines.
#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, which is what it is for"
)]

mod correspondence;
mod counters;
mod fixture;
mod groups;
mod holding;
mod lost;
mod mastership;
mod pitfalls;
mod quiet;
mod recording;
mod reload;
mod sequences;
mod spread;
mod standby;
mod succession;
mod timing;
mod tracking;
mod transitions;
mod uncommon;
