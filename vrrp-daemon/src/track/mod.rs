//! What is watched besides adverts: scripts. Their verdicts reach the protocol as inputs.

pub mod script;
pub mod verdict;
