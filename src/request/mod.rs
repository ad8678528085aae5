//! The command line of what a customer asks of D-TAs.

use crate::term::CliResult;

/// Commands of what a customer asks of D-TAs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RequestCommand {}

/// Runs one command.
pub(crate) fn run(command: RequestCommand) -> CliResult {
    match command {}
}
