//! The authority's side of an unlock session: a state machine that is told the time and given envelopes.
//!
//! It holds at most one share per holder of the roster and nothing else from outside: whoever is not on the roster, or did not sign,
//! changes nothing. When the session expires or is dropped, what was pending is wiped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use quorum::{
    Collector, CombineError, Holder, ManifestChain, Name, SetDescription, ShareIndex, Threshold,
    Timestamp, UnlockSecret, Verdict, Version1,
};

use super::document::{Checkpoint, SessionDocument, SessionHash, SessionPurpose, SignedSession};
use super::envelope::Envelope;
use super::sealing::SessionKey;
use crate::canonical::HexBytes;

/// How long a session lives unless the operator says otherwise.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// No session lives longer.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How many different answers of one holder a session judges: enough for every mistake, too few to fill a log.
pub const MOST_ANSWERS: usize = 16;

/// What a session is opened with.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The manifests in force.
    pub chain: &'a ManifestChain,
    /// The node that asks, as named in the current manifest.
    pub node: &'a Name,
    /// What the shares will be used for.
    pub purpose: SessionPurpose,
    /// The latest checkpoint of the audit log.
    pub checkpoint: Option<Checkpoint>,
    /// SHA-256 of the running program.
    pub binary: [u8; 32],
    /// SHA-256 of its configuration.
    pub config: [u8; 32],
    /// Now, by the wall clock: shown to holders.
    pub created: Timestamp,
    /// Now, by the monotonic clock: decides when the session ends, so setting the wall clock does not prolong it.
    pub now: Instant,
    /// How long the session lives, 1 s to [`LONGEST_LIFETIME`].
    pub lifetime: Duration,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError<E: std::error::Error + 'static> {
    /// The node key did not sign.
    #[error("the node key did not sign the session")]
    Sign(#[source] E),
    /// It signed, but not as the manifest says it would.
    #[error("the signature of node {0} does not verify under the manifest in force")]
    NotThisNode(Name),
    /// The lifetime is out of bounds.
    #[error("a session lives 1 second to 24 hours, not {0:?}")]
    Lifetime(Duration),
    /// The system has no random numbers.
    #[error("the system's random number generator failed")]
    NoRandomness,
}

/// Why an envelope was not even opened. Shares that were accepted before are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The session is over; what it held is wiped.
    #[error("the session has expired, and the shares it held are wiped")]
    Expired,
    /// It answers another session.
    #[error("this answers another session than the open one")]
    OtherSession,
    /// Index, name and signature are not those of one holder of the roster.
    #[error("not signed by a holder of this set")]
    Stranger,
    /// A roster holder signed it, and HPKE does not open it.
    #[error("the answer of {0} does not open with the key of this session")]
    DoesNotOpen(Name),
    /// This roster holder has sent [`MOST_ANSWERS`] already.
    #[error("{0} has sent {MOST_ANSWERS} answers to this session; no more are judged")]
    TooMany(Name),
}

impl Refused {
    /// The word for the audit log and for `--json`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::OtherSession => "other-session",
            Self::Stranger => "stranger",
            Self::DoesNotOpen(_) => "does-not-open",
            Self::TooMany(_) => "too-many",
        }
    }

    /// What the holder may do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Expired | Self::OtherSession => {
                Some("run `dta unlock` again; it answers the session that is open")
            }
            Self::Stranger => Some("use the holder key whose public half is in the manifest"),
            Self::DoesNotOpen(_) => {
                Some("run `dta unlock` again; the answer was damaged on its way")
            }
            Self::TooMany(_) => {
                Some("let another holder enter a share, or close the session and open another")
            }
        }
    }
}

/// An open session. Dropping it wipes the session key and every share it holds.
pub struct UnlockSession {
    document: SignedSession,
    hash: SessionHash,
    set: SetDescription,
    deadline: Instant,
    pending: Option<Pending>,
}

/// What must not outlive the session.
struct Pending {
    key: SessionKey,
    collector: Collector,
    /// The answers that were judged, by the index of their signer. Only what a roster holder signed for this session gets here.
    judged: BTreeMap<ShareIndex, BTreeSet<HexBytes<32>>>,
}

