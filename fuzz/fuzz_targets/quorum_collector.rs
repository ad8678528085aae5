//! Shares offered to an authority, one after another, by anybody on the roster: each gets a verdict,
//! those that are taken are the dealt ones, and the key that comes out is the key.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quorum::{Collector, ManifestChain, ShareIndex};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

struct World {
    chain: ManifestChain,
    shares: Vec<Vec<u8>>,
    k_quorum: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let json = include_str!("../../tests/vectors/quorum_share_v1.json");
    let vector: Value = serde_json::from_str(json).expect("the vector is JSON");
    let bytes = |hex: &Value| hex::decode(hex.as_str().expect("a string")).expect("hex");
    World {
        chain: ManifestChain::from_json(vector["chain"].to_string().as_bytes())
            .expect("the vector's chain verifies"),
        shares: vector["shares"]
            .as_array()
            .expect("a list")
            .iter()
            .map(bytes)
            .collect(),
        k_quorum: bytes(&vector["k_quorum"]),
    }
});

// Each offer: the signer, the number of bytes, the bytes; an even number of bytes gets a right checksum.
fuzz_target!(|bytes: &[u8]| {
    let world = &*WORLD;
    let mut collector = Collector::new(&world.chain);
    let mut rest = bytes;
    while let [signer, length, after @ ..] = rest {
        let (offer, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let Ok(signer) = ShareIndex::new(signer % 16 + 1) else {
            continue;
        };
        let mut offer = offer.to_vec();
        if length % 2 == 0 {
            offer.truncate(offer.len().saturating_sub(8));
            let sum = Sha256::digest(&offer);
            offer.extend_from_slice(&sum[..8]);
        }
        let before = collector.have();
        let verdict = collector.offer(signer, &offer);
        assert!(!verdict.to_string().is_empty());
        assert_eq!(verdict.remedy().is_none(), verdict.is_accepted());
        assert_eq!(collector.have(), before + u8::from(verdict.is_accepted()));
        if verdict.is_accepted() {
            assert_eq!(offer, world.shares[usize::from(signer.get()) - 1]);
        }
    }
    match collector.combine() {
        Ok(secret) => {
            let key = secret.k_quorum(&world.chain.current().unlock.set_id());
            assert_eq!(key[..], world.k_quorum);
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
