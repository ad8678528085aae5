//! Chains that hold and chains that do not.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{TestSet, genesis, manifest_of, rng, signed_by, signing_key};
use crate::{CheckValue, HolderSignature, NodeSignature, SignedManifest, Timestamp};

/// The message of the refusal of `manifests`.
fn refused(manifests: Vec<SignedManifest>) -> String {
    ManifestChain::verify(manifests).unwrap_err().to_string()
}

/// A genesis of 2 of 3, signed by these holders, after `change`.
fn changed_genesis(
    signers: impl IntoIterator<Item = u8>,
    change: impl FnOnce(&mut Manifest),
) -> SignedManifest {
    let set = TestSet::new(2, 3, &mut rng(1)).set;
    let mut manifest = manifest_of(&set);
    change(&mut manifest);
    signed_by(manifest, &set, signers)
}

fn good_genesis() -> SignedManifest {
    changed_genesis(1..=3, |_| {})
}

/// The next epoch after `chain`, with a fresh set.
fn successor(chain: &ManifestChain, seed: u64) -> Manifest {
    let epoch = chain.current().unlock.epoch().next().unwrap();
    let id = chain.authority_id();
    let mut manifest = manifest_of(&TestSet::deal(2, 3, epoch, |_| id, &mut rng(seed)).set);
    manifest.predecessor = Some(chain.current().hash());
    manifest
}

#[test]
fn a_chain_of_genesis_and_two_successors_holds() {
    let (mut chain, _) = genesis(2, 3, &mut rng(1));
    let authority = chain.authority_id();
    for seed in [2, 3] {
        let next = successor(&chain, seed);
        let signed = signed_by(next.clone(), &chain.current().unlock, [1, 3]);
        chain.append(signed).unwrap();
        assert_eq!(chain.current(), &next);
    }
    assert_eq!(chain.authority_id(), authority);
    assert_eq!(chain.current().unlock.epoch().number(), 3);
    assert_eq!(chain.manifests().len(), 3);
    assert_eq!(ManifestChain::from_json(&chain.to_json()).unwrap(), chain);
}

#[test]
fn an_empty_chain_is_refused() {
    assert_eq!(refused(vec![]), "the manifest chain is empty");
}

#[test]
fn genesis_without_the_signature_of_every_holder_is_refused_and_names_who_is_missing() {
    assert_eq!(
        refused(vec![changed_genesis([1, 3], |_| {})]),
        "manifest 1 does not hold: it has 2 of the 3 signatures it needs; not signed by holder 2"
    );
    assert_eq!(
        refused(vec![changed_genesis([], |_| {})]),
        "manifest 1 does not hold: it has 0 of the 3 signatures it needs; \
         not signed by holder 1, holder 2, holder 3"
    );
}

#[test]
fn one_holder_signing_twice_is_refused() {
    assert_eq!(
        refused(vec![changed_genesis([1, 2, 2], |_| {})]),
        "manifest 1 does not hold: it carries two signatures of holder 2"
    );
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let mut signed = good_genesis();
    let hash = signed.manifest.hash();
    signed.signatures[1].signature = signing_key(9).sign(Purpose::MANIFEST, hash.as_bytes());
    assert_eq!(
        refused(vec![signed]),
        "manifest 1 does not hold: the signature of holder 2 does not verify"
    );
}

#[test]
fn a_signature_for_another_purpose_is_refused() {
    let mut signed = good_genesis();
    let hash = signed.manifest.hash();
    let session = Purpose::new("dta unlock session v1");
    signed.signatures[0].signature = signing_key(1).sign(session, hash.as_bytes());
    assert_eq!(
        refused(vec![signed]),
        "manifest 1 does not hold: the signature of holder 1 does not verify"
    );
}

#[test]
fn an_extra_signature_of_a_stranger_is_refused_even_when_enough_are_good() {
    let mut signed = good_genesis();
    let mut extra = signed.signatures[0].clone();
    extra.index = ShareIndex::new(4).unwrap();
    extra.name = "mallory".parse().unwrap();
    signed.signatures.push(extra);
    assert_eq!(
        refused(vec![signed]),
        "manifest 1 does not hold: it is signed by mallory with index 4, who may not sign it"
    );
}

#[test]
fn a_signature_under_another_holders_name_is_refused() {
    let mut signed = good_genesis();
    signed.signatures[0].name = "holder 2".parse().unwrap();
    assert_eq!(
        refused(vec![signed]),
        "manifest 1 does not hold: it is signed by holder 2 with index 1, who may not sign it"
    );
}

#[test]
fn any_changed_field_breaks_every_signature() {
    let changes: [fn(&mut Manifest); 6] = [
        |m| m.authority = "Another D-TA".parse().unwrap(),
        |m| m.unlock = TestSet::new(2, 3, &mut rng(2)).set,
        |m| m.hsm_keys[0].key_label = "dta seal 2".parse().unwrap(),
        |m| m.node_keys[0].node = "node-2".parse().unwrap(),
        |m| m.check_value = CheckValue::from_bytes([8; 32]),
        |m| m.created = Timestamp::from_unix_seconds(0).unwrap(),
    ];
    for change in changes {
        let mut signed = good_genesis();
        change(&mut signed.manifest);
        assert_eq!(
            refused(vec![signed]),
            "manifest 1 does not hold: the signature of holder 1 does not verify"
        );
    }
}

