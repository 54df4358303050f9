//! `cargo xtask lint`.

/// Run the verb.
pub(crate) fn run() -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
