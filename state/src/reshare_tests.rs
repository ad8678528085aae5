#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{World, customer, now, signing_key};

struct Reshared {
    world: World,
    next: World,
    state: StateDir,
    directory: tempfile::TempDir,
}

fn two_customers() -> Reshared {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let mut state = world.create(&directory.path().join("dta")).unwrap();
    for name in ["bank", "shop"] {
        state.add_customer(&world.key(), customer(name)).unwrap();
    }
    let bank = "bank".parse().unwrap();
    state
        .add_signing_key(&world.key(), &bank, signing_key(1), now())
        .unwrap();
    let next = world.next();
    Reshared {
        world,
        next,
        state,
        directory,
    }
}

#[test]
fn after_a_reshare_the_same_secrets_open_under_the_new_key_and_none_under_the_old() {
    let Reshared {
        world,
        next,
        mut state,
        directory,
    } = two_customers();
    let before = state.unlock(&world.key()).unwrap();
    let log_key = state.log_key(&world.key()).unwrap();

    let change = world.reshare(&mut state, &next).unwrap();
    assert_eq!(change.generation, before.generation() + 1);
    drop(state);
    let state = StateDir::open(&directory.path().join("dta")).unwrap();
    assert_eq!(state.chain().manifests().len(), 2);
    assert_eq!(state.wraps(), next.wraps());
    let to = world.key_of(&next);
    let after = state.unlock(&to).unwrap();
    assert_eq!(after, change.registry);
    assert_eq!(
        before.signing_keys().collect::<Vec<_>>(),
        after.signing_keys().collect::<Vec<_>>()
    );
    for (old, new) in before.master_keys().zip(after.master_keys()) {
        assert_eq!(old.commitment, new.commitment);
        assert_ne!(old.sealed, new.sealed);
        to.open_master(new).unwrap();
        world.key().open_master(new).unwrap_err();
    }
    assert_eq!(*state.log_key(&to).unwrap(), *log_key);
    assert_eq!(
        state.unlock(&world.key()).unwrap_err().to_string(),
        StateError::OtherSealingKey.to_string()
    );
}

#[test]
fn a_reshare_to_another_key_or_wrap_or_manifest_is_refused_and_nothing_changes() {
    let Reshared {
        world,
        next,
        mut state,
        ..
    } = two_customers();
    let generation = state.generation().unwrap();
    let (from, to) = (world.key(), world.key_of(&next));
    let mut attempt = |manifest, wraps, from: &SealingKey, to: &SealingKey| {
        let reshare = Reshare {
            manifest,
            wraps,
            from,
            to,
        };
        state.reshare(reshare).unwrap_err().to_string()
    };
    let manifest = || next.manifest.clone();
    attempt(manifest(), next.wraps(), &to, &to);
    attempt(manifest(), next.wraps(), &from, &from);
    let error = attempt(manifest(), world.wraps(), &from, &to);
    assert!(
        error.contains("there is no wrap of k_hsm by key dta-seal-2"),
        "{error}"
    );
    let mut unsigned = manifest();
    unsigned.signatures.truncate(1);
    let error = attempt(unsigned, next.wraps(), &from, &to);
    assert_eq!(error, "the manifest chain in state.db does not verify");
    assert_eq!(state.generation().unwrap(), generation);
    assert_eq!(state.wraps(), world.wraps());
    assert_eq!(state.unlock(&from).unwrap().generation(), generation);
}

#[test]
fn a_row_changed_by_hand_is_not_blessed_by_a_reshare() {
    let Reshared {
        world,
        next,
        mut state,
        ..
    } = two_customers();
    state
        .db
        .execute(
            "UPDATE customer SET body = replace(body, 'active', 'suspended')",
            [],
        )
        .unwrap();
    let error = world.reshare(&mut state, &next).unwrap_err();
    assert!(matches!(error, StateError::TamperedRow { .. }), "{error}");
    assert_eq!(state.chain().manifests().len(), 1);
}
