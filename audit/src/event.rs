//! What is logged: one variant per event, with the fields of its entry.
//!
//! An entry is the event's fields plus `v`, `index` and `time`, as canonical JSON. Version 1 may gain
//! events and optional fields; a field never changes its meaning. Nothing here can hold a share, a
//! proof, `s * Q`, or a digest or signature of an unsealed reply: each is an oracle for PINs, and an
//! identity appears only as its tag.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Hash, Hex, IdentityTag, Timestamp};

/// One event. `event` in the entry is the variant's name in kebab case: `ClientShare` is
/// `client-share`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A ceremony made this D-TA and its log.
    CeremonyInit {
        /// The hash of the genesis manifest, which is the authority id.
        authority: Hash,
        /// The authority's name.
        name: String,
        /// The set, its epoch and its threshold.
        #[serde(flatten)]
        set: Set,
        /// The whole roster.
        holders: Vec<Participant>,
        /// SHA-256 of the ceremony's transcript.
        #[serde(skip_serializing_if = "Option::is_none")]
        transcript: Option<Hash>,
    },
    /// The authority started, sealed.
    Start {
        /// The program's version.
        version: String,
        /// SHA-256 of the running binary.
        binary: Hash,
        /// SHA-256 of the configuration file.
        config: Hash,
        /// The registry's generation found on the disk.
        generation: u64,
    },
    /// The authority was started and refused to go on.
    StartRefused {
        /// Why, as it was told to the operator.
        reason: String,
    },
    /// The authority stops in good order.
    Stop {
        /// Why: `signal`, `operator`.
        reason: String,
    },
    /// An unlock session was opened.
    SessionOpened {
        /// The session's id.
        session: String,
        /// What it is for, as shown to the holders.
        purpose: String,
        /// The set it collects shares of.
        #[serde(flatten)]
        set: Set,
        /// When it ends, unix seconds.
        expires: u64,
        /// SHA-256 of the manifest it names.
        manifest: Hash,
    },
    /// An unlock session ended without unlocking; what was pending is wiped.
    SessionClosed {
        /// The session's id.
        session: String,
        /// Why: `expired`, `replaced`, `locked`.
        reason: String,
    },
    /// A holder's share was offered and judged.
    UnlockShare {
        /// The session's id.
        session: String,
        /// The index of the share: the holder's slot, from 1. (`index` is the entry's own.)
        slot: u8,
        /// The holder who signed the envelope.
        holder: String,
        /// `accepted`, `duplicate`, `other-set`, `stale-epoch`, `damaged` or `wrong-holder`.
        verdict: String,
    },
    /// The authority is unlocked.
    Unlocked {
        /// The session's id.
        session: String,
        /// The set that unlocked it.
        #[serde(flatten)]
        set: Set,
        /// Whose shares took part.
        holders: Vec<Participant>,
        /// The registry's generation that was found and checked.
        generation: u64,
    },
    /// Enough shares were there and the authority is still sealed.
    UnlockFailed {
        /// The session's id.
        session: String,
        /// Why, as it was told to the operator.
        reason: String,
    },
    /// The opened secrets were wiped.
    Locked {
        /// Why: `operator`, `stop`, `fault`.
        reason: String,
        /// The numeric user id that asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        operator: Option<u32>,
    },
    /// A customer was added.
    CustomerAdded(CustomerChange),
    /// A customer was suspended: every request of its keys is refused.
    CustomerSuspended(CustomerChange),
    /// A suspended customer may ask again.
    CustomerResumed(CustomerChange),
    /// A customer's policy was changed.
    PolicyChanged {
        /// Whose, by whom, and the generation after it.
        #[serde(flatten)]
        change: CustomerChange,
        /// SHA-256 of the new policy's canonical JSON.
        policy: Hash,
    },
    /// A signing key was registered for a customer.
    KeyAdded {
        /// Whose, by whom, and the generation after it.
        #[serde(flatten)]
        change: CustomerChange,
        /// The key's id.
        keyid: String,
        /// `ed25519` or `ecdsa-p256-sha256`.
        alg: String,
        /// What it may be used for, sorted.
        roles: Vec<String>,
    },
    /// A signing key was revoked.
    KeyRevoked {
        /// Whose, by whom, and the generation after it.
        #[serde(flatten)]
        change: CustomerChange,
        /// The key's id.
        keyid: String,
    },
    /// A customer's master secret was made and sealed.
    MasterKeyCreated {
        /// Whose, by whom, and the generation after it.
        #[serde(flatten)]
        change: CustomerChange,
        /// The key's version, such as `k1`.
        key: String,
        /// `RO`, `NU` or `MILAGRO`.
        suite: String,
        /// `s * G1`, 48 bytes compressed.
        commitment: Hex<48>,
        /// SHA-256 of the escrow's header, when there is a domain set.
        #[serde(skip_serializing_if = "Option::is_none")]
        escrow: Option<Hash>,
    },
    /// A change of the registry was found on the disk without its entry: the process was killed
    /// between the two.
    ChangeRecovered {
        /// What was changed, in words.
        change: String,
        /// The generation after it.
        generation: u64,
    },
    /// A reshare was opened: new holders are proposed, and a seal key is made for them.
    ReshareOpened {
        /// The id of the session that asks the old holders.
        session: String,
        /// SHA-256 of the plan.
        plan: Hash,
        /// The hash of the proposed manifest.
        manifest: Hash,
        /// The set that is proposed.
        #[serde(flatten)]
        set: Set,
        /// The numeric user id that asked for it.
        operator: u32,
    },
    /// An old holder signed the proposed manifest and proved to have the old share.
    ReshareConsent {
        /// The session's id.
        session: String,
        /// The holder's slot in the old set.
        slot: u8,
        /// The holder.
        holder: String,
    },
    /// A new holder opened the new share and confirmed it.
    ReshareConfirmed {
        /// The session's id.
        session: String,
        /// The holder's slot in the new set.
        slot: u8,
        /// The holder.
        holder: String,
    },
    /// An old holder signed that a new holder need not confirm.
    ReshareWaiver {
        /// The session's id.
        session: String,
        /// The slot in the new set that need not confirm.
        slot: u8,
        /// The holder of that slot.
        holder: String,
        /// The old holder who signed.
        signer: Participant,
    },
    /// A reshare ended without effect: the old set is in force.
    ReshareClosed {
        /// The session's id.
        session: String,
        /// Why: `expired`, `locked`, `stop` or `operator`.
        reason: String,
    },
    /// A reshare was committed: everything is sealed under the new set.
    Reshared {
        /// The session's id.
        session: String,
        /// The hash of the manifest in force now.
        manifest: Hash,
        /// The set in force now.
        #[serde(flatten)]
        set: Set,
        /// The old holders who consented.
        consented: Vec<Participant>,
        /// The new holders who did not confirm and were waived.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waived: Vec<Participant>,
        /// The registry's generation after it.
        generation: u64,
    },
    /// A seal key was destroyed on an HSM, and the HSM was asked again and has none of that label.
    SealKeyDestroyed {
        /// The HSM's serial number.
        hsm: String,
        /// The key's label.
        key: String,
        /// Why: `superseded` by a reshare, or `uncommitted` because a reshare was not.
        reason: String,
    },
    /// A client share was issued.
    ClientShare {
        /// The request.
        #[serde(flatten)]
        request: Request,
        /// The tag of the point `A`.
        identity: IdentityTag,
    },
    /// A server share was issued.
    ServerShare {
        /// The request.
        #[serde(flatten)]
        request: Request,
    },
    /// One chunk of time permits was issued, at most 256 of them.
    TimePermits {
        /// The request.
        #[serde(flatten)]
        request: Request,
        /// The tags of the points `A`, in the chunk's order.
        identities: Vec<IdentityTag>,
        /// The first day, `YYYY-MM-DD` in UTC.
        from: String,
        /// How many days for each identity.
        days: u32,
        /// The chunk's number within the reply, from 0.
        chunk: u32,
    },
    /// A correctly signed request was refused.
    Refused {
        /// The request; `key` is absent when it named none that exists.
        #[serde(flatten)]
        request: RefusedRequest,
        /// `client-share`, `server-share`, `time-permits`, ...
        op: String,
        /// The problem type's name, such as `suspended`.
        problem: String,
        /// The tag of the point `A`, when the request came that far.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity: Option<IdentityTag>,
    },
    /// How many requests were refused before a valid signature was found.
    RefusalCounts {
        /// The minute they were counted in, its first moment.
        minute: Timestamp,
        /// The count of each problem type; types with none are absent.
        counts: BTreeMap<String, u64>,
    },
    /// The log's last checkpoint is kept in this directory from now on.
    AnchorAdded {
        /// The directory.
        directory: String,
    },
    /// The journal ended in an incomplete entry, as after a crash; it was cut there.
    LogRepaired {
        /// The journal's length after the repair, in bytes.
        offset: u64,
        /// How many bytes were removed.
        removed: u64,
    },
    /// The wall clock cannot be right; nothing is issued until it is.
    ClockFault {
        /// What the wall clock said.
        wall: Timestamp,
        /// What it should at least, or about, have said.
        expected: Timestamp,
        /// `behind` (before the last entry) or `jumped` (against the monotonic clock).
        fault: String,
    },
}