#[test]
fn genesis_has_epoch_one_and_no_predecessor() {
    let hash = good_genesis().manifest.hash();
    assert_eq!(
        refused(vec![changed_genesis(1..=3, |m| m.predecessor = Some(hash))]),
        "manifest 1 does not hold: a genesis manifest has no predecessor"
    );
    let (chain, _) = genesis(2, 3, &mut rng(1));
    let mut late = successor(&chain, 2);
    late.predecessor = None;
    let signed = signed_by(late.clone(), &late.unlock, 1..=3);
    assert_eq!(
        refused(vec![signed]),
        "manifest 1 does not hold: a genesis manifest has epoch 1, not 2"
    );
}

#[test]
fn a_manifest_without_keys_or_with_two_for_one_place_is_refused() {
    let message = |change: fn(&mut Manifest)| refused(vec![changed_genesis(1..=3, change)]);
    assert_eq!(
        message(|m| m.hsm_keys.clear()),
        "manifest 1 does not hold: it names no HSM key"
    );
    assert_eq!(
        message(|m| m.node_keys.clear()),
        "manifest 1 does not hold: it names no node key"
    );
    assert_eq!(
        message(|m| m.hsm_keys.push(m.hsm_keys[0].clone())),
        "manifest 1 does not hold: it names two keys on HSM 7f3a9b2c"
    );
    assert_eq!(
        message(|m| m.node_keys.push(m.node_keys[0].clone())),
        "manifest 1 does not hold: it names two keys of node node-1"
    );
}

#[test]
fn a_successor_signed_by_fewer_than_m_of_the_predecessor_is_refused() {
    let (mut chain, _) = genesis(2, 3, &mut rng(1));
    let before = chain.clone();
    let next = successor(&chain, 2);
    let signed = signed_by(next, &chain.current().unlock, [2]);
    assert_eq!(
        chain.append(signed).unwrap_err().to_string(),
        "manifest 2 does not hold: it has 1 of the 2 signatures it needs; \
         not signed by holder 1, holder 3"
    );
    assert_eq!(chain, before);
}

#[test]
fn a_successor_signed_by_its_own_holders_instead_of_the_predecessors_is_refused() {
    let (mut chain, _) = genesis(2, 3, &mut rng(1));
    let mut next = successor(&chain, 2);
    let mut fields = serde_json::to_value(&next.unlock).unwrap();
    for (holder, number) in fields["roster"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(11u8..)
    {
        holder["sign_key"] = signing_key(number).public().to_string().into();
    }
    next.unlock = serde_json::from_value(fields).unwrap();
    let signed = signed_by(next.clone(), &next.unlock, 11..=13);
    assert_eq!(
        chain.append(signed).unwrap_err().to_string(),
        "manifest 2 does not hold: the signature of holder 1 does not verify"
    );
}

#[test]
fn broken_links_are_refused_and_named() {
    let (chain, _) = genesis(2, 3, &mut rng(1));
    let message = |change: &dyn Fn(&mut Manifest)| {
        let mut next = successor(&chain, 2);
        change(&mut next);
        let signed = signed_by(next, &chain.current().unlock, [1, 2]);
        chain.clone().append(signed).unwrap_err().to_string()
    };
    let hash = chain.current().hash();
    let follow = format!("manifest 2 does not hold: it does not follow manifest {hash}");
    assert_eq!(message(&|m| m.predecessor = None), follow);
    assert_eq!(
        message(&|m| m.predecessor = Some(ManifestHash::from_bytes([0; 32]))),
        follow
    );
    assert_eq!(
        message(&|m| m.authority = "Another".parse().unwrap()),
        "manifest 2 does not hold: it is of authority Another, the chain is of Test D-TA"
    );
    let id = chain.authority_id();
    let far = TestSet::deal(2, 3, Epoch::new(3), |_| id, &mut rng(3)).set;
    assert_eq!(
        message(&|m| m.unlock = far.clone()),
        "manifest 2 does not hold: epoch 3 cannot follow epoch 1"
    );
    let mut again = serde_json::to_value(&successor(&chain, 2).unlock).unwrap();
    let used = chain.current().unlock.set_id();
    again["set_id"] = used.to_string().into();
    assert_eq!(
        message(&|m| m.unlock = serde_json::from_value(again.clone()).unwrap()),
        format!("manifest 2 does not hold: it uses set id {used} again")
    );
}

#[test]
fn within_an_epoch_only_keys_may_change() {
    let (mut chain, _) = genesis(2, 3, &mut rng(1));
    let append = |chain: &mut ManifestChain, change: &dyn Fn(&mut Manifest)| {
        let mut next = chain.current().clone();
        next.predecessor = Some(next.hash());
        change(&mut next);
        let signed = signed_by(next, &chain.current().unlock, [1, 2]);
        chain.append(signed)
    };
    let changed = "manifest 2 does not hold: it changes the unlock set or the check value but not \
                   the epoch";
    let check_value = CheckValue::from_bytes([9; 32]);
    let refused = append(&mut chain, &|m| m.check_value = check_value);
    assert_eq!(refused.unwrap_err().to_string(), changed);
    let other = TestSet::new(2, 3, &mut rng(5)).set;
    let refused = append(&mut chain, &|m| m.unlock = other.clone());
    assert_eq!(refused.unwrap_err().to_string(), changed);

    append(&mut chain, &|m| {
        let mut second = m.hsm_keys[0].clone();
        second.hsm = "0b5e11aa".parse().unwrap();
        m.hsm_keys.push(second);
    })
    .unwrap();
    assert_eq!(chain.current().hsm_keys.len(), 2);
}

#[test]
fn a_node_signature_is_optional_but_must_be_good() {
    let node_signature = |node: &str, signature: HolderSignature| {
        let mut signed = good_genesis();
        let node = node.parse().unwrap();
        signed.node_signature = Some(NodeSignature { node, signature });
        ManifestChain::verify(vec![signed])
    };
    let hash = good_genesis().manifest.hash();
    let good = signing_key(200).sign(Purpose::MANIFEST, hash.as_bytes());
    assert!(node_signature("node-1", good).is_ok());
    assert_eq!(
        node_signature("node-2", good).unwrap_err().to_string(),
        "manifest 1 does not hold: the signature of node node-2 does not verify"
    );
    let bad = signing_key(201).sign(Purpose::MANIFEST, hash.as_bytes());
    assert_eq!(
        node_signature("node-1", bad).unwrap_err().to_string(),
        "manifest 1 does not hold: the signature of node node-1 does not verify"
    );
}

#[test]
fn a_p256_node_key_signs_as_well() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public_key = pair.public_key().as_ref().to_vec();
    let node: Name = "node-1".parse().unwrap();
    let key =
        crate::NodeKey::new(node.clone(), crate::NodeAlgorithm::EcdsaP256, public_key).unwrap();
    let mut signed = changed_genesis(1..=3, |m| m.node_keys = vec![key.clone()]);
    let bytes = signed.manifest.signed_bytes();
    let signature = pair.sign(&SystemRandom::new(), &bytes).unwrap();
    signed.node_signature = Some(NodeSignature {
        node,
        signature: HolderSignature::from_bytes(signature.as_ref().try_into().unwrap()),
    });
    ManifestChain::verify(vec![signed]).unwrap();
}

