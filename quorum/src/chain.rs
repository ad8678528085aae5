//! The chain of manifests from genesis to today, and who had to sign each.
//!
//! Genesis is signed by all N of its own holders; every later manifest by at least M holders of the
//! one before. Every signature that is present must be good: a wrong or foreign one is refused, not
//! skipped. A later manifest either keeps the epoch and the unlock set as they are (an HSM was added)
//! or goes on to the next epoch with a set id never used before.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::ids::{AuthorityId, Epoch, ManifestHash, SetId, ShareIndex};
use crate::json::canonical_json;
use crate::manifest::{Manifest, ManifestError, SignedManifest};
use crate::name::Name;
use crate::set::SetDescription;
use crate::signing::Purpose;

/// A verified chain: every manifest follows from the one before, back to genesis.
///
/// Whether genesis is the right one is for the caller, who compares [`ManifestChain::authority_id`]
/// with what was pinned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct ManifestChain {
    manifests: Vec<SignedManifest>,
}

impl ManifestChain {
    /// Verifies a chain, genesis first.
    ///
    /// # Errors
    /// With the number of the first manifest (from 1) that does not follow, and why.
    pub fn verify(manifests: Vec<SignedManifest>) -> Result<Self, ChainError> {
        let mut manifests = manifests.into_iter();
        let genesis = manifests.next().ok_or(ChainError::Empty)?;
        check_genesis(&genesis).map_err(|fault| ChainError::Fault { number: 1, fault })?;
        let mut chain = Self {
            manifests: vec![genesis],
        };
        for next in manifests {
            chain.append(next)?;
        }
        Ok(chain)
    }

    /// Reads and verifies a chain from JSON, an array of signed manifests.
    ///
    /// # Errors
    /// When the bytes are no such array, or the chain does not verify.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ChainError> {
        Self::verify(serde_json::from_slice(bytes).map_err(|e| ChainError::Json(e.to_string()))?)
    }

    /// Canonical JSON, an array of signed manifests.
    pub fn to_json(&self) -> Vec<u8> {
        canonical_json(self).expect("manifests have string keys and no floats")
    }

    /// Adds the next manifest.
    ///
    /// # Errors
    /// When it does not follow from the current one; the chain is then as before.
    pub fn append(&mut self, next: SignedManifest) -> Result<(), ChainError> {
        check_successor(self, &next).map_err(|fault| ChainError::Fault {
            number: self.manifests.len() + 1,
            fault,
        })?;
        self.manifests.push(next);
        Ok(())
    }

    /// The manifest in force.
    pub fn current(&self) -> &Manifest {
        &self.manifests[self.manifests.len() - 1].manifest
    }

    /// The first manifest.
    pub fn genesis(&self) -> &Manifest {
        &self.manifests[0].manifest
    }

    /// The id of this D-TA: the hash of genesis.
    pub fn authority_id(&self) -> AuthorityId {
        self.genesis().hash().into()
    }

    /// All manifests with their signatures, genesis first; never empty.
    pub fn manifests(&self) -> &[SignedManifest] {
        &self.manifests
    }

    /// The set with this id, if this D-TA ever had it.
    pub fn find_set(&self, set_id: &SetId) -> Option<&SetDescription> {
        let sets = self.manifests.iter().map(|signed| &signed.manifest.unlock);
        sets.rev().find(|set| set.set_id() == *set_id)
    }
}

/// Why a chain does not verify.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// No manifests at all.
    #[error("the manifest chain is empty")]
    Empty,
    /// Not a JSON array of signed manifests.
    #[error("not a manifest chain: {0}")]
    Json(String),
    /// One manifest does not follow.
    #[error("manifest {number} does not hold: {fault}")]
    Fault {
        /// Which one, 1 being genesis.
        number: usize,
        /// Why.
        fault: ChainFault,
    },
}

impl ChainError {
    /// What a person can do about it; printed after `try:`.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Empty | Self::Json(_) => "give the manifest.json that the ceremony wrote",
            Self::Fault { .. } => {
                "get the manifests again from the operators and compare the authority id with the one \
                 pinned; if they still do not verify, do not enter a share"
            }
        }
    }
}

