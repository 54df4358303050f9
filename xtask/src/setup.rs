//! `cargo xtask setup`: find or install what building and testing need.
//!
//! Idempotent, and quick when nothing is missing: every other verb calls it first.

pub(crate) mod peers;

/// Options of `cargo xtask setup`.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Args {
    /// Install what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let _ = args.yes;
    peers::fetch()
}
