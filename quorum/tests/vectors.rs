//! The share encoding, the manifest hash and the key derivation, pinned by a vector that is never
//! edited. It was checked against an independent implementation in Python (SHA-256 of the canonical
//! JSON, checksums, interpolation over the scalar field, HKDF).

#![allow(clippy::unwrap_used)]

use quorum::{Collector, ManifestChain, Share, canonical_json};
use serde_json::Value;

fn vector() -> Value {
    let json = include_str!("../../tests/vectors/quorum_share_v1.json");
    serde_json::from_str(json).unwrap()
}

fn chain() -> ManifestChain {
    ManifestChain::from_json(&serde_json::to_vec(&vector()["chain"]).unwrap()).unwrap()
}

fn shares() -> Vec<Vec<u8>> {
    let vector = vector();
    let decode = |share: &Value| hex::decode(share.as_str().unwrap()).unwrap();
    vector["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(decode)
        .collect()
}

#[test]
fn the_manifest_hash_is_what_it_always_was() {
    let id = vector()["authority_id"].as_str().unwrap().to_owned();
    assert_eq!(chain().authority_id().to_string(), id);
    assert_eq!(chain().genesis().hash().to_string(), id);
}

#[test]
fn the_share_encoding_is_what_it_always_was() {
    for (encoded, at) in shares().into_iter().zip(1u8..) {
        let share = Share::decode(&encoded).unwrap();
        assert_eq!(share.index().get(), at);
        assert_eq!(share.genesis, chain().authority_id());
        assert_eq!(share.set_id, chain().current().unlock.set_id());
        assert_eq!(share.encode().as_slice(), encoded);
    }
}

#[test]
fn any_two_shares_give_the_key_they_always_gave() {
    let (chain, shares) = (chain(), shares());
    for left_out in 0..3 {
        let mut collector = Collector::new(&chain);
        for (at, encoded) in shares.iter().enumerate().filter(|(at, _)| *at != left_out) {
            let signer = chain.current().unlock.roster()[at].index;
            assert!(collector.offer(signer, encoded).is_accepted());
        }
        let key = collector
            .combine()
            .unwrap()
            .k_quorum(&chain.current().unlock.set_id());
        assert_eq!(hex::encode(*key), vector()["k_quorum"].as_str().unwrap());
    }
}

#[test]
fn canonical_json_has_sorted_keys_and_no_spaces() {
    let value = serde_json::json!({"b": [1, true, "x"], "a": {"z": "ü", "y": 2}});
    let text = String::from_utf8(canonical_json(&value).unwrap()).unwrap();
    assert_eq!(text, r#"{"a":{"y":2,"z":"ü"},"b":[1,true,"x"]}"#);
}
