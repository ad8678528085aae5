//! Approvals: an approver's signature on the hash of a plan.
//!
//! `PLANHASH-NAME.approval` is one line of canonical JSON `{"approval":{...},"signature":"128 hex digits"}`; the signature is
//! over the line `dta plan approval v1\n` and the canonical JSON of `approval`. [`Approved::check`] decides whether a plan may be
//! carried out; only approvals of exactly this plan, by approvers it names, count, and each of them once.

use std::fmt;

use quorum::{HolderKey, HolderSignature, Name, Purpose, Timestamp, Version1};
use serde::{Deserialize, Serialize};

use crate::canonical::{self, HexBytes};
use crate::holder::{HolderName, HolderSecrets};
use crate::plan::{Approver, Plan};

/// What an approver's signature is for.
pub const APPROVAL: Purpose = Purpose::new("dta plan approval v1");
/// An approval file is never longer, in bytes.
pub const LONGEST_APPROVAL: u64 = 4096;

/// What an approver says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The version of this format.
    pub v: Version1,
    /// SHA-256 of the plan file.
    pub plan: HexBytes<32>,
    /// What the D-TA is called, for people who look at the file.
    pub authority: Name,
    /// The approver's name.
    pub name: Name,
    /// The approver's key.
    pub sign_key: HolderKey,
    /// When, by the approver's own clock.
    pub time: Timestamp,
}

/// An approval with the approver's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedApproval {
    /// What was signed.
    pub approval: Approval,
    /// Ed25519, 64 bytes.
    pub signature: HolderSignature,
}

/// Why somebody cannot approve a plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotApprove {
    /// The plan has no approvers.
    #[error("this plan names no approvers")]
    NoApprovers,
    /// The key is not one of theirs.
    #[error("the key of {0} is not that of an approver whom this plan names")]
    NotAnApprover(HolderName),
}

impl CannotApprove {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoApprovers => Some("add [approval] to the plan if it is to be approved"),
            Self::NotAnApprover(_) => Some("use the key whose public file went into the plan"),
        }
    }
}

/// Bytes that are no approval.
#[derive(Debug, thiserror::Error)]
#[error("not an approval file")]
pub struct BadApproval(#[from] serde_json::Error);

/// What is wrong with one approval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Of another plan, or of an earlier version of this one.
    #[error("{name} approved another plan, {plan}")]
    OtherPlan {
        /// Who.
        name: Name,
        /// The hash that was approved.
        plan: HexBytes<32>,
    },
    /// By nobody whom the plan names.
    #[error("{0} is not an approver whom the plan names, or signs with another key")]
    Stranger(Name),
    /// Changed after it was signed.
    #[error("the signature of {0} does not verify: it was changed after it was signed")]
    Signature(Name),
    /// A second one of the same approver.
    #[error("{0} has approved already; two approvals of one person count once")]
    Twice(Name),
}

/// An approval that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Where it came from: the path of its file.
    pub source: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.fault)
    }
}

/// Too few approvals that count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan needs {needed} approvals of exactly this file and has {}{}", .given.len(), listed(.given, .bad))]
pub struct NotApproved {
    /// How many are needed.
    pub needed: u8,
    /// Whose approvals count.
    pub given: Vec<Name>,
    /// Each one that does not count.
    pub bad: Vec<Bad>,
}

impl NotApproved {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some(
            "have more approvers run `dta ceremony approve` on this very file, and pass each --approval",
        )
    }
}

fn listed(given: &[Name], bad: &[Bad]) -> String {
    let mut text = String::new();
    if !given.is_empty() {
        let names: Vec<_> = given.iter().map(Name::as_str).collect();
        text = format!(" ({})", names.join(", "));
    }
    for bad in bad {
        text.push_str(&format!("; {bad}"));
    }
    text
}

/// Proof that a plan may be carried out: enough approvals count, or it names no approvers.
#[derive(Clone, Debug)]
pub struct Approved {
    approvals: Vec<SignedApproval>,
    bad: Vec<Bad>,
}

impl Approval {
    fn signed_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self)
    }
}

