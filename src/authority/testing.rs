//! What the tests of this process share: a real state directory with a quorum of one, opened without an
//! HSM, and customers in it that sign requests.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use audit::{Clock, Log, LogKey, Options, Origin, Reading, SystemClock, VerifierKey};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use hyper::http::request::Parts;
use mpin::{MasterSecret, Suite};
use quorum::{
    Epoch, Holder, HolderSigningKey, HsmKey, Manifest, NodeAlgorithm, NodeKey, SetDescription,
    SetId, SignedManifest, Threshold, Timestamp, UnlockSecret, Version1, split,
};
use state::{
    Genesis, KHsm, MasterKey, NewCustomer, NewSigningKey, Policy, Registry, Role, SealContext,
    SealingKey, StateDir, Wrap,
};
use wire::api::{AuthorityIdHex, NodeKeyInfo};
use wire::keys::{Algorithm, SigningKey, VerifyingKey};
use wire::signature::{RequestToSign, ResponseStatement, Stamp, sign_request};
use zeroize::Zeroizing;

use super::decide::Names;
use super::desk::{Desk, Digests, Equipment};
use super::issuer::{Identification, Issuer, Setup};
use super::keyring::{Keyring, ResponseKey};
use super::node_of;
use super::phase::{Phase, Unlocked};
use super::status::StatusSource;
use super::token::Token;
use super::vault::Vault;
use crate::service::link::Snapshot;
use crate::service::routes::Call;

/// Unix seconds of all tests: 2026-11-20T18:48:00Z.
pub(super) const NOW: u64 = 1_795_200_480;

/// An unlocked D-TA with one customer, `acme`, whose key has every role of the API.
pub(super) struct World {
    pub(super) names: Names,
    pub(super) state: StateDir,
    pub(super) key: SealingKey,
    pub(super) customer_key: SigningKey,
    masters: Vec<(MasterKey, MasterSecret)>,
    registry: Registry,
    _directory: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (mut state, key) = found(&directory.path().join("state"));
        let customer_key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let new = NewCustomer {
            id: "acme".parse().unwrap(),
            policy: Policy::default(),
            suite: Suite::Ro,
            signing_keys: vec![registration(
                &customer_key,
                [Role::Enrol, Role::Permit, Role::ServerShare],
            )],
            now: timestamp(NOW),
        };
        let change = state.add_customer(&key, new).unwrap();
        let id = state.chain().authority_id();
        let names = Names {
            public_authority: "dta.example".to_owned(),
            authority_id: AuthorityIdHex::from_bytes(*id.as_bytes()),
            authority_id_hex: id.to_string(),
        };
        Self {
            names,
            state,
            key,
            customer_key,
            masters: vec![(change.made.key, change.made.secret)],
            registry: change.registry,
            _directory: directory,
        }
    }

    /// Changes the registry before it is opened.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut StateDir, &SealingKey) -> state::Change<T>,
    ) {
        self.registry = change(&mut self.state, &self.key).registry;
    }

    /// The header of the master key `k1`.
    pub(super) fn master_key(&self) -> &MasterKey {
        &self.masters[0].0
    }

    /// Adds a second master key, as a rotation would.
    pub(super) fn rotate(&mut self) {
        let mut second = self.master_key().clone();
        second.version = "k2".parse().unwrap();
        self.masters.push((second, MasterSecret::random().unwrap()));
    }

    /// What is open.
    pub(super) fn into_keyring(self) -> (Keyring, Names, SigningKey, tempfile::TempDir) {
        let keyring = keyring(&self.state, &self.key, self.registry, self.masters);
        (keyring, self.names, self.customer_key, self._directory)
    }

    /// An unlocked desk without an HSM beside an issuer.
    pub(super) fn into_office(self) -> Office {
        let clock = Arc::new(Held::default());
        let log = new_log(&self._directory.path().join("audit"), Arc::clone(&clock));
        let chain = self.state.chain().clone();
        let node = node_of(&chain).clone();
        let token = || Token::impatient(&self._directory.path().join("hsm.sock"), &node.node);
        let vault = Arc::new(Vault::default());
        vault.unseal(keyring(&self.state, &self.key, self.registry, self.masters));
        let node_key = VerifyingKey::from_raw(node.public_key()).unwrap();
        let setup = Setup {
            names: self.names.clone(),
            identification: Identification {
                name: chain.current().authority.to_string(),
                node: NodeKeyInfo::new(node.node.as_str(), &node_key),
            },
            vault: Arc::clone(&vault),
            log: Arc::clone(&log),
            max_unsigned: Duration::from_secs(60),
        };
        let snapshot = Snapshot {
            authority_id: self.names.authority_id_hex.clone(),
            public_authority: self.names.public_authority.clone(),
            keys: None,
        };
        let equipment = Equipment {
            token: token(),
            node: node.clone(),
            log: Arc::clone(&log),
            vault: Arc::clone(&vault),
            status: Arc::new(StatusSource::new(chain, token(), Arc::clone(&log))),
            snapshots: tokio::sync::watch::channel(Arc::new(snapshot)).0,
            public_authority: self.names.public_authority.clone(),
            session_time: Duration::from_secs(600),
            digests: Digests {
                binary: [0; 32],
                config: [0; 32],
            },
        };
        let desk = Desk::new(equipment, self.state, None);
        desk.papers().phase = Phase::Unlocked(Unlocked { key: self.key });
        Office {
            issuer: Arc::new(Issuer::new(setup, std::iter::empty())),
            desk,
            vault,
            log,
            clock,
            names: self.names,
            customer_key: self.customer_key,
            directory: self._directory,
        }
    }
}

