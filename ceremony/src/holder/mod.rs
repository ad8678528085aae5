//! Holders: the people who each keep a share of the unlock secret.
//!
//! A holder has a key file, `NAME.holder` ([`HolderSecrets`]: an age X25519 identity that opens shares and an Ed25519 key that
//! signs for the holder, under a passphrase) and a public file, `NAME.holder.pub` ([`HolderPublic`]), which goes into
//! ceremony plans. Neither is ever overwritten. This module does not decide who may hold a share: the plan does.

mod identity;
mod key;
mod recipient;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use identity::{MissingPlugin, PluginIdentity};
pub use key::{HolderSecrets, HolderSecretsError, key_path, public_path, seen_path};
use quorum::{HolderKey, HolderSignature, Purpose};
pub(crate) use recipient::CannotSeal;
pub use recipient::{BadRecipient, ShareRecipient};

use crate::canonical;

/// The message is the canonical JSON of a `.holder.pub` file without its `signature`.
const SELF_SIGNATURE: Purpose = Purpose::new("dta holder v1");
/// A `.holder.pub` file is never longer, in bytes.
pub const LONGEST_PUBLIC_FILE: u64 = 4096;

/// What a holder is called: 1 to 64 of `A-Z a-z 0-9 . _ - @`, beginning with a letter or digit.
///
/// Short enough for a table, safe as the stem of a file name, and without the letters of other alphabets that look alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderName(String);

/// Why a text is not a holder's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{0:?} is not a holder's name: 1 to 64 of A-Z a-z 0-9 . _ - @, beginning with a letter or digit"
)]
pub struct BadName(pub String);

impl HolderName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as a manifest writes it.
    #[must_use]
    pub fn to_name(&self) -> quorum::Name {
        self.0
            .parse()
            .expect("a holder's name has 1 to 64 bytes of plain ASCII, as names may")
    }
}

impl FromStr for HolderName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let all_allowed = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte));
        if begins_well && all_allowed && text.len() <= 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderName({})", self.0)
    }
}

/// The public half of a holder: the contents of `NAME.holder.pub`, its self-signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderPublic {
    /// The holder's name.
    pub name: HolderName,
    /// Shares for this holder are sealed to this key.
    pub recipient: ShareRecipient,
    /// Manifests and unlock envelopes of this holder are signed by this key.
    pub sign_key: HolderKey,
    signature: HolderSignature,
}

/// Why a `.holder.pub` file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolderPublicError {
    /// Not the JSON of such a file.
    #[error("not a .holder.pub file")]
    NotJson(#[source] serde_json::Error),
    /// A later version than this tool knows.
    #[error("version {0} of the .holder.pub file is not known here; version 1 is")]
    Version(u64),
    /// The name.
    #[error("the name in the .holder.pub file cannot be used")]
    Name(#[from] BadName),
    /// The recipient.
    #[error("the recipient in the .holder.pub file cannot be used")]
    Recipient(#[from] BadRecipient),
    /// Name, recipient and key were not signed by the key.
    #[error(
        "the .holder.pub file of {0} is not signed by its own key: it was changed after it was made"
    )]
    Signature(HolderName),
}

impl HolderPublicError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NotJson(_) => Some("pass the file NAME.holder.pub that `dta holder new` wrote"),
            Self::Version(_) => Some("use the version of dta that made it, or a newer one"),
            Self::Name(_) | Self::Recipient(_) | Self::Signature(_) => {
                Some("ask the holder for the original file")
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    v: u64,
    name: String,
    recipient: String,
    sign_key: HolderKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<HolderSignature>,
}

impl HolderPublic {
    /// Reads the contents of a `.holder.pub` file and checks that its own key signed it.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, HolderPublicError> {
        let file: PublicFile = serde_json::from_slice(bytes).map_err(HolderPublicError::NotJson)?;
        if file.v != 1 {
            return Err(HolderPublicError::Version(file.v));
        }
        let name: HolderName = file.name.parse()?;
        let signature = file
            .signature
            .ok_or_else(|| HolderPublicError::Signature(name.clone()))?;
        let public = Self {
            recipient: file.recipient.parse()?,
            sign_key: file.sign_key,
            name,
            signature,
        };
        match public
            .sign_key
            .verify(SELF_SIGNATURE, &public.signed_bytes(), &signature)
        {
            Ok(()) => Ok(public),
            Err(_) => Err(HolderPublicError::Signature(public.name)),
        }
    }

    /// The file's contents: one line of canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = canonical::to_bytes(&self.file(Some(self.signature)));
        bytes.push(b'\n');
        bytes
    }

    fn signed_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(&self.file(None))
    }

    fn file(&self, signature: Option<HolderSignature>) -> PublicFile {
        PublicFile {
            v: 1,
            name: self.name.as_str().to_owned(),
            recipient: self.recipient.to_string(),
            sign_key: self.sign_key,
            signature,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_restricted_to_what_is_safe_in_a_file_name_and_a_table() {
        for good in ["alice", "A", "bob.smith@example", "7of9", &"x".repeat(64)] {
            assert!(good.parse::<HolderName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".alice",
            "-x",
            "a b",
            "a/b",
            "ал",
            "a\n",
            &"x".repeat(65),
        ] {
            let error = bad.parse::<HolderName>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("is not a holder's name: 1 to 64 of"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_public_file_round_trips_and_any_change_is_noticed() {
        let key = HolderSecrets::generate(&"alice".parse().unwrap()).unwrap();
        let bytes = key.public().to_bytes();
        assert_eq!(&HolderPublic::parse(&bytes).unwrap(), key.public());

        let text = String::from_utf8(bytes).unwrap();
        let error = HolderPublic::parse(text.replace("alice", "mallory").as_bytes()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("mallory is not signed by its own key"),
            "{error}"
        );
        let other = HolderSecrets::generate(&"alice".parse().unwrap()).unwrap();
        let swapped = text.replace(
            &key.public().recipient.to_string(),
            &other.public().recipient.to_string(),
        );
        assert!(matches!(
            HolderPublic::parse(swapped.as_bytes()),
            Err(HolderPublicError::Signature(_))
        ));
    }

    #[test]
    fn an_unsigned_or_newer_or_foreign_public_file_is_refused() {
        let key = HolderSecrets::generate(&"alice".parse().unwrap()).unwrap();
        let mut value: serde_json::Value =
            serde_json::from_slice(&key.public().to_bytes()).unwrap();
        value["v"] = 2.into();
        let error = HolderPublic::parse(value.to_string().as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "version 2 of the .holder.pub file is not known here; version 1 is"
        );
        value["v"] = 1.into();
        value.as_object_mut().unwrap().remove("signature");
        assert!(matches!(
            HolderPublic::parse(value.to_string().as_bytes()),
            Err(HolderPublicError::Signature(_))
        ));
        assert_eq!(
            HolderPublic::parse(b"hello").unwrap_err().to_string(),
            "not a .holder.pub file"
        );
    }
}