impl SignedApproval {
    /// The approval of `plan` by the holder of `key`.
    ///
    /// # Errors
    /// [`CannotApprove`] when the plan does not name this key as that of an approver.
    pub fn sign(plan: &Plan, key: &HolderSecrets, now: Timestamp) -> Result<Self, CannotApprove> {
        let approvers = &plan
            .approval
            .as_ref()
            .ok_or(CannotApprove::NoApprovers)?
            .approvers;
        let sign_key = key.public().sign_key;
        let approver = approvers
            .iter()
            .find(|approver| approver.sign_key == sign_key)
            .ok_or_else(|| CannotApprove::NotAnApprover(key.name().clone()))?;
        let approval = Approval {
            v: Version1,
            plan: plan.hash.0,
            authority: plan.authority.clone(),
            name: approver.name.to_name(),
            sign_key,
            time: now,
        };
        Ok(Self {
            signature: key.sign(APPROVAL, &approval.signed_bytes()),
            approval,
        })
    }

    /// Reads an approval file. Whether it counts is for [`Approved::check`].
    ///
    /// # Errors
    /// [`BadApproval`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BadApproval> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// One line of canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = canonical::to_bytes(self);
        bytes.push(b'\n');
        bytes
    }

    /// `PLANHASH-NAME.approval`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.approval", self.approval.plan, self.approval.name)
    }

    /// What is wrong with this approval of `plan` by one of `approvers`.
    fn fault(&self, plan: &Plan, approvers: &[Approver]) -> Option<Fault> {
        let Approval {
            plan: approved,
            name,
            sign_key,
            ..
        } = &self.approval;
        if *approved != plan.hash.0 {
            return Some(Fault::OtherPlan {
                name: name.clone(),
                plan: *approved,
            });
        }
        let named = |approver: &Approver| {
            approver.name.to_name() == *name && approver.sign_key == *sign_key
        };
        if !approvers.iter().any(named) {
            return Some(Fault::Stranger(name.clone()));
        }
        sign_key
            .verify(APPROVAL, &self.approval.signed_bytes(), &self.signature)
            .err()
            .map(|_| Fault::Signature(name.clone()))
    }
}

