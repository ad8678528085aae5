//! The founding ceremony on SoftHSM2: what it makes, and what it refuses from the start.
#![allow(clippy::unwrap_used)]

mod machine;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use ceremony::init::{self, KeysAtHand, Report, seal_key_label};
use ceremony::plan;
use ceremony::screens::wall_clock;
use ceremony::sharefile;
use ceremony::transcript::SignedTranscript;
use machine::{Machine, plan_text, token_of};
use quorum::{Collector, ManifestChain, SignedManifest};
use state::{AnchorObject, SealContext, SealingKey, StateDir, open_k_hsm};

hsm::enable_test_server!();

fn chain_of(report: &Report) -> ManifestChain {
    let signed = SignedManifest::from_json(&fs::read(&report.manifest).unwrap()).unwrap();
    ManifestChain::verify(vec![signed]).unwrap()
}

#[test]
fn a_two_of_three_ceremony_makes_a_d_ta_that_any_two_holders_open() {
    let machine = Machine::new(2, 3);
    let report = machine.run("a").unwrap();
    let chain = chain_of(&report);
    assert_eq!(chain.authority_id(), report.authority_id);
    assert_eq!(chain.current().unlock.set_id(), report.set_id);

    // Any two holders, with the HSM, open what was sealed.
    let mut collector = Collector::new(&chain);
    for number in [3, 1] {
        let share =
            sharefile::open(&report.shares[number - 1], &machine.holders[number - 1]).unwrap();
        let verdict = collector.offer(share.share().index(), share.encoded());
        assert!(verdict.is_accepted(), "{verdict}");
    }
    let state = StateDir::open(&machine.path("a-state")).unwrap();
    assert_eq!(state.chain().authority_id(), report.authority_id);
    let context = SealContext::of(state.chain());
    let check = &chain.current().check_value;
    let k_hsm = open_k_hsm(&machine.hsm.client(), &state.wraps()[0], &context, check).unwrap();
    let k_quorum = collector.combine().unwrap().k_quorum(&report.set_id);
    let key = SealingKey::derive(&k_hsm, &k_quorum, context).unwrap();
    assert!(state.unlock(&key).is_ok());
    assert!(state.log_key(&key).is_ok());

    // The token knows which manifest is in force, and its key is the node of the manifest.
    let client = machine.hsm.client();
    let anchor = client
        .get_data(&AnchorObject::label(&report.authority_id))
        .unwrap();
    assert_eq!(
        AnchorObject::decode(&anchor).unwrap(),
        AnchorObject::of(&chain)
    );
    let node = &chain.current().node_keys[0];
    assert_eq!(
        client
            .find_node_key(report.node.as_str())
            .unwrap()
            .public_key,
        node.public_key()
    );
    assert_eq!(node.node, report.node);
}

#[test]
fn files_have_their_modes_names_and_signatures() {
    let machine = Machine::new(2, 2);
    let report = machine.run("a").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    for (path, number) in report.shares.iter().zip(1..) {
        assert_eq!(mode(path), 0o600);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(name, format!("{}-1-{number}-1.share", report.set_id));
    }
    assert_eq!(mode(&machine.path("a-state")), 0o700);
    assert_eq!(mode(&report.manifest), 0o644);

    let chain = chain_of(&report);
    let signed = SignedTranscript::parse(&fs::read(&report.transcript).unwrap()).unwrap();
    assert!(signed.is_signed_by(&chain.current().node_keys[0]));
    let transcript = &signed.transcript;
    assert_eq!(signed.hash(), report.transcript_hash);
    assert_eq!(transcript.manifest_hash, report.manifest_hash);
    assert_eq!(transcript.plan.to_string(), machine.plan.hash.to_string());
    assert_eq!(
        transcript.token.serial,
        token_of(&machine.hsm.client()).serial
    );
    assert_eq!(transcript.present.len(), 2);
    let steps: Vec<_> = transcript
        .steps
        .iter()
        .map(|step| step.step.as_str())
        .collect();
    let expected = [
        "plan",
        "outputs",
        "token",
        "dry-deal",
        "dry-shares",
        "dry-open",
        "seal-key",
        "node-key",
        "deal",
        "manifest",
        "k-hsm",
        "share",
        "share",
        "open-set",
    ];
    assert_eq!(steps, expected);
    assert_eq!(steps, init::recorded(&machine.plan));
    let mut changed = signed.clone();
    changed.transcript.steps[2].detail.push('x');
    assert!(!changed.is_signed_by(&chain.current().node_keys[0]));
}

