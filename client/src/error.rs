//! What can go wrong between a customer and its D-TAs; always named: which D-TA, what, what to do.

use std::time::Duration;

use mpin::{CombineError, DecodeError, ProofError, ShareMismatch};
use wire::api::{CommitmentHex, FieldError, KeyVersion, Suite};
use wire::keys::KeyError;
use wire::problem::Problem;
use wire::signature::{CertificateError, ResponseError};

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// One D-TA did not give what it was asked for.
    #[error("D-TA {dta}")]
    Dta {
        /// Its name in `customer.toml`.
        dta: String,
        /// What happened.
        source: Box<DtaError>,
    },
    /// No such D-TA.
    #[error("no D-TA {name:?} is configured")]
    UnknownDta {
        /// The name asked for.
        name: String,
        /// The configured names.
        known: String,
    },
    /// Shares of different suites fit no common point.
    #[error("D-TA {first} uses suite {first_suite}, but D-TA {second} uses {second_suite}")]
    Suites {
        /// One D-TA.
        first: String,
        /// Its suite.
        first_suite: Suite,
        /// Another.
        second: String,
        /// Its suite.
        second_suite: Suite,
    },
    /// The shares cannot be added.
    #[error("the shares cannot be combined")]
    Combine(#[from] CombineError),
    /// Permits of different D-TAs do not belong together.
    #[error("the permits of the D-TAs do not belong together")]
    Permits,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl ClientError {
    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            ClientError::Dta { source, .. } => source.remedy(),
            ClientError::UnknownDta { known, .. } => Some(format!("configured are: {known}")),
            ClientError::Suites { .. } => {
                Some("name master keys of one suite: `--key`, and the pins in customer.toml".into())
            }
            ClientError::Combine(error) => error.remedy().map(str::to_owned),
            ClientError::Permits | ClientError::Tls(_) => None,
        }
    }

    /// The signed refusal or the unverified claim of a D-TA, if it was one.
    pub fn problem(&self) -> Option<&Problem> {
        let ClientError::Dta { source, .. } = self else {
            return None;
        };
        match &**source {
            DtaError::Refused(problem) => Some(problem),
            DtaError::Unverified { claim, .. } => claim.as_ref(),
            _ => None,
        }
    }
}

/// What happened with one D-TA.
#[derive(Debug, thiserror::Error)]
pub enum DtaError {
    /// No TCP connection.
    #[error("cannot be reached")]
    Connect(#[source] std::io::Error),
    /// No TLS connection, or with a certificate that does not lead to the configured roots.
    #[error("the TLS handshake failed")]
    Tls(#[source] std::io::Error),
    /// The connection broke, or did not speak HTTP.
    #[error("the HTTP exchange failed")]
    Http(#[source] hyper::Error),
    /// It took too long.
    #[error("did not answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The reply is longer than any reply can be.
    #[error("the reply is longer than {most} bytes")]
    TooLong {
        /// The limit.
        most: usize,
    },
    /// The request cannot be put into HTTP.
    #[error("the request cannot be sent to this URL")]
    Request,
    /// The request cannot be signed.
    #[error("the request cannot be signed")]
    Sign(#[source] KeyError),
    /// No random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// A reply that is not signed as it must be: whatever it says may be anybody's word.
    #[error("{}", unverified(claim.as_ref()))]
    Unverified {
        /// What is wrong with the signature.
        source: ResponseError,
        /// What the reply claims, if it is a problem document.
        claim: Option<Problem>,
    },
    /// The response key is not certified by the pinned node key.
    #[error("its response key cannot be believed")]
    Certificate(#[from] CertificateError),
    /// The response key was replaced by an older one.
    #[error(
        "its response key is from {found}, older than one seen before, from {seen} (seconds since 1970)"
    )]
    StaleResponseKey {
        /// When the certified key was made.
        found: u64,
        /// When the newest key seen was made.
        seen: u64,
    },
    /// No response key: the authority is sealed.
    #[error("it is sealed: it has no response key")]
    NoResponseKey,
    /// A signed refusal or failure.
    #[error("{0}")]
    Refused(Problem),
    /// A signed reply of another form than documented.
    #[error("its reply has not the documented form")]
    Form(#[from] FieldError),
    /// A signed reply with a status or media type that is neither a reply nor a problem.
    #[error("its reply has status {status} and type {content_type:?}")]
    Status {
        /// The status code.
        status: u16,
        /// The media type.
        content_type: String,
    },
    /// A key version without a pin.
    #[error("its master key {0} is not pinned")]
    NotPinned(KeyVersion),
    /// Another commitment than the pinned one.
    #[error("master key {key}: it names commitment {found}, not the pinned one")]
    OtherCommitment {
        /// The key version.
        key: KeyVersion,
        /// What it named.
        found: CommitmentHex,
    },
    /// The share is no point.
    #[error("the share is not a point of the right group")]
    Share(#[from] DecodeError),
    /// No proof, though one was asked for.
    #[error("the share comes without the proof that was asked for")]
    NoProof,
    /// The proof does not hold.
    #[error("the share does not belong to the pinned commitment of master key {key}")]
    Proof {
        /// The key version.
        key: KeyVersion,
        /// What is wrong.
        source: ProofError,
    },
    /// The proof of knowledge does not hold.
    #[error("it does not prove to know the secret behind its commitment of master key {key}")]
    Knowledge {
        /// The key version.
        key: KeyVersion,
        /// What is wrong.
        source: ProofError,
    },
    /// The server share does not belong to the commitment.
    #[error("the server share does not belong to the pinned commitment of master key {key}")]
    ServerShare {
        /// The key version.
        key: KeyVersion,
        /// What is wrong.
        source: ShareMismatch,
    },
    /// Not the permits that were asked for, in that order.
    #[error("its permits are not those that were asked for")]
    OtherPermits,
}

impl DtaError {
    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<String> {
        let fixed = match self {
            DtaError::Refused(problem) => problem.remedy(),
            DtaError::Unverified {
                claim: Some(claim), ..
            } => claim.remedy(),
            DtaError::Unverified { source, .. } => source.remedy(),
            DtaError::Certificate(error) => error.remedy(),
            DtaError::Connect(_) | DtaError::Timeout(_) => {
                Some("check `url` in customer.toml, and that the D-TA runs")
            }
            DtaError::Tls(_) => Some("check `url` and `ca_file` in customer.toml"),
            DtaError::StaleResponseKey { .. } => {
                Some("do not go on: somebody replays an old certificate; tell the operators")
            }
            DtaError::NoResponseKey => Some("ask the operators to unlock it"),
            DtaError::NotPinned(_) => {
                Some("ask the operators for its suite and commitment and pin them in customer.toml")
            }
            DtaError::OtherCommitment { .. }
            | DtaError::Proof { .. }
            | DtaError::ServerShare { .. } => Some(
                "do not use the share; compare the pinned commitment with the operators: the key \
                 may have been rotated",
            ),
            DtaError::Knowledge { .. } => {
                Some("do not pin this commitment; tell the operators of the other D-TAs as well")
            }
            DtaError::Sign(error) => error.remedy(),
            _ => None,
        };
        fixed.map(str::to_owned)
    }
}

fn unverified(claim: Option<&Problem>) -> String {
    match claim {
        None => "its reply cannot be believed".to_owned(),
        Some(claim) => format!("says, without proof of being the D-TA, {claim}"),
    }
}
