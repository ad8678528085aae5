//! The document that opens an unlock session: what the authority asks its holders for, signed by its node key.
//!
//! Canonical JSON `{"session":{...},"signature":"128 hex digits"}`. The signature of the node key is over
//! `"dta unlock session v1\n"` and the canonical JSON of `session`; the **session hash** is SHA-256 of the same bytes.

use std::fmt;
use std::str::FromStr;

use quorum::{AuthorityId, Epoch, ManifestHash, Name, Purpose, SetId, Timestamp, Version1};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, HexBytes};

/// What the node key's signature on a session is for.
pub const SESSION: Purpose = Purpose::new("dta unlock session v1");
/// A session is never longer, in bytes of JSON.
pub const LONGEST_SESSION: usize = 16 * 1024;

/// Names one session: 16 random bytes.
pub type SessionId = HexBytes<16>;

/// SHA-256 of what the node key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHash(HexBytes<32>);

impl SessionHash {
    pub(super) fn of(signed: &[u8]) -> Self {
        Self(canonical::sha256(signed))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the shares of a session will be used for. A holder's tool answers only the purpose it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SessionPurpose {
    /// Open the customer keys and begin to issue.
    Unlock,
    /// Give the D-TA new holders: the shares re-seal everything under a new set.
    Reshare,
}

impl SessionPurpose {
    /// The word used in documents and on the operator socket.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::Reshare => "reshare",
        }
    }
}

impl fmt::Display for SessionPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no purpose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a purpose of a session; there are `unlock` and `reshare`")]
pub struct UnknownPurpose(String);

impl FromStr for SessionPurpose {
    type Err = UnknownPurpose;

    fn from_str(word: &str) -> Result<Self, UnknownPurpose> {
        [Self::Unlock, Self::Reshare]
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
            .ok_or_else(|| UnknownPurpose(word.chars().take(64).collect()))
    }
}

/// The audit log as the authority sees it, so that holders can notice a shorter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Number of entries.
    pub size: u64,
    /// Root of the RFC 6962 tree over them.
    pub root: HexBytes<32>,
}

/// What an authority asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionDocument {
    /// The version of this format.
    pub v: Version1,
    /// The D-TA: hash of its genesis manifest.
    pub authority_id: AuthorityId,
    /// This session.
    pub session: SessionId,
    /// What the shares will be used for.
    pub purpose: SessionPurpose,
    /// The set whose shares are wanted.
    pub set_id: SetId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The current manifest.
    pub manifest_hash: ManifestHash,
    /// The node that asks, as named in that manifest.
    pub node: Name,
    /// Shares are sealed to this X25519 key, which lives in memory only.
    pub hpke_key: HexBytes<32>,
    /// The audit log, once it has a checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// SHA-256 of the running program, as it reports itself.
    pub binary: HexBytes<32>,
    /// SHA-256 of its configuration, as it reports itself.
    pub config: HexBytes<32>,
    /// When the session was opened, by the authority's clock.
    pub created: Timestamp,
    /// When it ends, by the same clock.
    pub expires: Timestamp,
}

impl SessionDocument {
    /// What the node key signs: the line of [`SESSION`] and the canonical JSON.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        SESSION.frame(&canonical::to_bytes(self))
    }

    /// The session hash.
    #[must_use]
    pub fn hash(&self) -> SessionHash {
        SessionHash::of(&self.signed_bytes())
    }
}

/// A session document with the signature of the node key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedSession {
    /// What was signed.
    pub session: SessionDocument,
    /// Ed25519, or ECDSA P-256 as `r || s`: 64 bytes.
    pub signature: HexBytes<64>,
}

/// Bytes that are no session document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// More than [`LONGEST_SESSION`] bytes.
    #[error("the session has {0} bytes; at most {LONGEST_SESSION} are read")]
    TooLong(usize),
    /// Not the JSON of a session.
    #[error("not an unlock session")]
    NotJson(#[from] serde_json::Error),
}

impl SignedSession {
    /// Reads the JSON of a signed session. Its signature is checked where it is answered.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, SessionError> {
        if bytes.len() > LONGEST_SESSION {
            return Err(SessionError::TooLong(bytes.len()));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}
