//! Who a share is for, and for which day a permit is.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// `SHA-256(mpin_id)`, 32 bytes: all that a D-TA ever sees of a user's device.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity([u8; 32]);

impl Identity {
    /// Takes the 32 bytes of the hash.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Hashes an `mpin_id`, which carries a fresh 16-byte salt per device and stays with the
    /// customer.
    pub fn of_mpin_id(mpin_id: &[u8]) -> Self {
        Self(Sha256::digest(mpin_id).into())
    }

    /// Reads 64 hexadecimal digits of either case.
    pub fn from_hex(hex: &str) -> Result<Self, IdentityError> {
        let found = hex.chars().count();
        if found != 64 {
            return Err(IdentityError::Length { found });
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).map_err(|_| IdentityError::NotHex)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(hex: &str) -> Result<Self, IdentityError> {
        Self::from_hex(hex)
    }
}

/// Why a text is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It has another length.
    #[error("an identity is 64 hexadecimal digits, found {found} characters")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// It has the length, but not the digits.
    #[error("an identity is 64 hexadecimal digits, found another character")]
    NotHex,
}

impl IdentityError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        Some("send the SHA-256 of the mpin_id in hexadecimal, not the mpin_id itself")
    }
}

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day with this number; 1970-01-01 is 0.
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// `floor(seconds / 86400)`. Saturates in the year 11,761,191.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        Self(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX))
    }

    /// Days since 1970-01-01.
    pub fn number(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identity_reads_back_from_hex_of_either_case() {
        let identity = Identity::of_mpin_id(b"alice");
        let text = identity.to_string();
        assert_eq!(text.parse::<Identity>().unwrap(), identity);
        assert_eq!(text.to_uppercase().parse::<Identity>().unwrap(), identity);
    }

    #[test]
    fn an_identity_of_a_wrong_length_is_refused_with_the_length_found() {
        let error = Identity::from_hex("abcd").unwrap_err();
        assert_eq!(
            error.to_string(),
            "an identity is 64 hexadecimal digits, found 4 characters"
        );
    }

    #[test]
    fn an_identity_that_is_not_hex_is_refused() {
        let error = Identity::from_hex(&"g".repeat(64)).unwrap_err();
        assert_eq!(error, IdentityError::NotHex);
        assert!(error.to_string().contains("another character"));
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(Day::from_unix_seconds(86_399).number(), 0);
        assert_eq!(Day::from_unix_seconds(86_400).number(), 1);
        assert_eq!(Day::from_unix_seconds(u64::MAX).number(), u32::MAX);
    }
}
