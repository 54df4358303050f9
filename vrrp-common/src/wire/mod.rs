//! Wire formats. Each file holds one protocol: named offsets, a checked parse into values, an emit into
//! a caller's buffer, tests against captured or published bytes.

pub mod advert;
pub mod ladder;
