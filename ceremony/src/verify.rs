//! Whether a transcript, a manifest and a plan belong together: checked offline, from the public files alone.
//!
//! One order of checks; the first thing that does not fit is named. What is proven is that the holders whom the plan names have
//! signed the manifest, and that the node key of that manifest has signed this account of the ceremony. That the account is true
//! rests on the tool and the witnesses.

use audit::VerifierKey;
use quorum::{ChainError, Holder, ManifestChain, NodeKey, SignedManifest};

use crate::approval::{Approved, NotApproved};
use crate::init;
use crate::plan::Plan;
use crate::transcript::{CeremonyKind, SignedTranscript, Transcript};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Papers<'a> {
    /// `transcript.json`.
    pub transcript: &'a SignedTranscript,
    /// `manifest.json`, the genesis.
    pub manifest: &'a SignedManifest,
    /// The plan.
    pub plan: &'a Plan,
    /// `authority.vkey`, where there is one.
    pub verifier: Option<&'a VerifierKey>,
}

/// What was proven, in the order of proving; a sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven(pub Vec<String>);

/// The first thing that does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The manifest's signatures.
    #[error("the manifest does not verify")]
    Manifest(#[from] ChainError),
    /// A transcript of a rehearsal.
    #[error("the transcript is of a rehearsal: no D-TA came of it")]
    Rehearsal,
    /// The transcript names a node that the manifest does not.
    #[error("the transcript is signed by node {0}, which the manifest does not name")]
    Node(String),
    /// The transcript was changed after it was signed, or is somebody else's.
    #[error(
        "the node key's signature on the transcript does not verify: it was changed after it was signed"
    )]
    Signature,
    /// A field says something else than the manifest or the plan.
    #[error("{field}: the transcript says {transcript}, {paper} says {other}")]
    Field {
        /// Which.
        field: &'static str,
        /// What the transcript has.
        transcript: String,
        /// `the manifest` or `the plan`.
        paper: &'static str,
        /// What that has.
        other: String,
    },
    /// Manifest and plan name different holders.
    #[error("holder {index}: the manifest names {manifest}, the plan names {plan}")]
    Holder {
        /// The holder's place, from 1.
        index: usize,
        /// Name, key and recipient in the manifest.
        manifest: String,
        /// Name, key and recipient in the plan.
        plan: String,
    },
    /// The approvals in the transcript.
    #[error("the approvals in the transcript are not enough")]
    Approvals(#[from] NotApproved),
    /// The steps are not those of a ceremony for this plan.
    #[error("step {number}: the transcript has {found}, a ceremony for this plan has {expected}")]
    Step {
        /// Which, from 1.
        number: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// `authority.vkey` is another key.
    #[error("authority.vkey is not the node key of the manifest, or belongs to another D-TA")]
    Verifier,
}

impl Misfit {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Rehearsal => Some("pass the transcript.json of the ceremony itself"),
            Self::Field { field: "plan", .. } => {
                Some("pass the plan file that was used, byte for byte")
            }
            _ => Some(
                "pass the files of one ceremony; if they are, do not trust this D-TA and call its holders",
            ),
        }
    }
}

/// Checks the papers.
///
/// # Errors
/// [`Misfit`]: the first thing that does not fit.
pub fn verify(papers: Papers<'_>) -> Result<Proven, Misfit> {
    let (transcript, plan) = (&papers.transcript.transcript, papers.plan);
    let chain = ManifestChain::verify(vec![papers.manifest.clone()])?;
    if transcript.ceremony == CeremonyKind::Rehearsal {
        return Err(Misfit::Rehearsal);
    }
    let node = check_signature(&papers, &chain)?;
    check_manifest(transcript, &chain)?;
    check_plan(transcript, plan)?;
    check_holders(transcript, &chain, plan)?;
    let approvals = check_approvals(transcript, plan)?;
    check_steps(transcript, plan)?;
    if let Some(verifier) = papers.verifier {
        let own = init::verifier_key(chain.authority_id(), node).map_err(|_| Misfit::Verifier)?;
        if own.to_file() != verifier.to_file() {
            return Err(Misfit::Verifier);
        }
    }
    let names: Vec<_> = transcript
        .present
        .iter()
        .map(|present| present.name.as_str())
        .collect();
    let mut proven = vec![
        format!(
            "the manifest is the genesis of {} and signed by {}",
            transcript.authority,
            names.join(", ")
        ),
        format!(
            "the transcript is signed by the manifest's node key {}",
            node.node
        ),
        format!(
            "it is of this plan, {} of {}, on token {}, serial {}, firmware {}",
            transcript.m,
            transcript.n,
            transcript.token.label,
            transcript.token.serial,
            transcript.token.firmware
        ),
        approvals,
        format!(
            "it has every step of a ceremony for this plan, {} in all, by {}",
            transcript.steps.len(),
            transcript.tool
        ),
    ];
    if papers.verifier.is_some() {
        proven.push("authority.vkey is the node key of the manifest".to_owned());
    }
    if transcript
        .steps
        .windows(2)
        .any(|pair| pair[1].time < pair[0].time)
    {
        proven.push("note: the machine's clock was set back during the ceremony; the order of the steps is that of their numbers".to_owned());
    }
    Ok(Proven(proven))
}

