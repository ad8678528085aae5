//! `k_hsm` in a real token.

#![allow(clippy::unwrap_used)]

use hsm::harness::SoftHsm;

use super::*;
use crate::testing::{World, khsm};

hsm::enable_test_server!();

/// A token with the seal key of `key`.
fn token(key: &HsmKey) -> SoftHsm {
    let hsm = SoftHsm::start();
    hsm.client()
        .create_seal_key(key.key_label.as_str())
        .unwrap();
    hsm
}

#[test]
fn k_hsm_wrapped_in_a_token_opens_there_and_only_in_its_context() {
    let world = World::new();
    let manifest = &world.manifest.manifest;
    let (key, context) = (&manifest.hsm_keys[0], world.context());
    let hsm = token(key);
    let k_hsm = KHsm::random().unwrap();
    let check = k_hsm.check_value(&context.set_id, context.epoch);
    let wrap = wrap_k_hsm(&hsm.client(), key, &context, &k_hsm).unwrap();
    assert_eq!(wrap.sealed.ciphertext.len(), 48);

    let opened = open_k_hsm(&hsm.client(), &wrap, &context, &check).unwrap();
    assert_eq!(opened.bytes(), k_hsm.bytes());

    let mut contexts = [context; 3];
    contexts[0].authority = quorum::AuthorityId::from_bytes([1; 32]);
    contexts[1].set_id = SetId::from_bytes([1; 16]);
    contexts[2].epoch = Epoch::new(2);
    for other in contexts {
        let error = open_k_hsm(&hsm.client(), &wrap, &other, &check).unwrap_err();
        assert!(
            matches!(error, OpenKHsmError::Hsm(HsmError::DoesNotOpen { .. })),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with("the ciphertext does not open under key"),
            "{error}"
        );
    }
    let mut other = wrap.clone();
    other.key.hsm = "another".parse().unwrap();
    assert!(open_k_hsm(&hsm.client(), &other, &context, &check).is_err());
}

#[test]
fn a_wrap_that_opens_to_another_key_than_the_manifests_is_refused() {
    let world = World::new();
    let (key, context) = (&world.manifest.manifest.hsm_keys[0], world.context());
    let hsm = token(key);
    let wrap = wrap_k_hsm(&hsm.client(), key, &context, &khsm([1; 32])).unwrap();
    let other = khsm([2; 32]).check_value(&context.set_id, context.epoch);
    assert_eq!(
        open_k_hsm(&hsm.client(), &wrap, &context, &other)
            .unwrap_err()
            .to_string(),
        "the wrap opened to a key that is not the one in the manifest"
    );
}

#[test]
fn another_token_with_a_key_of_the_same_label_opens_nothing() {
    let world = World::new();
    let (key, context) = (&world.manifest.manifest.hsm_keys[0], world.context());
    let (mine, other) = (token(key), token(key));
    let k_hsm = KHsm::random().unwrap();
    let check = k_hsm.check_value(&context.set_id, context.epoch);
    let wrap = wrap_k_hsm(&mine.client(), key, &context, &k_hsm).unwrap();
    let error = open_k_hsm(&other.client(), &wrap, &context, &check).unwrap_err();
    assert!(
        matches!(error, OpenKHsmError::Hsm(HsmError::DoesNotOpen { .. })),
        "{error}"
    );
}

#[test]
fn an_hsm_that_is_gone_is_said_and_nothing_opens() {
    let world = World::new();
    let (key, context) = (&world.manifest.manifest.hsm_keys[0], world.context());
    let mut hsm = token(key);
    let k_hsm = KHsm::random().unwrap();
    let check = k_hsm.check_value(&context.set_id, context.epoch);
    let wrap = wrap_k_hsm(&hsm.client(), key, &context, &k_hsm).unwrap();
    let client = hsm.client();
    hsm.kill();
    let error = open_k_hsm(&client, &wrap, &context, &check).unwrap_err();
    assert!(
        matches!(&error, OpenKHsmError::Hsm(e) if e.is_unavailable()),
        "{error}"
    );
    assert!(error.remedy().is_some());
}

#[test]
fn the_check_value_differs_with_key_set_and_epoch() {
    let (set, other) = (SetId::from_bytes([1; 16]), SetId::from_bytes([2; 16]));
    let check = |byte, set, epoch| khsm([byte; 32]).check_value(set, Epoch::new(epoch));
    let base = check(1, &set, 1);
    assert_eq!(base, check(1, &set, 1));
    for different in [check(2, &set, 1), check(1, &other, 1), check(1, &set, 2)] {
        assert_ne!(base, different);
    }
    assert_eq!(format!("{:?}", khsm([1; 32])), "KHsm(..)");
}

#[test]
fn the_wraps_context_and_the_check_value_are_byte_for_byte_as_documented() {
    let context = SealContext {
        authority: quorum::AuthorityId::from_bytes([0xaa; 32]),
        set_id: SetId::from_bytes([0x55; 16]),
        epoch: Epoch::new(0x0102_0304),
    };
    let key = HsmKey {
        hsm: "7f3a".parse().unwrap(),
        token_label: "not part of it".parse().unwrap(),
        key_label: "seal-1".parse().unwrap(),
    };
    let expected = [
        b"dta k_hsm v1\n".as_slice(),
        &[0xaa; 32],
        &[0x55; 16],
        &[1, 2, 3, 4],
        b"\x00\x047f3a",
        b"\x00\x06seal-1",
    ]
    .concat();
    assert_eq!(wrap_aad(&key, &context), expected);
    // Computed with Python's hmac module.
    let check = khsm([1; 32]).check_value(&context.set_id, context.epoch);
    assert_eq!(
        check.to_string(),
        "9155ce75abab615628f14aa9afa360f4a3cf1a0ba905704ed93154296d58ef26"
    );
}
