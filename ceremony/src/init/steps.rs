//! The steps of a founding ceremony, each with the line that is shown for it: one definition for the ceremony itself, for its
//! transcript, for the printed script and for whoever verifies the transcript later.
//!
//! [`sequence`] is the order for a plan, with blanks where the facts will stand. The ceremony refuses to report any other step
//! than the next one of it, so a script cannot contain a step that does not happen, nor miss one that does.

use std::fmt::Display;

use quorum::ShareIndex;

use crate::plan::Plan;

/// What a script shows where the ceremony will show a fact.
const BLANK: &str = "................";

/// A step that is done, with the facts that were not known before.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    /// The plan was read and has no mistakes.
    Plan,
    /// The approvers' signatures on the plan were checked.
    Approvals {
        /// Whose.
        names: &'a dyn Display,
    },
    /// Nothing is in the way.
    Outputs {
        /// The output directory.
        out: &'a dyn Display,
        /// The state directory.
        state: &'a dyn Display,
    },
    /// The token of the plan is there.
    Token {
        /// Its serial number.
        serial: &'a dyn Display,
        /// Manufacturer, model and firmware.
        model: &'a dyn Display,
    },
    /// Dry pass: keys on the token, a throw-away secret dealt.
    DryDeal,
    /// Dry pass: the shares sealed to the holders and, to be opened, to throw-away keys.
    DryShares,
    /// Dry pass: both locks opened, everything wiped.
    DryOpen,
    /// The seal key was made.
    SealKey {
        /// Its label on the token.
        label: &'a dyn Display,
    },
    /// The node key was made.
    NodeKey {
        /// Algorithm.
        algorithm: &'a dyn Display,
        /// Its label on the token.
        label: &'a dyn Display,
        /// Its public half, in hex.
        public: &'a dyn Display,
    },
    /// The unlock secret was dealt.
    Deal {
        /// The set.
        set_id: &'a dyn Display,
    },
    /// The genesis manifest was written.
    Manifest {
        /// Its hash.
        hash: &'a dyn Display,
    },
    /// The HSM's half of the lock was wrapped.
    KHsm,
    /// A holder has a share and has signed.
    Share {
        /// Which.
        index: ShareIndex,
    },
    /// The set was opened.
    OpenSet,
    /// The transcript was closed.
    Transcript {
        /// Its hash.
        hash: &'a dyn Display,
    },
    /// The public files were written.
    Files,
    /// The D-TA exists.
    Commit {
        /// The state directory.
        state: &'a dyn Display,
    },
    /// Rehearsal: M holders have opened their shares again.
    DrillShares,
    /// Rehearsal: the state directory was opened.
    DrillOpen,
}