/// A set of shares and its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The set's id, 16 bytes.
    pub set: Hex<16>,
    /// The set's epoch.
    pub epoch: u32,
    /// How many shares are needed.
    pub m: u8,
    /// How many there are.
    pub n: u8,
}

/// A holder on the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The share's index, from 1.
    pub index: u8,
    /// The holder's name.
    pub holder: String,
}

/// What every change of the registry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerChange {
    /// The customer's name.
    pub customer: String,
    /// The registry's generation after the change.
    pub generation: u64,
    /// The numeric user id that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<u32>,
}

/// The signed request behind an issue.
///
/// Not a hash of it: that would be an unkeyed hash of the identity in its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The customer's name.
    pub customer: String,
    /// The master key's version, such as `k1`.
    pub key: String,
    /// The id of the signing key.
    pub keyid: String,
    /// The request's nonce.
    pub nonce: String,
    /// The request's `expires`, unix seconds.
    pub expires: u64,
}

/// The signed request behind a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRequest {
    /// The customer's name.
    pub customer: String,
    /// The master key's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id of the signing key.
    pub keyid: String,
    /// The request's nonce.
    pub nonce: String,
    /// The request's `expires`, unix seconds.
    pub expires: u64,
}

/// How an event is treated when the log is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Something leaves the D-TA: refused while the clock cannot be right.
    Issuing,
    /// Refused when the disk is full.
    Ordinary,
    /// Written into the reserve when the disk is full.
    Reserved,
}

