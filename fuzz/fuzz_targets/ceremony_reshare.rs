//! The papers of a reshare, as authority and holders send them to one another: reading survives
//! anything, and what is read is written as the same. No key of the demo signed any of them.
#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use ceremony::reshare::{Confirmation, SignedProposal, Waiver};
use libfuzzer_sys::fuzz_target;
use quorum::ManifestChain;
use serde::Serialize;
use serde::de::DeserializeOwned;

static CHAIN: LazyLock<ManifestChain> = LazyLock::new(|| {
    ManifestChain::from_json(include_bytes!("../seeds/quorum_manifest/chain-two"))
        .expect("the seed is a chain")
});

fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let paper = serde_json::from_slice::<T>(bytes).ok()?;
    let json = serde_json::to_vec(&paper).expect("a paper is plain JSON");
    assert_eq!(
        serde_json::from_slice::<T>(&json).ok().as_ref(),
        Some(&paper)
    );
    Some(paper)
}

fuzz_target!(|bytes: &[u8]| {
    let manifest = CHAIN.current();
    if let Some(proposal) = read::<SignedProposal>(bytes) {
        assert!(!proposal.is_signed_by(&manifest.node_keys[0]));
    }
    let (confirmation, waiver) = (read::<Confirmation>(bytes), read::<Waiver>(bytes));
    for holder in manifest.unlock.roster() {
        if let Some(confirmation) = &confirmation {
            assert!(!confirmation.is_signed_by(&holder.sign_key));
        }
        if let Some(waiver) = &waiver {
            assert!(!waiver.is_signed_by(&holder.sign_key));
        }
    }
});
