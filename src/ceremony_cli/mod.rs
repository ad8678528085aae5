//! The command line of ceremonies, holders and unlocking.

use crate::term::CliResult;

/// `dta ceremony ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CeremonyCommand {}

/// `dta holder ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum HolderCommand {}

/// `dta unlock ...`
#[derive(Debug, clap::Args)]
pub(crate) struct UnlockArgs {}

/// Runs `dta ceremony`.
pub(crate) fn run_ceremony(command: CeremonyCommand) -> CliResult {
    match command {}
}

/// Runs `dta holder`.
pub(crate) fn run_holder(command: HolderCommand) -> CliResult {
    match command {}
}

/// Runs `dta unlock`.
pub(crate) fn run_unlock(_args: UnlockArgs) -> CliResult {
    Ok(())
}
