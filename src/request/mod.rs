//! `dta request`: ask D-TAs for shares and permits as a customer does.
//!
//! All of the work is the `client` room's: this one reads the command line, and prints. A share is
//! printed only because it was asked for; `--out` writes it to a new file that only its owner can
//! read, and prints nothing secret.
#![allow(clippy::print_stdout)]

mod authority;
pub(crate) mod failure;
mod identity;
mod key_pair;
pub(crate) mod output;
mod shares;

use std::future::Future;
use std::path::PathBuf;

use client::{Client, Config, Source};
use mpin::Encoding;
use wire::api::KeyVersion;

use crate::term::{CliError, CliResult, Exit};

/// `dta request ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RequestCommand {
    /// Make a customer's signing key: NAME.key (private, mode 0600) and NAME.pub (public).
    #[command(after_help = "Example: dta request new-key --out acme.key")]
    NewKey(key_pair::NewKeyArgs),
    /// Make a salted mpin_id for a new device, and its identity.
    #[command(after_help = "Example: dta request new-identity --id alice@example.com")]
    NewIdentity(identity::NewIdentityArgs),
    /// Fetch a client share: from all D-TAs, verified and combined, or from one.
    #[command(
        after_help = "Example: dta request client-share --config customer.toml \
        --identity 5f1c...e2 --out alice.client-share"
    )]
    ClientShare(shares::ClientShareArgs),
    /// Fetch the server share of this customer.
    #[command(
        after_help = "Example: dta request server-share --config customer.toml \
        --out acme.server-share"
    )]
    ServerShare(shares::ServerShareArgs),
    /// Fetch time permits for identities and days.
    #[command(
        after_help = "Example: dta request time-permit --config customer.toml \
        --identity 5f1c...e2 --from 2026-11-20 --days 2"
    )]
    TimePermit(shares::TimePermitArgs),
    /// Show what the D-TAs hold for this customer: keys and commitments, compared with the pins.
    #[command(after_help = "Example: dta request key --config customer.toml --dta alpha")]
    Key(authority::KeyArgs),
}

/// Runs one command.
pub(crate) fn run(command: RequestCommand) -> CliResult {
    match command {
        RequestCommand::NewKey(args) => key_pair::run(&args),
        RequestCommand::NewIdentity(args) => identity::run(&args),
        RequestCommand::ClientShare(args) => shares::client_share(&args),
        RequestCommand::ServerShare(args) => shares::server_share(&args),
        RequestCommand::TimePermit(args) => shares::time_permit(&args),
        RequestCommand::Key(args) => authority::run(&args),
    }
}

/// Whom to ask.
#[derive(Debug, clap::Args)]
struct Target {
    /// The customer's configuration: its signing key, and what it pins of each D-TA.
    #[arg(long, value_name = "FILE", default_value = "customer.toml")]
    config: PathBuf,
    /// Ask this D-TA alone: what it gives is only a part.
    #[arg(long, value_name = "NAME")]
    dta: Option<String>,
}

impl Target {
    fn source(&self) -> Source<'_> {
        self.dta.as_deref().map_or(Source::All, Source::One)
    }

    fn client(&self) -> CliResult<Client> {
        let config = Config::load(&self.config).map_err(failure::config)?;
        Client::new(config).map_err(failure::client)
    }
}

/// Under which master key.
#[derive(Debug, clap::Args)]
struct KeyChoice {
    /// The version of the master key, e.g. k2; by default the only live one.
    #[arg(long, value_name = "VERSION")]
    key: Option<KeyVersion>,
}

/// How to show what was issued.
#[derive(Debug, clap::Args)]
struct Form {
    /// How points are written: compressed, uncompressed, milagro or miracl.
    #[arg(long, default_value = "compressed")]
    encoding: Encoding,
    /// Print nothing but hexadecimal digits, one share a line.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Write to this new file (mode 0600) instead: hexadecimal digits, or JSON with --json.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Waits for an asynchronous call on this thread.
pub(crate) fn wait<T>(call: impl Future<Output = T>) -> CliResult<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failed, error))?;
    Ok(runtime.block_on(call))
}

#[cfg(test)]
mod tests;
