//! What the tests of this room share: dealt sets, holders, a node that signs.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use quorum::{
    CheckValue, HolderSigningKey, HsmKey, ManifestChain, Name, NodeAlgorithm, NodeKey,
    NodeSignature, Purpose, Share, ShareIndex, Threshold,
};
use zeroize::Zeroizing;

use crate::holder::HolderSecrets;
use crate::init::{Dealing, Genesis, GenesisFacts};
use crate::plan::{PlannedHolder, SetPlan};
use crate::sharefile;

/// A founded D-TA with everything that its holders have.
pub(crate) struct Dealt {
    pub(crate) chain: ManifestChain,
    pub(crate) holders: Vec<HolderSecrets>,
    pub(crate) shares: Vec<Share>,
}

impl Dealt {
    pub(crate) fn new(m: u8, n: u8) -> Self {
        let (mut genesis, holders, node) = genesis(m, n);
        let dir = tempfile::tempdir().unwrap();
        for number in 1..=n {
            confirm(&mut genesis, &holders, number, dir.path());
        }
        let copy = |number| {
            let (share, _) = genesis.share(ShareIndex::new(number).unwrap()).unwrap();
            Share::decode(&share.encode()).unwrap()
        };
        let shares = (1..=n).map(copy).collect();
        let chain = genesis.finish(node).unwrap().chain;
        Self {
            chain,
            holders,
            shares,
        }
    }

    /// Writes the share file of holder `number` into `dir`.
    pub(crate) fn write_share(&self, dir: &Path, number: u8) -> PathBuf {
        let at = usize::from(number) - 1;
        sharefile::write(
            dir,
            1,
            &self.shares[at],
            &self.holders[at].public().recipient,
        )
        .unwrap()
    }
}

/// The node key of every test authority.
pub(crate) fn node_key() -> HolderSigningKey {
    HolderSigningKey::from_seed(Zeroizing::new([200; 32]))
}

/// Signs framed bytes as an HSM would.
pub(crate) fn node_sign(key: &HolderSigningKey, bytes: &[u8]) -> Vec<u8> {
    use aws_lc_rs::signature::Ed25519KeyPair;
    Ed25519KeyPair::from_seed_unchecked(key.seed().as_slice())
        .unwrap()
        .sign(bytes)
        .as_ref()
        .to_vec()
}

pub(crate) fn genesis(m: u8, n: u8) -> (Genesis, Vec<HolderSecrets>, NodeSignature) {
    let holders: Vec<_> = (1..=n)
        .map(|number| {
            HolderSecrets::generate(&format!("holder-{number}").parse().unwrap()).unwrap()
        })
        .collect();
    let planned = holders.iter().map(|holder| PlannedHolder {
        name: holder.name().clone(),
        sign_key: holder.public().sign_key,
        recipient: holder.public().recipient.clone(),
    });
    let plan = SetPlan {
        threshold: Threshold::new(m, n).unwrap(),
        holders: planned.collect(),
        copies: 1,
    };
    let node: Name = "node-1".parse().unwrap();
    let public = node_key().public().as_bytes().to_vec();
    let facts = GenesisFacts {
        authority: "Test D-TA".parse().unwrap(),
        hsm_key: HsmKey {
            hsm: "7f3a".parse().unwrap(),
            token_label: "dta".parse().unwrap(),
            key_label: "seal-1".parse().unwrap(),
        },
        node_key: NodeKey::new(node.clone(), NodeAlgorithm::Ed25519, public).unwrap(),
        check_value: CheckValue::from_bytes([7; 32]),
        created: "2026-11-20T18:48:00Z".parse().unwrap(),
    };
    let genesis = Dealing::deal(plan.threshold, &mut UnwrapErr(SysRng))
        .into_genesis(&plan, facts)
        .unwrap();
    let signature = node_key().sign(Purpose::MANIFEST, genesis.manifest().hash().as_bytes());
    (genesis, holders, NodeSignature { node, signature })
}

pub(crate) fn write(genesis: &Genesis, number: u8, dir: &Path) -> PathBuf {
    let (share, recipient) = genesis.share(ShareIndex::new(number).unwrap()).unwrap();
    sharefile::write(dir, 1, share, recipient).unwrap()
}

pub(crate) fn confirm(genesis: &mut Genesis, holders: &[HolderSecrets], number: u8, dir: &Path) {
    let holder = &holders[usize::from(number) - 1];
    let path = write(genesis, number, dir);
    let opened = sharefile::open(&path, holder).unwrap();
    genesis
        .confirm(ShareIndex::new(number).unwrap(), opened, holder)
        .unwrap();
}
