//! The state directory of a D-TA: what must survive, and what guards it.
//!
//! One directory with one SQLite file, `state.db`, under an exclusive lock. It holds the manifest
//! chain, the wraps of `k_hsm`, every customer's sealed master secrets, signing keys and policy, and
//! the sealed audit log key. [`StateDir`] reads and changes it; [`SealingKey`] is the key made of both
//! locks, and whatever may only be done while unlocked asks for a reference to it; [`Registry`] is the
//! plain picture of customers and keys that the authority keeps in memory.
//!
//! What it refuses: a second process in the same directory, a directory that others can enter, a
//! database of a newer schema or with objects that do not belong, an older copy of the database, a
//! row that was added, changed or removed by hand, and to overwrite a genesis.
//!
//! It holds no audit log and speaks to the HSM only to wrap and to open `k_hsm`.
#![forbid(unsafe_code)]

mod anchor;
mod change;
mod customer;
mod db;
mod dir;
mod error;
mod files;
mod khsm;
#[cfg(test)]
mod kill_tests;
mod locked;
mod mac;
mod names;
mod pending;
mod policy;
mod registry;
mod reshare;
mod seal;
#[cfg(test)]
mod testing;

pub use anchor::{AnchorCheck, AnchorError, AnchorObject};
pub use change::{Change, NewCustomer, NewMasterKey, NewSigningKey};
pub use customer::{
    Customer, CustomerStatus, KeyAlgorithm, KeyState, KeyValidity, MasterKey, PublicKeyError, Role,
    SigningKey,
};
pub use dir::{GenerationCheck, Genesis, StateDir};
pub use error::{ChangeError, StateError};
pub use khsm::{KHsm, OpenKHsmError, Wrap, open_k_hsm, wrap_k_hsm};
pub use locked::LockMemoryError;
pub use names::{
    CustomerId, CustomerIdError, KeyId, KeyIdError, KeyVersion, KeyVersionError, UnknownName,
};
pub use pending::PendingObject;
pub use policy::{Operation, PermitWindow, Policy, PolicyError};
pub use registry::Registry;
pub use reshare::Reshare;
pub use seal::{SealContext, SealError, SealedSecret, SealingKey};