impl Approved {
    /// No approvals: for a plan without approvers, and for a rehearsal.
    #[must_use]
    pub fn by_nobody() -> Self {
        Self {
            approvals: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// Checks approvals of `plan`, each with the path it came from.
    ///
    /// # Errors
    /// [`NotApproved`] when too few count; it names each one that does not.
    pub fn check(
        plan: &Plan,
        approvals: Vec<(String, SignedApproval)>,
    ) -> Result<Self, NotApproved> {
        let (needed, approvers) = plan.approval.as_ref().map_or((0, &[][..]), |approval| {
            (approval.m, &approval.approvers[..])
        });
        let mut approved = Self {
            approvals: Vec::new(),
            bad: Vec::new(),
        };
        for (source, signed) in approvals {
            let name = &signed.approval.name;
            let twice = approved
                .approvals
                .iter()
                .any(|other| other.approval.name == *name);
            let fault = signed
                .fault(plan, approvers)
                .or_else(|| twice.then(|| Fault::Twice(name.clone())));
            match fault {
                Some(fault) => approved.bad.push(Bad { source, fault }),
                None => approved.approvals.push(signed),
            }
        }
        if approved.approvals.len() >= usize::from(needed) {
            return Ok(approved);
        }
        Err(NotApproved {
            needed,
            given: approved.names(),
            bad: approved.bad,
        })
    }

    /// The approvals that count, in the order in which they were given.
    #[must_use]
    pub fn approvals(&self) -> &[SignedApproval] {
        &self.approvals
    }

    /// The names of those who approved `plan`, for a screen.
    ///
    /// # Errors
    /// [`NotApproved`] when these approvals are of another plan.
    pub fn names_for(&self, plan: &Plan) -> Result<String, NotApproved> {
        let named = |signed: &SignedApproval| (signed.approval.name.to_string(), signed.clone());
        let of_this = Self::check(plan, self.approvals.iter().map(named).collect())?;
        let names = of_this.names();
        Ok(names
            .iter()
            .map(Name::as_str)
            .collect::<Vec<_>>()
            .join(", "))
    }

    /// Those that do not count, although there are enough without them.
    #[must_use]
    pub fn bad(&self) -> &[Bad] {
        &self.bad
    }

    fn names(&self) -> Vec<Name> {
        self.approvals
            .iter()
            .map(|signed| signed.approval.name.clone())
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plan::{TemplateInput, TokenChoice, check, template};

    fn person(name: &str) -> HolderSecrets {
        HolderSecrets::generate(&name.parse().unwrap()).unwrap()
    }

    fn plan(approvers: &[HolderSecrets]) -> Plan {
        let public: Vec<_> = approvers.iter().map(|key| key.public().clone()).collect();
        let text = template(TemplateInput {
            authority: &"east".parse().unwrap(),
            m: 1,
            holders: &[person("alice").public().clone()],
            approvers: &public,
            token: &TokenChoice {
                label: "l".into(),
                serial: "s".into(),
            },
        });
        check(&text.unwrap()).unwrap()
    }

    fn approve(plan: &Plan, key: &HolderSecrets) -> SignedApproval {
        SignedApproval::sign(plan, key, "2026-11-20T18:48:00Z".parse().unwrap()).unwrap()
    }

    fn from(sources: &[&SignedApproval]) -> Vec<(String, SignedApproval)> {
        let named = |(at, signed): (usize, &&SignedApproval)| {
            (format!("file-{}", at + 1), (*signed).clone())
        };
        sources.iter().enumerate().map(named).collect()
    }

    #[test]
    fn two_approvals_of_exactly_this_plan_are_enough() {
        let people = [person("x"), person("y"), person("z")];
        let plan = plan(&people);
        let signed: Vec<_> = people.iter().map(|key| approve(&plan, key)).collect();
        let read = SignedApproval::parse(&signed[0].to_bytes()).unwrap();
        assert_eq!(read, signed[0]);
        assert_eq!(read.file_name(), format!("{}-x.approval", plan.hash));
        let approved = Approved::check(&plan, from(&[&signed[2], &signed[0]])).unwrap();
        assert_eq!(approved.approvals().len(), 2);
        assert!(approved.bad().is_empty());
    }

    #[test]
    fn each_bad_approval_is_named_and_none_of_them_counts() {
        let people = [person("x"), person("y")];
        let (plan, other) = (plan(&people), plan(&people));
        let good = approve(&plan, &people[0]);
        let elsewhere = approve(&other, &people[1]);
        let mut changed = approve(&plan, &people[1]);
        changed.approval.time = "2026-11-21T18:48:00Z".parse().unwrap();
        let mut stranger = good.clone();
        stranger.approval.sign_key = person("x").public().sign_key;
        let error = Approved::check(
            &plan,
            from(&[&good, &elsewhere, &changed, &stranger, &good]),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the plan needs 2 approvals of exactly this file and has 1 (x); file-2: y approved another plan, {}; \
                 file-3: the signature of y does not verify: it was changed after it was signed; \
                 file-4: x is not an approver whom the plan names, or signs with another key; \
                 file-5: x has approved already; two approvals of one person count once",
                other.hash
            )
        );
        assert!(error.remedy().is_some());
        // With enough good ones the bad ones are still said.
        let also = approve(&plan, &people[1]);
        let approved = Approved::check(&plan, from(&[&good, &also, &elsewhere])).unwrap();
        assert_eq!(approved.bad().len(), 1);
    }

    #[test]
    fn who_is_not_named_cannot_approve() {
        let people = [person("x"), person("y")];
        let error = SignedApproval::sign(
            &plan(&people),
            &person("x"),
            "2026-11-20T18:48:00Z".parse().unwrap(),
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "the key of x is not that of an approver whom this plan names"
        );
        let none = plan(&[]);
        let error =
            SignedApproval::sign(&none, &people[0], "2026-11-20T18:48:00Z".parse().unwrap());
        assert_eq!(error.unwrap_err(), CannotApprove::NoApprovers);
        assert!(Approved::check(&none, Vec::new()).is_ok());
    }

    #[test]
    fn what_is_not_an_approval_is_refused() {
        assert_eq!(
            SignedApproval::parse(b"{}").unwrap_err().to_string(),
            "not an approval file"
        );
        let key = [person("x"), person("y")];
        let text = String::from_utf8(approve(&plan(&key), &key[0]).to_bytes()).unwrap();
        assert!(SignedApproval::parse(text.replace("\"v\":1", "\"v\":2").as_bytes()).is_err());
        assert!(
            SignedApproval::parse(
                text.replace("{\"approval\"", "{\"x\":1,\"approval\"")
                    .as_bytes()
            )
            .is_err()
        );
    }
}