/// An unlocked authority without its sockets.
pub(super) struct Office {
    pub(super) issuer: Arc<Issuer>,
    pub(super) desk: Desk,
    pub(super) vault: Arc<Vault>,
    pub(super) log: Arc<Log>,
    /// While it is held, the log writes nothing.
    pub(super) clock: Arc<Held>,
    pub(super) names: Names,
    pub(super) customer_key: SigningKey,
    directory: tempfile::TempDir,
}

impl Office {
    /// The names of the events logged so far.
    pub(super) fn logged(&self) -> Vec<String> {
        let mut names = Vec::new();
        let directory = self.directory.path().join("audit");
        audit::show(&directory, &audit::Filter::default(), |entry| {
            names.push(entry.event.to_owned());
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        names
    }
}

/// The system's clock, which whoever reads it waits for while it is held.
#[derive(Default)]
pub(super) struct Held(Mutex<()>);

impl Held {
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap()
    }
}

impl Clock for Held {
    fn now(&self) -> Reading {
        drop(self.hold());
        SystemClock.now()
    }
}

fn new_log(directory: &Path, clock: Arc<Held>) -> Arc<Log> {
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let public = key.verifying_key().as_bytes().try_into().unwrap();
    let verifier = VerifierKey::ed25519(Origin::of_authority(&[7; 32]), public);
    let options = Options {
        max_wait: Duration::from_millis(500),
        clock,
        ..Options::default()
    };
    let sign = |bytes: &[u8]| key.sign(bytes).map(Vec::from);
    Arc::new(Log::create(directory, &verifier, options, sign).unwrap())
}

fn keyring(
    state: &StateDir,
    key: &SealingKey,
    registry: Registry,
    masters: Vec<(MasterKey, MasterSecret)>,
) -> Keyring {
    let response = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let authority = AuthorityIdHex::from_bytes(*state.chain().authority_id().as_bytes());
    let statement = ResponseStatement::new(authority, "node-1", response.verifying_key(), NOW);
    let certificate = statement.certify(&[0; 64]);
    let response = ResponseKey {
        key: response,
        certificate,
    };
    let log_key = LogKey::from_bytes(&state.log_key(key).unwrap());
    Keyring::new(registry, masters, log_key, response).unwrap()
}

/// A request as it arrives, signed with `key` at `created`.
pub(super) fn signed(
    names: &Names,
    key: &SigningKey,
    call: Call,
    body: &[u8],
    created: u64,
) -> Parts {
    let method = call.method();
    let request = RequestToSign {
        method: method.as_str(),
        path: call.path(),
        query: None,
        body,
        public_authority: &names.public_authority,
        authority_id_hex: &names.authority_id_hex,
    };
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).unwrap();
    let fields = sign_request(&request, &Stamp::new(created, nonce), key).unwrap();
    let mut builder = hyper::Request::builder().method(&method).uri(call.path());
    for (name, value) in fields {
        builder = builder.header(name, value);
    }
    builder.body(()).unwrap().into_parts().0
}

/// A signing key as the registry takes it.
pub(super) fn registration(
    key: &SigningKey,
    roles: impl IntoIterator<Item = Role>,
) -> NewSigningKey {
    let public = key.verifying_key();
    NewSigningKey {
        keyid: public.keyid().parse().unwrap(),
        algorithm: public.algorithm().as_str().parse().unwrap(),
        public_key: public.as_bytes().to_vec(),
        roles: roles.into_iter().collect(),
        not_before: None,
        not_after: None,
    }
}

pub(super) fn timestamp(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// A state directory with made-up HSM ciphertext, and its key as it would be after unlocking.
fn found(path: &std::path::Path) -> (StateDir, SealingKey) {
    let mut rng = UnwrapErr(SysRng);
    let threshold = Threshold::new(1, 1).unwrap();
    let secret = UnlockSecret::random(&mut rng);
    let (_, commitments) = split(&secret, threshold, &mut rng);
    let holder_key = HolderSigningKey::from_seed(Zeroizing::new([1; 32]));
    let roster = threshold.indexes().map(|index| Holder {
        index,
        name: "alice".parse().unwrap(),
        sign_key: holder_key.public(),
        recipient: "age1alice".parse().unwrap(),
    });
    let set_id = SetId::random(&mut rng);
    let roster = roster.collect();
    let set = SetDescription::new(set_id, Epoch::GENESIS, threshold, roster, commitments).unwrap();
    let k_hsm = KHsm::random().unwrap();
    let hsm_key = HsmKey {
        hsm: "7f3a9b2c".parse().unwrap(),
        token_label: "dta".parse().unwrap(),
        key_label: "dta-seal".parse().unwrap(),
    };
    let node = holder_key.public().as_bytes().to_vec();
    let manifest = Manifest {
        version: Version1,
        authority: "Test".parse().unwrap(),
        predecessor: None,
        unlock: set,
        hsm_keys: vec![hsm_key.clone()],
        node_keys: vec![
            NodeKey::new("node-1".parse().unwrap(), NodeAlgorithm::Ed25519, node).unwrap(),
        ],
        check_value: k_hsm.check_value(&set_id, Epoch::GENESIS),
        created: timestamp(NOW),
    };
    let context = SealContext::of_genesis(&manifest);
    let key = SealingKey::derive(&k_hsm, &secret.k_quorum(&set_id), context).unwrap();
    let signature = manifest.sign(&manifest.unlock, &holder_key).unwrap();
    let sealed = hsm::Sealed {
        iv: [1; 12],
        ciphertext: vec![2; 48],
    };
    let genesis = Genesis {
        manifest: SignedManifest {
            manifest,
            signatures: vec![signature],
            node_signature: None,
        },
        wraps: vec![Wrap {
            key: hsm_key,
            sealed,
        }],
        sealing_key: &key,
    };
    (StateDir::create(path, genesis).unwrap(), key)
}
