//! The registry as a plain value: who the customers are and which keys they have.
//!
//! It is only ever made from rows whose MACs were checked. The authority keeps one behind a lock and
//! replaces it after each change.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::customer::{Customer, KeyState, MasterKey, SigningKey};
use crate::error::StateError;
use crate::mac::{Rows, Table};
use crate::names::{CustomerId, KeyId, KeyVersion};

/// Customers, signing keys and master keys at one generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registry {
    generation: u64,
    customers: BTreeMap<CustomerId, Customer>,
    signing_keys: BTreeMap<KeyId, SigningKey>,
    master_keys: BTreeMap<(CustomerId, KeyVersion), MasterKey>,
}

impl Registry {
    /// How many changes were made since genesis.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// All customers, by name.
    pub fn customers(&self) -> impl Iterator<Item = &Customer> {
        self.customers.values()
    }

    /// A customer.
    pub fn customer(&self, id: &CustomerId) -> Option<&Customer> {
        self.customers.get(id)
    }

    /// All signing keys of all customers, revoked ones too: what a proxy needs.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.signing_keys.values()
    }

    /// A signing key by its id, whosever it is.
    pub fn signing_key(&self, keyid: &KeyId) -> Option<&SigningKey> {
        self.signing_keys.get(keyid)
    }

    /// A customer's signing keys, revoked ones too.
    pub fn signing_keys_of(&self, customer: &CustomerId) -> impl Iterator<Item = &SigningKey> {
        self.signing_keys
            .values()
            .filter(move |key| key.customer == *customer)
    }

    /// All master keys of all customers.
    pub fn master_keys(&self) -> impl Iterator<Item = &MasterKey> {
        self.master_keys.values()
    }

    /// A master key.
    pub fn master_key(&self, customer: &CustomerId, version: KeyVersion) -> Option<&MasterKey> {
        self.master_keys.get(&(customer.clone(), version))
    }

    /// A customer's master keys, oldest first.
    pub fn master_keys_of(&self, customer: &CustomerId) -> impl Iterator<Item = &MasterKey> {
        self.master_keys
            .values()
            .filter(move |key| key.customer == *customer)
    }

    /// The customer's only live master key; none when there are several, and `key` is required then.
    pub fn only_live_key(&self, customer: &CustomerId) -> Option<&MasterKey> {
        let mut live = self
            .master_keys_of(customer)
            .filter(|key| key.state == KeyState::Live);
        live.next().filter(|_| live.next().is_none())
    }

    /// From checked rows.
    pub(crate) fn from_rows(generation: u64, rows: &Rows) -> Result<Self, StateError> {
        let registry = Self {
            generation,
            customers: parse(rows, Table::Customer, |c: &Customer| c.id.clone())?,
            signing_keys: parse(rows, Table::SigningKey, |k: &SigningKey| k.keyid.clone())?,
            master_keys: parse(rows, Table::MasterKey, |k: &MasterKey| {
                (k.customer.clone(), k.version)
            })?,
        };
        let owners = registry
            .signing_keys()
            .map(|key| &key.customer)
            .chain(registry.master_keys().map(|key| &key.customer));
        for owner in owners {
            if registry.customer(owner).is_none() {
                return Err(StateError::Corrupt {
                    detail: format!("a key belongs to customer {owner}, who does not exist"),
                });
            }
        }
        Ok(registry)
    }
}

fn parse<K: Ord, R: DeserializeOwned>(
    rows: &Rows,
    table: Table,
    key_of: impl Fn(&R) -> K,
) -> Result<BTreeMap<K, R>, StateError> {
    let parse = |(key, row): (&String, &crate::mac::Row)| {
        let record: R = serde_json::from_str(&row.body).map_err(|e| StateError::Corrupt {
            detail: format!("row {key} of table {} cannot be read: {e}", table.name()),
        })?;
        Ok((key_of(&record), record))
    };
    rows.table(table).iter().map(parse).collect()
}
