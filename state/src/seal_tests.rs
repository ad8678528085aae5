//! What opens, and what must not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{World, customer, khsm};
use crate::{NewMasterKey, StateDir};

/// A directory with one customer `bank` and its first master key.
fn with_master(world: &World) -> (tempfile::TempDir, StateDir, NewMasterKey) {
    let directory = tempfile::tempdir().unwrap();
    let mut state = world.create(&directory.path().join("dta")).unwrap();
    let made = state
        .add_customer(&world.key(), customer("bank"))
        .unwrap()
        .made;
    (directory, state, made)
}

#[test]
fn a_master_secret_opens_with_the_key_it_was_sealed_under() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let opened = world.key().open_master(&made.key).unwrap();
    assert_eq!(opened.to_be_bytes(), made.secret.to_be_bytes());
}

#[test]
fn another_k_opens_nothing() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    for wrong in [world.wrong_key(), World::new().key()] {
        assert_eq!(
            wrong.open_master(&made.key).unwrap_err().to_string(),
            "master key k1 of customer bank does not open: it was changed, or sealed under another \
             key or epoch"
        );
    }
}

#[test]
fn a_master_secret_under_any_changed_header_does_not_open() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let changes: [fn(&mut MasterKey); 4] = [
        |key| key.customer = "bunk".parse().unwrap(),
        |key| key.version = "k2".parse().unwrap(),
        |key| key.suite = Suite::Milagro,
        |key| key.commitment[47] ^= 1,
    ];
    for change in changes {
        let mut key = made.key.clone();
        change(&mut key);
        let message = world.key().open_master(&key).unwrap_err().to_string();
        assert!(message.contains("does not open"), "{message}");
    }
}

#[test]
fn every_part_of_the_context_enters_k_or_the_header() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let changes: [fn(&mut SealContext); 3] = [
        |context| context.authority = AuthorityId::from_bytes([1; 32]),
        |context| context.set_id = SetId::from_bytes([1; 16]),
        |context| context.epoch = Epoch::new(2),
    ];
    for change in changes {
        let mut other = world.key();
        change(&mut other.context);
        assert!(
            other.open_master(&made.key).is_err(),
            "the header must hold the context"
        );
    }
    let derive = |context| SealingKey::derive(&khsm([1; 32]), &[2; 32], context).unwrap();
    let base = derive(world.context());
    for change in &changes[1..] {
        let mut context = world.context();
        change(&mut context);
        assert_ne!(base.key.bytes(), derive(context).key.bytes(), "{context:?}");
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_ciphertext_is_noticed() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let sealed = made.key.sealed.to_bytes();
    assert_eq!(sealed.len(), NONCE_BYTES + 32 + TAG_BYTES);
    for bit in 0..sealed.len() * 8 {
        let mut bytes = sealed.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut key = made.key.clone();
        key.sealed = SealedSecret::from_bytes(&bytes).unwrap();
        assert!(world.key().open_master(&key).is_err(), "bit {bit}");
    }
}

#[test]
fn a_secret_that_is_not_under_its_commitment_is_refused() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let other: MasterSecret = MasterSecret::random().unwrap();
    let mut key = made.key.clone();
    key.sealed = world.key().seal_master(&key.header(), &other).unwrap();
    assert_eq!(
        world.key().open_master(&key).unwrap_err().to_string(),
        "master key k1 of customer bank opens to a secret that is not under its commitment"
    );
}

#[test]
fn a_master_key_proves_knowledge_bound_to_authority_customer_version_and_suite() {
    let world = World::new();
    let (_directory, _state, made) = with_master(&world);
    let authority = world.chain().authority_id();
    let verify = |customer: &str| {
        let context = mpin::KeyContext {
            authority: authority.as_bytes(),
            customer,
            key: "k1",
            suite: Suite::Ro,
        };
        let commitment: mpin::Commitment =
            mpin::Commitment::from_compressed(&made.key.commitment).unwrap();
        let proof: mpin::KnowledgeProof =
            mpin::KnowledgeProof::from_bytes(&made.key.proof).unwrap();
        proof.verify(&commitment, &context.to_bytes())
    };
    assert!(verify("bank").is_ok());
    assert!(verify("bunk").is_err());
}

#[test]
fn k_is_what_the_documentation_says() {
    use hmac::{Hmac, Mac};
    // HKDF written out, RFC 5869 with one block.
    let context = World::new().context();
    let key = SealingKey::derive(&khsm([1; 32]), &[2; 32], context).unwrap();
    let hmac = |key: &[u8], parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let prk = hmac(context.set_id.as_bytes(), &[&[1; 32], &[2; 32]]);
    let okm = hmac(&prk, &[b"dta seal v1", &context.epoch.to_be_bytes(), &[1]]);
    assert_eq!(key.key.bytes(), &okm);
}

#[test]
fn the_sealing_key_prints_as_dots() {
    assert_eq!(format!("{:?}", World::new().key()), "SealingKey(..)");
}

#[test]
fn the_header_of_a_master_key_is_byte_for_byte_as_documented() {
    let mut key = World::new().key();
    key.context = SealContext {
        authority: AuthorityId::from_bytes([0xaa; 32]),
        set_id: SetId::from_bytes([0x55; 16]),
        epoch: Epoch::new(3),
    };
    let customer = "bank".parse().unwrap();
    let header = MasterHeader {
        customer: &customer,
        version: KeyVersion::FIRST,
        suite: Suite::Milagro,
        commitment: &[0x0c; 48],
    };
    let expected = format!(
        "dta master key v1\n{{\"authority\":\"{}\",\"commitment\":\"{}\",\"customer\":\"bank\",\
         \"epoch\":3,\"key\":\"k1\",\"set_id\":\"{}\",\"suite\":\"MILAGRO\"}}",
        "aa".repeat(32),
        "0c".repeat(48),
        "55".repeat(16)
    );
    assert_eq!(
        String::from_utf8(key.master_aad(&header)).unwrap(),
        expected
    );
}
