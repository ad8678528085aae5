//! The start of an authority: everything on the disk is checked before any socket exists.
//!
//! State directory, manifest chain, audit log, anchor directory, registry generation and, if the HSM
//! answers, the token's own record must agree. An older copy of anything is refused; a change that was
//! committed and not logged when the process died is logged as recovered once its MACs could be checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::{Event, Hex, Log, Options, Origin, Recovered, VerifierKey};
use ceremony::init::AUDIT_DIR;
use hsm::HsmError;
use quorum::{ManifestChain, NodeAlgorithm, NodeKey};
use sha2::{Digest, Sha256};
use state::{GenerationCheck, StateDir, StateError};
use thiserror::Error;

use super::config::Config;
use super::desk::Digests;
use super::token::{Token, TokenError};
use crate::term::{CliError, Exit};

/// What was found and agrees.
pub(super) struct Found {
    pub(super) state: StateDir,
    pub(super) log: Arc<Log>,
    pub(super) recovered: Recovered,
    /// The generation of a change that the log does not know.
    pub(super) unlogged: Option<u64>,
    pub(super) node: NodeKey,
    pub(super) digests: Digests,
}

/// Opens and compares everything, and logs the start.
pub(super) fn open(config: &Config, config_path: &Path) -> Result<Found, StartError> {
    let digests = digests(config_path)?;
    let state = StateDir::open(&config.state_dir)?;
    let node = super::node_of(state.chain()).clone();
    let token = Token::impatient(&config.hsm_socket, &node.node);
    compare_token(&token, state.chain())?;
    let key = verifier_key(state.chain(), &node);
    let options = Options {
        anchor_dir: Some(config.anchor_dir.clone()),
        ..Options::default()
    };
    let (log, recovered) = Log::open(&config.state_dir.join(AUDIT_DIR), &key, options)?;
    if let Some(repair) = recovered.repaired {
        tracing::warn!(
            removed = repair.removed,
            "the audit log's torn end was cut off"
        );
    }
    let unlogged = compare_generation(&state, &log, &recovered)?;
    let generation = state.generation()?;
    log.append_blocking(Event::Start {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        binary: Hex(digests.binary),
        config: Hex(digests.config),
        generation,
    })?;
    Ok(Found {
        state,
        log: Arc::new(log),
        recovered,
        unlogged,
        node,
        digests,
    })
}

/// An HSM that is away is no reason not to start; one that knows better than the disk is.
fn compare_token(token: &Token, chain: &ManifestChain) -> Result<(), StartError> {
    match token.compare(chain) {
        Ok(_) => tracing::info!("the token agrees with the state directory"),
        Err(error @ TokenError::Anchor(_)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "the HSM is not ready; it is compared again before unlocking");
        }
    }
    Ok(())
}

/// The generation of a change that the log does not know. Nothing is said of it there yet: the number
/// stands on the disk for anybody to change, and a log that believed a wrong one would refuse the true
/// state directory for ever.
fn compare_generation(
    state: &StateDir,
    log: &Log,
    recovered: &Recovered,
) -> Result<Option<u64>, StartError> {
    match state.check_generation(recovered.generation) {
        Ok(GenerationCheck::Same) => Ok(None),
        Ok(GenerationCheck::OneUnlogged { generation }) => {
            tracing::warn!(
                generation,
                "a change of the registry was committed but not logged"
            );
            Ok(Some(generation))
        }
        Err(error) => {
            log.append_blocking(Event::StartRefused {
                reason: error.to_string(),
            })?;
            Err(error.into())
        }
    }
}

fn verifier_key(chain: &ManifestChain, node: &NodeKey) -> VerifierKey {
    let origin = Origin::of_authority(chain.authority_id().as_bytes());
    let bytes = node.public_key();
    match node.algorithm() {
        NodeAlgorithm::Ed25519 => {
            let bytes = bytes
                .try_into()
                .expect("a manifest's Ed25519 key has 32 bytes");
            VerifierKey::ed25519(origin, bytes)
        }
        NodeAlgorithm::EcdsaP256 => {
            let bytes = bytes
                .try_into()
                .expect("a manifest's P-256 key has 65 bytes");
            VerifierKey::p256(origin, bytes).expect("a manifest's P-256 key begins with 04")
        }
    }
}

fn digests(config_path: &Path) -> Result<Digests, StartError> {
    let binary = PathBuf::from("/proc/self/exe");
    let digest = |path: &Path| {
        let bytes = std::fs::read(path);
        bytes
            .map(|bytes| Sha256::digest(bytes).into())
            .map_err(|source| StartError::Read {
                path: path.to_owned(),
                source,
            })
    };
    Ok(Digests {
        binary: digest(&binary)?,
        config: digest(config_path)?,
    })
}

/// Why an authority does not start. Nothing was changed.
#[derive(Debug, Error)]
pub(super) enum StartError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Log(#[from] audit::OpenError),
    #[error("the start cannot be logged")]
    Append(#[from] audit::AppendError),
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let (exit, remedy) = match &error {
            StartError::State(error) => {
                let exit = match error {
                    StateError::Missing { .. }
                    | StateError::Io { .. }
                    | StateError::DiskFull { .. }
                    | StateError::Database { .. } => Exit::Failed,
                    _ => Exit::Conflict,
                };
                (exit, error.remedy())
            }
            StartError::Token(TokenError::Hsm(error)) => (Exit::Hsm, HsmError::remedy(error)),
            StartError::Token(error) => (Exit::Conflict, error.remedy()),
            StartError::Log(error) => (Exit::Conflict, error.remedy()),
            StartError::Append(error) => (Exit::AuditBlocked, error.remedy()),
            StartError::Read { .. } => (Exit::Failed, None),
        };
        Self::new(exit, error).with_remedy(remedy)
    }
}
