//! What is signed in a reshare beside the manifest: the proposal, confirmations, waivers. All canonical JSON.
//!
//! ```text
//! proposal      {"proposal":{"manifest":{...},"plan":"64 hex","session":"64 hex","v":1},"signature":"128 hex"}
//!               signed by the node key over "dta reshare proposal v1\n" || canonical JSON of `proposal`; `session` is the
//!               session hash, `plan` SHA-256 of the plan file, `manifest` the successor without signatures
//! confirmation  {"holder":NAME,"index":1..16,"manifest":"64 hex","signature":"128 hex","v":1}
//!               signed by the new holder over "dta reshare confirmation v1\n" || manifest hash (32) || index (1)
//! waiver        {"holder":NAME,"index":1..16,"manifest":"64 hex","signature":"128 hex","signer":1..16,"v":1}
//!               signed by old holder `signer` over "dta reshare waiver v1\n" || manifest hash (32) || index (1)
//! ```

use quorum::{
    HolderKey, HolderSignature, Manifest, ManifestHash, Name, NodeKey, Purpose, ShareIndex,
    Version1,
};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, HexBytes};

/// What the node key's signature on a proposal is for.
pub const PROPOSAL: Purpose = Purpose::new("dta reshare proposal v1");
/// What a new holder's signature on a confirmation is for.
pub const CONFIRMATION: Purpose = Purpose::new("dta reshare confirmation v1");
/// What an old holder's signature on a waiver is for.
pub const WAIVER: Purpose = Purpose::new("dta reshare waiver v1");

/// What an authority proposes to its holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The version of this format.
    pub v: Version1,
    /// The hash of the session that asks.
    pub session: HexBytes<32>,
    /// SHA-256 of the plan file.
    pub plan: HexBytes<32>,
    /// The manifest that would be in force.
    pub manifest: Manifest,
}

impl Proposal {
    /// What the node key signs: the line of [`PROPOSAL`] and the canonical JSON.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        PROPOSAL.frame(&canonical::to_bytes(self))
    }
}

/// A proposal with the signature of the node key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedProposal {
    /// What was signed.
    pub proposal: Proposal,
    /// Ed25519, or ECDSA P-256 as `r || s`: 64 bytes.
    pub signature: HexBytes<64>,
}

impl SignedProposal {
    /// Whether `node` signed it.
    #[must_use]
    pub fn is_signed_by(&self, node: &NodeKey) -> bool {
        node.verify(&self.proposal.signed_bytes(), self.signature.as_bytes())
            .is_ok()
    }
}

/// A new holder has opened the new share and found it good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The version of this format.
    pub v: Version1,
    /// The successor manifest.
    pub manifest: ManifestHash,
    /// The holder's slot in it.
    pub index: ShareIndex,
    /// The name in that slot.
    pub holder: Name,
    /// The holder's signature.
    pub signature: HolderSignature,
}

impl Confirmation {
    /// Whether `key` signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &HolderKey) -> bool {
        let message = slot_of(&self.manifest, self.index);
        key.verify(CONFIRMATION, &message, &self.signature).is_ok()
    }
}

/// An old holder says that the new holder of a slot need not confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The version of this format.
    pub v: Version1,
    /// The successor manifest.
    pub manifest: ManifestHash,
    /// The slot that need not confirm.
    pub index: ShareIndex,
    /// The name in that slot.
    pub holder: Name,
    /// The old holder who signs, by the slot in the old set.
    pub signer: ShareIndex,
    /// That holder's signature.
    pub signature: HolderSignature,
}

impl Waiver {
    /// Whether `key` signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &HolderKey) -> bool {
        let message = slot_of(&self.manifest, self.index);
        key.verify(WAIVER, &message, &self.signature).is_ok()
    }
}

/// The message of confirmations and waivers: manifest hash and slot.
pub(super) fn slot_of(manifest: &ManifestHash, index: ShareIndex) -> Vec<u8> {
    [manifest.as_bytes().as_slice(), &[index.get()]].concat()
}
