//! What the tests of this room share: a small D-TA with its holders, keys and directory.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use mpin::Suite;
use quorum::{
    Epoch, Holder, HolderSigningKey, HsmKey, Manifest, ManifestChain, NodeAlgorithm, NodeKey,
    SetDescription, SetId, SignedManifest, Threshold, Timestamp, UnlockSecret, Version1, split,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::*;

/// A D-TA with one HSM key and a quorum of 2 of 3. The wrap holds made-up ciphertext: only the tests
/// of the wrap itself need an HSM.
#[derive(Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) manifest: SignedManifest,
    k_hsm: [u8; 32],
    k_quorum: [u8; 32],
}

impl World {
    pub(crate) fn new() -> Self {
        let mut rng = UnwrapErr(SysRng);
        let (set, secret) = deal(Epoch::GENESIS);
        let k_quorum = *secret.k_quorum(&set.set_id());
        let mut k_hsm = [0; 32];
        getrandom::rand_core::Rng::fill_bytes(&mut rng, &mut k_hsm);
        let manifest = manifest(set, &khsm(k_hsm));
        let manifest = signed(manifest.clone(), &manifest.unlock);
        Self {
            manifest,
            k_hsm,
            k_quorum,
        }
    }

    pub(crate) fn chain(&self) -> ManifestChain {
        ManifestChain::verify(vec![self.manifest.clone()]).unwrap()
    }

    /// The chain after a reshare.
    pub(crate) fn reshared_chain(&self) -> ManifestChain {
        let mut chain = self.chain();
        chain.append(self.next().manifest).unwrap();
        chain
    }

    /// What this D-TA could go over to: another set, another `k_hsm`, another seal key.
    pub(crate) fn next(&self) -> World {
        let chain = self.chain();
        let (set, secret) = deal(Epoch::new(2));
        let k_quorum = *secret.k_quorum(&set.set_id());
        let k_hsm = [77; 32];
        let mut next = manifest(set, &khsm(k_hsm));
        next.predecessor = Some(chain.current().hash());
        next.hsm_keys[0].key_label = "dta-seal-2".parse().unwrap();
        World {
            manifest: signed(next, &chain.current().unlock),
            k_hsm,
            k_quorum,
        }
    }

    /// K of `next`, which follows this.
    pub(crate) fn key_of(&self, next: &World) -> SealingKey {
        let unlock = &next.manifest.manifest.unlock;
        let context = SealContext {
            authority: self.chain().authority_id(),
            set_id: unlock.set_id(),
            epoch: unlock.epoch(),
        };
        SealingKey::derive(&khsm(next.k_hsm), &next.k_quorum, context).unwrap()
    }

    /// Goes over to `next`.
    pub(crate) fn reshare(
        &self,
        state: &mut StateDir,
        next: &World,
    ) -> Result<Change<()>, StateError> {
        state.reshare(Reshare {
            manifest: next.manifest.clone(),
            wraps: next.wraps(),
            from: &self.key(),
            to: &self.key_of(next),
        })
    }

    pub(crate) fn context(&self) -> SealContext {
        SealContext::of(&self.chain())
    }

    pub(crate) fn key(&self) -> SealingKey {
        SealingKey::derive(&khsm(self.k_hsm), &self.k_quorum, self.context()).unwrap()
    }

    /// K as it would be with another `k_quorum`.
    pub(crate) fn wrong_key(&self) -> SealingKey {
        SealingKey::derive(&khsm(self.k_hsm), &[0; 32], self.context()).unwrap()
    }

    pub(crate) fn wraps(&self) -> Vec<Wrap> {
        let key = self.manifest.manifest.hsm_keys[0].clone();
        let sealed = hsm::Sealed {
            iv: [1; 12],
            ciphertext: vec![2; 48],
        };
        vec![Wrap { key, sealed }]
    }

    pub(crate) fn create(&self, path: &Path) -> Result<StateDir, StateError> {
        let key = self.key();
        let genesis = Genesis {
            manifest: self.manifest.clone(),
            wraps: self.wraps(),
            sealing_key: &key,
        };
        StateDir::create(path, genesis)
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-20T18:48:00Z".parse().unwrap()
}

pub(crate) fn customer(name: &str) -> NewCustomer {
    NewCustomer {
        id: name.parse().unwrap(),
        policy: Policy::default(),
        suite: Suite::Ro,
        signing_keys: vec![],
        now: now(),
    }
}

/// A signing key whose id ends with this number.
pub(crate) fn signing_key(number: u32) -> NewSigningKey {
    NewSigningKey {
        keyid: format!("key-------------{number:06}").parse().unwrap(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key: vec![7; 32],
        roles: [Role::Enrol, Role::Permit].into(),
        not_before: None,
        not_after: None,
    }
}

pub(crate) fn khsm(bytes: [u8; 32]) -> KHsm {
    KHsm::from_bytes(Zeroizing::new(bytes))
}

fn holder_key(number: u8) -> HolderSigningKey {
    HolderSigningKey::from_seed(Zeroizing::new([number; 32]))
}

fn deal(epoch: Epoch) -> (SetDescription, UnlockSecret) {
    let mut rng = UnwrapErr(SysRng);
    let threshold = Threshold::new(2, 3).unwrap();
    let secret = UnlockSecret::random(&mut rng);
    let (_, commitments) = split(&secret, threshold, &mut rng);
    let holder = |index: quorum::ShareIndex| Holder {
        index,
        name: format!("holder {index}").parse().unwrap(),
        sign_key: holder_key(index.get()).public(),
        recipient: format!("age1holder{index}").parse().unwrap(),
    };
    let roster = threshold.indexes().map(holder).collect();
    let set_id = SetId::random(&mut rng);
    let set = SetDescription::new(set_id, epoch, threshold, roster, commitments).unwrap();
    (set, secret)
}

fn manifest(set: SetDescription, k_hsm: &KHsm) -> Manifest {
    let node_key = holder_key(200).public().as_bytes().to_vec();
    let check_value = k_hsm.check_value(&set.set_id(), set.epoch());
    Manifest {
        version: Version1,
        authority: "Test D-TA".parse().unwrap(),
        predecessor: None,
        unlock: set,
        hsm_keys: vec![HsmKey {
            hsm: "7f3a9b2c".parse().unwrap(),
            token_label: "dta-one".parse().unwrap(),
            key_label: "dta-seal-1".parse().unwrap(),
        }],
        node_keys: vec![
            NodeKey::new("node-1".parse().unwrap(), NodeAlgorithm::Ed25519, node_key).unwrap(),
        ],
        check_value,
        created: now(),
    }
}

fn signed(manifest: Manifest, signers: &SetDescription) -> SignedManifest {
    let sign = |number| manifest.sign(signers, &holder_key(number)).unwrap();
    let signatures = (1..=3).map(sign).collect();
    SignedManifest {
        manifest,
        signatures,
        node_signature: None,
    }
}
