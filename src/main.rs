//! `dta`: one binary, a subcommand per role and task.
//!
//! The processes are `dta hsm`, `dta authority` and `dta proxy`; everything else is a tool for the
//! people around them. This file only sorts the command line; each module is a room of its own.
#![forbid(unsafe_code)]

mod audit_cli;
mod authority;
mod ceremony_cli;
mod device;
mod operator_cli;
mod proxy;
mod request;
mod service;
mod term;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::term::{CliError, CliResult, Exit};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 sealed, 4 refused or \
    verification failed, 5 HSM, 6 state conflict or already exists, 7 audit blocked.";

/// An HSM-backed Distributed Trusted Authority for M-Pin.
#[derive(Debug, Parser)]
#[command(name = "dta", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the process around the PKCS#11 module.
    Hsm(HsmArgs),
    /// Run the private authority process.
    Authority(authority::AuthorityArgs),
    /// Run the public HTTPS proxy.
    Proxy(proxy::ProxyArgs),
    /// Plan, check and run ceremonies.
    #[command(subcommand)]
    Ceremony(ceremony_cli::CeremonyCommand),
    /// Make and look at holder keys.
    #[command(subcommand)]
    Holder(ceremony_cli::HolderCommand),
    /// Give one holder's share to a sealed authority.
    Unlock(ceremony_cli::UnlockArgs),
    /// Open and close unlock sessions, and carry them to holders elsewhere.
    #[command(subcommand)]
    Session(ceremony_cli::SessionCommand),
    /// Wipe the opened secrets and seal the authority.
    Lock(operator_cli::LockArgs),
    /// Say whether the authority is sealed, and how its parts are.
    Status(operator_cli::StatusArgs),
    /// Add, list and suspend customers and their keys.
    #[command(subcommand)]
    Customer(operator_cli::CustomerCommand),
    /// Ask D-TAs for shares and permits as a customer does.
    #[command(subcommand)]
    Request(request::RequestCommand),
    /// Log in by hand with a test device and a test M-Pin server.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Verify and read the audit log.
    #[command(subcommand)]
    Audit(audit_cli::AuditCommand),
}

#[derive(Debug, clap::Args)]
struct HsmArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/dta/hsm.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.exit_code()
        }
    }
}

fn run(command: Command) -> CliResult {
    match command {
        Command::Hsm(args) => run_hsm(&args.config),
        Command::Authority(args) => authority::run(args),
        Command::Proxy(args) => proxy::run(args),
        Command::Ceremony(command) => ceremony_cli::run_ceremony(command),
        Command::Holder(command) => ceremony_cli::run_holder(command),
        Command::Unlock(args) => ceremony_cli::run_unlock(args),
        Command::Session(command) => ceremony_cli::run_session(command),
        Command::Lock(args) => operator_cli::run_lock(args),
        Command::Status(args) => operator_cli::run_status(args),
        Command::Customer(command) => operator_cli::run_customer(command),
        Command::Request(command) => request::run(command),
        Command::Device(command) => device::run(command),
        Command::Audit(command) => audit_cli::run(command),
    }
}

fn run_hsm(config: &Path) -> CliResult {
    service::process::init_logs();
    hsm::run_process(config).map_err(|error| {
        let remedy = error.remedy();
        CliError::new(Exit::Hsm, error).with_remedy(remedy)
    })
}
