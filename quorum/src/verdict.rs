//! The verdict on each share that is entered, and the shares collected so far.
//!
//! Every share is judged the moment it is offered, against the manifest chain alone. A share that
//! does not fit is named and forgotten; those accepted stay as they are, whatever is offered later.

use std::collections::BTreeMap;
use std::fmt;

use crate::chain::ManifestChain;
use crate::feldman::{ShareValue, UnlockSecret};
use crate::ids::{AuthorityId, Epoch, SetId, ShareIndex, Threshold};
use crate::name::Name;
use crate::set::{Holder, SetDescription};
use crate::share::{Share, ShareError};

/// What became of a share that was offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is one more share of the set.
    Accepted {
        /// Its place in the set.
        index: ShareIndex,
        /// Whose it is.
        holder: Name,
    },
    /// A copy of it is already there; it counts once.
    Duplicate {
        /// The place of the one already there.
        of: ShareIndex,
        /// Whose it is.
        holder: Name,
    },
    /// It belongs to another authority, or to a set this authority never had.
    OtherSet {
        /// The authority it is of.
        genesis: AuthorityId,
        /// The set it is of.
        set_id: SetId,
    },
    /// It is of an earlier set of this authority, which a reshare has replaced.
    StaleEpoch {
        /// Its epoch.
        epoch: Epoch,
        /// The epoch in force.
        current: Epoch,
    },
    /// It is not what was once written, or never was a share of this set.
    Damaged {
        /// What is wrong with it.
        damage: Damage,
    },
    /// It belongs to somebody other than the holder who signed for it.
    WrongHolder {
        /// Whose share it is.
        belongs_to: Name,
        /// Its place in the set.
        index: ShareIndex,
    },
}

impl Verdict {
    /// The verdict in one word, as in status reports and the audit log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Duplicate { .. } => "duplicate",
            Self::OtherSet { .. } => "other-set",
            Self::StaleEpoch { .. } => "stale-epoch",
            Self::Damaged { .. } => "damaged",
            Self::WrongHolder { .. } => "wrong-holder",
        }
    }

    /// True for a share that was taken.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted { .. })
    }

    /// What the holder may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Accepted { .. } => None,
            Self::Duplicate { .. } => Some("let another holder enter a share"),
            Self::OtherSet { .. } => {
                Some("look for the share whose file name begins with this authority's set id")
            }
            Self::StaleEpoch { .. } => {
                Some("use the share written at the last reshare; this one opens nothing any more")
            }
            Self::Damaged { .. } => {
                Some("use another copy of this share, or let another holder enter one")
            }
            Self::WrongHolder { .. } => Some("enter your own share; each holder enters only that"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { index, holder } => {
                write!(f, "share {index} of {holder} is accepted")
            }
            Self::Duplicate { of, holder } => {
                write!(
                    f,
                    "share {of} of {holder} was entered before and counts once"
                )
            }
            Self::OtherSet { genesis, set_id } => write!(
                f,
                "this share belongs to another set: set {set_id} of authority {genesis}"
            ),
            Self::StaleEpoch { epoch, current } => write!(
                f,
                "this share is of epoch {epoch}, which epoch {current} has replaced"
            ),
            Self::Damaged { damage } => write!(f, "this share is damaged: {damage}"),
            Self::WrongHolder { belongs_to, index } => {
                write!(
                    f,
                    "share {index} belongs to {belongs_to}, not to who entered it"
                )
            }
        }
    }
}

