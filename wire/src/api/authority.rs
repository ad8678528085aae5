//! The reply of `GET /v1/authority`: who this D-TA is, and what the caller may do here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fields::{
    AuthorityIdHex, CommitmentHex, FieldError, KeyVersion, Suite, named, quote, string_serde,
};
use super::shares::{from_json, to_json};
use crate::keys::VerifyingKey;
use crate::signature::ResponseCertificate;

/// Body of the reply to `GET /v1/authority`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorityInfo {
    /// The authority's name, from its manifest.
    pub name: String,
    /// The authority id: the hash of the genesis manifest.
    pub authority: AuthorityIdHex,
    /// The node key that certifies the response key. A client believes the one it pinned.
    pub node_key: NodeKeyInfo,
    /// The response key's certificate; absent while the authority is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_key: Option<ResponseCertificate>,
    /// The authority's clock: seconds since 1970.
    pub time: u64,
    /// About the caller: only in the reply to a signed request, and never another customer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerInfo>,
}

impl AuthorityInfo {
    /// Reads a body.
    ///
    /// # Errors
    /// [`FieldError`] says what does not fit.
    pub fn parse(body: &[u8]) -> Result<Self, FieldError> {
        from_json(body)
    }

    /// The body, as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }
}

/// A node key: which node, which algorithm, which public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeKeyInfo {
    /// The node's name, from the manifest.
    pub node: String,
    /// `ed25519` or `ecdsa-p256`, as in the manifest.
    pub alg: String,
    /// Raw bytes in hex: 32 for Ed25519, 65 (`04 x y`) for P-256.
    pub public_key: String,
}

impl NodeKeyInfo {
    /// The description of this key of this node.
    pub fn new(node: impl Into<String>, key: &VerifyingKey) -> NodeKeyInfo {
        let alg = match key {
            VerifyingKey::Ed25519(_) => "ed25519",
            VerifyingKey::EcdsaP256(_) => "ecdsa-p256",
        };
        NodeKeyInfo {
            node: node.into(),
            alg: alg.to_owned(),
            public_key: key.to_hex(),
        }
    }
}

/// What a D-TA says to a customer about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerInfo {
    /// The customer's name in this D-TA's registry.
    pub id: String,
    /// Active or suspended.
    pub status: CustomerStatus,
    /// The `keyid` that signed this request.
    pub keyid: String,
    /// The roles of that key.
    pub roles: Vec<Role>,
    /// The customer's live master keys.
    pub keys: Vec<MasterKeyInfo>,
    /// The customer's limits.
    pub limits: Limits,
}

named!(
    /// Whether a customer is served.
    CustomerStatus, "a status" {
        /// Served.
        Active = "active",
        /// Refused until resumed.
        Suspended = "suspended",
    }
);

named!(
    /// What a signing key may ask for.
    Role, "a role" {
        /// Client shares.
        Enrol = "enrol",
        /// Time permits.
        Permit = "permit",
        /// Server shares.
        ServerShare = "server-share",
    }
);

/// One master key of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKeyInfo {
    /// The version.
    pub key: KeyVersion,
    /// The suite, fixed when the key was made.
    pub suite: Suite,
    /// The commitment `s * G1`.
    pub commitment: CommitmentHex,
    /// Schnorr proof of knowledge of `s`, in hex, bound to authority, customer, version and suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// What one customer may ask for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How many days from today on permits are issued for: 2 is today and tomorrow.
    pub permit_days: u32,
    /// The most identities in one request for time permits.
    pub permit_identities: u32,
}
