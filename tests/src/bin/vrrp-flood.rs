//! Sends the frames it is given, many times, in a network namespace of its own: see `vrrp_tests::lab::flood`.

#![deny(unsafe_code)]

fn main() -> anyhow::Result<()> {
    vrrp_tests::lab::flood::main()
}