/// What is wrong with a damaged share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// Its bytes are no whole share.
    #[error(transparent)]
    Unreadable(#[from] ShareError),
    /// It says of the set or its holder what the manifest does not say.
    #[error("its {0} is not that of the manifest")]
    Header(&'static str),
    /// Its value is not the one that was dealt: it does not lie under the set's commitments.
    #[error("its value does not fit the commitments of the manifest")]
    Value,
}

/// Collects the shares of the set in force, one verdict at a time.
///
/// Holds share values: dropping it wipes them.
pub struct Collector {
    authority_id: AuthorityId,
    set: SetDescription,
    earlier: Vec<SetId>,
    accepted: BTreeMap<ShareIndex, ShareValue>,
}

impl Collector {
    /// For the current unlock set of a chain.
    pub fn new(chain: &ManifestChain) -> Self {
        let set = chain.current().unlock.clone();
        let sets = chain.manifests().iter().map(|m| m.manifest.unlock.set_id());
        Self {
            authority_id: chain.authority_id(),
            earlier: sets.filter(|id| *id != set.set_id()).collect(),
            set,
            accepted: BTreeMap::new(),
        }
    }

    /// Judges an encoded share that the holder at `signer` has signed for, and keeps it if it is one
    /// more share of the set. Whether `signer` really signed is for the caller to check before.
    pub fn offer(&mut self, signer: ShareIndex, encoded: &[u8]) -> Verdict {
        match self.judge(signer, encoded) {
            Ok(share) => {
                let index = share.index();
                self.accepted.insert(index, share.value);
                Verdict::Accepted {
                    index,
                    holder: share.holder,
                }
            }
            Err(verdict) => verdict,
        }
    }

    /// The holders whose shares are there, in the order of their indexes.
    pub fn accepted(&self) -> impl Iterator<Item = &Holder> {
        let there = |holder: &&Holder| self.accepted.contains_key(&holder.index);
        self.set.roster().iter().filter(there)
    }

    /// The holders whose shares are not there.
    pub fn missing(&self) -> impl Iterator<Item = &Holder> {
        let absent = |holder: &&Holder| !self.accepted.contains_key(&holder.index);
        self.set.roster().iter().filter(absent)
    }

    /// How many shares are there.
    pub fn have(&self) -> u8 {
        u8::try_from(self.accepted.len()).expect("there are at most 16 shares")
    }

    /// M of N of the set.
    pub fn threshold(&self) -> Threshold {
        self.set.threshold()
    }

    /// True when M shares are there.
    pub fn is_complete(&self) -> bool {
        self.have() >= self.threshold().m()
    }

    /// The unlock secret, from M of the accepted shares, checked against its commitment.
    ///
    /// # Errors
    /// With fewer than M shares.
    pub fn combine(&self) -> Result<UnlockSecret, CombineError> {
        let (have, need) = (self.have(), self.threshold().m());
        if have < need {
            return Err(CombineError::NotEnough { have, need });
        }
        let values = self.accepted.values().take(usize::from(need));
        self.set
            .commitments()
            .combine(values)
            .ok_or(CombineError::WrongSecret)
    }

    fn judge(&self, signer: ShareIndex, encoded: &[u8]) -> Result<Share, Verdict> {
        let share = Share::decode(encoded).map_err(|e| damaged(Damage::Unreadable(e)))?;
        self.check_origin(&share)?;

        let header = |what| damaged(Damage::Header(what));
        if share.threshold != self.set.threshold() {
            return Err(header("threshold"));
        }
        let index = share.index();
        let holder = self.set.holder(index).ok_or_else(|| header("index"))?;
        if holder.name != share.holder {
            return Err(header("holder"));
        }
        if index != signer {
            return Err(Verdict::WrongHolder {
                belongs_to: share.holder,
                index,
            });
        }
        if !self.set.commitments().accept(&share.value) {
            return Err(damaged(Damage::Value));
        }
        if self.accepted.contains_key(&index) {
            return Err(Verdict::Duplicate {
                of: index,
                holder: share.holder,
            });
        }
        Ok(share)
    }

    /// Is the share of this authority and of the set in force?
    fn check_origin(&self, share: &Share) -> Result<(), Verdict> {
        let ours = share.genesis == self.authority_id;
        if ours && self.earlier.contains(&share.set_id) {
            return Err(Verdict::StaleEpoch {
                epoch: share.epoch,
                current: self.set.epoch(),
            });
        }
        if !ours || share.set_id != self.set.set_id() {
            return Err(Verdict::OtherSet {
                genesis: share.genesis,
                set_id: share.set_id,
            });
        }
        if share.epoch != self.set.epoch() {
            return Err(damaged(Damage::Header("epoch")));
        }
        Ok(())
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (have, set) = (self.have(), self.set.set_id());
        write!(
            f,
            "Collector({have} of {} for set {set})",
            self.threshold().m()
        )
    }
}

/// Why there is no secret yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CombineError {
    /// Fewer than M shares.
    #[error("{have} of the {need} shares needed are there")]
    NotEnough {
        /// Shares accepted.
        have: u8,
        /// M.
        need: u8,
    },
    /// M verified shares gave something else than what was split: the machine miscalculates.
    #[error("the combined shares do not give the secret that was split")]
    WrongSecret,
}

fn damaged(damage: Damage) -> Verdict {
    Verdict::Damaged { damage }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