fn check_signature<'c>(
    papers: &Papers<'_>,
    chain: &'c ManifestChain,
) -> Result<&'c NodeKey, Misfit> {
    let name = &papers.transcript.transcript.node;
    let node = chain
        .genesis()
        .node_keys
        .iter()
        .find(|node| node.node == *name)
        .ok_or_else(|| Misfit::Node(name.to_string()))?;
    if papers.transcript.is_signed_by(node) {
        Ok(node)
    } else {
        Err(Misfit::Signature)
    }
}

fn check_manifest(transcript: &Transcript, chain: &ManifestChain) -> Result<(), Misfit> {
    let (genesis, the) = (chain.genesis(), "the manifest");
    let set = &genesis.unlock;
    same(
        "authority_id",
        &transcript.authority_id,
        the,
        &chain.authority_id(),
    )?;
    same(
        "manifest_hash",
        &transcript.manifest_hash,
        the,
        &genesis.hash(),
    )?;
    same("authority", &transcript.authority, the, &genesis.authority)?;
    same("set_id", &transcript.set_id, the, &set.set_id())?;
    same("epoch", &transcript.epoch, the, &set.epoch())?;
    same("m", &transcript.m, the, &set.threshold().m())?;
    same("n", &transcript.n, the, &set.threshold().n())?;
    let token = &genesis.hsm_keys[0];
    same(
        "token.serial",
        &transcript.token.serial.as_str(),
        the,
        &token.hsm.as_str(),
    )?;
    same(
        "token.label",
        &transcript.token.label.as_str(),
        the,
        &token.token_label.as_str(),
    )
}

fn check_plan(transcript: &Transcript, plan: &Plan) -> Result<(), Misfit> {
    let the = "the plan";
    same("plan", &transcript.plan, the, &plan.hash.0)?;
    same("authority", &transcript.authority, the, &plan.authority)?;
    same("m", &transcript.m, the, &plan.unlock.threshold.m())?;
    same("n", &transcript.n, the, &plan.unlock.threshold.n())?;
    same(
        "token.label",
        &transcript.token.label,
        the,
        &plan.token.label,
    )?;
    same(
        "token.serial",
        &transcript.token.serial,
        the,
        &plan.token.serial,
    )?;
    let planned: Vec<_> = plan.suites.iter().map(ToString::to_string).collect();
    same(
        "suites",
        &transcript.suites.join(", "),
        the,
        &planned.join(", "),
    )
}

/// Manifest, plan and attendance name the same people with the same keys.
fn check_holders(
    transcript: &Transcript,
    chain: &ManifestChain,
    plan: &Plan,
) -> Result<(), Misfit> {
    let roster = chain.genesis().unlock.roster();
    for (holder, planned) in roster.iter().zip(&plan.unlock.holders) {
        let of =
            |name: &str, key: String, recipient: String| format!("{name} ({key}, {recipient})");
        let manifest = of(
            holder.name.as_str(),
            holder.sign_key.to_string(),
            holder.recipient.to_string(),
        );
        let plan = of(
            planned.name.as_str(),
            planned.sign_key.to_string(),
            planned.recipient.to_string(),
        );
        if manifest != plan {
            return Err(Misfit::Holder {
                index: holder.index.get().into(),
                manifest,
                plan,
            });
        }
    }
    let listed = |people: Vec<String>| people.join(", ");
    let present = transcript
        .present
        .iter()
        .map(|p| format!("{} {} {}", p.index, p.name, p.sign_key));
    let named = |holder: &Holder| format!("{} {} {}", holder.index, holder.name, holder.sign_key);
    same(
        "present",
        &listed(present.collect()),
        "the manifest",
        &listed(roster.iter().map(named).collect()),
    )
}

fn check_approvals(transcript: &Transcript, plan: &Plan) -> Result<String, Misfit> {
    let named = |(at, signed): (usize, &crate::approval::SignedApproval)| {
        (format!("approval {}", at + 1), signed.clone())
    };
    let given = transcript.approvals.iter().enumerate().map(named).collect();
    let approved = Approved::check(plan, given)?;
    Ok(match &plan.approval {
        None => "the plan names no approvers".to_owned(),
        Some(approval) => format!(
            "{} of {} approvers have signed the plan: {}",
            approved.approvals().len(),
            approval.approvers.len(),
            approved.names_for(plan)?
        ),
    })
}

fn check_steps(transcript: &Transcript, plan: &Plan) -> Result<(), Misfit> {
    let expected = init::recorded(plan);
    for at in 0..expected.len().max(transcript.steps.len()) {
        let found = transcript.steps.get(at);
        let fits = found.is_some_and(|step| {
            Some(&step.step.as_str()) == expected.get(at)
                && usize::try_from(step.number) == Ok(at + 1)
        });
        if !fits {
            return Err(Misfit::Step {
                number: at + 1,
                found: found.map_or("nothing".to_owned(), |step| {
                    format!("{} {}", step.number, step.step)
                }),
                expected: expected
                    .get(at)
                    .map_or("nothing".to_owned(), |name| format!("{} {name}", at + 1)),
            });
        }
    }
    Ok(())
}

fn same<T: PartialEq + ToString>(
    field: &'static str,
    transcript: &T,
    paper: &'static str,
    other: &T,
) -> Result<(), Misfit> {
    if transcript == other {
        return Ok(());
    }
    Err(Misfit::Field {
        field,
        transcript: transcript.to_string(),
        paper,
        other: other.to_string(),
    })
}
