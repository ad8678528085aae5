//! Everything that is open while the authority is unlocked: master secrets, the registry as it was
//! verified, the log key and the response key.
//!
//! A request borrows it for as long as it computes and never across a wait, so that `dta lock` has
//! nothing to wait for but arithmetic; dropping it wipes every secret.

use std::collections::{BTreeMap, HashMap};

use audit::LogKey;
use mpin::MasterSecret;
use quorum::Timestamp;
use state::{Customer, CustomerId, KeyState, KeyValidity, MasterKey, Registry};
use wire::api::{
    CommitmentHex, CustomerInfo, IdentityHex, KeyVersion, Limits, MasterKeyInfo, Role, Suite,
};
use wire::keys::{KeyError, SigningKey, VerifyingKey};
use wire::signature::ResponseCertificate;
use wire::{Problem, ProblemType};

use super::issue::MAX_PERMITS;

/// What is open.
pub(super) struct Keyring {
    registry: Registry,
    /// By key id: the keys that have not been revoked, ready to verify.
    verifying: HashMap<String, VerifyingKey>,
    masters: HashMap<CustomerId, BTreeMap<KeyVersion, Master>>,
    pub(super) log_key: LogKey,
    pub(super) response: ResponseKey,
}

/// A master secret that is served.
pub(super) struct Master {
    pub(super) info: MasterKeyInfo,
    pub(super) suite: mpin::Suite,
    pub(super) secret: MasterSecret,
}

/// The key that signs replies, made at unlock, with the node key's word for it.
pub(super) struct ResponseKey {
    pub(super) key: SigningKey,
    pub(super) certificate: ResponseCertificate,
}

/// A customer whose signing key was found.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) customer: &'a Customer,
    pub(super) signing_key: &'a state::SigningKey,
    masters: &'a BTreeMap<KeyVersion, Master>,
}

impl Keyring {
    /// The keyring of a verified registry, with the secrets of all master keys that are served.
    ///
    /// # Errors
    /// When a registered signing key is no point of its curve.
    pub(super) fn new(
        registry: Registry,
        masters: impl IntoIterator<Item = (MasterKey, MasterSecret)>,
        log_key: LogKey,
        response: ResponseKey,
    ) -> Result<Self, KeyError> {
        let verifying = verifying_keys(&registry)?;
        let nobody = HashMap::new();
        let mut keyring = Self {
            registry,
            verifying,
            masters: nobody,
            log_key,
            response,
        };
        for (key, secret) in masters {
            keyring.add_master(&key, secret);
        }
        Ok(keyring)
    }

    /// Takes over the registry as it is after a change.
    ///
    /// # Errors
    /// As [`Keyring::new`]; nothing is changed then.
    pub(super) fn replace_registry(&mut self, registry: Registry) -> Result<(), KeyError> {
        self.verifying = verifying_keys(&registry)?;
        self.registry = registry;
        Ok(())
    }

    /// Adds the secret of a master key.
    pub(super) fn add_master(&mut self, key: &MasterKey, secret: MasterSecret) {
        let info = describe_master(key);
        let master = Master {
            suite: key.suite,
            secret,
            info,
        };
        self.masters
            .entry(key.customer.clone())
            .or_default()
            .insert(master.info.key, master);
    }

    /// Whether the secret of this master key is here.
    pub(super) fn has_master(&self, key: &MasterKey) -> bool {
        let version = describe_master(key).key;
        self.masters
            .get(&key.customer)
            .is_some_and(|of| of.contains_key(&version))
    }

    /// The registry.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The public keys that have not been revoked, for the proxies.
    pub(super) fn verifying_keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.verifying.values()
    }

    /// The key with this id, if it may be used now.
    pub(super) fn verifying_key(&self, keyid: &str, now: u64) -> Option<&VerifyingKey> {
        let now = Timestamp::from_unix_seconds(now)?;
        let registered = self.registry.signing_key(&keyid.parse().ok()?)?;
        match registered.validity(now) {
            KeyValidity::Valid => self.verifying.get(keyid),
            KeyValidity::NotYet | KeyValidity::Expired | KeyValidity::Revoked => None,
        }
    }

    /// Who signs with this key.
    pub(super) fn caller(&self, keyid: &str) -> Option<Caller<'_>> {
        static NONE: BTreeMap<KeyVersion, Master> = BTreeMap::new();
        let signing_key = self.registry.signing_key(&keyid.parse().ok()?)?;
        let customer = self.registry.customer(&signing_key.customer)?;
        let masters = self.masters.get(&customer.id).unwrap_or(&NONE);
        Some(Caller {
            customer,
            signing_key,
            masters,
        })
    }
}

