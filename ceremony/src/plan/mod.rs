//! The plan of a ceremony: one reviewed TOML file that says everything but secrets.
//!
//! [`check()`] reads it and names every mistake at once, by line and field; only its success makes a [`Plan`], so whoever
//! holds a `Plan` holds a sound one. [`template()`] writes a commented plan from holders' public files. PKCS#11 slot, module
//! path and PIN have no place here: they belong to the machine, not to what people review.

mod approvers;
mod check;
mod reader;
mod template;

use std::fmt;

use mpin::Suite;
use quorum::{
    Commitments, Epoch, Holder, HolderKey, ManifestHash, Name, SetDescription, SetError, SetId,
    Threshold,
};

pub use check::{Mistake, Mistakes, check};
pub use template::{TemplateError, TemplateInput, template};

use crate::canonical::HexBytes;
use crate::holder::{HolderName, HolderSecrets, ShareRecipient};

/// The words that a plan must contain before one of several holders may open alone (`[unlock] one_alone`).
pub const ONE_ALONE: &str = "any one holder opens this alone";
/// The words that a plan must contain before a holder may be an approver too (`[approval] holders_approve`).
pub const HOLDERS_APPROVE: &str = "a holder may approve this plan too";
/// A plan is never longer, in bytes.
pub const LONGEST_PLAN: u64 = 256 * 1024;

/// A plan in which nothing is wrong.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the D-TA is called, on screens and in the manifest.
    pub authority: Name,
    /// The hash-to-curve suites that its customer keys may have.
    pub suites: Vec<Suite>,
    /// Who unlocks it.
    pub unlock: SetPlan,
    /// Who must have signed this plan before it is carried out; `None` when nobody need.
    pub approval: Option<ApprovalPlan>,
    /// The token that it lives on.
    pub token: TokenChoice,
    /// The manifest that a reshare succeeds; a plan without it founds a D-TA.
    pub succeeds: Option<ManifestHash>,
    /// SHA-256 of the file, so that `sha256sum plan.toml` shows the same.
    pub hash: PlanHash,
}

/// One set of holders.
#[derive(Clone, Debug)]
pub struct SetPlan {
    /// M and N; N is the number of `holders`.
    pub threshold: Threshold,
    /// In order of their share index, from 1.
    pub holders: Vec<PlannedHolder>,
    /// How many copies of each share the ceremony writes, 1 to 9: one set and its duplicates.
    pub copies: u8,
}

impl SetPlan {
    /// The set as a manifest describes it, once it is dealt.
    ///
    /// # Errors
    /// When the commitments are not M.
    pub fn describe(
        &self,
        set_id: SetId,
        epoch: Epoch,
        commitments: Commitments,
    ) -> Result<SetDescription, SetError> {
        let slots = self.threshold.indexes().zip(&self.holders);
        let roster = slots.map(|(index, planned)| Holder {
            index,
            name: planned.name.to_name(),
            sign_key: planned.sign_key,
            recipient: planned.recipient.to_recipient(),
        });
        SetDescription::new(set_id, epoch, self.threshold, roster.collect(), commitments)
    }
}

/// Who approves the plan by signing its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalPlan {
    /// How many approvals are needed: 2 or more, for nobody approves alone.
    pub m: u8,
    /// Who may approve.
    pub approvers: Vec<Approver>,
}

/// Somebody who may approve the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The approver's name.
    pub name: HolderName,
    /// The key that signs for this approver, made by `dta holder new`.
    pub sign_key: HolderKey,
}

/// A holder as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedHolder {
    /// The holder's name.
    pub name: HolderName,
    /// The key that signs for this holder.
    pub sign_key: HolderKey,
    /// The key that this holder's share is sealed to.
    pub recipient: ShareRecipient,
}

/// The token by what does not change: PKCS#11 slot numbers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenChoice {
    /// `CKA_LABEL` of the token.
    pub label: String,
    /// Its serial number.
    pub serial: String,
}

/// SHA-256 of a plan file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanHash(pub(crate) HexBytes<32>);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PlannedHolder {
    /// The holder of `key`.
    #[must_use]
    pub fn of(key: &HolderSecrets) -> Self {
        Self {
            name: key.name().clone(),
            sign_key: key.public().sign_key,
            recipient: key.public().recipient.clone(),
        }
    }
}

impl PlanHash {
    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl Plan {
    /// What a person should hear although nothing is wrong with it.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let threshold = self.unlock.threshold;
        let mut notices = Vec::new();
        if threshold.n() == 1 {
            let only = &self.unlock.holders[0].name;
            notices.push(format!(
                "M = N = 1: the unlock secret is not split. {only} alone opens this authority, and if the share of {only} \
                 is lost nobody does."
            ));
        } else if threshold.m() == 1 {
            notices.push(format!(
                "M = 1: any one of the {} holders opens this authority alone.",
                threshold.n()
            ));
        } else if threshold.m() == threshold.n() {
            notices.push(format!(
                "M = N: if one of the {} shares is lost, nobody opens this authority.",
                threshold.n()
            ));
        }
        match &self.approval {
            None => notices.push(
                "No approvers are named: whoever runs this plan is trusted to run the one that was reviewed.".to_owned(),
            ),
            Some(approval) if usize::from(approval.m) == approval.approvers.len() => notices.push(format!(
                "All {} approvers must approve: if one is away, the ceremony waits.",
                approval.m
            )),
            Some(_) => {}
        }
        if self.suites.contains(&Suite::Milagro) {
            notices.push(
                "Suite MILAGRO: revocation cannot be enforced against a customer who may enrol under it.".to_owned(),
            );
        }
        notices
    }
}

#[cfg(test)]
mod tests;