impl Event {
    /// The event's name in its entry.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CeremonyInit { .. } => "ceremony-init",
            Self::Start { .. } => "start",
            Self::StartRefused { .. } => "start-refused",
            Self::Stop { .. } => "stop",
            Self::SessionOpened { .. } => "session-opened",
            Self::SessionClosed { .. } => "session-closed",
            Self::UnlockShare { .. } => "unlock-share",
            Self::Unlocked { .. } => "unlocked",
            Self::UnlockFailed { .. } => "unlock-failed",
            Self::Locked { .. } => "locked",
            Self::CustomerAdded(_) => "customer-added",
            Self::CustomerSuspended(_) => "customer-suspended",
            Self::CustomerResumed(_) => "customer-resumed",
            Self::PolicyChanged { .. } => "policy-changed",
            Self::KeyAdded { .. } => "key-added",
            Self::KeyRevoked { .. } => "key-revoked",
            Self::MasterKeyCreated { .. } => "master-key-created",
            Self::ChangeRecovered { .. } => "change-recovered",
            Self::ReshareOpened { .. } => "reshare-opened",
            Self::ReshareConsent { .. } => "reshare-consent",
            Self::ReshareConfirmed { .. } => "reshare-confirmed",
            Self::ReshareWaiver { .. } => "reshare-waiver",
            Self::ReshareClosed { .. } => "reshare-closed",
            Self::Reshared { .. } => "reshared",
            Self::SealKeyDestroyed { .. } => "seal-key-destroyed",
            Self::ClientShare { .. } => "client-share",
            Self::ServerShare { .. } => "server-share",
            Self::TimePermits { .. } => "time-permits",
            Self::Refused { .. } => "refused",
            Self::RefusalCounts { .. } => "refusal-counts",
            Self::AnchorAdded { .. } => "anchor-added",
            Self::LogRepaired { .. } => "log-repaired",
            Self::ClockFault { .. } => "clock-fault",
        }
    }

    /// How the event is treated when the log is in trouble.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::ClientShare { .. } | Self::ServerShare { .. } | Self::TimePermits { .. } => {
                Class::Issuing
            }
            Self::Start { .. }
            | Self::StartRefused { .. }
            | Self::Stop { .. }
            | Self::SessionOpened { .. }
            | Self::SessionClosed { .. }
            | Self::UnlockShare { .. }
            | Self::Unlocked { .. }
            | Self::UnlockFailed { .. }
            | Self::Locked { .. }
            | Self::ClockFault { .. } => Class::Reserved,
            _ => Class::Ordinary,
        }
    }
}
