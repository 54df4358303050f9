//! `vrrp-daemon`.
fn main() {}
