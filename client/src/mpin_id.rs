//! A device's `mpin_id`: the user's name with a fresh salt.
//!
//! The text is `{"id":NAME,"salt":32 hex digits,"v":1}`, canonical JSON. It stays with the customer;
//! a D-TA is sent its SHA-256 only. Without the salt a D-TA could try names, and could link two
//! devices of one user.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wire::api::IdentityHex;

/// The longest name of a user, in bytes.
pub const MAX_NAME: usize = 256;

/// An `mpin_id`. Knowing it does not help to log in; it is private, not secret.
#[derive(Clone, PartialEq, Eq)]
pub struct MpinId {
    text: String,
}

impl MpinId {
    /// A new device of this user, with 16 fresh random bytes of salt.
    ///
    /// # Errors
    /// [`MpinIdError`] for an unusable name, or if the system has no random bytes.
    pub fn new(name: &str) -> Result<MpinId, MpinIdError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| MpinIdError::Random)?;
        Self::with_salt(name, &salt)
    }

    /// With a given salt: for a known answer, never for a new device.
    ///
    /// # Errors
    /// [`MpinIdError`] for an unusable name.
    pub fn with_salt(name: &str, salt: &[u8; 16]) -> Result<MpinId, MpinIdError> {
        check_name(name)?;
        let members = Members {
            v: 1,
            id: name.to_owned(),
            salt: hex::encode(salt),
        };
        let json = wire::canonical_json(&members).expect("strings and an integer");
        let text = String::from_utf8(json).expect("JSON is UTF-8");
        Ok(MpinId { text })
    }

    /// Reads an `mpin_id` that was kept.
    ///
    /// # Errors
    /// [`MpinIdError::Format`] if it is not one of this form, byte for byte.
    pub fn parse(text: &str) -> Result<MpinId, MpinIdError> {
        let members: Members = serde_json::from_str(text).map_err(|_| MpinIdError::Format)?;
        let mut salt = [0; 16];
        hex::decode_to_slice(&members.salt, &mut salt).map_err(|_| MpinIdError::Format)?;
        let again = Self::with_salt(&members.id, &salt)?;
        if members.v != 1 || again.text != text {
            return Err(MpinIdError::Format);
        }
        Ok(again)
    }

    /// The `mpin_id` itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a D-TA is sent: SHA-256 of the `mpin_id`.
    pub fn identity(&self) -> IdentityHex {
        IdentityHex::from_bytes(Sha256::digest(&self.text).into())
    }
}

impl fmt::Debug for MpinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MpinId({})", self.identity())
    }
}

/// No `mpin_id` can be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MpinIdError {
    /// The name is empty or too long.
    #[error("a user's name must have 1 to {MAX_NAME} bytes, got {0}")]
    Length(usize),
    /// The name holds control characters.
    #[error("a user's name must hold no control characters")]
    Control,
    /// Not of this form.
    #[error("not an mpin_id of the form {{\"id\":...,\"salt\":32 hex digits,\"v\":1}}")]
    Format,
    /// The system's generator failed.
    #[error("the system gave no random bytes")]
    Random,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    v: u8,
    id: String,
    salt: String,
}

fn check_name(name: &str) -> Result<(), MpinIdError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(MpinIdError::Length(name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(MpinIdError::Control);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_mpin_id_and_its_identity_are_pinned() {
        let id = MpinId::with_salt("alice@example.com", &[7; 16]).unwrap();
        let text = r#"{"id":"alice@example.com","salt":"07070707070707070707070707070707","v":1}"#;
        assert_eq!(id.as_str(), text);
        assert_eq!(MpinId::parse(text).unwrap(), id);
        assert_eq!(id.identity().as_bytes()[..], Sha256::digest(text)[..]);
    }

    #[test]
    fn two_devices_of_one_user_have_nothing_in_common() {
        let one = MpinId::new("alice").unwrap();
        let two = MpinId::new("alice").unwrap();
        assert_ne!(one.identity(), two.identity());
        assert!(!format!("{one:?}").contains("alice"));
    }

    #[test]
    fn unusable_names_and_texts_are_refused() {
        let message = |result: Result<MpinId, MpinIdError>| result.unwrap_err().to_string();
        assert_eq!(
            message(MpinId::new("")),
            "a user's name must have 1 to 256 bytes, got 0"
        );
        assert_eq!(
            message(MpinId::new(&"x".repeat(257))),
            "a user's name must have 1 to 256 bytes, got 257"
        );
        assert_eq!(
            message(MpinId::new("a\nb")),
            "a user's name must hold no control characters"
        );
        for text in [
            "alice",
            r#"{"id":"a","salt":"07","v":1}"#,
            r#"{"id":"a","salt":"07070707070707070707070707070707","v":2}"#,
            r#"{"salt":"07070707070707070707070707070707","id":"a","v":1}"#,
            r#"{"id":"a","salt":"07070707070707070707070707070707","v":1,"x":1}"#,
        ] {
            assert!(
                message(MpinId::parse(text)).starts_with("not an mpin_id"),
                "{text}"
            );
        }
    }
}
