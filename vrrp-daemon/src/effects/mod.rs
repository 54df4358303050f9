//! Carries out what `proto` wants done. Nothing in here knows why.

pub mod addresses;
pub mod advert_tx;
mod announce;
pub mod notify;