#[test]
fn unknown_fields_versions_and_shapes_are_refused() {
    let message = |change: fn(&mut serde_json::Value)| {
        let mut json = serde_json::to_value(good_genesis()).unwrap();
        change(&mut json);
        let bytes = serde_json::to_vec(&json).unwrap();
        SignedManifest::from_json(&bytes).unwrap_err().to_string()
    };
    let unknown = |field: &str, message: String| {
        assert!(
            message.starts_with(&format!("not a manifest: unknown field `{field}`")),
            "{message}"
        );
    };
    unknown("extra", message(|m| m["extra"] = 1.into()));
    unknown("extra", message(|m| m["manifest"]["extra"] = 1.into()));
    unknown(
        "extra",
        message(|m| m["manifest"]["unlock"]["extra"] = 1.into()),
    );
    unknown(
        "extra",
        message(|m| m["manifest"]["unlock"]["roster"][0]["extra"] = 1.into()),
    );
    unknown(
        "extra",
        message(|m| m["manifest"]["hsm_keys"][0]["extra"] = 1.into()),
    );
    unknown(
        "extra",
        message(|m| m["manifest"]["node_keys"][0]["extra"] = 1.into()),
    );
    unknown("extra", message(|m| m["signatures"][0]["extra"] = 1.into()));

    let begins = |message: String, with: &str| {
        assert!(
            message.starts_with(&format!("not a manifest: {with}")),
            "{message}"
        );
    };
    begins(
        message(|m| m["manifest"]["version"] = 2.into()),
        "version 2 is not known to this program, only 1",
    );
    begins(
        message(|m| m["manifest"]["unlock"]["m"] = 0.into()),
        "0 of 3 is no threshold: at least one holder must be needed",
    );
    begins(
        message(|m| m["manifest"]["unlock"]["roster"][0]["index"] = 0.into()),
        "0 is no share index: indexes go from 1 to 16",
    );
    begins(
        message(|m| m["manifest"]["node_keys"][0]["public_key"] = "00".into()),
        "the key of node node-1 is no ed25519 public key",
    );
    begins(
        message(|m| m["manifest"]["check_value"] = "XY".into()),
        "a check value is 32 bytes",
    );
    assert!(
        ManifestChain::from_json(b"{}")
            .unwrap_err()
            .to_string()
            .starts_with("not a manifest chain: ")
    );
}

#[test]
fn a_manifest_can_only_be_signed_by_its_holders() {
    let set = TestSet::new(2, 3, &mut rng(1)).set;
    assert_eq!(
        manifest_of(&set)
            .sign(&set, &signing_key(9))
            .unwrap_err()
            .to_string(),
        "this key belongs to no holder of the set that signs the manifest"
    );
}
