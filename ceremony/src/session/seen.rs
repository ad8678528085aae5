//! What a holder's tool remembers of the authorities it has answered: `NAME.holder.seen` beside the key file.
//!
//! Canonical JSON `{"v":1,"authorities":{"AUTHORITY ID":{"epoch":1,"manifest":"HASH"}}}`. It holds no secret; its loss means
//! that an older manifest would not be noticed by this holder until the newer one was seen again.

use std::collections::BTreeMap;
use std::path::Path;

use quorum::{AuthorityId, Epoch, ManifestHash, Version1};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::files::{self, FileError, Privacy};

const LONGEST_FILE: u64 = 1024 * 1024;

/// The newest manifest seen of each authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    v: Version1,
    authorities: BTreeMap<String, SeenManifest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenManifest {
    epoch: Epoch,
    manifest: ManifestHash,
}

/// Why the memory of an authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// The file.
    #[error("the file that remembers the epochs seen cannot be used")]
    File(#[from] FileError),
    /// Its contents.
    #[error("the file that remembers the epochs seen is damaged")]
    Damaged(#[from] serde_json::Error),
}

impl SeenError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.remedy(),
            Self::Damaged(_) => {
                Some("compare the epoch on screen with a colleague's, then remove NAME.holder.seen")
            }
        }
    }
}

/// How a manifest compares with what was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// This holder has not seen the authority before.
    First,
    /// The same manifest as last time.
    Same,
    /// A later epoch.
    Newer,
    /// An earlier epoch than the one given here, which was seen.
    Older(Epoch),
    /// Another manifest of the same epoch.
    Forked,
}

impl Seen {
    /// Reads the memory at `path`; a file that is not there remembers nothing.
    ///
    /// # Errors
    /// [`SeenError`].
    pub fn load(path: &Path) -> Result<Self, SeenError> {
        match files::read(path, LONGEST_FILE) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts the memory at `path`, in one step.
    ///
    /// # Errors
    /// [`SeenError::File`].
    pub fn save(&self, path: &Path) -> Result<(), SeenError> {
        files::replace(path, &canonical::to_bytes(self), Privacy::Secret)?;
        Ok(())
    }

    /// The highest epoch seen of this authority.
    #[must_use]
    pub fn epoch_of(&self, authority: AuthorityId) -> Option<Epoch> {
        self.authorities
            .get(&authority.to_string())
            .map(|seen| seen.epoch)
    }

    /// The newest manifest seen of this authority.
    #[must_use]
    pub fn manifest_of(&self, authority: AuthorityId) -> Option<ManifestHash> {
        self.authorities
            .get(&authority.to_string())
            .map(|seen| seen.manifest)
    }

    pub(super) fn compare(
        &self,
        authority: AuthorityId,
        epoch: Epoch,
        manifest: ManifestHash,
    ) -> Compared {
        match self.authorities.get(&authority.to_string()) {
            None => Compared::First,
            Some(seen) if epoch < seen.epoch => Compared::Older(seen.epoch),
            Some(seen) if epoch > seen.epoch => Compared::Newer,
            Some(seen) if manifest == seen.manifest => Compared::Same,
            Some(_) => Compared::Forked,
        }
    }

    /// Remembers a manifest: the one answered to, or the one that a reshare brought.
    pub fn remember(&mut self, authority: AuthorityId, epoch: Epoch, manifest: ManifestHash) {
        self.authorities
            .insert(authority.to_string(), SeenManifest { epoch, manifest });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_older_epoch_and_a_second_manifest_of_one_epoch_are_noticed() {
        let authority = AuthorityId::from_bytes([1; 32]);
        let (one, two) = (
            ManifestHash::from_bytes([1; 32]),
            ManifestHash::from_bytes([2; 32]),
        );
        let mut seen = Seen::default();
        assert_eq!(seen.compare(authority, Epoch::new(2), two), Compared::First);
        seen.remember(authority, Epoch::new(2), two);
        assert_eq!(seen.compare(authority, Epoch::new(2), two), Compared::Same);
        assert_eq!(
            seen.compare(authority, Epoch::new(2), one),
            Compared::Forked
        );
        assert_eq!(
            seen.compare(authority, Epoch::new(1), one),
            Compared::Older(Epoch::new(2))
        );
        assert_eq!(seen.compare(authority, Epoch::new(3), one), Compared::Newer);
        assert_eq!(
            seen.compare(AuthorityId::from_bytes([2; 32]), Epoch::new(1), one),
            Compared::First
        );
    }

    #[test]
    fn the_memory_survives_and_damage_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.holder.seen");
        let mut seen = Seen::load(&path).unwrap();
        seen.remember(
            AuthorityId::from_bytes([1; 32]),
            Epoch::new(7),
            ManifestHash::from_bytes([1; 32]),
        );
        seen.save(&path).unwrap();
        seen.save(&path).unwrap();
        let again = Seen::load(&path).unwrap();
        assert_eq!(
            again.epoch_of(AuthorityId::from_bytes([1; 32])),
            Some(Epoch::new(7))
        );
        std::fs::write(&path, "{").unwrap();
        let error = Seen::load(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file that remembers the epochs seen is damaged"
        );
    }
}
