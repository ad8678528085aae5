//! A session as it travels to holders who cannot reach the authority: the signed session with its manifest chain.
//!
//! Canonical JSON `{"v":1,"session":SIGNED SESSION,"chain":[SIGNED MANIFEST, ...]}`, genesis first, in [`Armoured::Request`].
//! The chain is verified while it is read; whether the holder should answer is for [`super::examine`].

use quorum::{ChainError, ManifestChain, SignedManifest, Version1};
use serde::{Deserialize, Serialize};

use super::armour::{ArmourError, Armoured};
use super::document::SignedSession;
use super::envelope::{Envelope, EnvelopeError};
use crate::canonical;

/// What an authority asks, with what proves that it may.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The session.
    pub session: SignedSession,
    /// The manifests, verified from genesis on.
    pub chain: ManifestChain,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFields {
    v: Version1,
    session: SignedSession,
    chain: Vec<SignedManifest>,
}

/// Why a text is no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The armour.
    #[error(transparent)]
    Armour(#[from] ArmourError),
    /// What is in it.
    #[error("not a session request")]
    NotJson(#[from] serde_json::Error),
    /// The manifests do not follow from one another.
    #[error("the request's manifest chain does not hold")]
    Chain(#[from] ChainError),
}

impl RequestError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Armour(error) => error.remedy(),
            Self::NotJson(_) => Some("use the version of dta that the authority runs"),
            Self::Chain(_) => {
                Some("do not answer; this authority cannot prove who its holders are")
            }
        }
    }
}

impl SessionRequest {
    /// The request as text to carry over any channel.
    #[must_use]
    pub fn to_armour(&self) -> String {
        let fields = RequestFields {
            v: Version1,
            session: self.session.clone(),
            chain: self.chain.manifests().to_vec(),
        };
        Armoured::Request.write(&canonical::to_bytes(&fields))
    }

    /// Reads a request out of a text and verifies its chain of manifests.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_armour(text: &[u8]) -> Result<Self, RequestError> {
        let document = Armoured::Request.read(text)?;
        let fields: RequestFields = serde_json::from_slice(&document)?;
        Ok(Self {
            session: fields.session,
            chain: ManifestChain::verify(fields.chain)?,
        })
    }
}

/// Why a text is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerTextError {
    /// The armour.
    #[error(transparent)]
    Armour(#[from] ArmourError),
    /// What is in it.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl AnswerTextError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Armour(error) => error.remedy(),
            Self::Envelope(_) => Some("use the version of dta that the authority runs"),
        }
    }
}

impl Envelope {
    /// The answer as text to carry over any channel.
    #[must_use]
    pub fn to_armour(&self) -> String {
        Armoured::Answer.write(&canonical::to_bytes(self))
    }

    /// Reads an answer out of a text.
    ///
    /// # Errors
    /// [`AnswerTextError`].
    pub fn from_armour(text: &[u8]) -> Result<Self, AnswerTextError> {
        Ok(Self::parse(&Armoured::Answer.read(text)?)?)
    }
}
