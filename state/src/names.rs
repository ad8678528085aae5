//! Names in the registry: of customers, of signing keys, of versions of master keys.
//!
//! Each has exactly one spelling, so that names can be compared as text and be keys of rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A customer's name: 1 to 64 of `a-z`, `0-9` and `-`, not beginning or ending with `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomerId(String);

impl CustomerId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CustomerId {
    type Err = CustomerIdError;

    fn from_str(text: &str) -> Result<Self, CustomerIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(CustomerIdError)
        }
    }
}

impl TryFrom<String> for CustomerId {
    type Error = CustomerIdError;

    fn try_from(text: String) -> Result<Self, CustomerIdError> {
        text.parse()
    }
}

impl From<CustomerId> for String {
    fn from(id: CustomerId) -> String {
        id.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text that is no customer's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a customer's name has 1 to 64 of a-z, 0-9 and -, and no - at its ends")]
pub struct CustomerIdError;

/// The id of a signing key, unique over all customers: the first 22 characters of the base64url
/// SHA-256 of its SubjectPublicKeyInfo, as `wire` makes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.len() == 22 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyIdError)
        }
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> String {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text that is no key id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a key id has 22 base64url characters")]
pub struct KeyIdError;

/// The version of a master key, `k1`, `k2` and so on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyVersion(u32);

impl KeyVersion {
    /// The version of a customer's first master key.
    pub const FIRST: Self = Self(1);

    /// The number after the `k`.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl FromStr for KeyVersion {
    type Err = KeyVersionError;

    fn from_str(text: &str) -> Result<Self, KeyVersionError> {
        let digits = text.strip_prefix('k').ok_or(KeyVersionError)?;
        let number = digits.parse().map_err(|_| KeyVersionError)?;
        // One text per version: no leading zero, no sign.
        let version = Self(number);
        if number > 0 && version.to_string() == text {
            Ok(version)
        } else {
            Err(KeyVersionError)
        }
    }
}

impl TryFrom<String> for KeyVersion {
    type Error = KeyVersionError;

    fn try_from(text: String) -> Result<Self, KeyVersionError> {
        text.parse()
    }
}

impl From<KeyVersion> for String {
    fn from(version: KeyVersion) -> String {
        version.to_string()
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{}", self.0)
    }
}

/// Text that is no key version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a key version is k1, k2 and so on")]
pub struct KeyVersionError;

/// A name outside a closed list.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\"{name}\" is none of {known}")]
pub struct UnknownName {
    name: String,
    known: String,
}

impl UnknownName {
    pub(crate) fn find<T: Copy>(
        name: &str,
        all: &[T],
        as_str: fn(T) -> &'static str,
    ) -> Result<T, Self> {
        all.iter()
            .copied()
            .find(|one| as_str(*one) == name)
            .ok_or_else(|| {
                let known: Vec<_> = all.iter().map(|one| as_str(*one)).collect();
                Self {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn customer_names_are_slugs() {
        for good in ["a", "bank-1", &"x".repeat(64)] {
            assert_eq!(good.parse::<CustomerId>().unwrap().as_str(), good);
        }
        for bad in ["", "Bank", "a_b", "-a", "a-", "a b", "a/b", &"x".repeat(65)] {
            assert_eq!(
                bad.parse::<CustomerId>().unwrap_err().to_string(),
                "a customer's name has 1 to 64 of a-z, 0-9 and -, and no - at its ends",
                "{bad:?}"
            );
        }
    }

    #[test]
    fn key_ids_and_versions_have_one_spelling() {
        assert!("AbCdEfGhIjKlMnOpQrSt-_".parse::<KeyId>().is_ok());
        for bad in ["", "AbCdEfGhIjKlMnOpQrSt-", "AbCdEfGhIjKlMnOpQrSt+/"] {
            let error = bad.parse::<KeyId>().unwrap_err();
            assert_eq!(error.to_string(), "a key id has 22 base64url characters");
        }
        assert_eq!("k12".parse::<KeyVersion>().unwrap().number(), 12);
        for bad in ["", "k", "k0", "k01", "k+1", "K1", "1", "k4294967296"] {
            let error = bad.parse::<KeyVersion>().unwrap_err();
            assert_eq!(
                error.to_string(),
                "a key version is k1, k2 and so on",
                "{bad}"
            );
        }
    }
}
