//! Where a share is sealed to: an age X25519 key, or a key of an age plugin such as a YubiKey.

use std::fmt;
use std::str::FromStr;

use age::EncryptError;
use age::plugin::RecipientPluginV1;

use super::identity::{AtTheTerminal, MissingPlugin};

/// An age recipient, in Bech32: `age1...` (X25519) or `age1PLUGIN1...` (the plugin `age-plugin-PLUGIN` on the PATH).
#[derive(Clone)]
pub struct ShareRecipient(Kind);

#[derive(Clone)]
enum Kind {
    X25519(age::x25519::Recipient),
    Plugin(age::plugin::Recipient),
}

/// Why a text is not a recipient.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("neither an age X25519 recipient (age1...) nor one of an age plugin (age1PLUGIN1...): {0}")]
pub struct BadRecipient(&'static str);

/// Why nothing can be sealed to a recipient.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotSeal {
    /// Its plugin is not here.
    #[error(transparent)]
    Plugin(#[from] MissingPlugin),
    /// age refused.
    #[error(transparent)]
    Age(#[from] EncryptError),
}

impl ShareRecipient {
    /// The same as a manifest writes it.
    #[must_use]
    pub fn to_recipient(&self) -> quorum::Recipient {
        self.to_string().parse().expect(
            "a recipient is lower-case Bech32 that begins with age1 and was checked for its length",
        )
    }

    /// The name of the plugin that serves it, if one does.
    #[must_use]
    pub fn plugin(&self) -> Option<&str> {
        match &self.0 {
            Kind::X25519(_) => None,
            Kind::Plugin(recipient) => Some(recipient.plugin()),
        }
    }

    /// An armored age file for this recipient alone.
    ///
    /// # Errors
    /// [`CannotSeal`].
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Result<String, CannotSeal> {
        match &self.0 {
            Kind::X25519(recipient) => Ok(age::encrypt_and_armor(recipient, plaintext)?),
            Kind::Plugin(recipient) => {
                let name = recipient.plugin();
                let plugin = RecipientPluginV1::new(
                    name,
                    std::slice::from_ref(recipient),
                    &[],
                    AtTheTerminal,
                )
                .map_err(|_| MissingPlugin::called(name))?;
                Ok(age::encrypt_and_armor(&plugin, plaintext)?)
            }
        }
    }
}

impl From<age::x25519::Recipient> for ShareRecipient {
    fn from(recipient: age::x25519::Recipient) -> Self {
        Self(Kind::X25519(recipient))
    }
}

impl FromStr for ShareRecipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        let plugin = |why| match text.parse() {
            // What a manifest could not hold is refused here, where it can be named.
            Ok(recipient) if text.parse::<quorum::Recipient>().is_ok() => {
                Ok(Kind::Plugin(recipient))
            }
            Ok(_) => Err(BadRecipient("too long, or not lower-case")),
            Err(_) => Err(BadRecipient(why)),
        };
        text.parse().map(Kind::X25519).or_else(plugin).map(Self)
    }
}

impl fmt::Display for ShareRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::X25519(recipient) => recipient.fmt(f),
            Kind::Plugin(recipient) => recipient.fmt(f),
        }
    }
}

impl fmt::Debug for ShareRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareRecipient({self})")
    }
}

impl PartialEq for ShareRecipient {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ShareRecipient {}

impl std::hash::Hash for ShareRecipient {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// As `age-plugin-yubikey` prints them; from its README.
    const YUBIKEY: &str = "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt";

    #[test]
    fn recipients_of_plugins_are_recipients_and_say_which_plugin() {
        let recipient: ShareRecipient = YUBIKEY.parse().unwrap();
        assert_eq!(recipient.plugin(), Some("yubikey"));
        assert_eq!(recipient.to_string(), YUBIKEY);
        assert_eq!(recipient.to_recipient().to_string(), YUBIKEY);
        let own: ShareRecipient = age::x25519::Identity::generate().to_public().into();
        assert_eq!(own.plugin(), None);
        assert_ne!(own, recipient);
    }

    #[test]
    fn what_is_no_recipient_is_refused() {
        for bad in [
            "",
            "age1",
            "alice",
            &YUBIKEY.to_uppercase(),
            &YUBIKEY.replace("3hy", "3hx"),
        ] {
            let error = bad.parse::<ShareRecipient>().unwrap_err().to_string();
            assert!(
                error.starts_with("neither an age X25519 recipient"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn a_plugin_that_is_not_here_is_named() {
        let recipient: ShareRecipient = YUBIKEY.parse().unwrap();
        assert_eq!(
            recipient.seal(b"x").unwrap_err().to_string(),
            "the age plugin age-plugin-yubikey is not on the PATH"
        );
    }
}
