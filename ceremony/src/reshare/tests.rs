#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use proptest::prelude::*;
use quorum::{CheckValue, HsmKey, ManifestSignature, Timestamp};

use super::*;
use crate::holder::HolderSecrets;
use crate::plan::{self, Plan, TemplateInput, TokenChoice};
use crate::session::{
    Answerable, Envelope, Opening, Question, Seen, SessionPurpose, UnlockSession,
};
use crate::sharefile::{self, OpenedShare};
use crate::testing::{Dealt, node_key, node_sign};

/// A D-TA with an open reshare to other holders.
struct Room {
    old: Dealt,
    new: Vec<HolderSecrets>,
    plan: Plan,
    reshare: Reshare,
    directory: tempfile::TempDir,
    opened: Instant,
}

fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn open_share(path: &std::path::Path, holder: &HolderSecrets) -> OpenedShare {
    sharefile::open(path, holder).unwrap()
}

fn plan_for(dealt: &Dealt, m: u8, holders: &[HolderSecrets]) -> Plan {
    let public: Vec<_> = holders
        .iter()
        .map(|holder| holder.public().clone())
        .collect();
    let token = TokenChoice {
        label: "dta".to_owned(),
        serial: "7f3a".to_owned(),
    };
    let text = plan::template(TemplateInput {
        authority: &dealt.chain.current().authority,
        m,
        holders: &public,
        token: &token,
        approvers: &[],
    })
    .unwrap();
    let succeeds = format!(
        "plan = 1\nsucceeds = \"{}\"\n",
        dealt.chain.current().hash()
    );
    plan::check(&text.replacen("plan = 1\n", &succeeds, 1)).unwrap()
}

impl Room {
    /// From `old` M of N to `new` M of N; the first new holder is the first old one.
    fn new(old: (u8, u8), new: (u8, u8)) -> Self {
        let dealt = Dealt::new(old.0, old.1);
        let name = |number: u8| format!("new-{number}").parse().unwrap();
        let new_holders: Vec<_> = (1..=new.1)
            .map(|number| HolderSecrets::generate(&name(number)).unwrap())
            .collect();
        let plan = plan_for(&dealt, new.0, &new_holders);
        let opened = Instant::now();
        let reshare = propose(&dealt, &plan, opened);
        Self {
            old: dealt,
            new: new_holders,
            plan,
            reshare,
            directory: tempfile::tempdir().unwrap(),
            opened,
        }
    }

    fn reviewed(&self) -> Reviewed<'_> {
        examine(self.candidate()).unwrap()
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            proposal: self.reshare.proposal(),
            session: self.reshare.session().document(),
            chain: &self.old.chain,
            plan: &self.plan,
        }
    }

    fn consent_of(&self, number: u8) -> (Envelope, ManifestSignature) {
        let at = usize::from(number) - 1;
        let path = self.old.write_share(self.directory.path(), number);
        let share = open_share(&path, &self.old.holders[at]);
        std::fs::remove_file(path).unwrap();
        let seen = Seen::default();
        let answerable: Answerable<'_> = crate::session::examine(Question {
            session: self.reshare.session().document(),
            chain: &self.old.chain,
            purpose: SessionPurpose::Reshare,
            now: now(),
            seen: &seen,
            holder: &self.old.holders[at],
            share: &share,
        })
        .unwrap();
        let envelope = answerable.answer().unwrap();
        (
            envelope,
            self.reviewed().sign(&self.old.holders[at]).unwrap(),
        )
    }

    fn consent(&mut self, number: u8) {
        let (envelope, signature) = self.consent_of(number);
        self.reshare
            .consent(&envelope, &signature, self.opened)
            .unwrap();
    }

    /// What holder `number` of the new set finds in the sealed share of holder `sealed_to`.
    fn new_share(&self, number: u8) -> OpenedShare {
        let at = usize::from(number) - 1;
        let path = self.directory.path().join(format!("{number}.share"));
        let sealed = &self.reshare.sealed_shares().unwrap()[at];
        std::fs::write(&path, sealed).unwrap();
        open_share(&path, &self.new[at])
    }

    fn confirmation_of(&self, number: u8) -> Confirmation {
        let holder = &self.new[usize::from(number) - 1];
        self.reviewed()
            .confirm(holder, &self.new_share(number))
            .unwrap()
    }

    fn waiver_of(&self, signer: u8, absent: u8) -> Waiver {
        let reviewed = self.reviewed();
        let absent = &reviewed.manifest().unlock.roster()[usize::from(absent) - 1];
        let signer = &self.old.holders[usize::from(signer) - 1];
        reviewed.waive(signer, absent).unwrap()
    }
}

