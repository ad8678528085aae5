//! Customers, their signing keys and their master keys: the rows of the registry.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use mpin::Suite;
use quorum::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{CustomerId, KeyId, KeyVersion, UnknownName};
use crate::policy::Policy;
use crate::seal::{MasterHeader, SealedSecret};

/// A customer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// The name.
    pub id: CustomerId,
    /// Whether it is served.
    pub status: CustomerStatus,
    /// What it may ask for.
    pub policy: Policy,
    /// When it was registered.
    pub created: Timestamp,
}

/// Whether a customer is served.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CustomerStatus {
    /// Served.
    Active,
    /// Every request is refused as `suspended`.
    Suspended,
}

impl CustomerStatus {
    /// `active` or `suspended`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl fmt::Display for CustomerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key with which a customer signs its requests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Its id.
    pub keyid: KeyId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its public bytes, see [`KeyAlgorithm::check`]; hex in JSON.
    #[serde(with = "hex::serde")]
    pub public_key: Vec<u8>,
    /// What it may be used for.
    pub roles: BTreeSet<Role>,
    /// When it was registered.
    pub created: Timestamp,
    /// Not valid before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not valid from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// Revoked; it stays in the registry so that its id is never given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl SigningKey {
    /// Whether it may be used at `now`.
    pub fn validity(&self, now: Timestamp) -> KeyValidity {
        if self.revoked_at.is_some() {
            KeyValidity::Revoked
        } else if self.not_before.is_some_and(|time| now < time) {
            KeyValidity::NotYet
        } else if self.not_after.is_some_and(|time| now >= time) {
            KeyValidity::Expired
        } else {
            KeyValidity::Valid
        }
    }
}

/// Whether a signing key may be used at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyValidity {
    /// It may.
    Valid,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// The algorithm of a signing key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8032); public key 32 bytes.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-256 with SHA-256; public key 65 bytes `04 || x || y` (SEC 1).
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
}

impl KeyAlgorithm {
    const ALL: [Self; 2] = [Self::Ed25519, Self::EcdsaP256Sha256];

    /// The name of RFC 9421: `ed25519` or `ecdsa-p256-sha256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
        }
    }

    /// Checks the shape of public bytes. That they are a point is known once a signature verifies.
    ///
    /// # Errors
    /// When they have another length, or a P-256 key does not begin with 04.
    pub fn check(self, public_key: &[u8]) -> Result<(), PublicKeyError> {
        let fits = match self {
            Self::Ed25519 => public_key.len() == 32,
            Self::EcdsaP256Sha256 => public_key.len() == 65 && public_key[0] == 4,
        };
        if fits {
            Ok(())
        } else {
            Err(PublicKeyError { algorithm: self })
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(name, &Self::ALL, Self::as_str)
    }
}

/// Bytes that are no public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("these bytes are no {algorithm} public key")]
pub struct PublicKeyError {
    /// The algorithm they were given for.
    pub algorithm: KeyAlgorithm,
}

/// What a signing key may be used for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Ask for client shares.
    Enrol,
    /// Ask for time permits.
    Permit,
    /// Ask for the server share.
    ServerShare,
    /// Revoke identities.
    Revoke,
    /// Sign tickets for devices.
    Ticket,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::Enrol,
        Self::Permit,
        Self::ServerShare,
        Self::Revoke,
        Self::Ticket,
    ];

    /// `enrol`, `permit`, `server-share`, `revoke` or `ticket`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrol => "enrol",
            Self::Permit => "permit",
            Self::ServerShare => "server-share",
            Self::Revoke => "revoke",
            Self::Ticket => "ticket",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        UnknownName::find(name, &Self::ALL, Self::as_str)
    }
}

/// One of a customer's master keys: its public header and the sealed secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MasterKey {
    /// Whose it is.
    pub customer: CustomerId,
    /// Which of the customer's.
    pub version: KeyVersion,
    /// The suite it was made for and is only used with.
    #[serde(with = "suite")]
    pub suite: Suite,
    /// `s * G1`, 48 bytes compressed; hex in JSON.
    #[serde(with = "hex::serde")]
    pub commitment: [u8; 48],
    /// Schnorr proof of knowledge of `s`, bound to [`mpin::KeyContext`], 64 bytes; hex in JSON.
    #[serde(with = "hex::serde")]
    pub proof: [u8; 64],
    /// Whether it is in use.
    pub state: KeyState,
    /// When it was made.
    pub created: Timestamp,
    pub(crate) sealed: SealedSecret,
}

impl MasterKey {
    /// What its sealed secret is bound to.
    pub(crate) fn header(&self) -> MasterHeader<'_> {
        MasterHeader {
            customer: &self.customer,
            version: self.version,
            suite: self.suite,
            commitment: &self.commitment,
        }
    }
}

/// Where a master key is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// In use.
    Live,
    /// Still served, beside its successor.
    Old,
    /// No longer served.
    Retired,
}

impl KeyState {
    /// `live`, `old` or `retired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Old => "old",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A suite by its name; `mpin` knows no serde.
mod suite {
    use mpin::Suite;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        suite: &Suite,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(suite.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Suite, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn closed_lists_say_what_they_hold() {
        assert_eq!("server-share".parse::<Role>().unwrap(), Role::ServerShare);
        assert_eq!(
            "admin".parse::<Role>().unwrap_err().to_string(),
            "\"admin\" is none of enrol, permit, server-share, revoke, ticket"
        );
        assert_eq!(
            "rsa".parse::<KeyAlgorithm>().unwrap_err().to_string(),
            "\"rsa\" is none of ed25519, ecdsa-p256-sha256"
        );
    }

    #[test]
    fn a_key_is_valid_between_its_times_and_never_once_revoked() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let mut key = SigningKey {
            keyid: "AbCdEfGhIjKlMnOpQrSt-_".parse().unwrap(),
            customer: "bank".parse().unwrap(),
            algorithm: KeyAlgorithm::Ed25519,
            public_key: vec![1; 32],
            roles: [Role::Enrol].into(),
            created: at(0),
            not_before: Some(at(10)),
            not_after: Some(at(20)),
            revoked_at: None,
        };
        assert_eq!(key.validity(at(9)), KeyValidity::NotYet);
        assert_eq!(key.validity(at(10)), KeyValidity::Valid);
        assert_eq!(key.validity(at(19)), KeyValidity::Valid);
        assert_eq!(key.validity(at(20)), KeyValidity::Expired);
        key.revoked_at = Some(at(30));
        assert_eq!(key.validity(at(15)), KeyValidity::Revoked);
    }

    #[test]
    fn public_keys_have_the_shape_of_their_algorithm() {
        assert!(KeyAlgorithm::Ed25519.check(&[0; 32]).is_ok());
        assert_eq!(
            KeyAlgorithm::Ed25519
                .check(&[0; 31])
                .unwrap_err()
                .to_string(),
            "these bytes are no ed25519 public key"
        );
        assert_eq!(
            KeyAlgorithm::EcdsaP256Sha256
                .check(&[2; 65])
                .unwrap_err()
                .to_string(),
            "these bytes are no ecdsa-p256-sha256 public key"
        );
    }
}