impl Step<'_> {
    /// Its name in a transcript.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Approvals { .. } => "approvals",
            Self::Outputs { .. } => "outputs",
            Self::Token { .. } => "token",
            Self::DryDeal => "dry-deal",
            Self::DryShares => "dry-shares",
            Self::DryOpen => "dry-open",
            Self::SealKey { .. } => "seal-key",
            Self::NodeKey { .. } => "node-key",
            Self::Deal { .. } => "deal",
            Self::Manifest { .. } => "manifest",
            Self::KHsm => "k-hsm",
            Self::Share { .. } => "share",
            Self::OpenSet => "open-set",
            Self::Transcript { .. } => "transcript",
            Self::Files => "files",
            Self::Commit { .. } => "commit",
            Self::DrillShares => "drill-shares",
            Self::DrillOpen => "drill-open",
        }
    }

    /// The line that the screen shows when it is done.
    #[must_use]
    pub fn line(&self, plan: &Plan) -> String {
        let threshold = plan.unlock.threshold;
        match self {
            Self::Plan => format!(
                "plan for {} checked: {threshold}, sha256 {}",
                plan.authority, plan.hash
            ),
            Self::Approvals { names } => format!(
                "approved by {names}; {} approvals are needed",
                approvals_needed(plan)
            ),
            Self::Outputs { out, state } => format!("nothing is in the way in {out} and {state}"),
            Self::Token { serial, model } => {
                format!("token {}, serial {serial} ({model})", plan.token.label)
            }
            Self::DryDeal => format!(
                "dry pass: two keys made on the token, a throw-away secret dealt {threshold}"
            ),
            Self::DryShares => format!(
                "dry pass: {} shares sealed to the holders' keys, written and read back; each also sealed to a \
                 throw-away key and opened again",
                threshold.n()
            ),
            Self::DryOpen => format!(
                "dry pass: {} throw-away shares and the HSM open both locks; keys, shares and secret are destroyed",
                threshold.m()
            ),
            Self::SealKey { label } => {
                format!("AES-256 seal key {label} made on the token; it cannot leave it")
            }
            Self::NodeKey {
                algorithm,
                label,
                public,
            } => {
                format!("{algorithm} node key {label} made on the token: {public}")
            }
            Self::Deal { set_id } => {
                format!("a fresh unlock secret is dealt {threshold}, set {set_id}")
            }
            Self::Manifest { hash } => format!("genesis manifest written: {hash}"),
            Self::KHsm => {
                "the HSM's half of the lock is wrapped inside the HSM and opens again".to_owned()
            }
            Self::Share { index } => {
                let name = plan
                    .unlock
                    .holders
                    .get(usize::from(index.get()) - 1)
                    .map_or(BLANK, |holder| holder.name.as_str());
                format!(
                    "share {index} of {} is sealed to {name}, written, read back and verified; {name} has signed the \
                     manifest",
                    threshold.n()
                )
            }
            Self::OpenSet => format!(
                "{} of the shares that were read back open the set",
                threshold.m()
            ),
            Self::Transcript { hash } => {
                format!("transcript closed and signed by the node key: {hash}")
            }
            Self::Files => {
                "manifest.json, authority.vkey and transcript.json are written".to_owned()
            }
            Self::Commit { state } => {
                format!("the D-TA exists: state, audit log and anchor stand in {state}")
            }
            Self::DrillShares => format!(
                "drill: {} holders opened their share files again",
                threshold.m()
            ),
            Self::DrillOpen => {
                "drill: their shares and the HSM open the state directory, as after a restart"
                    .to_owned()
            }
        }
    }
}

/// Every step of the ceremony for `plan`, in order, with blanks for what only the ceremony will know.
#[must_use]
pub fn sequence(plan: &Plan) -> Vec<Step<'static>> {
    let mut steps = vec![Step::Plan];
    if plan.approval.is_some() {
        steps.push(Step::Approvals { names: &BLANK });
    }
    steps.extend([
        Step::Outputs {
            out: &BLANK,
            state: &BLANK,
        },
        Step::Token {
            serial: &BLANK,
            model: &BLANK,
        },
        Step::DryDeal,
        Step::DryShares,
        Step::DryOpen,
        Step::SealKey { label: &BLANK },
        Step::NodeKey {
            algorithm: &BLANK,
            label: &BLANK,
            public: &BLANK,
        },
        Step::Deal { set_id: &BLANK },
        Step::Manifest { hash: &BLANK },
        Step::KHsm,
    ]);
    steps.extend(
        plan.unlock
            .threshold
            .indexes()
            .map(|index| Step::Share { index }),
    );
    steps.extend([
        Step::OpenSet,
        Step::Transcript { hash: &BLANK },
        Step::Files,
        Step::Commit { state: &BLANK },
    ]);
    steps
}

/// The names of the steps that stand in the transcript of a ceremony for `plan`: all before it is closed.
#[must_use]
pub fn recorded(plan: &Plan) -> Vec<&'static str> {
    sequence(plan)
        .iter()
        .map(Step::name)
        .take_while(|name| *name != "transcript")
        .collect()
}

fn approvals_needed(plan: &Plan) -> u8 {
    plan.approval.as_ref().map_or(0, |approval| approval.m)
}