fn propose(dealt: &Dealt, plan: &Plan, opened: Instant) -> Reshare {
    let node = "node-1".parse().unwrap();
    let sign = |bytes: &[u8]| node_sign(&node_key(), bytes);
    let session = UnlockSession::open(
        Opening {
            chain: &dealt.chain,
            node: &node,
            purpose: SessionPurpose::Reshare,
            checkpoint: None,
            binary: [1; 32],
            config: [2; 32],
            created: now(),
            now: opened,
            lifetime: Duration::from_secs(600),
        },
        |bytes| Ok::<_, std::convert::Infallible>(sign(bytes)),
    )
    .unwrap();
    let dealing = Dealing::deal(plan, &dealt.chain, &mut UnwrapErr(SysRng)).unwrap();
    let facts = Facts {
        hsm_keys: vec![HsmKey {
            hsm: "7f3a".parse().unwrap(),
            token_label: "dta".parse().unwrap(),
            key_label: "seal-2".parse().unwrap(),
        }],
        check_value: CheckValue::from_bytes([8; 32]),
        created: now(),
    };
    let signed = |bytes: &[u8]| Ok::<_, std::convert::Infallible>(sign(bytes).try_into().unwrap());
    dealing.propose(facts, session, signed).unwrap().unwrap()
}

#[test]
fn m_old_holders_and_all_new_ones_make_a_successor_that_the_new_shares_open() {
    let mut room = Room::new((2, 3), (3, 4));
    for number in [1, 3] {
        room.consent(number);
    }
    for number in 1..=4 {
        let confirmation = room.confirmation_of(number);
        room.reshare.confirm(&confirmation).unwrap();
    }
    let successor = room.reshare.finish().unwrap();
    let current = successor.chain.current();
    assert_eq!(current.unlock.epoch().number(), 2);
    assert_eq!(current.unlock.threshold().to_string(), "3 of 4");
    assert_eq!(
        successor.chain.authority_id(),
        room.old.chain.authority_id()
    );
    assert_eq!(successor.consented.len(), 2);
    assert!(successor.waived.is_empty());

    let mut collector = quorum::Collector::new(&successor.chain);
    let old = &room.old.shares[0];
    let verdict = collector.offer(old.index(), &old.encode());
    assert_eq!(verdict.as_str(), "stale-epoch");
    for number in [2, 3, 4] {
        let share = room.new_share(number);
        assert!(
            collector
                .offer(share.share().index(), share.encoded())
                .is_accepted()
        );
    }
    let set = current.unlock.set_id();
    assert_eq!(
        *collector.combine().unwrap().k_quorum(&set),
        *successor.secret.k_quorum(&set)
    );
}

#[test]
fn nothing_is_finished_while_somebody_is_missing_and_who_is_named() {
    let mut room = Room::new((2, 2), (2, 3));
    room.consent(1);
    let confirmation = room.confirmation_of(2);
    room.reshare.confirm(&confirmation).unwrap();
    assert_eq!(
        room.reshare.finish().unwrap_err().to_string(),
        "the reshare is not complete; 1 more holders of the set in force must consent; \
         not confirmed by new-1, new-3"
    );
}

#[test]
fn a_waiver_needs_m_old_holders_and_m_new_ones_must_still_confirm() {
    let mut room = Room::new((2, 3), (2, 3));
    for number in [1, 2] {
        room.consent(number);
    }
    let confirmation = room.confirmation_of(1);
    room.reshare.confirm(&confirmation).unwrap();
    for absent in [2, 3] {
        let waiver = room.waiver_of(1, absent);
        room.reshare.waive(&waiver).unwrap();
        // The same holder twice is one holder.
        room.reshare.waive(&waiver).unwrap();
        assert!(
            room.reshare
                .missing()
                .unwrap()
                .confirmations
                .iter()
                .any(|name| name.as_str() == format!("new-{absent}"))
        );
        let waiver = room.waiver_of(3, absent);
        room.reshare.waive(&waiver).unwrap();
    }
    assert_eq!(
        room.reshare.finish().unwrap_err().to_string(),
        "the reshare is not complete; 1 more of the new holders must confirm themselves"
    );
    let confirmation = room.confirmation_of(3);
    room.reshare.confirm(&confirmation).unwrap();
    let successor = room.reshare.finish().unwrap();
    let waived: Vec<_> = successor
        .waived
        .iter()
        .map(|holder| holder.name.to_string())
        .collect();
    assert_eq!(waived, ["new-2"]);
}

#[test]
fn a_consent_without_the_own_share_or_the_own_signature_does_not_count() {
    let mut room = Room::new((2, 3), (1, 1));
    let (first, mine) = room.consent_of(1);
    let (_, yours) = room.consent_of(2);
    let error = room
        .reshare
        .consent(&first, &yours, room.opened)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the consent of holder-1 is not a signature over the proposed manifest"
    );
    let mut stolen = first.clone();
    stolen.index = quorum::ShareIndex::new(2).unwrap();
    let error = room
        .reshare
        .consent(&stolen, &mine, room.opened)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no holder holder-1 with index 2"
    );
    assert_eq!(room.reshare.missing().unwrap().consents, 2);
    room.reshare.consent(&first, &mine, room.opened).unwrap();
    room.reshare.consent(&first, &mine, room.opened).unwrap();
    assert_eq!(room.reshare.missing().unwrap().consents, 1);
}

