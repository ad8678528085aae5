//! The process `dta authority`.

use std::path::PathBuf;

use crate::term::CliResult;

/// `dta authority`
#[derive(Debug, clap::Args)]
pub(crate) struct AuthorityArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dta/authority.toml")]
    pub(crate) config: PathBuf,
}

/// Runs the process until it is told to stop.
pub(crate) fn run(_args: AuthorityArgs) -> CliResult {
    Ok(())
}
