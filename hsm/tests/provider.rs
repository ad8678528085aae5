//! What this project needs of a PKCS#11 module, asked of every module at hand: SoftHSM2 always, and
//! the one of `DTA_TEST_HSM_CONFIG=/path/to/hsm.toml` if set (its token must be initialised; the
//! objects made here are destroyed again, except data objects labelled `dta-test-...`).
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::path::PathBuf;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use hsm::harness::{SoftHsm, TestServer};
use hsm::{HsmClient, HsmError, NodeKey, NodeKeyAlg};
use proptest::prelude::*;

hsm::enable_test_server!();

/// Runs `ask` against each module with a label of its own, then destroys the keys of that label.
fn with_each_module(ask: impl Fn(&HsmClient, &str)) {
    let run = |client: &HsmClient| {
        let label = format!("dta-test-{}", hex::encode(&*client.random(8).unwrap()));
        ask(client, &label);
        client.destroy_key(&label).unwrap();
    };
    run(&SoftHsm::start().client());
    if let Some(config) = std::env::var_os("DTA_TEST_HSM_CONFIG").map(PathBuf::from) {
        run(&TestServer::start(&config, &[]).unwrap().client());
    }
}

#[test]
fn the_token_says_what_it_is() {
    with_each_module(|client, _| {
        let info = client.token_info().unwrap();
        assert!(!info.label.is_empty() && !info.serial.is_empty());
        assert!(
            info.mechanisms.contains(&"CKM_AES_GCM".to_owned()),
            "{:?}",
            info.mechanisms
        );
        assert!(info.node_key_alg.is_some());
    });
}

#[test]
fn what_is_sealed_opens_and_only_under_the_same_context() {
    with_each_module(|client, label| {
        client.create_seal_key(label).unwrap();
        let sealed = client.seal(label, b"context", b"k_hsm").unwrap();
        assert_eq!(sealed.ciphertext.len(), 5 + 16);
        assert_eq!(
            client.open(label, b"context", &sealed).unwrap().as_slice(),
            b"k_hsm"
        );

        let refused = client.open(label, b"another", &sealed).unwrap_err();
        assert_eq!(
            refused,
            HsmError::DoesNotOpen {
                label: label.to_owned()
            }
        );
        client.check_seal_key(label).unwrap();
    });
}

#[test]
fn any_flipped_bit_of_ciphertext_tag_or_iv_does_not_open() {
    with_each_module(|client, label| {
        client.create_seal_key(label).unwrap();
        let sealed = client.seal(label, b"aad", b"0123456789").unwrap();
        let does_not_open = HsmError::DoesNotOpen {
            label: label.to_owned(),
        };
        for position in 0..sealed.ciphertext.len() {
            let mut damaged = sealed.clone();
            damaged.ciphertext[position] ^= 1 << (position % 8);
            assert_eq!(
                client.open(label, b"aad", &damaged).unwrap_err(),
                does_not_open
            );
        }
        for position in 0..sealed.iv.len() {
            let mut damaged = sealed.clone();
            damaged.iv[position] ^= 1 << (position % 8);
            assert_eq!(
                client.open(label, b"aad", &damaged).unwrap_err(),
                does_not_open
            );
        }
        for length in [0, 1, 15, 16, sealed.ciphertext.len() - 1] {
            let mut short = sealed.clone();
            short.ciphertext.truncate(length);
            assert_eq!(
                client.open(label, b"aad", &short).unwrap_err(),
                does_not_open
            );
        }
        assert_eq!(
            client.open(label, b"aad", &sealed).unwrap().as_slice(),
            b"0123456789"
        );
    });
}

#[test]
fn another_seal_key_does_not_open() {
    with_each_module(|client, label| {
        let other = format!("{label}-2");
        client.create_seal_key(label).unwrap();
        client.create_seal_key(&other).unwrap();
        let sealed = client.seal(label, b"", b"secret").unwrap();
        let refused = client.open(&other, b"", &sealed).unwrap_err();
        client.destroy_key(&other).unwrap();
        assert_eq!(refused, HsmError::DoesNotOpen { label: other });
        assert!(!refused.is_unavailable());
    });
}

#[test]
fn anything_up_to_the_limit_seals_and_opens() {
    let cases = if std::env::var_os("DTA_TEST_LONG").is_some() {
        1_000
    } else {
        50
    };
    with_each_module(|client, label| {
        client.create_seal_key(label).unwrap();
        let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(cases)
        };
        proptest!(config, |(plaintext in bytes(2_000), aad in bytes(300))| {
            let sealed = client.seal(label, &aad, &plaintext).unwrap();
            let opened = client.open(label, &aad, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plaintext);
        });
        let most = vec![7; hsm::protocol::MAX_BODY_BYTES];
        let sealed = client
            .seal(label, &[1; hsm::protocol::MAX_AAD_BYTES], &most)
            .unwrap();
        let opened = client
            .open(label, &[1; hsm::protocol::MAX_AAD_BYTES], &sealed)
            .unwrap();
        assert_eq!(*opened, most);
    });
}

