//! What the tests of this room share: a reproducible generator, holders, a set with its shares.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::*;

/// SHA-256 in counter mode over a seed: the same bytes in every run.
pub(crate) struct TestRng {
    seed: u64,
    counter: u64,
}

/// A reproducible generator.
pub(crate) fn rng(seed: u64) -> TestRng {
    TestRng { seed, counter: 0 }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block = [self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat();
            chunk.copy_from_slice(&Sha256::digest(block)[..chunk.len()]);
            self.counter += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// The signing key of test holder `number`.
pub(crate) fn signing_key(number: u8) -> HolderSigningKey {
    HolderSigningKey::from_seed(Zeroizing::new([number; 32]))
}

/// A set with its secret and its share values, holders named `holder 1` and so on.
pub(crate) struct TestSet {
    pub(crate) secret: UnlockSecret,
    pub(crate) set: SetDescription,
    pub(crate) genesis: AuthorityId,
    shares: Vec<Zeroizing<Vec<u8>>>,
}

impl TestSet {
    /// A set of epoch 1 of authority `00..00`.
    pub(crate) fn new(m: u8, n: u8, rng: &mut TestRng) -> Self {
        Self::deal(
            m,
            n,
            Epoch::GENESIS,
            |_| AuthorityId::from_bytes([0; 32]),
            rng,
        )
    }

    /// A set at an epoch, of the authority that `genesis` makes of it.
    pub(crate) fn deal(
        m: u8,
        n: u8,
        epoch: Epoch,
        genesis: impl FnOnce(&SetDescription) -> AuthorityId,
        rng: &mut TestRng,
    ) -> Self {
        let threshold = Threshold::new(m, n).unwrap();
        let secret = UnlockSecret::random(rng);
        let (values, commitments) = split(&secret, threshold, rng);
        let roster = threshold.indexes().map(test_holder).collect();
        let set_id = SetId::random(rng);
        let set = SetDescription::new(set_id, epoch, threshold, roster, commitments).unwrap();
        let genesis = genesis(&set);
        let encode = |value: ShareValue| {
            let holder = test_holder(value.index()).name;
            Share {
                genesis,
                set_id,
                epoch,
                threshold,
                holder,
                value,
            }
            .encode()
        };
        let shares = values.into_iter().map(encode).collect();
        Self {
            secret,
            set,
            genesis,
            shares,
        }
    }

    /// The encoded share at an index.
    pub(crate) fn share(&self, index: u8) -> &Zeroizing<Vec<u8>> {
        &self.shares[usize::from(index) - 1]
    }
}

fn test_holder(index: ShareIndex) -> Holder {
    Holder {
        index,
        name: format!("holder {index}").parse().unwrap(),
        sign_key: signing_key(index.get()).public(),
        recipient: format!("age1holder{index}").parse().unwrap(),
    }
}

/// A manifest of `set` without signatures.
pub(crate) fn manifest_of(set: &SetDescription) -> Manifest {
    let node_key = signing_key(200).public().as_bytes().to_vec();
    let node: Name = "node-1".parse().unwrap();
    Manifest {
        version: Version1,
        authority: "Test D-TA".parse().unwrap(),
        predecessor: None,
        unlock: set.clone(),
        hsm_keys: vec![HsmKey {
            hsm: "7f3a9b2c".parse().unwrap(),
            token_label: "dta-one".parse().unwrap(),
            key_label: "dta seal 1".parse().unwrap(),
        }],
        node_keys: vec![NodeKey::new(node, NodeAlgorithm::Ed25519, node_key).unwrap()],
        check_value: CheckValue::from_bytes([7; 32]),
        created: "2026-11-20T18:48:00Z".parse().unwrap(),
    }
}

/// `manifest` signed by the holders of `signers` with these numbers.
pub(crate) fn signed_by(
    manifest: Manifest,
    signers: &SetDescription,
    numbers: impl IntoIterator<Item = u8>,
) -> SignedManifest {
    let sign = |number| manifest.sign(signers, &signing_key(number)).unwrap();
    let signatures = numbers.into_iter().map(sign).collect();
    SignedManifest {
        manifest,
        signatures,
        node_signature: None,
    }
}

/// A genesis chain with the set dealt for it.
pub(crate) fn genesis(m: u8, n: u8, rng: &mut TestRng) -> (ManifestChain, TestSet) {
    let set = TestSet::deal(
        m,
        n,
        Epoch::GENESIS,
        |set| manifest_of(set).hash().into(),
        rng,
    );
    let signed = signed_by(manifest_of(&set.set), &set.set, 1..=n);
    (ManifestChain::verify(vec![signed]).unwrap(), set)
}
