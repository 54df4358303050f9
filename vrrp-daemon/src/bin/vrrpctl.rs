//! `vrrpctl`.
fn main() {}