impl<'a> Caller<'a> {
    /// The master key that a request means.
    ///
    /// # Errors
    /// `key-unknown` for a version that is not served, `key-required` when several are.
    pub(super) fn master(&self, wanted: Option<KeyVersion>) -> Result<&'a Master, Problem> {
        let served = || {
            let names: Vec<_> = self.masters.keys().map(KeyVersion::to_string).collect();
            names.join(", ")
        };
        let mut masters = self.masters.values();
        match (wanted, masters.next(), masters.next()) {
            (Some(version), _, _) => self.masters.get(&version).ok_or_else(|| {
                let detail = format!("there is no master key {version}; there are {}", served());
                Problem::new(ProblemType::KeyUnknown, detail)
            }),
            (None, Some(only), None) => Ok(only),
            (None, None, _) => Err(Problem::new(
                ProblemType::KeyUnknown,
                "there is no master key",
            )),
            (None, Some(_), Some(_)) => {
                let detail = format!("name one of the master keys {} in `key`", served());
                Err(Problem::new(ProblemType::KeyRequired, detail))
            }
        }
    }

    /// What the caller is told about itself.
    pub(super) fn describe(&self) -> CustomerInfo {
        CustomerInfo {
            id: self.customer.id.to_string(),
            status: describe_status(self.customer.status),
            keyid: self.signing_key.keyid.to_string(),
            roles: describe_roles(self.signing_key),
            keys: self
                .masters
                .values()
                .map(|master| master.info.clone())
                .collect(),
            limits: Limits {
                permit_days: self.customer.policy.permit_window_days.days(),
                permit_identities: self.customer.policy.max_batch.min(MAX_PERMITS),
            },
        }
    }
}

/// Whether a master key is served.
pub(super) fn is_served(key: &MasterKey) -> bool {
    match key.state {
        KeyState::Live | KeyState::Old => true,
        KeyState::Retired => false,
    }
}

/// A master key as the API describes it.
pub(super) fn describe_master(key: &MasterKey) -> MasterKeyInfo {
    MasterKeyInfo {
        key: KeyVersion::new(key.version.number()).expect("versions begin with 1"),
        suite: match key.suite {
            mpin::Suite::Ro => Suite::Ro,
            mpin::Suite::Nu => Suite::Nu,
            mpin::Suite::Milagro => Suite::Milagro,
        },
        commitment: CommitmentHex::from_bytes(key.commitment),
        proof: Some(hex::encode(key.proof)),
    }
}

/// A customer's status as the API names it.
pub(super) fn describe_status(status: state::CustomerStatus) -> wire::api::CustomerStatus {
    match status {
        state::CustomerStatus::Active => wire::api::CustomerStatus::Active,
        state::CustomerStatus::Suspended => wire::api::CustomerStatus::Suspended,
    }
}

/// The roles that the API knows.
pub(super) fn describe_roles(key: &state::SigningKey) -> Vec<Role> {
    key.roles
        .iter()
        .filter_map(|role| role.as_str().parse().ok())
        .collect()
}

/// The identity as the mathematics takes it.
pub(super) fn identity(hex: IdentityHex) -> mpin::Identity {
    mpin::Identity::from_bytes(*hex.as_bytes())
}

fn verifying_keys(registry: &Registry) -> Result<HashMap<String, VerifyingKey>, KeyError> {
    let keys = registry
        .signing_keys()
        .filter(|key| key.revoked_at.is_none());
    keys.map(|key| {
        Ok((
            key.keyid.to_string(),
            VerifyingKey::from_raw(&key.public_key)?,
        ))
    })
    .collect()
}
