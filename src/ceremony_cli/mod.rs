//! The command line of ceremonies, holders and unlocking. Thin: what is decided is decided in `ceremony`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod approve;
mod asking;
mod duplicate;
mod failure;
mod holder;
mod plan;
mod rehearse;
mod reshare;
mod run;
mod script;
mod session;
mod share_args;
mod unlock;
mod verify;
mod watch;

use crate::service::process;
use crate::term::{CliError, CliResult, Exit};

pub(crate) use session::{SessionCommand, run_session};
pub(crate) use unlock::{UnlockArgs, run_unlock};

/// `dta ceremony ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CeremonyCommand {
    /// Write a commented plan from the holders' public files to standard output.
    Plan(plan::PlanArgs),
    /// Name every mistake in a plan, by line and field.
    Check(plan::CheckArgs),
    /// Sign a plan as one of its approvers.
    Approve(approve::ApproveArgs),
    /// Say a hash in words to be read out, and back.
    Words(approve::WordsArgs),
    /// Print the script of a ceremony, as text or HTML.
    Script(script::ScriptArgs),
    /// Carry out a plan on a throw-away SoftHSM2 token, with a drill, and keep nothing.
    Rehearse(rehearse::RehearseArgs),
    /// Found a D-TA as the plan says: the ceremony itself.
    Run(run::RunArgs),
    /// Give a running D-TA new holders, another M or another N.
    Reshare(reshare::ReshareArgs),
    /// Check a transcript with its manifest and plan, offline.
    Verify(verify::VerifyArgs),
}

/// `dta holder ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum HolderCommand {
    /// Make a holder's key: NAME.holder (secret) and NAME.holder.pub (public).
    New(holder::NewArgs),
    /// Say what a holder's public file or a share file is, without revealing a secret.
    Inspect(holder::InspectArgs),
    /// Make one more copy of your own share, with a PIN of its own, as a file or on paper.
    Duplicate(duplicate::DuplicateArgs),
}

/// Runs `dta ceremony`.
pub(crate) fn run_ceremony(command: CeremonyCommand) -> CliResult {
    match command {
        CeremonyCommand::Plan(args) => plan::run_plan(args),
        CeremonyCommand::Check(args) => plan::run_check(args),
        CeremonyCommand::Approve(args) => approve::run_approve(args),
        CeremonyCommand::Words(args) => approve::run_words(args),
        CeremonyCommand::Script(args) => script::run_script(args),
        CeremonyCommand::Rehearse(args) => rehearse::run_rehearse(args),
        CeremonyCommand::Run(args) => run::run(args),
        CeremonyCommand::Reshare(args) => reshare::run(args),
        CeremonyCommand::Verify(args) => verify::run_verify(args),
    }
}

/// Runs `dta holder`.
pub(crate) fn run_holder(command: HolderCommand) -> CliResult {
    match command {
        HolderCommand::New(args) => holder::run_new(args),
        HolderCommand::Inspect(args) => holder::run_inspect(args),
        HolderCommand::Duplicate(args) => duplicate::run_duplicate(args),
    }
}

/// No command that opens a holder's key leaves it in a core file.
fn guard_memory() -> CliResult {
    process::forbid_core_dumps().map_err(|error| CliError::new(Exit::Failed, error))
}