#[test]
fn no_iv_is_used_twice() {
    let seals = if std::env::var_os("DTA_TEST_LONG").is_some() {
        20_000
    } else {
        500
    };
    with_each_module(|client, label| {
        client.create_seal_key(label).unwrap();
        let ivs: HashSet<[u8; 12]> = (0..seals)
            .map(|_| client.seal(label, b"", b"same").unwrap().iv)
            .collect();
        assert_eq!(ivs.len(), seals);
        assert!(!ivs.contains(&[0; 12]));
    });
}

#[test]
fn a_node_key_signs_what_verifies_outside() {
    with_each_module(|client, label| {
        let key = client.create_node_key(label).unwrap();
        assert_eq!(Some(key.alg), client.token_info().unwrap().node_key_alg);
        assert_eq!(client.find_node_key(label).unwrap(), key);
        for message in [&b""[..], b"checkpoint", &[9; 32_768]] {
            let signature = client.sign(label, message).unwrap();
            assert_eq!(signature.len(), 64);
            assert!(verifies(&key, message, &signature));
            assert!(!verifies(&key, b"another message", &signature));
        }
    });
}

#[test]
fn a_second_key_of_the_same_label_is_refused_and_the_first_stays() {
    with_each_module(|client, label| {
        let key = client.create_node_key(label).unwrap();
        let exists = HsmError::AlreadyExists {
            label: label.to_owned(),
        };
        assert_eq!(client.create_node_key(label).unwrap_err(), exists);
        assert_eq!(client.create_seal_key(label).unwrap_err(), exists);
        assert_eq!(client.put_data(label, b"x").unwrap_err(), exists);
        assert_eq!(client.find_node_key(label).unwrap(), key);
    });
}

#[test]
fn a_key_that_is_not_there_is_missing_by_name() {
    with_each_module(|client, label| {
        let missing = client.seal(label, b"", b"").unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!("the token holds no seal key labelled {label:?}")
        );
        let missing = client.sign(label, b"").unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!("the token holds no node key labelled {label:?}")
        );
        let missing = client.get_data(label).unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!("the token holds no data object labelled {label:?}")
        );
        assert!(!client.seal_key_exists(label).unwrap());
        assert!(missing.remedy().unwrap().contains("recovery ceremony"));
    });
}

#[test]
fn a_destroyed_key_is_gone_and_destroying_again_is_fine() {
    with_each_module(|client, label| {
        client.create_seal_key(label).unwrap();
        let sealed = client.seal(label, b"", b"secret").unwrap();
        client.destroy_key(label).unwrap();
        client.destroy_key(label).unwrap();
        assert!(!client.seal_key_exists(label).unwrap());
        let missing = client.open(label, b"", &sealed).unwrap_err();
        assert!(matches!(missing, HsmError::KeyMissing { .. }), "{missing}");

        client.create_node_key(label).unwrap();
        client.destroy_key(label).unwrap();
        assert!(matches!(
            client.find_node_key(label),
            Err(HsmError::KeyMissing { .. })
        ));
    });
}

#[test]
fn a_data_object_is_written_read_and_replaced() {
    with_each_module(|client, label| {
        for value in [&b"epoch 1"[..], b"epoch 2 with a longer value", b"3"] {
            client.put_data(label, value).unwrap();
            assert_eq!(client.get_data(label).unwrap(), value);
        }
    });
}

#[test]
fn random_bytes_differ_and_are_limited() {
    with_each_module(|client, _| {
        assert_ne!(*client.random(32).unwrap(), *client.random(32).unwrap());
        assert_eq!(client.random(4_096).unwrap().len(), 4_096);
        let refused = client.random(4_097).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the random value asked for has 4097 bytes, at most 4096 are allowed"
        );
    });
}

#[test]
fn keys_made_in_one_process_are_found_in_the_next() {
    let mut softhsm = SoftHsm::start();
    let client = softhsm.client();
    client.create_seal_key("seal-1").unwrap();
    let key = client.create_node_key("node-1").unwrap();
    let sealed = client.seal("seal-1", b"aad", b"secret").unwrap();
    client.put_data("manifest", b"hash").unwrap();
    softhsm.restart();
    let client = softhsm.client();
    assert_eq!(
        client.open("seal-1", b"aad", &sealed).unwrap().as_slice(),
        b"secret"
    );
    assert_eq!(client.find_node_key("node-1").unwrap(), key);
    assert!(verifies(&key, b"m", &client.sign("node-1", b"m").unwrap()));
    assert_eq!(client.get_data("manifest").unwrap(), b"hash");
}

fn verifies(key: &NodeKey, message: &[u8], signature: &[u8]) -> bool {
    match key.alg {
        NodeKeyAlg::Ed25519 => UnparsedPublicKey::new(&ED25519, &key.public_key)
            .verify(message, signature)
            .is_ok(),
        NodeKeyAlg::EcdsaP256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.public_key)
            .verify(message, signature)
            .is_ok(),
    }
}
