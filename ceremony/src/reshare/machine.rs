//! The authority's side of a reshare: a state machine that is told the time and given what holders signed.
//!
//! It holds the new shares until it is committed or dropped; dropped, they are wiped. A message that does not fit changes
//! nothing. [`Reshare::finish`] gives a [`Successor`] only when M old holders consented **and** proved to have their shares,
//! and every new holder confirmed or was waived by M old holders, M of the new set confirming at the least.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use quorum::{
    ChainError, CheckValue, Collector, CombineError, Commitments, Epoch, Holder, HsmKey, Manifest,
    ManifestChain, ManifestSignature, Name, NodeSignature, Purpose, SetDescription, SetError,
    SetId, Share, ShareIndex, ShareValue, SignedManifest, Timestamp, UnlockSecret, Verdict,
    Version1, split,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::papers::{Confirmation, Proposal, SignedProposal, Waiver};
use super::sealed::{self, CannotSeal};
use crate::canonical::HexBytes;
use crate::holder::ShareRecipient;
use crate::plan::{Plan, PlannedHolder};
use crate::session::{Envelope, Refused, UnlockSession};

/// A fresh split for the holders of a plan, before the manifest that describes it.
#[derive(Debug)]
pub struct Dealing<'a> {
    plan: &'a Plan,
    chain: &'a ManifestChain,
    epoch: Epoch,
    set_id: SetId,
    values: Vec<ShareValue>,
    commitments: Commitments,
}

/// What the successor manifest says beside its set.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The new seal key on each HSM.
    pub hsm_keys: Vec<HsmKey>,
    /// Of the new `k_hsm`.
    pub check_value: CheckValue,
    /// Now.
    pub created: Timestamp,
}

/// A reshare that waits for its holders.
pub struct Reshare {
    session: UnlockSession,
    chain: ManifestChain,
    proposal: SignedProposal,
    node_signature: NodeSignature,
    shares: Vec<Slot>,
    consents: BTreeMap<ShareIndex, ManifestSignature>,
    confirmed: BTreeSet<ShareIndex>,
    waivers: BTreeMap<ShareIndex, BTreeSet<ShareIndex>>,
}

struct Slot {
    index: ShareIndex,
    encoded: Zeroizing<Vec<u8>>,
    recipient: ShareRecipient,
}

/// What is still missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many old holders must still consent.
    pub consents: usize,
    /// The new holders who have neither confirmed nor been waived.
    pub confirmations: Vec<Name>,
    /// How many of the new holders must confirm themselves beyond those who did, waivers or not.
    pub present: usize,
}

/// What a finished reshare commits.
#[derive(Debug)]
pub struct Successor {
    /// The chain with the new manifest.
    pub chain: ManifestChain,
    /// From the new shares.
    pub secret: UnlockSecret,
    /// The old holders who consented.
    pub consented: Vec<Holder>,
    /// The new holders who did not confirm.
    pub waived: Vec<Holder>,
}

