//! The process `dta proxy`.

use std::path::PathBuf;

use crate::term::CliResult;

/// `dta proxy`
#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dta/proxy.toml")]
    pub(crate) config: PathBuf,
}

/// Runs the process until it is told to stop.
pub(crate) fn run(_args: ProxyArgs) -> CliResult {
    Ok(())
}
