//! Changes of the registry: each one transaction, each checked against everything before it.
//!
//! A change reads and verifies the whole registry, adds to it in memory, and writes the rows with the
//! next generation and all MACs computed from memory. So what somebody changed in the file meanwhile is
//! noticed, and never blessed by a fresh MAC. When a change returns it is durable; the caller writes its
//! generation into the audit entry.

use std::collections::BTreeSet;

use mpin::{KeyContext, MasterSecret, Suite};
use quorum::{Timestamp, canonical_json};
use rusqlite::{TransactionBehavior, params};
use serde::Serialize;

use crate::customer::{
    Customer, CustomerStatus, KeyAlgorithm, KeyState, MasterKey, Role, SigningKey,
};
use crate::dir::StateDir;
use crate::error::{ChangeError, StateError};
use crate::mac::{Macs, Table};
use crate::names::{CustomerId, KeyId, KeyVersion};
use crate::policy::Policy;
use crate::registry::Registry;
use crate::seal::{MasterHeader, SealError, SealingKey};

/// A change that was made, and is durable.
#[derive(Debug)]
pub struct Change<T> {
    /// The registry's generation after it: belongs into the change's audit entry.
    pub generation: u64,
    /// The registry after it.
    pub registry: Registry,
    /// What was made.
    pub made: T,
}

/// A customer to be registered.
#[derive(Debug)]
pub struct NewCustomer {
    /// The name, not used before.
    pub id: CustomerId,
    /// What it may ask for; must allow `suite`.
    pub policy: Policy,
    /// The suite of the first master key.
    pub suite: Suite,
    /// The first signing keys; may be none.
    pub signing_keys: Vec<NewSigningKey>,
    /// The time now.
    pub now: Timestamp,
}

/// A signing key to be registered.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// Its id, never used before by any customer.
    pub keyid: KeyId,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its public bytes, see [`KeyAlgorithm::check`].
    pub public_key: Vec<u8>,
    /// What it may be used for; not empty.
    pub roles: BTreeSet<Role>,
    /// Not valid before.
    pub not_before: Option<Timestamp>,
    /// Not valid from here on.
    pub not_after: Option<Timestamp>,
}

/// A master key that was made, with its secret, for the authority to keep.
#[derive(Debug)]
pub struct NewMasterKey {
    /// The secret.
    pub secret: MasterSecret,
    /// What the registry says of it.
    pub key: MasterKey,
}

impl StateDir {
    /// Registers a customer with a master secret of its own: random, independent of every other,
    /// sealed under K.
    ///
    /// # Errors
    /// When the name or a key id was used before, a key has no role or a wrong shape, the policy does
    /// not allow the suite, or the change cannot be written.
    pub fn add_customer(
        &mut self,
        key: &SealingKey,
        new: NewCustomer,
    ) -> Result<Change<NewMasterKey>, ChangeError> {
        self.change(key, |registry, puts| {
            let NewCustomer {
                id,
                policy,
                suite,
                signing_keys,
                now,
            } = new;
            if registry.customer(&id).is_some() {
                return Err(ChangeError::CustomerExists { id });
            }
            if !policy.allows_suite(suite) {
                return Err(ChangeError::SuiteNotAllowed { suite });
            }
            for new in signing_keys {
                puts.signing_key(&signing_key(registry, id.clone(), new, now)?)?;
            }
            let made = master_key(key, &id, KeyVersion::FIRST, suite, now)?;
            puts.put(
                Table::MasterKey,
                format!("{id}/{}", made.key.version),
                &made.key,
            );
            let customer = Customer {
                id,
                status: CustomerStatus::Active,
                policy,
                created: now,
            };
            puts.customer(&customer);
            Ok(made)
        })
    }

    /// Suspends a customer or serves it again.
    ///
    /// # Errors
    /// When there is no such customer, or its status is that already.
    pub fn set_status(
        &mut self,
        key: &SealingKey,
        id: &CustomerId,
        status: CustomerStatus,
    ) -> Result<Change<()>, ChangeError> {
        self.change(key, |registry, puts| {
            let mut customer = known(registry, id)?.clone();
            if customer.status == status {
                return Err(ChangeError::StatusAlready {
                    id: id.clone(),
                    status,
                });
            }
            customer.status = status;
            puts.customer(&customer);
            Ok(())
        })
    }

    /// Gives a customer another policy.
    ///
    /// # Errors
    /// When there is no such customer.
    pub fn set_policy(
        &mut self,
        key: &SealingKey,
        id: &CustomerId,
        policy: Policy,
    ) -> Result<Change<()>, ChangeError> {
        self.change(key, |registry, puts| {
            let customer = known(registry, id)?.clone();
            puts.customer(&Customer { policy, ..customer });
            Ok(())
        })
    }

    /// Registers one more signing key of a customer.
    ///
    /// # Errors
    /// When there is no such customer, the key id was used before by anybody, or the key has no role or
    /// a wrong shape.
    pub fn add_signing_key(
        &mut self,
        key: &SealingKey,
        customer: &CustomerId,
        new: NewSigningKey,
        now: Timestamp,
    ) -> Result<Change<SigningKey>, ChangeError> {
        self.change(key, |registry, puts| {
            known(registry, customer)?;
            let made = signing_key(registry, customer.clone(), new, now)?;
            puts.signing_key(&made)?;
            Ok(made)
        })
    }

