//! How the command line speaks: errors with a cause and a remedy, and the documented exit codes.
//!
//! A command returns [`CliResult`]; `main` prints the error and exits with its code. Nothing else in
//! the binary calls `std::process::exit`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::fmt::Display;
use std::io::IsTerminal;
use std::process::ExitCode;

/// What a command returns.
pub(crate) type CliResult<T = ()> = Result<T, CliError>;

/// The exit codes of `dta`, the same for every subcommand (0 is success).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The command failed for a reason that none of the others names.
    Failed = 1,
    /// The command line itself was wrong.
    Usage = 2,
    /// The authority is sealed.
    Sealed = 3,
    /// A request was refused or a verification failed.
    Refused = 4,
    /// The HSM, its module, its token or its PIN.
    Hsm = 5,
    /// Something exists already, is locked, or contradicts what is on the disk.
    Conflict = 6,
    /// The audit log cannot be written, so nothing is issued.
    AuditBlocked = 7,
}

/// An error for a person: what went wrong, why, and what to do next.
#[derive(Debug)]
pub(crate) struct CliError {
    exit: Exit,
    source: Box<dyn Error + Send + Sync>,
    remedy: Option<String>,
}

impl CliError {
    /// Wraps an error (its chain of sources is printed as `caused by`).
    pub(crate) fn new(exit: Exit, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            exit,
            source: source.into(),
            remedy: None,
        }
    }

    /// Adds the line `try: ...`; `None` leaves it out.
    pub(crate) fn with_remedy(mut self, remedy: Option<impl Display>) -> Self {
        self.remedy = remedy.map(|text| text.to_string());
        self
    }

    /// The code the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }

    /// Prints `error:`, `caused by:` and `try:` lines to standard error.
    pub(crate) fn print(&self) {
        let bold = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let label = if bold {
            "\u{1b}[1;31merror:\u{1b}[0m"
        } else {
            "error:"
        };
        eprintln!("{label} {}", self.source);
        let mut printed = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // A transparent wrapper repeats its source; saying it twice helps nobody.
            if text != printed {
                eprintln!("caused by: {text}");
            }
            printed = text;
            cause = error.source();
        }
        if let Some(remedy) = &self.remedy {
            eprintln!("try: {remedy}");
        }
    }
}

/// Prints a value as one line of JSON on standard output, for `--json`.
pub(crate) fn print_json(value: &impl serde::Serialize) -> CliResult {
    let text = serde_json::to_string(value).map_err(|error| CliError::new(Exit::Failed, error))?;
    println!("{text}");
    Ok(())
}
