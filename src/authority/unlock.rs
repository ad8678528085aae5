//! From M shares to an open keyring: both locks, the registry's MACs, every sealed key, the response key.
//!
//! All or nothing, and nothing is kept of a failed attempt: the session still holds its shares, so the next
//! try can succeed once somebody has seen to the cause.

use audit::LogKey;
use ceremony::session::UnlockSession;
use quorum::CombineError;
use state::{
    LockMemoryError, OpenKHsmError, Registry, SealContext, SealError, SealingKey, StateDir,
    StateError, open_k_hsm,
};
use thiserror::Error;
use wire::api::AuthorityIdHex;
use wire::keys::{Algorithm, KeyError, SigningKey, VerifyingKey};
use wire::signature::{CertificateError, ResponseStatement};
use wire::{Problem, ProblemType};

use super::keyring::{Keyring, ResponseKey, is_served};
use super::token::{Token, TokenError, with_remedy};
use crate::service::clock::unix_seconds;

/// Opens everything. Waits for the HSM.
pub(super) fn open(
    session: &UnlockSession,
    state: &StateDir,
    token: &Token,
) -> Result<(SealingKey, Keyring), UnlockError> {
    let key = open_both_locks(session, state, token)?;
    let registry = state.unlock(&key)?;
    let masters = open_masters(&registry, &key)?;
    let log_key = LogKey::from_bytes(&*state.log_key(&key)?);
    let response = make_response_key(state, token)?;
    let keyring = Keyring::new(registry, masters, log_key, response)?;
    Ok((key, keyring))
}

/// The secrets of all master keys that are served, each compared with its commitment.
fn open_masters(
    registry: &Registry,
    key: &SealingKey,
) -> Result<Vec<(state::MasterKey, mpin::MasterSecret)>, SealError> {
    let served = registry.master_keys().filter(|master| is_served(master));
    served
        .map(|master| Ok((master.clone(), key.open_master(master)?)))
        .collect()
}

fn open_both_locks(
    session: &UnlockSession,
    state: &StateDir,
    token: &Token,
) -> Result<SealingKey, UnlockError> {
    let (chain, manifest) = (state.chain(), state.chain().current());
    let context = SealContext::of(chain);
    let hsm_key = token.compare(chain)?;
    let wrap = state
        .wrap_for(hsm_key.hsm.as_str())
        .expect("an open state directory has a wrap for each HSM of its manifest");
    let k_hsm = open_k_hsm(token.client(), wrap, &context, &manifest.check_value)?;
    let k_quorum = session.combine()?.k_quorum(&context.set_id);
    Ok(SealingKey::derive(&k_hsm, &k_quorum, context)?)
}

fn make_response_key(state: &StateDir, token: &Token) -> Result<ResponseKey, UnlockError> {
    let chain = state.chain();
    let authority = AuthorityIdHex::from_bytes(*chain.authority_id().as_bytes());
    let key = SigningKey::generate(Algorithm::Ed25519)?;
    let node = super::node_of(chain);
    let statement = ResponseStatement::new(
        authority,
        node.node.as_str(),
        key.verifying_key(),
        unix_seconds(),
    );
    let signature = token.sign(&statement.message())?;
    let signature = signature
        .try_into()
        .map_err(|_| CertificateError::Signature)?;
    let certificate = statement.certify(&signature);
    certificate.verify(&authority, &VerifyingKey::from_raw(node.public_key())?)?;
    Ok(ResponseKey { key, certificate })
}

/// Why it is still sealed although M shares are there.
#[derive(Debug, Error)]
pub(super) enum UnlockError {
    /// The HSM is away, or not the right one.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// `k_hsm` does not open.
    #[error(transparent)]
    KHsm(#[from] OpenKHsmError),
    /// The shares do not combine.
    #[error(transparent)]
    Shares(#[from] CombineError),
    /// Memory cannot be locked.
    #[error(transparent)]
    Memory(#[from] LockMemoryError),
    /// The state directory is not as this authority left it.
    #[error(transparent)]
    State(#[from] StateError),
    /// A sealed key does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A registered key cannot be used, or the response key was not made.
    #[error("a signing key cannot be used")]
    Key(#[from] KeyError),
    /// The node key's word for the response key does not hold.
    #[error("the node key did not certify the response key")]
    Certificate(#[from] CertificateError),
}

impl From<hsm::HsmError> for UnlockError {
    fn from(error: hsm::HsmError) -> Self {
        Self::Token(error.into())
    }
}

impl UnlockError {
    /// As the operator socket says it.
    pub(super) fn problem(&self) -> Problem {
        let (kind, remedy) = match self {
            Self::Token(error) => return error.problem(),
            Self::KHsm(error) => (ProblemType::HsmUnavailable, error.remedy()),
            Self::Shares(_) => (ProblemType::Internal, None),
            Self::State(error) => (ProblemType::Conflict, error.remedy()),
            Self::Seal(error) => (ProblemType::Conflict, error.remedy()),
            Self::Memory(error) => (ProblemType::Internal, Some(error.remedy())),
            Self::Key(_) => (ProblemType::Internal, None),
            Self::Certificate(error) => (ProblemType::HsmUnavailable, error.remedy()),
        };
        with_remedy(Problem::new(kind, self.to_string()), remedy)
    }
}
