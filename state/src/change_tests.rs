//! Changes that are made, changes that are refused, and changes on a full disk.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::policy::PermitWindow;
use crate::testing::{World, customer, now, signing_key};

/// An open, unlocked D-TA.
struct Open {
    state: StateDir,
    key: SealingKey,
    _directory: tempfile::TempDir,
}

fn open() -> Open {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let state = world.create(&directory.path().join("dta")).unwrap();
    Open {
        state,
        key: world.key(),
        _directory: directory,
    }
}

fn bank() -> CustomerId {
    "bank".parse().unwrap()
}

#[test]
fn each_change_is_the_next_generation_and_is_there_after_reopening() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    let added = state.add_customer(&key, customer("bank")).unwrap();
    assert_eq!(added.generation, 1);
    let added = state
        .add_signing_key(&key, &bank(), signing_key(1), now())
        .unwrap();
    assert_eq!(added.generation, 2);
    let keyid = added.made.keyid.clone();
    let revoked = state.revoke_signing_key(&key, &keyid, now()).unwrap();
    assert_eq!(
        (revoked.generation, revoked.made.revoked_at),
        (3, Some(now()))
    );
    let suspended = state
        .set_status(&key, &bank(), CustomerStatus::Suspended)
        .unwrap();
    assert_eq!(suspended.generation, 4);
    let policy = Policy {
        permit_window_days: PermitWindow::new(31).unwrap(),
        ..Policy::default()
    };
    let changed = state.set_policy(&key, &bank(), policy.clone()).unwrap();
    assert_eq!(changed.generation, 5);

    let path = state.path().to_owned();
    drop(state);
    let registry = StateDir::open(&path).unwrap().unlock(&key).unwrap();
    assert_eq!(registry, changed.registry);
    assert_eq!(registry.generation(), 5);
    let customer = registry.customer(&bank()).unwrap();
    assert_eq!(
        (customer.status, &customer.policy),
        (CustomerStatus::Suspended, &policy)
    );
    assert!(registry.signing_key(&keyid).unwrap().revoked_at.is_some());
    assert_eq!(registry.signing_keys_of(&bank()).count(), 1);
    assert_eq!(
        registry.only_live_key(&bank()).unwrap().version,
        KeyVersion::FIRST
    );
}

#[test]
fn every_customer_gets_a_master_secret_of_its_own() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    let one = state.add_customer(&key, customer("one")).unwrap();
    let two = state.add_customer(&key, customer("two")).unwrap();
    assert_ne!(one.made.secret.to_be_bytes(), two.made.secret.to_be_bytes());
    assert_eq!(
        one.made.key.commitment,
        one.made.secret.commitment().to_compressed()
    );
    for key_row in two.registry.master_keys() {
        let opened = key.open_master(key_row).unwrap();
        assert_eq!(opened.commitment().to_compressed(), key_row.commitment);
    }
}