impl UnlockSession {
    /// Opens a session. `sign` makes the node key's signature (64 bytes) over the bytes it is given.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<E: std::error::Error + 'static>(
        opening: Opening<'_>,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Self, OpenError<E>> {
        let lifetime = opening.lifetime;
        if lifetime < Duration::from_secs(1) || lifetime > LONGEST_LIFETIME {
            return Err(OpenError::Lifetime(lifetime));
        }
        let (key, public) = SessionKey::generate().map_err(|_| OpenError::NoRandomness)?;
        let session = describe(&opening, public)?;
        let bytes = session.signed_bytes();
        let signature = sign(&bytes).map_err(OpenError::Sign)?;
        let manifest = opening.chain.current();
        let signature: Option<[u8; 64]> = manifest
            .node_keys
            .iter()
            .find(|key| key.node == *opening.node)
            .and_then(|key| key.verify(&bytes, &signature).ok())
            .and_then(|()| signature.try_into().ok());
        let signature =
            HexBytes(signature.ok_or_else(|| OpenError::NotThisNode(opening.node.clone()))?);
        Ok(Self {
            hash: SessionHash::of(&bytes),
            document: SignedSession { session, signature },
            set: manifest.unlock.clone(),
            deadline: opening.now + lifetime,
            pending: Some(Pending {
                key,
                collector: Collector::new(opening.chain),
                judged: BTreeMap::new(),
            }),
        })
    }

    /// What is sent to holders.
    #[must_use]
    pub fn document(&self) -> &SignedSession {
        &self.document
    }

    /// The session hash.
    #[must_use]
    pub fn hash(&self) -> SessionHash {
        self.hash
    }

    /// Judges one envelope. A share is kept only under the verdict [`Verdict::Accepted`].
    ///
    /// # Errors
    /// [`Refused`], before anything was opened or changed; [`Refused::Expired`] wipes what is pending.
    pub fn accept(&mut self, envelope: &Envelope, now: Instant) -> Result<Verdict, Refused> {
        self.expire(now);
        let pending = self.pending.as_mut().ok_or(Refused::Expired)?;
        if envelope.session != self.document.session.session {
            return Err(Refused::OtherSession);
        }
        let signer = self
            .set
            .holder(envelope.index)
            .filter(|holder| {
                holder.name == envelope.holder
                    && envelope.is_signed_by(&holder.sign_key, &self.hash)
            })
            .ok_or(Refused::Stranger)?;
        let judged = pending.judged.entry(signer.index).or_default();
        if judged.len() >= MOST_ANSWERS && !judged.contains(&envelope.digest()) {
            return Err(Refused::TooMany(signer.name.clone()));
        }
        judged.insert(envelope.digest());
        let share = pending
            .key
            .open(
                &self.hash,
                signer.index,
                &envelope.enc,
                &envelope.ciphertext,
            )
            .ok_or_else(|| Refused::DoesNotOpen(signer.name.clone()))?;
        Ok(pending.collector.offer(signer.index, &share))
    }

    /// Whether this very answer was judged before. Whoever carries answers can send one again; it gets its verdict again, but
    /// costs its holder nothing and is not worth another entry in a log.
    #[must_use]
    pub fn has_judged(&self, envelope: &Envelope) -> bool {
        let judged = |pending: &Pending| {
            let answers = pending.judged.get(&envelope.index);
            answers.is_some_and(|answers| answers.contains(&envelope.digest()))
        };
        self.pending.as_ref().is_some_and(judged)
    }

    /// Wipes what is pending if the session is over at `now`; returns whether it is.
    pub fn expire(&mut self, now: Instant) -> bool {
        if now >= self.deadline {
            self.pending = None;
        }
        self.pending.is_none()
    }

    /// When the session ends, by the monotonic clock.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The holders whose shares are there, in the order of their indexes.
    pub fn accepted(&self) -> impl Iterator<Item = &Holder> {
        self.pending
            .iter()
            .flat_map(|pending| pending.collector.accepted())
    }

    /// The holders whose shares are not there.
    pub fn missing(&self) -> impl Iterator<Item = &Holder> {
        let there: Vec<_> = self.accepted().map(|holder| holder.index).collect();
        self.set
            .roster()
            .iter()
            .filter(move |holder| !there.contains(&holder.index))
    }

    /// M of N.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.set.threshold()
    }

    /// Whether M shares are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pending
            .as_ref()
            .is_some_and(|pending| pending.collector.is_complete())
    }

    /// The unlock secret, once M shares are there. The session stays open if they are not.
    ///
    /// # Errors
    /// [`CombineError::NotEnough`]; an expired session has none.
    pub fn combine(&self) -> Result<UnlockSecret, CombineError> {
        match &self.pending {
            Some(pending) => pending.collector.combine(),
            None => Err(CombineError::NotEnough {
                have: 0,
                need: self.threshold().m(),
            }),
        }
    }
}

impl fmt::Debug for UnlockSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, have) = (self.document.session.session, self.accepted().count());
        write!(
            f,
            "UnlockSession({id}, {have} of {}, ..)",
            self.threshold().m()
        )
    }
}

fn describe<E: std::error::Error>(
    opening: &Opening<'_>,
    hpke_key: HexBytes<32>,
) -> Result<SessionDocument, OpenError<E>> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| OpenError::NoRandomness)?;
    let manifest = opening.chain.current();
    let expires = opening
        .created
        .unix_seconds()
        .saturating_add(opening.lifetime.as_secs());
    Ok(SessionDocument {
        v: Version1,
        authority_id: opening.chain.authority_id(),
        session: HexBytes(id),
        purpose: opening.purpose,
        set_id: manifest.unlock.set_id(),
        epoch: manifest.unlock.epoch(),
        manifest_hash: manifest.hash(),
        node: opening.node.clone(),
        hpke_key,
        checkpoint: opening.checkpoint,
        binary: HexBytes(opening.binary),
        config: HexBytes(opening.config),
        created: opening.created,
        expires: Timestamp::from_unix_seconds(expires)
            .ok_or(OpenError::Lifetime(opening.lifetime))?,
    })
}
