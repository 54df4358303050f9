//! Carries out what `proto` wants done. Nothing in here knows why.

pub mod addresses;
pub mod advert_tx;
pub mod announce;
mod fifo;
pub mod notify;
