//! The certificate of the response key: the node key's word that this key, made in memory at
//! unlock, signs this authority's responses.
//!
//! The signed message is `dta response key v1`, a line feed, and the canonical JSON of the
//! statement: `{"authority":HEX64,"created":SECONDS,"node":NAME,"public_key":HEX64,"v":1}`.

use serde::{Deserialize, Serialize};

use crate::api::AuthorityIdHex;
use crate::keys::{KeyError, VerifyingKey};

/// What the node key says about the response key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseStatement {
    /// The version of this format: 1.
    pub v: u8,
    /// The authority.
    pub authority: AuthorityIdHex,
    /// The node's name, from the manifest.
    pub node: String,
    /// The response key: Ed25519, 32 bytes in lower-case hex.
    pub public_key: String,
    /// When it was made: seconds since 1970.
    pub created: u64,
}

impl ResponseStatement {
    /// The statement about a response key made now.
    pub fn new(
        authority: AuthorityIdHex,
        node: impl Into<String>,
        response_key: &VerifyingKey,
        created: u64,
    ) -> ResponseStatement {
        ResponseStatement {
            v: 1,
            authority,
            node: node.into(),
            public_key: response_key.to_hex(),
            created,
        }
    }

    /// The bytes that the node key signs (Ed25519, or ECDSA P-256 over their SHA-256).
    pub fn message(&self) -> Vec<u8> {
        let json = crate::canonical_json(self).expect("strings and integers only");
        [PREFIX, &json].concat()
    }

    /// The certificate, with the node key's signature of 64 bytes over [`Self::message`].
    pub fn certify(self, signature: &[u8; 64]) -> ResponseCertificate {
        ResponseCertificate {
            statement: self,
            signature: hex::encode(signature),
        }
    }
}

/// A statement with the node key's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseCertificate {
    /// What is certified.
    pub statement: ResponseStatement,
    /// 64 bytes in hex: Ed25519, or P-256 `r || s`.
    pub signature: String,
}

impl ResponseCertificate {
    /// Verifies the certificate against pinned values: the response key.
    ///
    /// # Errors
    /// [`CertificateError`] says what does not fit.
    pub fn verify(
        &self,
        authority: &AuthorityIdHex,
        node_key: &VerifyingKey,
    ) -> Result<VerifyingKey, CertificateError> {
        if self.statement.v != 1 {
            return Err(CertificateError::Version(self.statement.v));
        }
        let signature = hex::decode(&self.signature).map_err(|_| CertificateError::Signature)?;
        node_key
            .verify(&self.statement.message(), &signature)
            .map_err(|_| CertificateError::Signature)?;
        if self.statement.authority != *authority {
            return Err(CertificateError::Authority {
                found: self.statement.authority,
            });
        }
        match VerifyingKey::from_hex(&self.statement.public_key)? {
            key @ VerifyingKey::Ed25519(_) => Ok(key),
            VerifyingKey::EcdsaP256(_) => Err(CertificateError::NotEd25519),
        }
    }
}

/// A response key's certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A later format.
    #[error("the response key's certificate has version {0}, expected 1")]
    Version(u8),
    /// Not signed by the pinned node key.
    #[error("the response key's certificate is not signed by the pinned node key")]
    Signature,
    /// Of another authority under the same node key.
    #[error("the response key's certificate is for authority {found}")]
    Authority {
        /// The authority id it names.
        found: AuthorityIdHex,
    },
    /// The certified key is of the wrong kind.
    #[error("the certified response key is not an Ed25519 key")]
    NotEd25519,
    /// The certified key cannot be read.
    #[error("the certified response key: {0}")]
    Key(#[from] KeyError),
}

impl CertificateError {
    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(
            "compare `node_key` and `authority` in customer.toml with what the operators published",
        )
    }
}

const PREFIX: &[u8] = b"dta response key v1\n";
