//! Where the open secrets are while the authority is unlocked.
//!
//! Requests read under a shared lock and only while they compute; sealing takes the exclusive one, so
//! when [`Vault::seal`] returns nobody has a secret any more, and whoever comes later finds it sealed.

use std::sync::{PoisonError, RwLock};

use wire::{Problem, ProblemType};

use super::keyring::Keyring;

/// Sealed at first.
#[derive(Default)]
pub(super) struct Vault(RwLock<Option<Keyring>>);

impl Vault {
    /// Computes with the open secrets. Must not wait for anything.
    ///
    /// # Errors
    /// `sealed`.
    pub(super) fn with<T>(&self, compute: impl FnOnce(&Keyring) -> T) -> Result<T, Problem> {
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(compute).ok_or_else(sealed)
    }

    /// Changes what is open.
    ///
    /// # Errors
    /// `sealed`.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Keyring) -> T) -> Result<T, Problem> {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        open.as_mut().map(change).ok_or_else(sealed)
    }

    /// Begins to issue with these secrets.
    pub(super) fn unseal(&self, keyring: Keyring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(keyring);
    }

    /// Wipes the secrets; returns once nobody computes with them.
    pub(super) fn seal(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The problem of everybody who wants something of a sealed authority.
pub(super) fn sealed() -> Problem {
    Problem::new(
        ProblemType::Sealed,
        "nothing is issued until the holders unlock it",
    )
    .with_retry_after(10)
}