/// Why one manifest does not follow from those before.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainFault {
    /// It is wrong by itself.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Genesis names a predecessor.
    #[error("a genesis manifest has no predecessor")]
    GenesisWithPredecessor,
    /// Genesis is not at epoch 1.
    #[error("a genesis manifest has epoch 1, not {epoch}")]
    GenesisEpoch {
        /// Its epoch.
        epoch: Epoch,
    },
    /// It follows another manifest.
    #[error("it does not follow manifest {expected}")]
    WrongPredecessor {
        /// The hash of the manifest before.
        expected: ManifestHash,
    },
    /// The authority's name changed.
    #[error("it is of authority {have}, the chain is of {want}")]
    OtherAuthority {
        /// The name in it.
        have: Name,
        /// The name in the chain.
        want: Name,
    },
    /// Neither the same epoch nor the next.
    #[error("epoch {have} cannot follow epoch {current}")]
    EpochJump {
        /// Its epoch.
        have: Epoch,
        /// The epoch before.
        current: Epoch,
    },
    /// The same epoch with another set or another `k_hsm`.
    #[error("it changes the unlock set or the check value but not the epoch")]
    ChangedWithinEpoch,
    /// A set id of an earlier epoch.
    #[error("it uses set id {set_id} again")]
    SetIdAgain {
        /// The set id.
        set_id: SetId,
    },
    /// A signature of somebody who may not sign.
    #[error("it is signed by {name} with index {index}, who may not sign it")]
    Stranger {
        /// The index given.
        index: ShareIndex,
        /// The name given.
        name: Name,
    },
    /// Two signatures of one holder.
    #[error("it carries two signatures of {name}")]
    SignedTwice {
        /// The holder.
        name: Name,
    },
    /// A signature that does not verify.
    #[error("the signature of {name} does not verify")]
    BadSignature {
        /// The holder it claims.
        name: Name,
    },
    /// Not enough signatures.
    #[error(
        "it has {have} of the {need} signatures it needs; not signed by {}",
        list(missing)
    )]
    TooFewSignatures {
        /// Good signatures.
        have: usize,
        /// Signatures needed.
        need: usize,
        /// Who may sign but did not.
        missing: Vec<Name>,
    },
    /// The node's signature does not verify, or the node is not in the manifest.
    #[error("the signature of node {node} does not verify")]
    BadNodeSignature {
        /// The node it claims.
        node: Name,
    },
}

fn check_genesis(signed: &SignedManifest) -> Result<(), ChainFault> {
    let manifest = &signed.manifest;
    manifest.check()?;
    if manifest.predecessor.is_some() {
        return Err(ChainFault::GenesisWithPredecessor);
    }
    let epoch = manifest.unlock.epoch();
    if epoch != Epoch::GENESIS {
        return Err(ChainFault::GenesisEpoch { epoch });
    }
    let everyone = usize::from(manifest.unlock.threshold().n());
    check_signatures(signed, &manifest.unlock, everyone)
}

fn check_successor(chain: &ManifestChain, signed: &SignedManifest) -> Result<(), ChainFault> {
    let (current, next) = (chain.current(), &signed.manifest);
    next.check()?;
    let expected = current.hash();
    if next.predecessor != Some(expected) {
        return Err(ChainFault::WrongPredecessor { expected });
    }
    if next.authority != current.authority {
        return Err(ChainFault::OtherAuthority {
            have: next.authority.clone(),
            want: current.authority.clone(),
        });
    }
    let (old, new) = (&current.unlock, &next.unlock);
    if new.epoch() == old.epoch() {
        if new != old || next.check_value != current.check_value {
            return Err(ChainFault::ChangedWithinEpoch);
        }
    } else if old.epoch().next() != Some(new.epoch()) {
        return Err(ChainFault::EpochJump {
            have: new.epoch(),
            current: old.epoch(),
        });
    } else if chain.find_set(&new.set_id()).is_some() {
        return Err(ChainFault::SetIdAgain {
            set_id: new.set_id(),
        });
    }
    check_signatures(signed, old, usize::from(old.threshold().m()))
}

/// Every signature must be a good one of a different holder of `signers`, and `need` of them there.
fn check_signatures(
    signed: &SignedManifest,
    signers: &SetDescription,
    need: usize,
) -> Result<(), ChainFault> {
    let hash = signed.manifest.hash();
    let mut seen = BTreeSet::new();
    for signature in &signed.signatures {
        let holder = signers
            .holder(signature.index)
            .filter(|holder| holder.name == signature.name)
            .ok_or_else(|| ChainFault::Stranger {
                index: signature.index,
                name: signature.name.clone(),
            })?;
        let name = || holder.name.clone();
        if !seen.insert(holder.index) {
            return Err(ChainFault::SignedTwice { name: name() });
        }
        holder
            .sign_key
            .verify(Purpose::MANIFEST, hash.as_bytes(), &signature.signature)
            .map_err(|_| ChainFault::BadSignature { name: name() })?;
    }
    if seen.len() < need {
        let missing = signers.roster().iter().filter(|h| !seen.contains(&h.index));
        return Err(ChainFault::TooFewSignatures {
            have: seen.len(),
            need,
            missing: missing.map(|holder| holder.name.clone()).collect(),
        });
    }
    check_node_signature(signed)
}

fn check_node_signature(signed: &SignedManifest) -> Result<(), ChainFault> {
    let Some(signature) = &signed.node_signature else {
        return Ok(());
    };
    let mut keys = signed.manifest.node_keys.iter();
    keys.find(|key| key.node == signature.node)
        .and_then(|key| {
            let bytes = signed.manifest.signed_bytes();
            key.verify(&bytes, signature.signature.as_bytes()).ok()
        })
        .ok_or_else(|| ChainFault::BadNodeSignature {
            node: signature.node.clone(),
        })
}

fn list(names: &[Name]) -> String {
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
