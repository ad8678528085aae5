//! The promise of the state directory: whatever was written over parts of `state.db`, it is refused,
//! or its manifest chain and its registry are those of the D-TA. SQLite itself is not instrumented.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quorum::{ManifestChain, Timestamp};
use serde_json::Value;
use state::{
    Genesis, KHsm, KeyAlgorithm, NewCustomer, NewSigningKey, Policy, Registry, Role, SealContext,
    SealingKey, StateDir, Wrap,
};
use zeroize::Zeroizing;

struct World {
    directory: PathBuf,
    database: Vec<u8>,
    key: SealingKey,
    chain: ManifestChain,
    registry: Registry,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let json = include_str!("../../tests/vectors/quorum_share_v1.json");
    let vector: Value = serde_json::from_str(json).expect("the vector is JSON");
    let chain = ManifestChain::from_json(vector["chain"].to_string().as_bytes())
        .expect("the vector's chain verifies");
    let k_hsm = KHsm::from_bytes(Zeroizing::new([7; 32]));
    let context = SealContext::of(&chain);
    let key = SealingKey::derive(&k_hsm, &[9; 32], context).expect("memory can be locked");
    let wrap = |hsm_key: &quorum::HsmKey| Wrap {
        key: hsm_key.clone(),
        sealed: hsm::Sealed {
            iv: [3; 12],
            ciphertext: vec![5; 48],
        },
    };
    let genesis = Genesis {
        manifest: chain.manifests()[0].clone(),
        wraps: chain.current().hsm_keys.iter().map(wrap).collect(),
        sealing_key: &key,
    };
    let directory = dta_fuzz::scratch().join("state");
    let mut state = StateDir::create(&directory, genesis).expect("a new state directory is made");
    let signing_key = NewSigningKey {
        keyid: "mK41F20zjCEihl9G4mObqM".parse().expect("that is a key id"),
        algorithm: KeyAlgorithm::Ed25519,
        public_key: vec![8; 32],
        roles: [Role::Enrol, Role::Permit].into(),
        not_before: None,
        not_after: None,
    };
    let customer = NewCustomer {
        id: "acme".parse().expect("that is a customer's name"),
        policy: Policy::default(),
        suite: mpin::Suite::Ro,
        signing_keys: vec![signing_key],
        now: Timestamp::from_unix_seconds(1_795_200_480).expect("that is a time"),
    };
    let registry = state
        .add_customer(&key, customer)
        .expect("a customer is added")
        .registry;
    drop(state);
    let database = fs::read(directory.join("state.db")).expect("the database is there");
    World {
        directory,
        database,
        key,
        chain,
        registry,
    }
});

// Patches one after another: three bytes where, one byte how many, and what is written there.
fuzz_target!(|patches: &[u8]| {
    let world = &*WORLD;
    let mut database = world.database.clone();
    let mut rest = patches;
    while let [high, mid, low, length, after @ ..] = rest {
        let (patch, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let at = u32::from_be_bytes([0, *high, *mid, *low]) as usize % database.len();
        let room = &mut database[at..];
        let length = room.len().min(patch.len());
        room[..length].copy_from_slice(&patch[..length]);
    }
    for file in ["state.db-wal", "state.db-shm", "state.db-journal"] {
        let _ = fs::remove_file(world.directory.join(file));
    }
    let path = world.directory.join("state.db");
    fs::write(&path, &database).expect("the scratch directory has room");
    match StateDir::open(&world.directory) {
        Err(error) => dta_fuzz::say(&error),
        Ok(state) => {
            assert_eq!(state.chain().authority_id(), world.chain.authority_id());
            let _ = state.generation();
            match state.unlock(&world.key) {
                Err(error) => dta_fuzz::say(&error),
                Ok(registry) => assert_eq!(registry, world.registry),
            }
        }
    }
});