#[test]
fn conflicting_changes_are_refused_and_change_nothing() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    let mut first = customer("bank");
    first.signing_keys = vec![signing_key(1)];
    state.add_customer(&key, first).unwrap();
    let keyid = signing_key(1).keyid;
    let refused: [(ChangeError, &str, u8); 7] = [
        (
            state.add_customer(&key, customer("bank")).unwrap_err(),
            "there already is a customer bank",
            6,
        ),
        (
            state
                .set_status(&key, &bank(), CustomerStatus::Active)
                .unwrap_err(),
            "customer bank is active already",
            6,
        ),
        (
            state
                .set_policy(&key, &"shop".parse().unwrap(), Policy::default())
                .unwrap_err(),
            "there is no customer shop",
            1,
        ),
        (
            state
                .add_signing_key(&key, &bank(), signing_key(1), now())
                .unwrap_err(),
            "signing key key-------------000001 is registered already, for customer bank",
            6,
        ),
        (
            {
                let mut other = customer("shop");
                other.signing_keys = vec![signing_key(1)];
                state.add_customer(&key, other).unwrap_err()
            },
            "signing key key-------------000001 is registered already, for customer bank",
            6,
        ),
        (
            {
                let mut twice = customer("shop");
                twice.signing_keys = vec![signing_key(2), signing_key(2)];
                state.add_customer(&key, twice).unwrap_err()
            },
            "signing key key-------------000002 is registered already, for customer shop",
            6,
        ),
        (
            state
                .revoke_signing_key(&key, &signing_key(9).keyid, now())
                .unwrap_err(),
            "there is no signing key key-------------000009",
            1,
        ),
    ];
    for (error, message, code) in refused {
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            (message, code)
        );
    }
    assert_eq!(state.generation().unwrap(), 1);
    state.revoke_signing_key(&key, &keyid, now()).unwrap();
    assert_eq!(
        state
            .revoke_signing_key(&key, &keyid, now())
            .unwrap_err()
            .to_string(),
        "signing key key-------------000001 was revoked before"
    );
    assert_eq!(
        state
            .add_signing_key(&key, &bank(), signing_key(1), now())
            .unwrap_err()
            .to_string(),
        "signing key key-------------000001 is registered already, for customer bank"
    );
}

#[test]
fn keys_and_policies_that_make_no_sense_are_refused() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    state.add_customer(&key, customer("bank")).unwrap();
    let mut message = |change: fn(&mut NewSigningKey)| {
        let mut new = signing_key(1);
        change(&mut new);
        state
            .add_signing_key(&key, &bank(), new, now())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(|new| new.roles.clear()),
        "signing key key-------------000001 has no role"
    );
    assert_eq!(
        message(|new| new.not_after = Some(now())),
        "signing key key-------------000001 ends before it begins"
    );
    assert_eq!(
        message(|new| new.public_key.push(0)),
        "these bytes are no ed25519 public key"
    );
    let mut legacy = customer("old");
    legacy.suite = Suite::Milagro;
    assert_eq!(
        state.add_customer(&key, legacy).unwrap_err().to_string(),
        "the policy does not allow suite MILAGRO"
    );
    let mut legacy = customer("old");
    legacy.suite = Suite::Milagro;
    legacy.policy.suites = vec![Suite::Milagro];
    let made = state.add_customer(&key, legacy).unwrap().made;
    assert_eq!(made.key.suite, Suite::Milagro);
}

#[test]
fn without_the_right_sealing_key_nothing_changes() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    assert_eq!(
        state
            .add_customer(&World::new().key(), customer("bank"))
            .unwrap_err()
            .to_string(),
        "the sealing key is not the one of this directory's current epoch"
    );
    assert!(state.unlock(&key).is_ok());
    assert_eq!(state.generation().unwrap(), 0);
}

#[test]
fn a_full_disk_is_said_and_leaves_the_registry_as_it_was() {
    let Open {
        mut state,
        key,
        _directory,
    } = open();
    state.add_customer(&key, customer("bank")).unwrap();
    let pages: i64 = state
        .db
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    state
        .db
        .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        .unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        match state.add_signing_key(&key, &bank(), signing_key(number), now()) {
            Ok(_) => assert!(number < 1000, "the disk never filled up"),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error.to_string(),
        "the disk is full: changing the registry in state.db did not happen"
    );
    assert_eq!(
        error.remedy(),
        Some("free some space and repeat the command; state.db is as it was before")
    );
    let registry = state.unlock(&key).unwrap();
    assert_eq!(registry.generation(), u64::from(number));
    assert_eq!(
        registry.signing_keys_of(&bank()).count(),
        number as usize - 1
    );

    state
        .db
        .pragma_update_and_check(None, "max_page_count", 1 << 30, |_| Ok(()))
        .unwrap();
    state
        .add_signing_key(&key, &bank(), signing_key(number), now())
        .unwrap();
}
