//! The client's end of the operator socket: one request, one reply, then the connection closes.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use thiserror::Error;
use wire::operator::{MAX_REPLY, Op, Reply, Request};
use wire::{Problem, ProblemType};

use crate::term::{CliError, CliResult, Exit};

/// Where the authority's operator socket is unless the command line says otherwise.
pub(crate) const DEFAULT_SOCKET: &str = "/run/dta/operator.sock";

/// Longer than any operation takes with a slow HSM behind it.
const TIMEOUT: Duration = Duration::from_secs(90);

/// `--socket`, common to every command that talks to a running authority.
#[derive(Debug, clap::Args)]
pub(crate) struct SocketArgs {
    /// The authority's operator socket.
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(crate) socket: PathBuf,
}

impl SocketArgs {
    /// Asks the authority to do `op` and reads the reply that belongs to it.
    pub(crate) fn call<T: DeserializeOwned>(&self, op: Op) -> CliResult<T> {
        self.ask(op)?.map_err(problem_error)
    }

    /// As [`SocketArgs::call`], but a refusal by the authority is a problem to look into.
    pub(crate) fn ask<T: DeserializeOwned>(&self, op: Op) -> CliResult<Result<T, Problem>> {
        Ok(exchange(&self.socket, op)?.into_ok())
    }
}

#[derive(Debug, Error)]
enum SocketError {
    #[error("cannot reach the authority on {}", path.display())]
    Connect {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the authority on {} did not answer", path.display())]
    Broken {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the authority closed the connection: this user may not use {}", .0.display())]
    Closed(PathBuf),
}

impl From<SocketError> for CliError {
    fn from(error: SocketError) -> Self {
        let remedy = match &error {
            SocketError::Connect { .. } => {
                "check that `dta authority` runs, and name its `operator_socket` with --socket"
            }
            SocketError::Broken { .. } => "look at the log of `dta authority`",
            SocketError::Closed(_) => {
                "run it as the authority's user or root, or add this user to `operator_users`"
            }
        };
        Self::new(Exit::Failed, error).with_remedy(Some(remedy))
    }
}

/// A refusal by the authority as an error for the terminal, with the exit code that belongs to it.
pub(crate) fn problem_error(problem: Problem) -> CliError {
    let exit = match problem.kind() {
        ProblemType::Sealed => Exit::Sealed,
        ProblemType::HsmUnavailable => Exit::Hsm,
        ProblemType::AuditUnavailable => Exit::AuditBlocked,
        ProblemType::Conflict => Exit::Conflict,
        kind if kind.is_failure() => Exit::Failed,
        _ => Exit::Refused,
    };
    let remedy = problem
        .extension("remedy")
        .and_then(|remedy| remedy.as_str().map(str::to_owned))
        .or_else(|| problem.remedy().map(str::to_owned));
    match problem
        .extension("verdict")
        .and_then(|verdict| verdict.as_str())
    {
        Some(verdict) => share_refused(verdict, problem.detail()),
        None => CliError::new(exit, problem),
    }
    .with_remedy(remedy)
}

/// A share that was not accepted: its verdict in the word of the documentation, and why.
pub(crate) fn share_refused(verdict: &str, why: impl std::fmt::Display) -> CliError {
    CliError::new(Exit::Refused, format!("share refused, {verdict}: {why}"))
}

fn exchange(path: &Path, op: Op) -> CliResult<Reply> {
    let broken = |source| SocketError::Broken {
        path: path.to_owned(),
        source,
    };
    let mut stream = UnixStream::connect(path).map_err(|source| SocketError::Connect {
        path: path.to_owned(),
        source,
    })?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(broken)?;
    // A refused peer finds the connection closed, at the write or at the read.
    let sent = stream.write_all(&Request { id: 1, op }.to_line());
    let mut line = Vec::new();
    let read = BufReader::new(stream.take(MAX_REPLY as u64 + 1)).read_until(b'\n', &mut line);
    if line.is_empty() && (sent.is_err() || matches!(read, Ok(0))) {
        return Err(SocketError::Closed(path.to_owned()).into());
    }
    read.map_err(broken)?;
    Reply::parse(&line).map_err(problem_error)
}
