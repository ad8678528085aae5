//! The holders' side: examine what is proposed, sign it; open the new share, confirm it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use quorum::{
    Holder, Manifest, ManifestChain, ManifestSignature, NotAHolder, SetDescription, Version1,
};

use super::papers::{CONFIRMATION, Confirmation, SignedProposal, WAIVER, Waiver, slot_of};
use crate::holder::HolderSecrets;
use crate::plan::{Plan, PlanHash};
use crate::session::SignedSession;
use crate::sharefile::OpenedShare;

/// What a holder was shown.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the authority sent.
    pub proposal: &'a SignedProposal,
    /// The session that it sent with it.
    pub session: &'a SignedSession,
    /// The manifests in force, verified.
    pub chain: &'a ManifestChain,
    /// The plan that was reviewed.
    pub plan: &'a Plan,
}

/// Why a proposal is not signed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExamineError {
    /// Not signed by a node of the manifest in force.
    #[error("the proposal is not signed by a node of this authority")]
    NotSigned,
    /// It was made for another session.
    #[error("the proposal belongs to another session")]
    OtherSession,
    /// It does what the plan does not say.
    #[error("the proposal does not do what the plan says: {0} differs")]
    NotThePlan(&'static str),
    /// The plan is for another moment or another D-TA.
    #[error("the plan succeeds another manifest than the one in force, {0}")]
    OtherPredecessor(quorum::ManifestHash),
    /// It is no successor.
    #[error("the proposed manifest cannot follow the one in force: {0} differs")]
    NoSuccessor(&'static str),
    /// The key signs for nobody here.
    #[error("the manifest cannot be signed")]
    NotAHolder(#[from] NotAHolder),
}

impl ExamineError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::OtherPredecessor(_) => {
                Some("put the hash of the manifest in force into the plan as `succeeds`")
            }
            Self::NotAHolder(_) => Some("use the key of a holder of the set in force"),
            _ => Some("do not sign; tell the operator and the other holders"),
        }
    }
}

/// A proposal that does what the plan says. Only such a one is signed.
#[derive(Debug)]
pub struct Reviewed<'a> {
    candidate: Candidate<'a>,
}

/// Checks a proposal against the chain and the plan.
///
/// # Errors
/// The first reason not to sign.
pub fn examine(candidate: Candidate<'_>) -> Result<Reviewed<'_>, ExamineError> {
    let Candidate {
        proposal,
        session,
        chain,
        plan,
    } = candidate;
    let current = chain.current();
    let signed = |key| proposal.is_signed_by(key);
    let mut nodes = current.node_keys.iter();
    if !nodes.any(|key| key.node == session.session.node && signed(key)) {
        return Err(ExamineError::NotSigned);
    }
    if proposal.proposal.session.as_bytes() != session.session.hash().as_bytes() {
        return Err(ExamineError::OtherSession);
    }
    if plan.hash != PlanHash(proposal.proposal.plan) {
        return Err(ExamineError::NotThePlan("plan"));
    }
    check_plan(plan, chain)?;
    check_successor(&proposal.proposal.manifest, current)?;
    if let Some(part) = differs(plan, &proposal.proposal.manifest.unlock) {
        return Err(ExamineError::NotThePlan(part));
    }
    Ok(Reviewed { candidate })
}

/// Checks that a plan is for this moment of this D-TA.
///
/// # Errors
/// [`ExamineError::NotThePlan`] for another D-TA, [`ExamineError::OtherPredecessor`].
pub fn check_plan(plan: &Plan, chain: &ManifestChain) -> Result<(), ExamineError> {
    if plan.authority != chain.current().authority {
        return Err(ExamineError::NotThePlan("authority"));
    }
    let current = chain.current().hash();
    if plan.succeeds != Some(current) {
        return Err(ExamineError::OtherPredecessor(current));
    }
    Ok(())
}

fn check_successor(next: &Manifest, current: &Manifest) -> Result<(), ExamineError> {
    let hsms = |manifest: &Manifest| -> Vec<_> {
        let keys = manifest.hsm_keys.iter();
        keys.map(|key| (key.hsm.clone(), key.token_label.clone()))
            .collect()
    };
    let reused = next
        .hsm_keys
        .iter()
        .any(|key| current.hsm_keys.contains(key));
    let faults = [
        ("predecessor", next.predecessor != Some(current.hash())),
        ("authority", next.authority != current.authority),
        (
            "epoch",
            current.unlock.epoch().next() != Some(next.unlock.epoch()),
        ),
        ("set id", next.unlock.set_id() == current.unlock.set_id()),
        ("HSMs", hsms(next) != hsms(current)),
        ("seal key", reused),
        ("node keys", next.node_keys != current.node_keys),
        ("check value", next.check_value == current.check_value),
    ];
    match faults.iter().find(|(_, wrong)| *wrong) {
        Some((what, _)) => Err(ExamineError::NoSuccessor(what)),
        None => Ok(()),
    }
}

/// What of the set is not as planned.
fn differs(plan: &Plan, set: &SetDescription) -> Option<&'static str> {
    if set.threshold() != plan.unlock.threshold {
        return Some("M of N");
    }
    let same = |(holder, planned): (&Holder, &crate::plan::PlannedHolder)| {
        holder.name == planned.name.to_name()
            && holder.sign_key == planned.sign_key
            && holder.recipient == planned.recipient.to_recipient()
    };
    let all = set.roster().iter().zip(&plan.unlock.holders).all(same);
    (!all).then_some("roster")
}

