//! `cargo xtask bench`.

/// Run the verb.
pub(crate) fn run() -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