#[test]
fn the_audit_log_begins_with_the_ceremony_and_is_signed() {
    let machine = Machine::new(1, 1);
    let report = machine.run("a").unwrap();
    let key =
        audit::VerifierKey::from_file(&fs::read_to_string(&report.verifier_key).unwrap()).unwrap();
    assert_eq!(
        key.origin().as_str(),
        format!("dta/{}", report.authority_id)
    );
    let directory = machine.path("a-state").join(init::AUDIT_DIR);
    let mut events = Vec::new();
    let (log, recovered) =
        audit::Log::open_with(&directory, &key, audit::Options::default(), |entry| {
            events.push(entry.fields());
        })
        .unwrap();
    assert_eq!(recovered.size, 1);
    assert_eq!(log.last_checkpoint().head().size, 1);
    assert_eq!(events[0]["event"], "ceremony-init");
    assert_eq!(events[0]["authority"], report.authority_id.to_string());
    assert_eq!(events[0]["transcript"], report.transcript_hash.to_string());
}

#[test]
fn one_of_one_is_said_plainly_and_works() {
    let machine = Machine::new(1, 1);
    assert!(machine.plan.notices()[0].contains("the unlock secret is not split"));
    let report = machine.run("a").unwrap();
    assert_eq!(report.threshold.to_string(), "1 of 1");
}

#[test]
fn a_second_run_into_the_same_directories_is_refused_and_changes_nothing() {
    let machine = Machine::new(2, 2);
    let report = machine.run("a").unwrap();
    let before = fs::read(machine.path("a-state").join("state.db")).unwrap();
    let failure = machine.run("a").unwrap_err();
    assert!(
        failure
            .to_string()
            .ends_with("exists already, and a ceremony never writes over anything"),
        "{failure}"
    );
    assert!(
        failure
            .error()
            .remedy()
            .unwrap()
            .contains("directories of its own")
    );
    assert!(failure.aftermath().is_empty());
    assert_eq!(
        fs::read(machine.path("a-state").join("state.db")).unwrap(),
        before
    );
    assert!(report.shares.iter().all(|path| path.exists()));
    // Nor into an output directory of another ceremony.
    fs::rename(machine.path("a-out"), machine.path("b-out")).unwrap();
    assert!(matches!(
        machine.run("b").unwrap_err().error(),
        init::InitError::Exists(_)
    ));
    assert!(!machine.path("b-state").exists());
}

#[test]
fn two_d_tas_may_share_a_token() {
    let machine = Machine::new(1, 2);
    let text = plan_text(2, &machine.holders, &token_of(&machine.hsm.client()));
    let plan = plan::check(&text).unwrap();
    let desk = || KeysAtHand::new(machine.keys(), wall_clock, |_, _| {});
    let first = machine.run_plan(&plan, &mut desk(), "a").unwrap();
    let second = machine.run_plan(&plan, &mut desk(), "b").unwrap();
    assert_ne!(first.authority_id, second.authority_id);
}

#[test]
fn another_token_than_the_plans_is_refused_before_anything_is_made() {
    let machine = Machine::new(2, 2);
    let mut token = token_of(&machine.hsm.client());
    token.serial = "0000000000000000".into();
    let plan = plan::check(&plan_text(2, &machine.holders, &token)).unwrap();
    let mut desk = KeysAtHand::new(machine.keys(), wall_clock, |_, _| {});
    let failure = machine.run_plan(&plan, &mut desk, "a").unwrap_err();
    assert!(
        failure
            .to_string()
            .contains("(serial 0000000000000000), but hsm.toml leads to"),
        "{failure}"
    );
    machine.assert_clean(&failure, "a");
}

#[test]
fn a_state_directory_that_others_may_enter_is_refused_at_the_start() {
    let machine = Machine::new(1, 1);
    let state = machine.path("a-state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let failure = machine.run("a").unwrap_err();
    assert_eq!(failure.to_string(), "the state directory cannot be made");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    machine.run("a").unwrap();
}

#[test]
fn labels_on_the_token_fit_its_limit_of_64_bytes() {
    let set_id = quorum::SetId::from_bytes([0xff; 16]);
    let label = seal_key_label(set_id, quorum::Epoch::new(u32::MAX));
    assert_eq!(
        label.as_str(),
        format!("dta-seal-{}-4294967295", "ff".repeat(16))
    );
    assert_eq!(init::node_name(set_id).as_str().len(), 41);
}
