//! Manifests: the public description of a D-TA at one moment, signed by its holders.
//!
//! A manifest's hash is SHA-256 over `dta manifest v1\n` and the canonical JSON of the manifest
//! without its signatures. A holder signs `dta manifest v1\n` and that hash. What the signatures are
//! worth depends on the manifests before: see [`crate::ManifestChain`].

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{CheckValue, ManifestHash, ShareIndex};
use crate::json::canonical_json;
use crate::name::{Name, Timestamp};
use crate::set::SetDescription;
use crate::signing::{HolderSignature, HolderSigningKey, Purpose, SignatureInvalid};

/// The public description of a D-TA from one ceremony to the next.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    pub version: Version1,
    /// The name of the D-TA, the same in the whole chain.
    pub authority: Name,
    /// The hash of the manifest before; absent at genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<ManifestHash>,
    /// The set that unlocks.
    pub unlock: SetDescription,
    /// The seal key of this epoch on each HSM.
    pub hsm_keys: Vec<HsmKey>,
    /// The key of each node, for certificates, unlock sessions and audit checkpoints.
    pub node_keys: Vec<NodeKey>,
    /// Tells the right `k_hsm`.
    pub check_value: CheckValue,
    /// When it was made.
    pub created: Timestamp,
}

impl Manifest {
    /// SHA-256 over `dta manifest v1\n` and the canonical JSON.
    pub fn hash(&self) -> ManifestHash {
        let json = canonical_json(self).expect("a manifest has string keys and no floats");
        let digest = Sha256::digest(Purpose::MANIFEST.frame(&json));
        ManifestHash::from_bytes(digest.into())
    }

    /// A holder's signature, to be put beside those of the others. `signers` is the set whose holders
    /// sign this manifest: its own at genesis, the predecessor's later.
    ///
    /// # Errors
    /// When the key belongs to nobody in `signers`.
    pub fn sign(
        &self,
        signers: &SetDescription,
        key: &HolderSigningKey,
    ) -> Result<ManifestSignature, NotAHolder> {
        let holder = signers.holder_by_key(&key.public()).ok_or(NotAHolder)?;
        Ok(ManifestSignature {
            index: holder.index,
            name: holder.name.clone(),
            signature: key.sign(Purpose::MANIFEST, self.hash().as_bytes()),
        })
    }

    /// The bytes a node key signs: `dta manifest v1\n` and the hash.
    pub fn signed_bytes(&self) -> Vec<u8> {
        Purpose::MANIFEST.frame(self.hash().as_bytes())
    }

    /// Looks for what no single field can rule out.
    pub(crate) fn check(&self) -> Result<(), ManifestError> {
        if self.hsm_keys.is_empty() {
            return Err(ManifestError::NoHsm);
        }
        if self.node_keys.is_empty() {
            return Err(ManifestError::NoNode);
        }
        for (at, key) in self.hsm_keys.iter().enumerate() {
            if self.hsm_keys[..at].iter().any(|other| other.hsm == key.hsm) {
                return Err(ManifestError::HsmTwice {
                    hsm: key.hsm.clone(),
                });
            }
        }
        for (at, key) in self.node_keys.iter().enumerate() {
            if self.node_keys[..at]
                .iter()
                .any(|other| other.node == key.node)
            {
                return Err(ManifestError::NodeTwice {
                    node: key.node.clone(),
                });
            }
        }
        Ok(())
    }
}

/// The number 1 in `version`; nothing else is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version1;

impl TryFrom<u32> for Version1 {
    type Error = String;

    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            1 => Ok(Self),
            _ => Err(format!(
                "version {version} is not known to this program, only 1"
            )),
        }
    }
}

impl From<Version1> for u32 {
    fn from(_: Version1) -> u32 {
        1
    }
}

/// The seal key of this epoch on one HSM.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmKey {
    /// The token's serial number.
    pub hsm: Name,
    /// The token's label.
    pub token_label: Name,
    /// The label of the AES-256 key.
    pub key_label: Name,
}

/// The key of one node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "NodeKeyFields", into = "NodeKeyFields")]
pub struct NodeKey {
    /// The node's name, unique in the manifest.
    pub node: Name,
    algorithm: NodeAlgorithm,
    public_key: Vec<u8>,
}

