//! A set of holders: who they are, how many are needed, and the commitments of their shares.

use serde::{Deserialize, Serialize};

use crate::feldman::Commitments;
use crate::ids::{Epoch, SetId, ShareIndex, Threshold, ThresholdError};
use crate::name::{Name, Recipient};
use crate::signing::HolderKey;

/// One holder of a roster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The place in the roster and of this holder's share.
    pub index: ShareIndex,
    /// The holder's name, as on the ceremony's screens.
    pub name: Name,
    /// Ed25519: what this holder's signatures are checked with.
    pub sign_key: HolderKey,
    /// Where this holder's shares are sealed to.
    pub recipient: Recipient,
}

/// One set of shares: M of N, the N holders in the order of their indexes, the M commitments.
///
/// In JSON an object of `set_id`, `epoch`, `m`, `n`, `roster`, `commitments`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "SetFields", into = "SetFields")]
pub struct SetDescription {
    set_id: SetId,
    epoch: Epoch,
    threshold: Threshold,
    roster: Vec<Holder>,
    commitments: Commitments,
}

impl SetDescription {
    /// A set whose parts fit one another.
    ///
    /// # Errors
    /// When the roster does not hold exactly the indexes `1..=n` in order, two holders share a name,
    /// a signing key or a recipient, or there are not exactly M commitments.
    pub fn new(
        set_id: SetId,
        epoch: Epoch,
        threshold: Threshold,
        roster: Vec<Holder>,
        commitments: Commitments,
    ) -> Result<Self, SetError> {
        if roster.len() != usize::from(threshold.n()) {
            return Err(SetError::RosterSize {
                have: roster.len(),
                n: threshold.n(),
            });
        }
        for (holder, index) in roster.iter().zip(threshold.indexes()) {
            if holder.index != index {
                return Err(SetError::RosterOrder {
                    name: holder.name.clone(),
                    have: holder.index,
                    want: index,
                });
            }
        }
        refuse_twins(&roster)?;
        if commitments.m() != threshold.m() {
            return Err(SetError::Commitments {
                have: commitments.m(),
                m: threshold.m(),
            });
        }
        Ok(Self {
            set_id,
            epoch,
            threshold,
            roster,
            commitments,
        })
    }

    /// The name of this split.
    pub fn set_id(&self) -> SetId {
        self.set_id
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// M of N.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The N holders; the one at position `i` has index `i + 1`.
    pub fn roster(&self) -> &[Holder] {
        &self.roster
    }

    /// The holder with this index.
    pub fn holder(&self, index: ShareIndex) -> Option<&Holder> {
        self.roster.get(usize::from(index.get()) - 1)
    }

    /// The holder who signs with this key.
    pub fn holder_by_key(&self, key: &HolderKey) -> Option<&Holder> {
        self.roster.iter().find(|holder| holder.sign_key == *key)
    }

    /// What each share is verified against.
    pub fn commitments(&self) -> &Commitments {
        &self.commitments
    }
}

/// Parts of a set that do not fit one another.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetError {
    /// M and N.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// Not N holders.
    #[error("the roster has {have} holders, but N is {n}")]
    RosterSize {
        /// Holders in the roster.
        have: usize,
        /// N.
        n: u8,
    },
    /// The indexes are not 1..=N in order.
    #[error("{name} has index {have} at place {want} of the roster")]
    RosterOrder {
        /// The first misplaced holder.
        name: Name,
        /// The index given.
        have: ShareIndex,
        /// The index expected.
        want: ShareIndex,
    },
    /// Two holders are one.
    #[error("{first} and {second} have the same {what}")]
    Twins {
        /// One of them.
        first: Name,
        /// The other.
        second: Name,
        /// What is the same: `name`, `signing key` or `recipient`.
        what: &'static str,
    },
    /// Not M commitments.
    #[error("there are {have} commitments, but M is {m}")]
    Commitments {
        /// Commitments in the set.
        have: u8,
        /// M.
        m: u8,
    },
}

fn refuse_twins(roster: &[Holder]) -> Result<(), SetError> {
    for (at, first) in roster.iter().enumerate() {
        for second in &roster[at + 1..] {
            let what = if first.name == second.name {
                "name"
            } else if first.sign_key == second.sign_key {
                "signing key"
            } else if first.recipient == second.recipient {
                "recipient"
            } else {
                continue;
            };
            return Err(SetError::Twins {
                first: first.name.clone(),
                second: second.name.clone(),
                what,
            });
        }
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFields {
    set_id: SetId,
    epoch: Epoch,
    m: u8,
    n: u8,
    roster: Vec<Holder>,
    commitments: Commitments,
}

impl TryFrom<SetFields> for SetDescription {
    type Error = SetError;

    fn try_from(set: SetFields) -> Result<Self, SetError> {
        let threshold = Threshold::new(set.m, set.n)?;
        Self::new(
            set.set_id,
            set.epoch,
            threshold,
            set.roster,
            set.commitments,
        )
    }
}

impl From<SetDescription> for SetFields {
    fn from(set: SetDescription) -> Self {
        Self {
            set_id: set.set_id,
            epoch: set.epoch,
            m: set.threshold.m(),
            n: set.threshold.n(),
            roster: set.roster,
            commitments: set.commitments,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{TestSet, rng};

    fn rebuilt(change: impl FnOnce(&mut SetFields)) -> String {
        let mut fields = SetFields::from(TestSet::new(2, 3, &mut rng(1)).set);
        change(&mut fields);
        SetDescription::try_from(fields).unwrap_err().to_string()
    }

    #[test]
    fn a_set_whose_parts_do_not_fit_is_refused_and_says_where() {
        assert_eq!(
            rebuilt(|set| set.m = 4),
            "4 of 3 can never be reached: M must not be more than N"
        );
        assert_eq!(
            rebuilt(|set| set.n = 4),
            "the roster has 3 holders, but N is 4"
        );
        assert_eq!(
            rebuilt(|set| set.roster.swap(0, 1)),
            "holder 2 has index 2 at place 1 of the roster"
        );
        assert_eq!(
            rebuilt(|set| set.m = 3),
            "there are 2 commitments, but M is 3"
        );
    }

    #[test]
    fn two_holders_with_one_name_key_or_recipient_are_refused() {
        assert_eq!(
            rebuilt(|set| set.roster[2].name = set.roster[0].name.clone()),
            "holder 1 and holder 1 have the same name"
        );
        assert_eq!(
            rebuilt(|set| set.roster[2].sign_key = set.roster[1].sign_key),
            "holder 2 and holder 3 have the same signing key"
        );
        assert_eq!(
            rebuilt(|set| set.roster[1].recipient = set.roster[0].recipient.clone()),
            "holder 1 and holder 2 have the same recipient"
        );
    }
}
