//! Why a founding ceremony fails, and what it leaves behind.

use std::fmt;
use std::path::PathBuf;

use audit::{AppendError, CheckpointError, OpenError, VerifierKeyError};
use hsm::{HsmError, TokenId};
use quorum::{ManifestError, NameError, ShareIndex};
use state::{LockMemoryError, OpenKHsmError, SealError, StateError};

use super::desk::DeskError;
use super::genesis::GenesisError;
use crate::approval::NotApproved;
use crate::files::FileError;
use crate::holder::HolderSecretsError;
use crate::plan::TokenChoice;
use crate::sharefile::ShareFileError;

/// Why the ceremony stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is something already where the ceremony would write.
    #[error("{} exists already, and a ceremony never writes over anything", .0.display())]
    Exists(PathBuf),
    /// The plan gives an existing D-TA new holders.
    #[error("the plan has `succeeds`: it is for the holders of a D-TA that exists")]
    PlanOfAReshare,
    /// The token is another one than the plan says.
    #[error("the plan names token {:?} (serial {}), but hsm.toml leads to {found}", wanted.label, wanted.serial)]
    OtherToken {
        /// The token of the plan.
        wanted: TokenChoice,
        /// The token that is there.
        found: TokenId,
    },
    /// The token's label or serial number cannot stand in a manifest.
    #[error("the token's {what} cannot be written into a manifest")]
    TokenName {
        /// `label` or `serial number`.
        what: &'static str,
        /// Why not.
        #[source]
        source: NameError,
    },
    /// The token's public key has an unexpected shape.
    #[error("the token made a node key that cannot be used")]
    NodeKey(#[source] ManifestError),
    /// The token's signature does not verify.
    #[error("the token signed with the node key, and the signature does not verify")]
    NodeSignature,
    /// A share was written and does not open again.
    #[error("share {index} was written, but what was read back does not open")]
    ReadBack {
        /// Which share.
        index: ShareIndex,
        /// What is wrong with it.
        #[source]
        source: Box<ShareFileError>,
    },
    /// The plan has a holder beyond N.
    #[error("there is no share {0}")]
    NoSuchShare(ShareIndex),
    /// The state directory has no wrapped `k_hsm`.
    #[error("the state directory that was made has no wrap of the HSM's half of the lock")]
    NoWrap,
    /// A file or directory.
    #[error("a file of the ceremony cannot be written")]
    File(#[from] FileError),
    /// A share file.
    #[error("a share cannot be written")]
    Share(#[from] ShareFileError),
    /// The approvals.
    #[error(transparent)]
    NotApproved(#[from] NotApproved),
    /// A throw-away key for the dry pass.
    #[error("a throw-away key for the dry pass cannot be made")]
    StandIn(#[from] HolderSecretsError),
    /// A holder.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The HSM.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// `k_hsm`.
    #[error("the HSM's half of the lock does not open again")]
    KHsm(#[from] OpenKHsmError),
    /// The manifest, the set or a confirmation.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Memory for the sealing key.
    #[error(transparent)]
    Memory(#[from] LockMemoryError),
    /// The node key as the audit log's key.
    #[error("the node key cannot sign for the audit log")]
    VerifierKey(#[from] VerifierKeyError),
    /// The audit log cannot be made.
    #[error("the audit log cannot be made")]
    AuditOpen(#[from] OpenError),
    /// The first entry cannot be written.
    #[error("the first entry of the audit log cannot be written")]
    AuditAppend(#[from] AppendError),
    /// The first entry cannot be signed for.
    #[error("the first checkpoint of the audit log cannot be made")]
    AuditCheckpoint(#[from] CheckpointError),
    /// The state directory cannot be made.
    #[error("the state directory cannot be made")]
    State(#[from] StateError),
}

impl InitError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some(
                "give directories of its own; if an earlier ceremony was killed half way, its files open nothing and can be removed",
            ),
            Self::PlanOfAReshare => {
                Some("run `dta ceremony reshare`, or remove `succeeds` to found another D-TA")
            }
            Self::OtherToken { .. } => {
                Some("put the right token into hsm.toml, or have the plan reviewed again")
            }
            Self::TokenName { .. } => {
                Some("initialise the token with a label of letters, digits and punctuation")
            }
            Self::ReadBack { source, .. } => source.remedy(),
            Self::File(error) => error.remedy(),
            Self::Share(error) => error.remedy(),
            Self::NotApproved(error) => error.remedy(),
            Self::StandIn(error) => error.remedy(),
            Self::Desk(error) => error.remedy(),
            Self::Hsm(error) => error.remedy(),
            Self::KHsm(error) => error.remedy(),
            Self::Genesis(error) => error.remedy(),
            Self::Seal(error) => error.remedy(),
            Self::Memory(error) => Some(error.remedy()),
            Self::AuditOpen(error) => error.remedy(),
            Self::AuditAppend(error) => error.remedy(),
            Self::AuditCheckpoint(error) => error.remedy(),
            Self::State(error) => error.remedy(),
            Self::NodeKey(_)
            | Self::NodeSignature
            | Self::NoSuchShare(_)
            | Self::NoWrap
            | Self::VerifierKey(_) => None,
        }
    }
}

/// A ceremony that stopped: why, and what became of what it had made.
#[derive(Debug)]
pub struct InitFailure {
    error: Box<InitError>,
    aftermath: Vec<String>,
}

impl InitFailure {
    pub(super) fn new(error: InitError, aftermath: Vec<String>) -> Self {
        Self {
            error: Box::new(error),
            aftermath,
        }
    }

    /// Why.
    #[must_use]
    pub fn error(&self) -> &InitError {
        &self.error
    }

    /// Why, alone.
    #[must_use]
    pub fn into_error(self) -> InitError {
        *self.error
    }

    /// What was removed and what is left, one line each: `removed: ...`, `left: ...`.
    #[must_use]
    pub fn aftermath(&self) -> &[String] {
        &self.aftermath
    }
}

impl fmt::Display for InitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for InitFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.error)
    }
}