    /// Revokes a signing key, for good. It stays in the registry.
    ///
    /// # Errors
    /// When there is no such key, or it was revoked before.
    pub fn revoke_signing_key(
        &mut self,
        key: &SealingKey,
        keyid: &KeyId,
        now: Timestamp,
    ) -> Result<Change<SigningKey>, ChangeError> {
        self.change(key, |registry, puts| {
            let keyid = || keyid.clone();
            let found = registry.signing_key(&keyid());
            let mut revoked = found
                .ok_or_else(|| ChangeError::UnknownKey { keyid: keyid() })?
                .clone();
            if revoked.revoked_at.is_some() {
                return Err(ChangeError::AlreadyRevoked { keyid: keyid() });
            }
            revoked.revoked_at = Some(now);
            puts.put(Table::SigningKey, revoked.keyid.to_string(), &revoked);
            Ok(revoked)
        })
    }

    fn change<T>(
        &mut self,
        key: &SealingKey,
        make: impl FnOnce(&Registry, &mut Puts) -> Result<T, ChangeError>,
    ) -> Result<Change<T>, ChangeError> {
        self.check_sealing_key(key)?;
        let failed = |e| StateError::database("changing the registry", e);
        let macs = Macs::new(key);
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let (before, mut rows) = macs.load(&transaction)?;
        let mut puts = Puts::default();
        let made = make(&Registry::from_rows(before, &rows)?, &mut puts)?;

        let generation = before + 1;
        for (table, row_key, body) in puts.0 {
            let row = macs.row(table, &row_key, body);
            let sql = format!(
                "INSERT INTO {} (key, body, mac) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO UPDATE SET body = excluded.body, mac = excluded.mac",
                table.name()
            );
            transaction
                .execute(&sql, params![row_key, row.body, row.mac])
                .map_err(failed)?;
            rows.put(table, row_key, row);
        }
        macs.store(&transaction, generation, &rows)?;
        let registry = Registry::from_rows(generation, &rows)?;
        transaction.commit().map_err(failed)?;
        Ok(Change {
            generation,
            registry,
            made,
        })
    }
}

/// The rows that a change writes.
#[derive(Default)]
struct Puts(Vec<(Table, String, String)>);

impl Puts {
    fn put<T: Serialize>(&mut self, table: Table, key: String, record: &T) {
        let body = canonical_json(record).expect("records have string keys and no floats");
        let body = String::from_utf8(body).expect("JSON is UTF-8");
        self.0.push((table, key, body));
    }

    fn customer(&mut self, customer: &Customer) {
        self.put(Table::Customer, customer.id.to_string(), customer);
    }

    /// Refuses the same key twice in one change; the registry only knows those before it.
    fn signing_key(&mut self, key: &SigningKey) -> Result<(), ChangeError> {
        let id = key.keyid.to_string();
        if self
            .0
            .iter()
            .any(|(table, other, _)| *table == Table::SigningKey && *other == id)
        {
            return Err(ChangeError::KeyExists {
                keyid: key.keyid.clone(),
                customer: key.customer.clone(),
            });
        }
        self.put(Table::SigningKey, id, key);
        Ok(())
    }
}

fn known<'a>(registry: &'a Registry, id: &CustomerId) -> Result<&'a Customer, ChangeError> {
    registry
        .customer(id)
        .ok_or_else(|| ChangeError::UnknownCustomer { id: id.clone() })
}

fn signing_key(
    registry: &Registry,
    customer: CustomerId,
    new: NewSigningKey,
    now: Timestamp,
) -> Result<SigningKey, ChangeError> {
    let NewSigningKey {
        keyid,
        algorithm,
        public_key,
        roles,
        not_before,
        not_after,
    } = new;
    if let Some(existing) = registry.signing_key(&keyid) {
        return Err(ChangeError::KeyExists {
            keyid,
            customer: existing.customer.clone(),
        });
    }
    if roles.is_empty() {
        return Err(ChangeError::NoRole { keyid });
    }
    if not_after.is_some_and(|end| end <= not_before.unwrap_or(now)) {
        return Err(ChangeError::NeverValid { keyid });
    }
    algorithm.check(&public_key)?;
    Ok(SigningKey {
        keyid,
        customer,
        algorithm,
        public_key,
        roles,
        created: now,
        not_before,
        not_after,
        revoked_at: None,
    })
}

/// A fresh master secret with its proof of knowledge, sealed.
fn master_key(
    sealing: &SealingKey,
    customer: &CustomerId,
    version: KeyVersion,
    suite: Suite,
    now: Timestamp,
) -> Result<NewMasterKey, StateError> {
    let secret: MasterSecret = MasterSecret::random().map_err(|_| SealError::Random)?;
    let context = KeyContext {
        authority: sealing.context().authority.as_bytes(),
        customer: customer.as_str(),
        key: &version.to_string(),
        suite,
    };
    let proof = secret
        .prove_knowledge(&context.to_bytes())
        .map_err(|_| SealError::Random)?;
    let commitment = secret.commitment().to_compressed();
    let header = MasterHeader {
        customer,
        version,
        suite,
        commitment: &commitment,
    };
    let sealed = sealing.seal_master(&header, &secret)?;
    let key = MasterKey {
        customer: customer.clone(),
        version,
        suite,
        commitment,
        proof: proof.to_bytes(),
        state: KeyState::Live,
        created: now,
        sealed,
    };
    Ok(NewMasterKey { secret, key })
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
