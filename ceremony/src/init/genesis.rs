//! The making of a D-TA's first manifest, without I/O: deal, confirm share by share, finish.
//!
//! [`Dealing`] splits a fresh unlock secret and forgets it at once. [`Genesis`] holds the shares until each holder has
//! confirmed the own one: what was read back from the holder's file must be what was dealt, and the holder signs the
//! manifest. [`Genesis::finish`] then opens the set from the shares that were read back, so a D-TA comes into being only if
//! its holders can open it. No state in between is worth anything: dropped, it is gone.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use quorum::{
    ChainError, CheckValue, Collector, CombineError, Commitments, Epoch, HsmKey, Manifest,
    ManifestChain, ManifestSignature, Name, NodeKey, NodeSignature, NotAHolder, SetError, SetId,
    Share, ShareIndex, ShareValue, SignedManifest, Threshold, Timestamp, UnlockSecret, Version1,
    split,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::holder::{HolderSecrets, ShareRecipient};
use crate::plan::SetPlan;
use crate::sharefile::OpenedShare;

/// A fresh split, before the manifest that describes it.
#[derive(Debug)]
pub struct Dealing {
    set_id: SetId,
    values: Vec<ShareValue>,
    commitments: Commitments,
}

/// What a genesis manifest says beside its set.
#[derive(Clone, Debug)]
pub struct GenesisFacts {
    /// What the D-TA is called.
    pub authority: Name,
    /// The seal key of this epoch.
    pub hsm_key: HsmKey,
    /// The node's key.
    pub node_key: NodeKey,
    /// Of the `k_hsm` that was made for this set.
    pub check_value: CheckValue,
    /// Now.
    pub created: Timestamp,
}

/// A manifest that waits for its holders.
#[derive(Debug)]
pub struct Genesis {
    manifest: Manifest,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    share: Share,
    recipient: ShareRecipient,
    confirmed: Option<Confirmation>,
}

#[derive(Debug)]
struct Confirmation {
    read_back: OpenedShare,
    signature: ManifestSignature,
}

/// A D-TA that its holders have been seen to open.
#[derive(Debug)]
pub struct Founded {
    /// The chain that consists of genesis, signed by all N holders and the node.
    pub chain: ManifestChain,
    /// From the shares that were read back.
    pub secret: UnlockSecret,
}

/// Why a holder's confirmation does not count, or the genesis cannot be finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The plan's set does not hold together.
    #[error("the planned set cannot be described")]
    Set(#[from] SetError),
    /// What was read back is not what was dealt.
    #[error("share {0} was read back and is not the share that was written")]
    ReadBack(ShareIndex),
    /// The key that was opened is not the one in the plan.
    #[error("the key of {name} signs with another key than the plan names for holder {index}")]
    OtherKey {
        /// Who opened a key.
        name: String,
        /// The slot it was opened for.
        index: ShareIndex,
    },
    /// The key signs for nobody.
    #[error("the manifest cannot be signed")]
    NotAHolder(#[from] NotAHolder),
    /// Somebody has not confirmed.
    #[error("share {0} was not confirmed by its holder")]
    Unconfirmed(ShareIndex),
    /// The manifest or its signatures do not verify.
    #[error("the genesis manifest does not verify")]
    Chain(#[from] ChainError),
    /// A share that was read back is not accepted by the set.
    #[error("share {index} does not open the set: {verdict}")]
    Refused {
        /// Which share.
        index: ShareIndex,
        /// The verdict of the collector.
        verdict: String,
    },
    /// M shares do not give the secret.
    #[error("the shares that were read back do not open the set")]
    Combine(#[from] CombineError),
}

impl GenesisError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::OtherKey { .. } => Some("open the key file that belongs to the plan's holder"),
            Self::ReadBack(_) | Self::Refused { .. } => {
                Some("check the medium that shares are written to, and run it again")
            }
            _ => None,
        }
    }
}

impl Dealing {
    /// Splits a fresh unlock secret M of N under a fresh set id.
    pub fn deal(threshold: Threshold, rng: &mut impl CryptoRng) -> Self {
        let set_id = SetId::random(rng);
        let secret = UnlockSecret::random(rng);
        let (values, commitments) = split(&secret, threshold, rng);
        Self {
            set_id,
            values,
            commitments,
        }
    }

    /// The id of this split.
    #[must_use]
    pub fn set_id(&self) -> SetId {
        self.set_id
    }

    /// Writes the manifest and addresses the shares.
    ///
    /// # Errors
    /// [`GenesisError::Set`].
    pub fn into_genesis(
        self,
        plan: &SetPlan,
        facts: GenesisFacts,
    ) -> Result<Genesis, GenesisError> {
        let threshold = plan.threshold;
        let unlock = plan.describe(self.set_id, Epoch::GENESIS, self.commitments)?;
        let manifest = Manifest {
            version: Version1,
            authority: facts.authority,
            predecessor: None,
            unlock,
            hsm_keys: vec![facts.hsm_key],
            node_keys: vec![facts.node_key],
            check_value: facts.check_value,
            created: facts.created,
        };
        let genesis = manifest.hash().into();
        let address = |(value, planned): (ShareValue, &crate::plan::PlannedHolder)| Slot {
            share: Share {
                genesis,
                set_id: self.set_id,
                epoch: Epoch::GENESIS,
                threshold,
                holder: planned.name.to_name(),
                value,
            },
            recipient: planned.recipient.clone(),
            confirmed: None,
        };
        let slots = self
            .values
            .into_iter()
            .zip(&plan.holders)
            .map(address)
            .collect();
        Ok(Genesis { manifest, slots })
    }
}

