//! What a holder sends: a share sealed to the session, signed by the holder.
//!
//! Canonical JSON, all fields required:
//! ```text
//! v           1
//! session     session id, 32 hex digits
//! index       share index, 1 to 16
//! holder      the holder's name as in the roster
//! enc         HPKE encapsulated key, 64 hex digits
//! ciphertext  HPKE ciphertext with tag, hex
//! signature   Ed25519 by the holder's key, 128 hex digits, over
//!             "dta unlock envelope v1\n" || session hash (32 bytes) || index (1 byte) || enc (32 bytes) || ciphertext
//! ```

use quorum::{HolderKey, HolderSignature, Name, Purpose, ShareIndex, Version1};
use serde::{Deserialize, Serialize};

use super::document::{SessionHash, SessionId};
use crate::canonical::{self, HexBytes};

/// What a holder's signature on an envelope is for.
pub const ENVELOPE: Purpose = Purpose::new("dta unlock envelope v1");
/// An envelope is never longer, in bytes of JSON.
pub const LONGEST_ENVELOPE: usize = 16 * 1024;

/// One holder's answer to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The version of this format.
    pub v: Version1,
    /// The session that it answers.
    pub session: SessionId,
    /// The slot of the roster that it is for.
    pub index: ShareIndex,
    /// The name in that slot.
    pub holder: Name,
    /// HPKE's encapsulated key.
    pub enc: HexBytes<32>,
    /// HPKE's ciphertext and tag.
    #[serde(with = "hex::serde")]
    pub ciphertext: Vec<u8>,
    /// The holder's signature.
    pub signature: HolderSignature,
}

/// Bytes that are no envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// More than [`LONGEST_ENVELOPE`] bytes.
    #[error("the envelope has {0} bytes; at most {LONGEST_ENVELOPE} are read")]
    TooLong(usize),
    /// Not the JSON of an envelope.
    #[error("not an unlock envelope")]
    NotJson(#[from] serde_json::Error),
}

impl Envelope {
    /// Reads the JSON of an envelope. Its signature is for [`Envelope::is_signed_by`].
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > LONGEST_ENVELOPE {
            return Err(EnvelopeError::TooLong(bytes.len()));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The bytes that the holder signs, without the purpose.
    pub(super) fn signed_message(
        session: &SessionHash,
        index: ShareIndex,
        enc: &HexBytes<32>,
        ciphertext: &[u8],
    ) -> Vec<u8> {
        [
            session.as_bytes().as_slice(),
            &[index.get()],
            enc.as_bytes(),
            ciphertext,
        ]
        .concat()
    }

    /// SHA-256 over the whole envelope: tells one answer from another.
    pub(super) fn digest(&self) -> HexBytes<32> {
        canonical::sha256(&canonical::to_bytes(self))
    }

    /// Whether `key` signed this envelope for the session with this hash.
    #[must_use]
    pub fn is_signed_by(&self, key: &HolderKey, session: &SessionHash) -> bool {
        let message = Self::signed_message(session, self.index, &self.enc, &self.ciphertext);
        key.verify(ENVELOPE, &message, &self.signature).is_ok()
    }
}
