//! The values that cross this room's border: labels, sealed bytes, public keys, token facts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::HsmError;

/// Bytes of an AES-GCM IV.
pub(crate) const IV_BYTES: usize = 12;
/// Bytes of an AES-GCM tag.
pub(crate) const TAG_BYTES: usize = 16;

/// The label (`CKA_LABEL`) of an object on the token: 1 to 64 characters of `a-z A-Z 0-9 . _ : -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyLabel(String);

impl KeyLabel {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyLabel {
    type Err = HsmError;

    fn from_str(label: &str) -> Result<Self, HsmError> {
        let refuse = |problem: &str| {
            let label = label.chars().take(80).collect();
            Err(HsmError::BadLabel {
                label,
                problem: problem.to_owned(),
            })
        };
        if label.is_empty() {
            return refuse("it is empty");
        }
        if label.len() > 64 {
            return refuse("it is longer than 64 bytes");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
        if !label.chars().all(allowed) {
            return refuse("it has a character other than a-z A-Z 0-9 . _ : -");
        }
        Ok(Self(label.to_owned()))
    }
}

impl TryFrom<String> for KeyLabel {
    type Error = HsmError;

    fn try_from(label: String) -> Result<Self, HsmError> {
        label.parse()
    }
}

impl From<KeyLabel> for String {
    fn from(label: KeyLabel) -> Self {
        label.0
    }
}

impl fmt::Display for KeyLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// AES-256-GCM output made inside the HSM (`CKM_AES_GCM`, 128-bit tag). The AAD is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The 12-byte IV that the token used (lower-case hex in JSON).
    #[serde(with = "hex::serde")]
    pub iv: [u8; IV_BYTES],
    /// Ciphertext, as long as the plaintext, then the 16-byte tag (lower-case hex in JSON).
    #[serde(with = "hex::serde")]
    pub ciphertext: Vec<u8>,
}

/// The signature algorithm of a node key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKeyAlg {
    /// Pure Ed25519 (RFC 8032, `CKM_EDDSA`): public key 32 bytes, signature 64 bytes.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 over SHA-256 (`CKM_ECDSA`, hashed outside the token): public key 65 bytes
    /// SEC1 uncompressed, signature 64 bytes `r || s`.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
}

impl NodeKeyAlg {
    /// The name used in manifests: `ed25519` or `ecdsa-p256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }
}

impl fmt::Display for NodeKeyAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The public half of a node key on the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKey {
    /// Its algorithm.
    pub alg: NodeKeyAlg,
    /// 32 bytes for Ed25519; 65 bytes `04 || x || y` for P-256 (lower-case hex in JSON).
    #[serde(with = "hex::serde")]
    pub public_key: Vec<u8>,
}

/// Which token: PKCS#11 slot numbers change, label and serial do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenId {
    /// The label given when the token was initialised.
    pub label: String,
    /// The serial number given by the manufacturer or the library.
    pub serial: String,
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (serial {})", self.label, self.serial)
    }
}

/// What the token tells about its user PIN. PKCS#11 has flags, not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinState {
    /// No flag is set: no wrong PIN since the last login, or the token does not tell.
    Normal,
    /// `CKF_USER_PIN_COUNT_LOW`: at least one wrong PIN since the last login.
    CountLow,
    /// `CKF_USER_PIN_FINAL_TRY`: the next wrong PIN locks.
    FinalTry,
    /// `CKF_USER_PIN_LOCKED`.
    Locked,
}

impl fmt::Display for PinState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "the token does not tell how many tries are left",
            Self::CountLow => "COUNT_LOW: at least one wrong PIN since the last login",
            Self::FinalTry => "FINAL_TRY: the next wrong PIN locks it",
            Self::Locked => "LOCKED",
        })
    }
}

/// What the token says about itself (`C_GetTokenInfo`, `C_GetMechanismList`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenInfo {
    /// The label given when it was initialised.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its firmware version, `MAJOR.MINOR`.
    pub firmware: String,
    /// The state of the user PIN.
    pub pin: PinState,
    /// The algorithm that a new node key would have; absent when the token can do neither.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node_key_alg: Option<NodeKeyAlg>,
    /// The mechanisms by their PKCS#11 names, sorted; those the binding does not know are left out.
    pub mechanisms: Vec<String>,
}

impl TokenInfo {
    /// Label and serial.
    pub fn id(&self) -> TokenId {
        TokenId {
            label: self.label.clone(),
            serial: self.serial.clone(),
        }
    }
}