/// Why something was not taken. What was taken before is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReshareError {
    /// There is no epoch after this one.
    #[error("the last epoch is reached")]
    LastEpoch,
    /// The planned set does not hold together.
    #[error("the planned set cannot be described")]
    Set(#[from] SetError),
    /// The session refused the envelope.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The old share is not accepted.
    #[error("{0}")]
    Share(Verdict),
    /// The signature over the successor is not that of the holder who sent the share.
    #[error("the consent of {0} is not a signature over the proposed manifest")]
    NotConsent(Name),
    /// For another proposal.
    #[error("this is for another proposal than the open one")]
    OtherProposal,
    /// Not signed by whom it should be.
    #[error("this is not signed by {0}")]
    NotSigned(Name),
    /// Index and name are not one holder's.
    #[error("there is no holder {name} with index {index}")]
    Stranger {
        /// The index given.
        index: ShareIndex,
        /// The name given.
        name: Name,
    },
    /// It is not finished.
    #[error("{0}")]
    Incomplete(Missing),
    /// The successor does not verify.
    #[error("the successor manifest does not verify")]
    Chain(#[from] ChainError),
    /// A new share is not accepted by its own set.
    #[error("new share {0} does not open the new set")]
    NewShare(ShareIndex),
    /// The new shares do not combine.
    #[error("the new shares do not open the new set")]
    Combine(#[from] CombineError),
    /// A new share could not be sealed.
    #[error("share {index} cannot be sealed to its holder")]
    Seal {
        /// Which share.
        index: ShareIndex,
        /// Why not.
        #[source]
        source: Box<CannotSeal>,
    },
}

impl ReshareError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refused) => refused.remedy(),
            Self::Share(verdict) => verdict.remedy(),
            Self::Seal { .. } => {
                Some("plan with the X25519 recipient that `dta holder new` makes for this holder")
            }
            Self::OtherProposal => Some("begin again with the proposal that is open now"),
            Self::Incomplete(_) => {
                Some("the old set is in force until it is complete; call those who are missing")
            }
            _ => None,
        }
    }

    /// The verdict in one word where an old share is refused.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refused) => Some(refused.as_str()),
            Self::Share(verdict) => Some(verdict.as_str()),
            _ => None,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reshare is not complete")?;
        if self.consents > 0 {
            write!(
                f,
                "; {} more holders of the set in force must consent",
                self.consents
            )?;
        }
        if !self.confirmations.is_empty() {
            let names: Vec<_> = self.confirmations.iter().map(Name::as_str).collect();
            write!(f, "; not confirmed by {}", names.join(", "))?;
        } else if self.present > 0 {
            write!(
                f,
                "; {} more of the new holders must confirm themselves",
                self.present
            )?;
        }
        Ok(())
    }
}

impl<'a> Dealing<'a> {
    /// Splits a fresh unlock secret as `plan` says, under a fresh set id and the next epoch.
    ///
    /// # Errors
    /// [`ReshareError::LastEpoch`].
    pub fn deal(
        plan: &'a Plan,
        chain: &'a ManifestChain,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ReshareError> {
        let epoch = chain.current().unlock.epoch().next();
        let secret = UnlockSecret::random(rng);
        let (values, commitments) = split(&secret, plan.unlock.threshold, rng);
        Ok(Self {
            plan,
            chain,
            epoch: epoch.ok_or(ReshareError::LastEpoch)?,
            set_id: SetId::random(rng),
            values,
            commitments,
        })
    }

    /// The id of this split.
    #[must_use]
    pub fn set_id(&self) -> SetId {
        self.set_id
    }

