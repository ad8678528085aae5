//! What opens a holder's shares: an age X25519 identity, or one of an age plugin that leads to a hardware key.
#![allow(clippy::print_stderr)]

use std::io::{self, IsTerminal};

use age::Callbacks;
use age::plugin::IdentityPluginV1;
use age::secrecy::SecretString;

use super::ShareRecipient;

/// An identity of an age plugin (`AGE-PLUGIN-NAME-1...`) and the recipient that it opens.
///
/// The identity names a slot of a hardware key; the secret never leaves that key. Which recipient belongs to it only the
/// plugin knows, so both are given together.
#[derive(Clone)]
pub struct PluginIdentity {
    pub(super) identity: age::plugin::Identity,
    pub(super) recipient: ShareRecipient,
}

impl PluginIdentity {
    /// Pairs an identity with its recipient.
    ///
    /// # Errors
    /// Says which of both is wrong.
    pub fn new(identity: &str, recipient: ShareRecipient) -> Result<Self, &'static str> {
        let identity: age::plugin::Identity = identity
            .parse()
            .map_err(|_| "the age identity is not one of a plugin (AGE-PLUGIN-NAME-1...)")?;
        if recipient.plugin() != Some(identity.plugin()) {
            return Err("identity and recipient are not of one age plugin");
        }
        Ok(Self {
            identity,
            recipient,
        })
    }

    /// The identity and, in the next line of a key file, its recipient.
    pub(super) fn to_lines(&self) -> String {
        format!("{}\nrecipient {}", self.identity, self.recipient)
    }
}

impl std::fmt::Debug for PluginIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PluginIdentity({}, ..)", self.recipient)
    }
}

/// The program that a key needs is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the age plugin {0} is not on the PATH")]
pub struct MissingPlugin(String);

impl MissingPlugin {
    pub(super) fn called(name: &str) -> Self {
        Self(format!("age-plugin-{name}"))
    }
}

/// The identity in a holder's key file.
pub(super) enum OwnIdentity {
    X25519(age::x25519::Identity),
    Plugin(PluginIdentity),
}

impl OwnIdentity {
    pub(super) fn recipient(&self) -> ShareRecipient {
        match self {
            Self::X25519(identity) => identity.to_public().into(),
            Self::Plugin(plugin) => plugin.recipient.clone(),
        }
    }

    /// As age takes it.
    pub(super) fn to_age(&self) -> Result<Box<dyn age::Identity>, MissingPlugin> {
        match self {
            Self::X25519(identity) => Ok(Box::new(identity.clone())),
            Self::Plugin(PluginIdentity { identity, .. }) => {
                let name = identity.plugin();
                let plugin =
                    IdentityPluginV1::new(name, std::slice::from_ref(identity), AtTheTerminal)
                        .map_err(|_| MissingPlugin::called(name))?;
                Ok(Box::new(plugin))
            }
        }
    }
}

/// What a plugin wants to say or ask goes over the terminal; without one it is told that nobody answers.
#[derive(Clone, Copy)]
pub(super) struct AtTheTerminal;

impl Callbacks for AtTheTerminal {
    fn display_message(&self, message: &str) {
        eprintln!("{message}");
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let choice = format!("{message} [{yes}/{}]", no.unwrap_or("no"));
        let answer = self.request_public_string(&choice)?;
        Some(answer.eq_ignore_ascii_case(yes) || answer.eq_ignore_ascii_case("y"))
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        if !io::stdin().is_terminal() {
            return None;
        }
        eprint!("{description}: ");
        let mut line = String::new();
        io::stdin().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let entered = rpassword::prompt_password(format!("{description}: ")).ok()?;
        Some(SecretString::from(entered))
    }
}