impl<'a> Reviewed<'a> {
    /// The manifest that would be in force.
    #[must_use]
    pub fn manifest(&self) -> &'a Manifest {
        &self.candidate.proposal.proposal.manifest
    }

    /// Who is in the new roster and not in the old one.
    pub fn joining(&self) -> impl Iterator<Item = &'a Holder> {
        let old = &self.candidate.chain.current().unlock;
        let new = self.manifest().unlock.roster().iter();
        new.filter(move |holder| old.holder_by_key(&holder.sign_key).is_none())
    }

    /// Who is in the old roster and not in the new one.
    pub fn leaving(&self) -> impl Iterator<Item = &'a Holder> {
        let new = &self.manifest().unlock;
        let old = self.candidate.chain.current().unlock.roster().iter();
        old.filter(move |holder| new.holder_by_key(&holder.sign_key).is_none())
    }

    /// An old holder's consent.
    ///
    /// # Errors
    /// [`ExamineError::NotAHolder`].
    pub fn sign(&self, holder: &HolderSecrets) -> Result<ManifestSignature, ExamineError> {
        let signers = &self.candidate.chain.current().unlock;
        Ok(self.manifest().sign(signers, holder.signing_key())?)
    }

    /// A new holder's confirmation of the share that this holder opened.
    ///
    /// # Errors
    /// [`NotMyShare`]: nothing is signed.
    pub fn confirm(
        &self,
        holder: &HolderSecrets,
        opened: &OpenedShare,
    ) -> Result<Confirmation, NotMyShare> {
        let manifest = self.manifest();
        let (set, share) = (&manifest.unlock, opened.share());
        let not_mine = |what| NotMyShare {
            holder: holder.name().to_string(),
            what,
        };
        let slot = set
            .holder_by_key(&holder.public().sign_key)
            .ok_or_else(|| not_mine("holder"))?;
        let faults = [
            (
                "authority",
                share.genesis != self.candidate.chain.authority_id(),
            ),
            ("set", share.set_id != set.set_id()),
            ("epoch", share.epoch != set.epoch()),
            ("threshold", share.threshold != set.threshold()),
            ("index", share.index() != slot.index),
            ("holder", share.holder != slot.name),
            ("value", !set.commitments().accept(&share.value)),
            (
                "encoding",
                verify_slices_are_equal(&share.encode(), opened.encoded()).is_err(),
            ),
        ];
        if let Some((what, _)) = faults.iter().find(|(_, wrong)| *wrong) {
            return Err(not_mine(what));
        }
        let hash = manifest.hash();
        Ok(Confirmation {
            v: Version1,
            manifest: hash,
            index: slot.index,
            holder: slot.name.clone(),
            signature: holder.sign(CONFIRMATION, &slot_of(&hash, slot.index)),
        })
    }

    /// An old holder's word that the new holder `absent` need not confirm.
    ///
    /// # Errors
    /// [`ExamineError::NotAHolder`].
    pub fn waive(&self, holder: &HolderSecrets, absent: &Holder) -> Result<Waiver, ExamineError> {
        let signers = &self.candidate.chain.current().unlock;
        let signer = signers
            .holder_by_key(&holder.public().sign_key)
            .ok_or(NotAHolder)?;
        let hash = self.manifest().hash();
        Ok(Waiver {
            v: Version1,
            manifest: hash,
            index: absent.index,
            holder: absent.name.clone(),
            signer: signer.index,
            signature: holder.sign(WAIVER, &slot_of(&hash, absent.index)),
        })
    }
}

/// What was opened is not the share that the manifest describes for this holder.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the new share is not the one that the new manifest describes for {holder}: its {what} differs"
)]
pub struct NotMyShare {
    holder: String,
    what: &'static str,
}

impl NotMyShare {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some("do not confirm; tell the operator and the other holders")
    }
}
