//! Verifying and rehearsing ceremonies on SoftHSM2: what fits, and the first thing that does not.
#![allow(clippy::unwrap_used)]

mod machine;

use std::fs;

use ceremony::HexBytes;
use ceremony::init::{self, Report};
use ceremony::plan::{self, Plan};
use ceremony::rehearse::{self, Rehearsal, Screen};
use ceremony::screens::wall_clock;
use ceremony::transcript::{CeremonyKind, SignedTranscript, Transcript};
use ceremony::verify::{Misfit, Papers, Proven, verify};
use machine::{Machine, plan_text, token_of};
use quorum::SignedManifest;

hsm::enable_test_server!();

struct Held {
    machine: Machine,
    transcript: SignedTranscript,
    manifest: SignedManifest,
    verifier: audit::VerifierKey,
    report: Report,
}

fn held() -> Held {
    let machine = Machine::new(2, 3);
    let report = machine.run("a").unwrap();
    Held {
        transcript: SignedTranscript::parse(&fs::read(&report.transcript).unwrap()).unwrap(),
        manifest: SignedManifest::from_json(&fs::read(&report.manifest).unwrap()).unwrap(),
        verifier: audit::VerifierKey::from_file(&fs::read_to_string(&report.verifier_key).unwrap())
            .unwrap(),
        machine,
        report,
    }
}

impl Held {
    fn verify(&self, transcript: &SignedTranscript, plan: &Plan) -> Result<Proven, Misfit> {
        verify(Papers {
            transcript,
            manifest: &self.manifest,
            plan,
            verifier: Some(&self.verifier),
        })
    }

    /// What is said of a transcript that was changed and signed again by the right node key.
    fn misfit(&self, change: impl FnOnce(&mut Transcript)) -> String {
        let mut changed = self.transcript.clone();
        change(&mut changed.transcript);
        let bytes = changed.transcript.signed_bytes();
        let client = self.machine.hsm.client();
        let signature = client.sign(self.report.node.as_str(), &bytes).unwrap();
        changed.signature = HexBytes(signature.try_into().unwrap());
        let misfit = self.verify(&changed, &self.machine.plan).unwrap_err();
        assert!(misfit.remedy().is_some());
        misfit.to_string()
    }
}

#[test]
fn the_papers_of_a_ceremony_fit_and_the_first_thing_that_does_not_is_named() {
    let held = held();
    let proven = held.verify(&held.transcript, &held.machine.plan).unwrap().0;
    assert_eq!(
        proven[0],
        "the manifest is the genesis of Test D-TA and signed by holder-1, holder-2, holder-3"
    );
    assert!(proven[4].starts_with("it has every step of a ceremony for this plan, 15 in all"));

    let mut unsigned = held.transcript.clone();
    unsigned.transcript.steps[0].detail.push('x');
    let misfit = held.verify(&unsigned, &held.machine.plan).unwrap_err();
    assert!(matches!(misfit, Misfit::Signature), "{misfit}");

    assert!(
        held.misfit(|t| t.n = 4)
            .starts_with("n: the transcript says 4, the manifest says 3")
    );
    assert!(
        held.misfit(|t| t.token.serial = "00".into())
            .starts_with("token.serial: the transcript says 00")
    );
    assert!(
        held.misfit(|t| t.plan = HexBytes([0; 32]))
            .starts_with("plan: the transcript says 0000")
    );
    assert_eq!(
        held.misfit(|t| drop(t.steps.remove(4))),
        "step 5: the transcript has 6 dry-open, a ceremony for this plan has 5 dry-shares"
    );
    assert!(
        held.misfit(|t| t.present.truncate(2))
            .starts_with("present: the transcript says 1 holder-1")
    );
    assert_eq!(
        held.misfit(|t| t.ceremony = CeremonyKind::Rehearsal),
        "the transcript is of a rehearsal: no D-TA came of it"
    );
    assert!(
        held.misfit(|t| t.node = "other".parse().unwrap())
            .contains("node other, which the manifest does not name")
    );
}

#[test]
fn another_plan_manifest_or_verifier_key_does_not_fit() {
    let (one, other) = (held(), held());
    let misfit = one
        .verify(&one.transcript, &other.machine.plan)
        .unwrap_err();
    assert!(
        misfit.to_string().starts_with("plan: the transcript says"),
        "{misfit}"
    );
    let papers = Papers {
        transcript: &one.transcript,
        manifest: &other.manifest,
        plan: &one.machine.plan,
        verifier: None,
    };
    let misfit = verify(papers).unwrap_err();
    assert!(matches!(misfit, Misfit::Node(_)), "{misfit}");
    let papers = Papers {
        manifest: &one.manifest,
        verifier: Some(&other.verifier),
        ..papers
    };
    assert!(matches!(verify(papers).unwrap_err(), Misfit::Verifier));
}

#[test]
fn a_clock_that_was_set_back_is_said_and_the_transcript_still_makes_sense() {
    let held = held();
    let mut changed = held.transcript.clone();
    changed.transcript.steps[5].time = "2020-01-01T00:00:00Z".parse().unwrap();
    let bytes = changed.transcript.signed_bytes();
    let client = held.machine.hsm.client();
    let signature = client.sign(held.report.node.as_str(), &bytes).unwrap();
    changed.signature = HexBytes(signature.try_into().unwrap());
    let proven = held.verify(&changed, &held.machine.plan).unwrap().0;
    assert!(
        proven
            .last()
            .unwrap()
            .starts_with("note: the machine's clock was set back")
    );
}

#[test]
fn a_rehearsal_needs_neither_the_plans_token_nor_its_holders() {
    let machine = Machine::new(2, 3);
    let client = machine.hsm.client();
    let mut token = token_of(&client);
    token.serial = "of the real token".into();
    let plan = plan::check(&plan_text(2, &machine.holders, &token)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    rehearse::rehearse(Rehearsal {
        plan: &plan,
        hsm: &client,
        directory: directory.path(),
        keys: machine.keys().into_iter().take(1).collect(),
        tool: "dta test",
        screen: Screen {
            now: wall_clock,
            report: |_, _| {},
            turn: |_| {},
        },
    })
    .unwrap();
    let written = fs::read(
        directory
            .path()
            .join("ceremony")
            .join(init::TRANSCRIPT_FILE),
    )
    .unwrap();
    let transcript = SignedTranscript::parse(&written).unwrap().transcript;
    assert_eq!(transcript.ceremony, CeremonyKind::Rehearsal);
    assert_eq!(transcript.plan.to_string(), plan.hash.to_string());
    assert_eq!(
        transcript.present[0].sign_key,
        machine.holders[0].public().sign_key
    );
    assert_ne!(
        transcript.present[1].sign_key,
        machine.holders[1].public().sign_key
    );
}
