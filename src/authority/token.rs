//! The authority's use of its HSM: is it the right token, and the node key's signatures.
//!
//! Everything here waits for the HSM and belongs on a blocking thread.

use std::path::Path;
use std::time::Duration;

use hsm::{HsmClient, HsmError, Timeouts, TokenId};
use quorum::{HsmKey, ManifestChain, Name};
use state::{AnchorCheck, AnchorError, AnchorObject};
use thiserror::Error;
use wire::{Problem, ProblemType};

/// Whoever asks for the status does not wait long.
const PATIENCE: Timeouts = Timeouts {
    connect: Duration::from_millis(500),
    request: Duration::from_secs(3),
};

/// A way to the HSM. It connects when it is first used, and again after the process was restarted.
#[derive(Clone, Debug)]
pub(super) struct Token {
    client: HsmClient,
    node: Name,
}

impl Token {
    /// For work that may take its time. `node` is the node's name, which is the label of its key.
    pub(super) fn new(socket: &Path, node: &Name) -> Self {
        Self {
            client: HsmClient::new(socket, Timeouts::default()),
            node: node.clone(),
        }
    }

    /// For a question that must be answered soon.
    pub(super) fn impatient(socket: &Path, node: &Name) -> Self {
        Self {
            client: HsmClient::new(socket, PATIENCE),
            node: node.clone(),
        }
    }

    /// The client, for opening what only the HSM opens.
    pub(super) fn client(&self) -> &HsmClient {
        &self.client
    }

    /// Signs with the node key: 64 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        self.client.sign(self.node.as_str(), message)
    }

    /// Checks that the token is one of the manifest's and its seal key works; returns which.
    pub(super) fn check_key<'a>(&self, chain: &'a ManifestChain) -> Result<&'a HsmKey, TokenError> {
        let token = self.client.token_info()?.id();
        let keys = &chain.current().hsm_keys;
        let key = keys
            .iter()
            .find(|key| key.hsm.as_str() == token.serial)
            .ok_or(TokenError::NotListed(token))?;
        self.client.check_seal_key(key.key_label.as_str())?;
        Ok(key)
    }

    /// Checks that the disk is not older than what the token has seen, that the token is one of the
    /// manifest's, and that it holds the node key of the manifest.
    pub(super) fn compare<'a>(&self, chain: &'a ManifestChain) -> Result<&'a HsmKey, TokenError> {
        let key = self.check_key(chain)?;
        let label = AnchorObject::label(&chain.authority_id());
        let anchor = AnchorObject::decode(&self.client.get_data(&label)?)?;
        match anchor.compare(chain)? {
            AnchorCheck::Same => {}
            AnchorCheck::TokenBehind => {
                self.client
                    .put_data(&label, &AnchorObject::of(chain).encode())?;
            }
        }
        let found = self.client.find_node_key(self.node.as_str())?;
        let mut listed = chain.current().node_keys.iter();
        if !listed.any(|key| key.node == self.node && key.public_key() == found.public_key) {
            return Err(TokenError::OtherNodeKey(self.node.clone()));
        }
        Ok(key)
    }
}

/// The HSM cannot be used, or is not the right one.
#[derive(Debug, Error)]
pub(super) enum TokenError {
    /// The HSM.
    #[error(transparent)]
    Hsm(#[from] HsmError),
    /// The disk is older than the token, or they belong to different authorities.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// Another token.
    #[error("token {0} is none of those that the manifest names")]
    NotListed(TokenId),
    /// The node key is another.
    #[error("the token's key {0} is not the node key of the manifest")]
    OtherNodeKey(Name),
    /// A key was destroyed and is still there.
    #[error("seal key {0} was destroyed, and the token still has it")]
    StillThere(Name),
}

impl TokenError {
    /// What the operator can do about it.
    pub(super) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Hsm(error) => error.remedy(),
            Self::Anchor(error) => error.remedy(),
            Self::StillThere(_) => Some(
                "destroy it with the vendor's tool; with it old shares and old backups still open",
            ),
            Self::NotListed(_) | Self::OtherNodeKey(_) => {
                Some("check in hsm.toml that this is the right token for this D-TA")
            }
        }
    }

    /// As the operator socket says it.
    pub(super) fn problem(&self) -> Problem {
        let kind = match self {
            Self::Anchor(_) => ProblemType::Conflict,
            Self::Hsm(_) | Self::NotListed(_) | Self::OtherNodeKey(_) | Self::StillThere(_) => {
                ProblemType::HsmUnavailable
            }
        };
        with_remedy(Problem::new(kind, self.to_string()), self.remedy())
    }
}

/// Adds what a person can do, where it is more than the problem type's own advice.
pub(super) fn with_remedy(problem: Problem, remedy: Option<&str>) -> Problem {
    match remedy {
        Some(remedy) => problem.with("remedy", remedy.into()),
        None => problem,
    }
}
