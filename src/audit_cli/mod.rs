//! The command line of the auditor's commands.

use crate::term::CliResult;

/// Commands of the auditor's commands.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {}

/// Runs one command.
pub(crate) fn run(command: AuditCommand) -> CliResult {
    match command {}
}
