//! What an authority asks of its holders, fetched over the operator socket; and a share's way back.

use ceremony::session::{Envelope, SessionPurpose, SessionRequest, SignedSession};
use quorum::{ManifestChain, SignedManifest};
use serde_json::Value;
use wire::operator::{ManifestChainReply, Op, SessionReply, ShareReply};
use wire::{Problem, ProblemType};

use crate::operator_cli::socket::{SocketArgs, problem_error};
use crate::term::{CliError, CliResult, Exit};

/// The open session with the manifests that prove who asks; opens one if there is none.
pub(super) fn open_or_join(socket: &SocketArgs) -> CliResult<SessionRequest> {
    let first: Result<SessionReply, Problem> = socket.ask(Op::SessionGet {})?;
    let reply = match first {
        Err(problem) if problem.kind() == ProblemType::NotFound => {
            match socket.ask(open(None))? {
                // Another holder may have opened one at the same moment; otherwise the refusal stands.
                Err(conflict) if conflict.kind() == ProblemType::Conflict => {
                    socket.ask(Op::SessionGet {})?.or(Err(conflict))
                }
                opened => opened,
            }
        }
        found => found,
    };
    read(socket, reply.map_err(problem_error)?)
}

/// The open session with its manifests.
pub(super) fn join(socket: &SocketArgs) -> CliResult<SessionRequest> {
    let reply = socket.ask(Op::SessionGet {})?;
    let none = |problem: Problem| {
        let absent = problem.kind() == ProblemType::NotFound;
        let error = problem_error(problem);
        if absent {
            error.with_remedy(Some("open one with `dta session open`"))
        } else {
            error
        }
    };
    read(socket, reply.map_err(none)?)
}

/// The operation that opens a session for unlocking.
pub(super) fn open(minutes: Option<u16>) -> Op {
    let purpose = SessionPurpose::Unlock.as_str().to_owned();
    Op::SessionOpen { purpose, minutes }
}

/// Gives an answer to the session that it is for.
pub(super) fn give(
    socket: &SocketArgs,
    session: &SignedSession,
    envelope: &Envelope,
) -> CliResult<Result<ShareReply, Problem>> {
    let plain = |error| CliError::new(Exit::Failed, error);
    socket.ask(Op::ShareSubmit {
        session: serde_json::to_value(session).map_err(plain)?,
        envelope: serde_json::to_value(envelope).map_err(plain)?,
    })
}

/// The manifests of the reply to a session, and both as a request.
pub(super) fn read(socket: &SocketArgs, reply: SessionReply) -> CliResult<SessionRequest> {
    let session = from_authority(reply.session, "session")?;
    let chain = manifest_chain(socket)?;
    Ok(SessionRequest { session, chain })
}

/// The authority's manifests, verified.
pub(super) fn manifest_chain(socket: &SocketArgs) -> CliResult<ManifestChain> {
    let reply: ManifestChainReply = socket.call(Op::ManifestChain {})?;
    verify_chain(reply.chain)
}

/// Manifests as an authority sends them, verified.
pub(super) fn verify_chain(manifests: Vec<Value>) -> CliResult<ManifestChain> {
    let manifests = manifests
        .into_iter()
        .map(|value| from_authority::<SignedManifest>(value, "manifest"))
        .collect::<CliResult<_>>()?;
    ManifestChain::verify(manifests).map_err(|error| {
        CliError::new(Exit::Refused, error).with_remedy(Some(
            "do not answer; this authority cannot prove who its holders are",
        ))
    })
}

pub(super) fn from_authority<T: serde::de::DeserializeOwned>(
    value: Value,
    what: &str,
) -> CliResult<T> {
    serde_json::from_value(value).map_err(|error| {
        CliError::new(
            Exit::Refused,
            format!("the authority sent a {what} that cannot be read: {error}"),
        )
        .with_remedy(Some("use the version of dta that the authority runs"))
    })
}
