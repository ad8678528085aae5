//! What is kept on the token to tell a rolled-back disk: authority, manifest hash and epoch.

use quorum::{AuthorityId, Epoch, ManifestChain, ManifestHash, Version1, canonical_json};
use serde::{Deserialize, Serialize};

/// The content of the token's data object (`CKO_DATA`): canonical JSON of `authority`, `epoch`,
/// `manifest` and `v` = 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorObject {
    v: Version1,
    /// The authority.
    pub authority: AuthorityId,
    /// The manifest in force when it was written.
    pub manifest: ManifestHash,
    /// The epoch of that manifest.
    pub epoch: Epoch,
}

impl AnchorObject {
    /// What belongs on the token for this chain.
    pub fn of(chain: &ManifestChain) -> Self {
        Self {
            v: Version1,
            authority: chain.authority_id(),
            manifest: chain.current().hash(),
            epoch: chain.current().unlock.epoch(),
        }
    }

    /// The object's label on the token: one per authority, so that several may share a token.
    pub fn label(authority: &AuthorityId) -> String {
        format!("dta-anchor-{}", &authority.to_string()[..16])
    }

    /// The bytes of the object.
    pub fn encode(&self) -> Vec<u8> {
        canonical_json(self).expect("an anchor has string keys and no floats")
    }

    /// Reads the bytes of the object.
    ///
    /// # Errors
    /// When they are no anchor of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnchorError> {
        serde_json::from_slice(bytes).map_err(|e| AnchorError::Unreadable(e.to_string()))
    }

    /// Compares what the token says with the chain on the disk.
    ///
    /// # Errors
    /// When the token is of another authority, or the disk does not know the token's manifest: it was
    /// rolled back.
    pub fn compare(&self, chain: &ManifestChain) -> Result<AnchorCheck, AnchorError> {
        if self.authority != chain.authority_id() {
            return Err(AnchorError::OtherAuthority {
                token: self.authority,
                disk: chain.authority_id(),
            });
        }
        let manifests = chain.manifests();
        let known = manifests
            .iter()
            .rposition(|m| m.manifest.hash() == self.manifest);
        match known {
            Some(at) if at + 1 == manifests.len() => Ok(AnchorCheck::Same),
            Some(_) => Ok(AnchorCheck::TokenBehind),
            None => Err(AnchorError::RolledBack {
                token: self.epoch,
                disk: chain.current().unlock.epoch(),
            }),
        }
    }
}

/// What the token says of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorCheck {
    /// Both are at the same manifest.
    Same,
    /// The disk is further: a ceremony stopped after the disk and before the token. The caller writes
    /// the token's object anew.
    TokenBehind,
}

/// The token's object does not fit the disk.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnchorError {
    /// Not an anchor.
    #[error("the anchor object on the token cannot be read: {0}")]
    Unreadable(String),
    /// Another D-TA.
    #[error("the token belongs to authority {token}, the state directory to {disk}")]
    OtherAuthority {
        /// The authority on the token.
        token: AuthorityId,
        /// The authority on the disk.
        disk: AuthorityId,
    },
    /// The disk is older than the token.
    #[error(
        "the state directory is at epoch {disk} and does not know the manifest that the token holds, of epoch {token}: an older copy was put back"
    )]
    RolledBack {
        /// The epoch on the token.
        token: Epoch,
        /// The epoch on the disk.
        disk: Epoch,
    },
}

impl AnchorError {
    /// What the operator can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreadable(_) | Self::OtherAuthority { .. } => {
                "check in hsm.toml that this is the right token for this D-TA"
            }
            Self::RolledBack { .. } => {
                "put back the latest copy of the state directory, not an older one"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::World;

    #[test]
    fn an_anchor_survives_encoding_and_fits_its_own_chain() {
        let world = World::new();
        let anchor = AnchorObject::of(&world.chain());
        assert_eq!(AnchorObject::decode(&anchor.encode()).unwrap(), anchor);
        assert_eq!(anchor.compare(&world.chain()).unwrap(), AnchorCheck::Same);
        let label = AnchorObject::label(&anchor.authority);
        assert_eq!(label.len(), "dta-anchor-".len() + 16);
    }

    #[test]
    fn a_disk_older_than_the_token_is_refused_and_a_newer_one_reported() {
        let world = World::new();
        let (old, new) = (world.chain(), world.reshared_chain());
        assert_eq!(
            AnchorObject::of(&new)
                .compare(&old)
                .unwrap_err()
                .to_string(),
            "the state directory is at epoch 1 and does not know the manifest that the token holds, \
             of epoch 2: an older copy was put back"
        );
        assert_eq!(
            AnchorObject::of(&old).compare(&new).unwrap(),
            AnchorCheck::TokenBehind
        );
    }

    #[test]
    fn a_token_of_another_authority_is_refused_and_both_are_named() {
        let (mine, other) = (World::new().chain(), World::new().chain());
        assert_eq!(
            AnchorObject::of(&other)
                .compare(&mine)
                .unwrap_err()
                .to_string(),
            format!(
                "the token belongs to authority {}, the state directory to {}",
                other.authority_id(),
                mine.authority_id()
            )
        );
    }

    #[test]
    fn bytes_that_are_no_anchor_are_refused() {
        let mut json: serde_json::Value =
            serde_json::from_slice(&AnchorObject::of(&World::new().chain()).encode()).unwrap();
        json["v"] = 2.into();
        for bytes in [b"".to_vec(), b"{}".to_vec(), json.to_string().into_bytes()] {
            let message = AnchorObject::decode(&bytes).unwrap_err().to_string();
            assert!(message.starts_with("the anchor object on the token cannot be read: "));
        }
    }
}
