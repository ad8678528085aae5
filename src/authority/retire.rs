//! Seal keys that must not exist any more are destroyed: those of earlier epochs, and one that a reshare made in vain.
//!
//! Runs after the token was compared with the disk, so that a disk that was put back destroys nothing. Each step can be
//! repeated; the token itself keeps what is pending (see [`PendingObject`]), until the destruction is verified and logged.

use audit::Event;
use hsm::HsmError;
use quorum::{AuthorityId, HsmKey, ManifestChain, Name};
use state::PendingObject;

use super::token::{Token, TokenError};

impl Token {
    /// Notes on the token which seal key will be made, or that none is being made.
    pub(super) fn note_pending(
        &self,
        authority: AuthorityId,
        key: Option<Name>,
    ) -> Result<(), HsmError> {
        let object = PendingObject::new(authority, key);
        self.client()
            .put_data(&PendingObject::label(&authority), &object.encode())
    }

    fn pending(&self, authority: AuthorityId) -> Result<Option<Name>, TokenError> {
        match self.client().get_data(&PendingObject::label(&authority)) {
            Ok(bytes) => Ok(PendingObject::decode(&bytes, authority)?.key),
            Err(HsmError::KeyMissing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Destroys every seal key on this token that `chain` has left behind, and the pending one if it is not in force; logs
    /// each through `log`; returns their labels.
    ///
    /// # Errors
    /// What the HSM or the log says; what was not destroyed is tried again the next time.
    pub(super) fn retire<E: From<TokenError>>(
        &self,
        chain: &ManifestChain,
        mut log: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let authority = chain.authority_id();
        let current = self.compare(chain)?;
        let pending = self.pending(authority)?;
        let mut retired = Vec::new();
        let mut retire = |label: &Name, reason: &str| -> Result<(), E> {
            self.destroy(label)?;
            log(Event::SealKeyDestroyed {
                hsm: current.hsm.to_string(),
                key: label.to_string(),
                reason: reason.to_owned(),
            })?;
            tracing::info!(key = %label, reason, "a seal key is destroyed");
            retired.push(label.to_string());
            Ok(())
        };
        for key in left_behind(chain, current) {
            // While a reshare is pending its entry may be missing even if the key is gone.
            if pending.is_some() || self.has(&key.key_label)? {
                retire(&key.key_label, "superseded")?;
            }
        }
        if let Some(label) = pending {
            if label != current.key_label {
                retire(&label, "uncommitted")?;
            }
            self.note_pending(authority, None)
                .map_err(TokenError::Hsm)?;
        }
        Ok(retired)
    }

    /// Destroys and asks again.
    fn destroy(&self, label: &Name) -> Result<(), TokenError> {
        self.client().destroy_key(label.as_str())?;
        if self.has(label)? {
            return Err(TokenError::StillThere(label.clone()));
        }
        Ok(())
    }

    fn has(&self, label: &Name) -> Result<bool, TokenError> {
        Ok(self.client().seal_key_exists(label.as_str())?)
    }
}

/// The seal keys that earlier manifests name on the HSM of `current`, the latest first.
fn left_behind<'a>(
    chain: &'a ManifestChain,
    current: &'a HsmKey,
) -> impl Iterator<Item = &'a HsmKey> {
    let earlier = chain.manifests().iter().rev().skip(1);
    let mut last = &current.key_label;
    earlier
        .flat_map(|signed| &signed.manifest.hsm_keys)
        .filter(|key| key.hsm == current.hsm && key.key_label != current.key_label)
        .filter(move |key| std::mem::replace(&mut last, &key.key_label) != &key.key_label)
}