    /// Its epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Writes the successor manifest and proposes it in `session`. `sign` makes the node key's signature (64 bytes) over the
    /// bytes it is given; it is asked twice, for the manifest and for the proposal.
    ///
    /// # Errors
    /// [`ReshareError::Set`] as the outer error; the inner one is that of `sign`.
    pub fn propose<E>(
        self,
        facts: Facts,
        session: UnlockSession,
        mut sign: impl FnMut(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<Result<Reshare, E>, ReshareError> {
        let current = self.chain.current();
        let (plan, authority) = (self.plan, self.chain.authority_id());
        let unlock = plan
            .unlock
            .describe(self.set_id, self.epoch, self.commitments)?;
        let manifest = Manifest {
            version: Version1,
            authority: current.authority.clone(),
            predecessor: Some(current.hash()),
            unlock,
            hsm_keys: facts.hsm_keys,
            node_keys: current.node_keys.clone(),
            check_value: facts.check_value,
            created: facts.created,
        };
        let slot = |(value, planned): (ShareValue, &PlannedHolder)| {
            let share = Share {
                genesis: authority,
                set_id: self.set_id,
                epoch: self.epoch,
                threshold: plan.unlock.threshold,
                holder: planned.name.to_name(),
                value,
            };
            Slot {
                index: share.index(),
                encoded: share.encode(),
                recipient: planned.recipient.clone(),
            }
        };
        let shares = self.values.into_iter().zip(&plan.unlock.holders);
        let shares = shares.map(slot).collect();
        let node = session.document().session.node.clone();
        let mut signed = || {
            let signature = sign(&manifest.signed_bytes())?;
            let proposal = Proposal {
                v: Version1,
                session: HexBytes(*session.hash().as_bytes()),
                plan: HexBytes(*plan.hash.as_bytes()),
                manifest: manifest.clone(),
            };
            let word = HexBytes(sign(&proposal.signed_bytes())?);
            Ok((
                signature,
                SignedProposal {
                    proposal,
                    signature: word,
                },
            ))
        };
        let (signature, proposal) = match signed() {
            Ok(signed) => signed,
            Err(error) => return Ok(Err(error)),
        };
        Ok(Ok(Reshare {
            session,
            chain: self.chain.clone(),
            proposal,
            node_signature: NodeSignature {
                node,
                signature: quorum::HolderSignature::from_bytes(signature),
            },
            shares,
            consents: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            waivers: BTreeMap::new(),
        }))
    }
}

impl Reshare {
    /// The session that asks the old holders.
    #[must_use]
    pub fn session(&self) -> &UnlockSession {
        &self.session
    }

    /// What is proposed.
    #[must_use]
    pub fn proposal(&self) -> &SignedProposal {
        &self.proposal
    }

    /// The manifest that would be in force.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.proposal.proposal.manifest
    }

    /// The new shares as share files, each sealed to its holder, in the order of their indexes.
    ///
    /// # Errors
    /// [`ReshareError::Seal`].
    pub fn sealed_shares(&self) -> Result<Vec<String>, ReshareError> {
        let seal = |slot: &Slot| {
            sealed::seal(&slot.encoded, &slot.recipient).map_err(|source| ReshareError::Seal {
                index: slot.index,
                source: Box::new(source),
            })
        };
        self.shares.iter().map(seal).collect()
    }

    /// Takes the consent of an old holder: the old share in an envelope and a signature over the successor. Giving it twice
    /// changes nothing.
    ///
    /// # Errors
    /// [`ReshareError::Refused`], [`ReshareError::Share`], [`ReshareError::NotConsent`].
    pub fn consent(
        &mut self,
        envelope: &Envelope,
        signature: &ManifestSignature,
        now: Instant,
    ) -> Result<Holder, ReshareError> {
        let holder = named(self.old(), envelope.index, &envelope.holder)?.clone();
        let hash = self.manifest().hash();
        let good = signature.index == holder.index
            && signature.name == holder.name
            && holder
                .sign_key
                .verify(Purpose::MANIFEST, hash.as_bytes(), &signature.signature)
                .is_ok();
        if !good {
            return Err(ReshareError::NotConsent(holder.name));
        }
        match self.session.accept(envelope, now)? {
            Verdict::Accepted { .. } => {}
            Verdict::Duplicate { of, .. } if of == holder.index => {}
            verdict => return Err(ReshareError::Share(verdict)),
        }
        self.consents.insert(holder.index, signature.clone());
        Ok(holder)
    }

    /// Takes a new holder's confirmation.
    ///
    /// # Errors
    /// [`ReshareError::OtherProposal`], [`ReshareError::Stranger`], [`ReshareError::NotSigned`].
    pub fn confirm(&mut self, confirmation: &Confirmation) -> Result<Holder, ReshareError> {
        self.check_proposal(&confirmation.manifest)?;
        let set = &self.manifest().unlock;
        let holder = named(set, confirmation.index, &confirmation.holder)?.clone();
        if !confirmation.is_signed_by(&holder.sign_key) {
            return Err(ReshareError::NotSigned(holder.name));
        }
        self.confirmed.insert(holder.index);
        Ok(holder)
    }

    /// Takes an old holder's waiver; returns who signed it.
    ///
    /// # Errors
    /// As [`Reshare::confirm`].
    pub fn waive(&mut self, waiver: &Waiver) -> Result<Holder, ReshareError> {
        self.check_proposal(&waiver.manifest)?;
        let absent = named(&self.manifest().unlock, waiver.index, &waiver.holder)?.index;
        let signer = self
            .old()
            .holder(waiver.signer)
            .filter(|signer| waiver.is_signed_by(&signer.sign_key))
            .ok_or_else(|| ReshareError::NotSigned(waiver.holder.clone()))?
            .clone();
        self.waivers.entry(absent).or_default().insert(signer.index);
        Ok(signer)
    }

    /// Ends it when its time is over; returns whether it is.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.session.expire(now)
    }

