//! The operator's command line: status, lock, customers.

use crate::term::CliResult;

/// `dta status`
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {}

/// `dta lock`
#[derive(Debug, clap::Args)]
pub(crate) struct LockArgs {}

/// `dta customer ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CustomerCommand {}

/// Runs `dta status`.
pub(crate) fn run_status(_args: StatusArgs) -> CliResult {
    Ok(())
}

/// Runs `dta lock`.
pub(crate) fn run_lock(_args: LockArgs) -> CliResult {
    Ok(())
}

/// Runs `dta customer`.
pub(crate) fn run_customer(command: CustomerCommand) -> CliResult {
    match command {}
}
