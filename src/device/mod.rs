//! The command line of a test device and a test M-Pin server.

use crate::term::CliResult;

/// Commands of a test device and a test M-Pin server.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeviceCommand {}

/// Runs one command.
pub(crate) fn run(command: DeviceCommand) -> CliResult {
    match command {}
}
