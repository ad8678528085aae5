//! What a failed request means for the exit code.

use client::config::ConfigError;
use client::{ClientError, DtaError};
use wire::ProblemType;

use crate::term::{CliError, Exit};

/// A configuration that cannot be used.
pub(crate) fn config(error: ConfigError) -> CliError {
    let remedy = error.remedy();
    CliError::new(Exit::Usage, error).with_remedy(remedy)
}

/// A call that failed.
pub(crate) fn client(error: ClientError) -> CliError {
    let remedy = error.remedy();
    CliError::new(exit(&error), error).with_remedy(remedy)
}

fn exit(error: &ClientError) -> Exit {
    if let Some(problem) = error.problem() {
        return match problem.kind() {
            ProblemType::Sealed => Exit::Sealed,
            ProblemType::HsmUnavailable => Exit::Hsm,
            ProblemType::AuditUnavailable => Exit::AuditBlocked,
            kind if kind.is_failure() => Exit::Failed,
            _ => Exit::Refused,
        };
    }
    match error {
        ClientError::UnknownDta { .. } => Exit::Usage,
        ClientError::Tls(_) => Exit::Failed,
        ClientError::Suites { .. } | ClientError::Combine(_) | ClientError::Permits => {
            Exit::Refused
        }
        ClientError::Dta { source, .. } => match &**source {
            DtaError::NoResponseKey => Exit::Sealed,
            DtaError::Connect(_)
            | DtaError::Tls(_)
            | DtaError::Http(_)
            | DtaError::Timeout(_)
            | DtaError::TooLong { .. }
            | DtaError::Request
            | DtaError::Sign(_)
            | DtaError::Random => Exit::Failed,
            _ => Exit::Refused,
        },
    }
}
