//! Which seal key a reshare is making on a token: kept on that token, so that neither an older disk nor whoever writes the
//! disk decides which keys are destroyed.

use quorum::{AuthorityId, Name, Version1, canonical_json};
use serde::{Deserialize, Serialize};

use crate::anchor::AnchorError;

/// The content of the token's data object (`CKO_DATA`): canonical JSON of `authority`, `key` and `v` = 1. Written before
/// the key is made; `key` goes when the reshare is done, or undone, with everything that belongs to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingObject {
    v: Version1,
    /// The authority.
    pub authority: AuthorityId,
    /// The label of the seal key that is being made; absent when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
}

impl PendingObject {
    /// For the key with this label, or for none.
    pub fn new(authority: AuthorityId, key: Option<Name>) -> Self {
        Self {
            v: Version1,
            authority,
            key,
        }
    }

    /// The object's label on the token: one per authority, so that several may share a token.
    pub fn label(authority: &AuthorityId) -> String {
        format!("dta-reshare-{}", &authority.to_string()[..16])
    }

    /// The bytes of the object.
    pub fn encode(&self) -> Vec<u8> {
        canonical_json(self).expect("the object has string keys and no floats")
    }

    /// Reads the bytes of the object.
    ///
    /// # Errors
    /// When they are no such object of this version, or it is of another authority than `authority`.
    pub fn decode(bytes: &[u8], authority: AuthorityId) -> Result<Self, AnchorError> {
        let object: Self =
            serde_json::from_slice(bytes).map_err(|e| AnchorError::Unreadable(e.to_string()))?;
        if object.authority == authority {
            Ok(object)
        } else {
            Err(AnchorError::OtherAuthority {
                token: object.authority,
                disk: authority,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pending_key_survives_encoding_and_belongs_to_its_authority() {
        let mine = AuthorityId::from_bytes([1; 32]);
        for key in [None, Some("dta-seal-5e-2".parse().unwrap())] {
            let object = PendingObject::new(mine, key);
            assert_eq!(
                PendingObject::decode(&object.encode(), mine).unwrap(),
                object
            );
            let other = AuthorityId::from_bytes([2; 32]);
            let error = PendingObject::decode(&object.encode(), other).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the token belongs to authority 0101")
            );
        }
        assert!(PendingObject::decode(b"{}", mine).is_err());
    }
}
