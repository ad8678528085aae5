//! The transcript of a ceremony: what was done, when, with what and by whom, signed by the node key.
//!
//! Canonical JSON `{"signature":"128 hex digits","transcript":{...}}`; the signature is over the line `dta transcript v1\n` and the
//! canonical JSON of `transcript`. It is closed before the state directory is put in place, so that its hash can be in the first
//! entry of the audit log; it holds no secret.

use quorum::{
    AuthorityId, Epoch, HolderKey, ManifestHash, Name, NodeKey, Purpose, SetId, ShareIndex,
    Timestamp, Version1,
};
use serde::{Deserialize, Serialize};

use crate::approval::SignedApproval;
use crate::canonical::{self, HexBytes};

/// What the node key's signature on a transcript is for.
pub const TRANSCRIPT: Purpose = Purpose::new("dta transcript v1");

/// Which ceremony it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CeremonyKind {
    /// A D-TA was founded.
    Init,
    /// A founding was rehearsed; there is no D-TA.
    Rehearsal,
}

/// The token as it described itself (`C_GetTokenInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptToken {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its firmware version.
    pub firmware: String,
}

/// A holder who took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attendance {
    /// The holder's place in the roster.
    pub index: ShareIndex,
    /// The holder's name.
    pub name: Name,
    /// The key with which the holder signed the manifest.
    pub sign_key: HolderKey,
    /// The name of the share file that was written and read back.
    pub share_file: String,
}

/// One step that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// From 1.
    pub number: u32,
    /// The step's name, such as `seal-key`.
    pub step: String,
    /// What came of it, in words.
    pub detail: String,
    /// When it was done, by the machine's clock.
    pub time: Timestamp,
}

/// What was done in a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// The version of this format.
    pub v: Version1,
    /// Which ceremony.
    pub ceremony: CeremonyKind,
    /// The program and its version.
    pub tool: String,
    /// What the D-TA is called.
    pub authority: Name,
    /// The hash of its genesis manifest.
    pub authority_id: AuthorityId,
    /// SHA-256 of the plan file.
    pub plan: HexBytes<32>,
    /// The approvals that counted, as they were given; empty when the plan names no approvers.
    pub approvals: Vec<SignedApproval>,
    /// The suites that the plan allows.
    pub suites: Vec<String>,
    /// The manifest that came of it.
    pub manifest_hash: ManifestHash,
    /// The set that was dealt.
    pub set_id: SetId,
    /// Its epoch.
    pub epoch: Epoch,
    /// How many shares open.
    pub m: u8,
    /// How many there are.
    pub n: u8,
    /// The token.
    pub token: TranscriptToken,
    /// Who took part, in the order of the roster.
    pub present: Vec<Attendance>,
    /// Every step, in order.
    pub steps: Vec<StepRecord>,
    /// The node whose key signs this.
    pub node: Name,
}

/// A transcript with the signature of the node key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTranscript {
    /// What was signed.
    pub transcript: Transcript,
    /// Ed25519, or ECDSA P-256 as `r || s`: 64 bytes.
    pub signature: HexBytes<64>,
}

/// Bytes that are no transcript.
#[derive(Debug, thiserror::Error)]
#[error("not a ceremony transcript")]
pub struct BadTranscript(#[from] serde_json::Error);

impl Transcript {
    /// What the node key signs.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        TRANSCRIPT.frame(&canonical::to_bytes(self))
    }
}

impl SignedTranscript {
    /// Reads `transcript.json`. Its signature is for [`SignedTranscript::is_signed_by`].
    ///
    /// # Errors
    /// [`BadTranscript`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BadTranscript> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// `transcript.json`: one line of canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = canonical::to_bytes(self);
        bytes.push(b'\n');
        bytes
    }

    /// SHA-256 of what the node key signed: the transcript's name in the audit log.
    #[must_use]
    pub fn hash(&self) -> HexBytes<32> {
        canonical::sha256(&self.transcript.signed_bytes())
    }

    /// Whether `node` signed it.
    #[must_use]
    pub fn is_signed_by(&self, node: &NodeKey) -> bool {
        node.node == self.transcript.node
            && node
                .verify(&self.transcript.signed_bytes(), self.signature.as_bytes())
                .is_ok()
    }
}
