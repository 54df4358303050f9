//! Carries out what `proto` wants done. Nothing in here knows why.

pub mod advert_tx;
pub mod notify;