impl Genesis {
    /// The manifest that the holders sign.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The share at `index` and where it is to be sealed to; `None` beyond N.
    #[must_use]
    pub fn share(&self, index: ShareIndex) -> Option<(&Share, &ShareRecipient)> {
        self.slots
            .get(at(index))
            .map(|slot| (&slot.share, &slot.recipient))
    }

    /// A holder confirms the share at `index` with what was read back from its file, and signs the manifest.
    ///
    /// # Errors
    /// [`GenesisError::ReadBack`], [`GenesisError::OtherKey`]; the slot is then as before.
    pub fn confirm(
        &mut self,
        index: ShareIndex,
        read_back: OpenedShare,
        holder: &HolderSecrets,
    ) -> Result<(), GenesisError> {
        let set = &self.manifest.unlock;
        let slot = self
            .slots
            .get_mut(at(index))
            .ok_or(GenesisError::ReadBack(index))?;
        if verify_slices_are_equal(&slot.share.encode(), read_back.encoded()).is_err()
            || !set.commitments().accept(&read_back.share().value)
        {
            return Err(GenesisError::ReadBack(index));
        }
        let signature = self.manifest.sign(set, holder.signing_key())?;
        if signature.index != index {
            return Err(GenesisError::OtherKey {
                name: holder.name().to_string(),
                index,
            });
        }
        slot.confirmed = Some(Confirmation {
            read_back,
            signature,
        });
        Ok(())
    }

    /// Opens the set from the shares that were read back and closes the chain.
    ///
    /// # Errors
    /// When a holder has not confirmed, or the set does not open.
    pub fn finish(self, node_signature: NodeSignature) -> Result<Founded, GenesisError> {
        let mut signatures = Vec::new();
        let mut read_back: Vec<(ShareIndex, Zeroizing<Vec<u8>>)> = Vec::new();
        for slot in self.slots {
            let index = slot.share.index();
            let confirmed = slot.confirmed.ok_or(GenesisError::Unconfirmed(index))?;
            signatures.push(confirmed.signature);
            read_back.push((index, confirmed.read_back.into_encoded()));
        }
        let signed = SignedManifest {
            manifest: self.manifest,
            signatures,
            node_signature: Some(node_signature),
        };
        let chain = ManifestChain::verify(vec![signed])?;
        let mut collector = Collector::new(&chain);
        for (index, encoded) in &read_back {
            let verdict = collector.offer(*index, encoded);
            if !verdict.is_accepted() {
                return Err(GenesisError::Refused {
                    index: *index,
                    verdict: verdict.to_string(),
                });
            }
        }
        Ok(Founded {
            secret: collector.combine()?,
            chain,
        })
    }
}

fn at(index: ShareIndex) -> usize {
    usize::from(index.get()) - 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::{self, Dealt};

    #[test]
    fn a_genesis_is_finished_when_every_holder_has_confirmed_and_the_set_opens() {
        let dealt = Dealt::new(3, 5);
        assert_eq!(
            dealt.chain.current().unlock.threshold().to_string(),
            "3 of 5"
        );
        assert_eq!(dealt.chain.manifests()[0].signatures.len(), 5);
    }

    #[test]
    fn nothing_is_founded_while_a_holder_is_missing() {
        let (mut genesis, holders, node) = testing::genesis(2, 3);
        let dir = tempfile::tempdir().unwrap();
        for number in [1, 3] {
            testing::confirm(&mut genesis, &holders, number, dir.path());
        }
        let error = genesis.finish(node).unwrap_err();
        assert_eq!(error.to_string(), "share 2 was not confirmed by its holder");
    }

    #[test]
    fn a_share_read_back_from_another_slot_or_set_is_refused() {
        let (mut genesis, holders, _) = testing::genesis(2, 2);
        let (mine, yours) = (ShareIndex::new(1).unwrap(), ShareIndex::new(2).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = testing::write(&genesis, 2, dir.path());
        let opened = crate::sharefile::open(&path, &holders[1]).unwrap();
        let error = genesis.confirm(mine, opened, &holders[0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "share 1 was read back and is not the share that was written"
        );

        let other = Dealt::new(2, 2);
        let path = other.write_share(dir.path(), 2);
        let opened = crate::sharefile::open(&path, &other.holders[1]).unwrap();
        assert!(matches!(
            genesis.confirm(yours, opened, &holders[1]),
            Err(GenesisError::ReadBack(_))
        ));
    }

    #[test]
    fn a_colleagues_key_does_not_confirm() {
        let (mut genesis, holders, _) = testing::genesis(2, 2);
        let dir = tempfile::tempdir().unwrap();
        let path = testing::write(&genesis, 1, dir.path());
        let opened = crate::sharefile::open(&path, &holders[0]).unwrap();
        let error = genesis
            .confirm(ShareIndex::new(1).unwrap(), opened, &holders[1])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the key of holder-2 signs with another key than the plan names for holder 1"
        );
    }
}