impl NodeKey {
    /// A node's key from its public bytes: Ed25519 32 bytes (RFC 8032), P-256 65 bytes (SEC 1,
    /// uncompressed: `04 || x || y`).
    ///
    /// # Errors
    /// When the bytes have not that shape.
    pub fn new(
        node: Name,
        algorithm: NodeAlgorithm,
        public_key: Vec<u8>,
    ) -> Result<Self, ManifestError> {
        let fits = match algorithm {
            NodeAlgorithm::Ed25519 => public_key.len() == 32,
            NodeAlgorithm::EcdsaP256 => public_key.len() == 65 && public_key[0] == 4,
        };
        if !fits {
            return Err(ManifestError::NodeKeyShape { node, algorithm });
        }
        Ok(Self {
            node,
            algorithm,
            public_key,
        })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> NodeAlgorithm {
        self.algorithm
    }

    /// Its public bytes, see [`NodeKey::new`].
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Checks a signature of 64 bytes (Ed25519 `R || S`, or P-256 `r || s` over SHA-256) over `bytes`.
    ///
    /// # Errors
    /// When this key did not make it.
    pub fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        let verified = match self.algorithm {
            NodeAlgorithm::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, &self.public_key).verify(bytes, signature)
            }
            NodeAlgorithm::EcdsaP256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public_key)
                    .verify(bytes, signature)
            }
        };
        verified.map_err(|_| SignatureInvalid)
    }
}

/// How a node signs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum NodeAlgorithm {
    /// Ed25519 (RFC 8032).
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256, signature as `r || s`.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
}

impl NodeAlgorithm {
    /// As written in a manifest: `ed25519` or `ecdsa-p256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }
}

/// A manifest with its signatures: what is stored and sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedManifest {
    /// What is signed.
    pub manifest: Manifest,
    /// The holders' signatures.
    pub signatures: Vec<ManifestSignature>,
    /// The node's signature, additional to those of the holders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_signature: Option<NodeSignature>,
}

impl SignedManifest {
    /// Reads JSON. Unknown fields are refused, so nothing is carried that was not signed.
    ///
    /// # Errors
    /// When the bytes are not a signed manifest of this version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(bytes).map_err(|e| ManifestError::Json(e.to_string()))
    }

    /// Canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        canonical_json(self).expect("a manifest has string keys and no floats")
    }
}

/// One holder's signature over a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSignature {
    /// The holder's index in the set that signs.
    pub index: ShareIndex,
    /// The holder's name in that set.
    pub name: Name,
    /// The signature.
    pub signature: HolderSignature,
}

/// A node's signature over a manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSignature {
    /// Which of the manifest's node keys made it.
    pub node: Name,
    /// 64 bytes as hex, see [`NodeKey::verify`].
    pub signature: HolderSignature,
}

/// What is wrong with a manifest by itself.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("not a manifest: {0}")]
    Json(String),
    /// No HSM keys.
    #[error("it names no HSM key")]
    NoHsm,
    /// No node keys.
    #[error("it names no node key")]
    NoNode,
    /// Two seal keys on one HSM.
    #[error("it names two keys on HSM {hsm}")]
    HsmTwice {
        /// The HSM's serial number.
        hsm: Name,
    },
    /// Two keys of one node.
    #[error("it names two keys of node {node}")]
    NodeTwice {
        /// The node.
        node: Name,
    },
    /// Public key bytes of a wrong shape.
    #[error("the key of node {node} is no {} public key", algorithm.as_str())]
    NodeKeyShape {
        /// The node.
        node: Name,
        /// The algorithm it claims.
        algorithm: NodeAlgorithm,
    },
}

/// The signing key belongs to nobody who may sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this key belongs to no holder of the set that signs the manifest")]
pub struct NotAHolder;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeKeyFields {
    node: Name,
    alg: NodeAlgorithm,
    public_key: String,
}

impl TryFrom<NodeKeyFields> for NodeKey {
    type Error = ManifestError;

    fn try_from(fields: NodeKeyFields) -> Result<Self, ManifestError> {
        let canonical = !fields.public_key.bytes().any(|b| b.is_ascii_uppercase());
        let bytes = hex::decode(&fields.public_key).unwrap_or_default();
        Self::new(
            fields.node,
            fields.alg,
            if canonical { bytes } else { Vec::new() },
        )
    }
}

impl From<NodeKey> for NodeKeyFields {
    fn from(key: NodeKey) -> Self {
        Self {
            node: key.node,
            alg: key.algorithm,
            public_key: hex::encode(key.public_key),
        }
    }
}
