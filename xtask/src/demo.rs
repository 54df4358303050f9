//! `cargo xtask demo`.

/// Run the verb.
pub(crate) fn run() -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