    /// What is missing; nothing when [`Reshare::finish`] would succeed.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let set = &self.manifest().unlock;
        let open = set.roster().iter().filter(|holder| {
            !self.confirmed.contains(&holder.index) && !self.is_waived(holder.index)
        });
        let missing = Missing {
            consents: usize::from(self.old().threshold().m()).saturating_sub(self.consents.len()),
            confirmations: open.map(|holder| holder.name.clone()).collect(),
            present: usize::from(set.threshold().m()).saturating_sub(self.confirmed.len()),
        };
        let complete =
            missing.consents == 0 && missing.confirmations.is_empty() && missing.present == 0;
        (!complete).then_some(missing)
    }

    /// The successor, signed, and what opens it.
    ///
    /// # Errors
    /// [`ReshareError::Incomplete`]; otherwise this machine miscalculates, and nothing may be committed.
    pub fn finish(&self) -> Result<Successor, ReshareError> {
        if let Some(missing) = self.missing() {
            return Err(ReshareError::Incomplete(missing));
        }
        let mut chain = self.chain.clone();
        chain.append(SignedManifest {
            manifest: self.manifest().clone(),
            signatures: self.consents.values().cloned().collect(),
            node_signature: Some(self.node_signature.clone()),
        })?;
        let mut collector = Collector::new(&chain);
        for slot in &self.shares {
            if !collector.offer(slot.index, &slot.encoded).is_accepted() {
                return Err(ReshareError::NewShare(slot.index));
            }
        }
        let secret = collector.combine()?;
        let of = |set: &SetDescription, indexes: Vec<ShareIndex>| -> Vec<Holder> {
            let holder = |index| set.holder(index).cloned();
            indexes.into_iter().filter_map(holder).collect()
        };
        let set = &self.manifest().unlock;
        let absent = set.threshold().indexes();
        let absent = absent.filter(|index| !self.confirmed.contains(index));
        Ok(Successor {
            consented: of(self.old(), self.consents.keys().copied().collect()),
            waived: of(set, absent.collect()),
            chain,
            secret,
        })
    }

    fn old(&self) -> &SetDescription {
        &self.chain.current().unlock
    }

    fn is_waived(&self, index: ShareIndex) -> bool {
        let signers = self.waivers.get(&index).map_or(0, BTreeSet::len);
        signers >= usize::from(self.old().threshold().m())
    }

    fn check_proposal(&self, manifest: &quorum::ManifestHash) -> Result<(), ReshareError> {
        if *manifest == self.manifest().hash() {
            Ok(())
        } else {
            Err(ReshareError::OtherProposal)
        }
    }
}

impl fmt::Debug for Reshare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (consents, confirmed) = (self.consents.len(), self.confirmed.len());
        write!(f, "Reshare({consents} consents, {confirmed} confirmed, ..)")
    }
}

fn named<'s>(
    set: &'s SetDescription,
    index: ShareIndex,
    name: &Name,
) -> Result<&'s Holder, ReshareError> {
    set.holder(index)
        .filter(|holder| holder.name == *name)
        .ok_or_else(|| ReshareError::Stranger {
            index,
            name: name.clone(),
        })
}