#[test]
fn a_confirmation_of_another_proposal_or_by_another_key_does_not_count() {
    let mut room = Room::new((1, 1), (2, 2));
    let other = propose(&room.old, &room.plan, room.opened);
    let first = room.confirmation_of(1);
    let before = std::mem::replace(&mut room.reshare, other);
    let error = room.reshare.confirm(&first).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is for another proposal than the open one"
    );
    room.reshare = before;
    let mut forged = room.confirmation_of(2);
    forged.signature = first.signature;
    let error = room.reshare.confirm(&forged).unwrap_err();
    assert_eq!(error.to_string(), "this is not signed by new-2");
    assert_eq!(room.reshare.missing().unwrap().confirmations.len(), 2);
}

#[test]
fn an_expired_reshare_takes_no_share_any_more() {
    let mut room = Room::new((1, 1), (1, 1));
    let (envelope, signature) = room.consent_of(1);
    let late = room.opened + Duration::from_secs(600);
    assert!(room.reshare.expire(late));
    let error = room
        .reshare
        .consent(&envelope, &signature, late)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the session has expired, and the shares it held are wiped"
    );
}

#[test]
fn a_proposal_that_is_not_the_plan_or_not_of_this_authority_is_not_signed() {
    let room = Room::new((2, 3), (2, 3));
    fn refused(candidate: Candidate<'_>) -> String {
        examine(candidate).unwrap_err().to_string()
    }

    let elsewhere = Dealt::new(2, 3);
    let plan = plan_for(&elsewhere, 2, &room.new);
    assert_eq!(
        refused(Candidate {
            plan: &plan,
            ..room.candidate()
        }),
        "the proposal does not do what the plan says: plan differs"
    );
    let fewer = plan_for(&room.old, 1, &room.new[..1]);
    let unplanned = propose(&room.old, &fewer, room.opened);
    let mut swapped = unplanned.proposal().clone();
    swapped.proposal.plan = room.reshare.proposal().proposal.plan;
    swapped.proposal.session = room.reshare.proposal().proposal.session;
    let signature = node_sign(&node_key(), &swapped.proposal.signed_bytes());
    swapped.signature = crate::HexBytes(signature.try_into().unwrap());
    assert_eq!(
        refused(Candidate {
            proposal: &swapped,
            ..room.candidate()
        }),
        "the proposal does not do what the plan says: M of N differs"
    );
    swapped.proposal.plan = crate::HexBytes([0; 32]);
    assert_eq!(
        refused(Candidate {
            proposal: &swapped,
            ..room.candidate()
        }),
        "the proposal is not signed by a node of this authority"
    );
    assert_eq!(
        refused(Candidate {
            session: unplanned.session().document(),
            ..room.candidate()
        }),
        "the proposal belongs to another session"
    );
}

#[test]
fn a_share_that_is_not_the_own_new_one_is_not_confirmed() {
    let room = Room::new((2, 3), (2, 3));
    let error = room
        .reviewed()
        .confirm(&room.new[0], &room.new_share(2))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the new share is not the one that the new manifest describes for new-1: its index differs"
    );
    let other = propose(&room.old, &room.plan, room.opened);
    let path = room.directory.path().join("other.share");
    std::fs::write(&path, &other.sealed_shares().unwrap()[0]).unwrap();
    let foreign = open_share(&path, &room.new[0]);
    let error = room.reviewed().confirm(&room.new[0], &foreign).unwrap_err();
    assert!(error.to_string().ends_with("its set differs"), "{error}");
}

/// One message that reaches the authority.
#[derive(Clone, Copy, Debug)]
enum Message {
    Consent(u8),
    Confirm(u8),
    Waive(u8, u8),
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        (1..=3u8).prop_map(Message::Consent),
        (1..=3u8).prop_map(Message::Confirm),
        ((1..=3u8), (1..=3u8)).prop_map(|(signer, absent)| Message::Waive(signer, absent)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// In whatever order messages come, it is finished exactly when the rule says so, by an independent count.
    #[test]
    fn a_reshare_is_finished_exactly_when_everybody_needed_has_spoken(
        messages in proptest::collection::vec(message(), 0..16),
        m_old in 1..=3u8,
        m_new in 1..=3u8,
    ) {
        let mut room = Room::new((m_old, 3), (m_new, 3));
        let mut consents = BTreeSet::new();
        let mut confirmed = BTreeSet::new();
        let mut waivers = BTreeSet::new();
        for message in messages {
            match message {
                Message::Consent(number) => {
                    room.consent(number);
                    consents.insert(number);
                }
                Message::Confirm(number) => {
                    let confirmation = room.confirmation_of(number);
                    room.reshare.confirm(&confirmation).unwrap();
                    confirmed.insert(number);
                }
                Message::Waive(signer, absent) => {
                    let waiver = room.waiver_of(signer, absent);
                    room.reshare.waive(&waiver).unwrap();
                    waivers.insert((absent, signer));
                }
            }
            let waived = |slot: u8| waivers.iter().filter(|(absent, _)| *absent == slot).count();
            let complete = consents.len() >= usize::from(m_old)
                && confirmed.len() >= usize::from(m_new)
                && (1..=3).all(|slot| confirmed.contains(&slot) || waived(slot) >= usize::from(m_old));
            prop_assert_eq!(room.reshare.finish().is_ok(), complete);
        }
    }
}
