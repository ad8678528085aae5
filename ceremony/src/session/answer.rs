//! The holder's side of an unlock session: examine what is asked, then answer.
//!
//! [`examine`] refuses every session that this holder has no reason to trust; only its success gives an [`Answerable`], and only
//! that can seal a share. The share itself says which genesis to trust: whoever shows another D-TA, or an older state of this
//! one, is refused here, before anything leaves the holder's machine.

use std::time::Duration;

use quorum::{
    AuthorityId, Collector, Epoch, Holder, Manifest, ManifestChain, ManifestHash, Name,
    SetDescription, Timestamp, Verdict, Version1,
};

use super::document::{SessionDocument, SessionPurpose, SignedSession};
use super::envelope::{ENVELOPE, Envelope};
use super::sealing;
use super::seen::{Compared, Seen};
use crate::holder::HolderSecrets;
use crate::sharefile::OpenedShare;

/// How far a holder's clock may be from the authority's before a session is refused for it.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

/// What a holder was asked, and what the holder knows.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What the authority sent.
    pub session: &'a SignedSession,
    /// The manifests that the authority sent, verified.
    pub chain: &'a ManifestChain,
    /// The purpose that this holder came for.
    pub purpose: SessionPurpose,
    /// Now, by the holder's clock.
    pub now: Timestamp,
    /// What this holder has seen before.
    pub seen: &'a Seen,
    /// The holder's key.
    pub holder: &'a HolderSecrets,
    /// The holder's share.
    pub share: &'a OpenedShare,
}

/// Why a holder's tool does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The share belongs to another D-TA: a foreign share, or a made-up D-TA.
    #[error("this share is for authority {share}, but authority {asked} is asking")]
    OtherAuthority {
        /// The genesis in the share.
        share: AuthorityId,
        /// The genesis of the chain that was shown.
        asked: AuthorityId,
    },
    /// Session and manifest chain do not belong together.
    #[error("the session names another {0} than the manifest that came with it")]
    NotOfThisManifest(&'static str),
    /// Not signed by a node of the current manifest.
    #[error("the session is not signed by a node of this authority")]
    NotSigned,
    /// Signed for something else than the holder came for.
    #[error("the session asks for `{asked}`, not for `{wanted}`")]
    Purpose {
        /// The purpose in the session.
        asked: SessionPurpose,
        /// The purpose the holder came for.
        wanted: SessionPurpose,
    },
    /// It ended.
    #[error(
        "the session ended at {expires} by the authority's clock; this machine's clock says {now}"
    )]
    Expired {
        /// When it ended.
        expires: Timestamp,
        /// The holder's clock.
        now: Timestamp,
    },
    /// It begins in the holder's future.
    #[error("the session was opened at {created} by the authority's clock; this machine's clock says {now}, {} s earlier", created.unix_seconds() - now.unix_seconds())]
    FromTheFuture {
        /// When it was opened.
        created: Timestamp,
        /// The holder's clock.
        now: Timestamp,
    },
    /// The manifest is older than one that this holder has seen.
    #[error(
        "the authority shows epoch {shown}, but this holder has seen epoch {seen}: an old state was put back"
    )]
    RolledBack {
        /// The epoch shown.
        shown: Epoch,
        /// The epoch seen before.
        seen: Epoch,
    },
    /// There are two manifests of one epoch.
    #[error("the authority shows another manifest of epoch {0} than this holder has seen")]
    Forked(Epoch),
    /// The chain of manifests does not lead over the one that this holder has seen.
    #[error("the authority's manifests do not lead over {0}, which this holder has seen")]
    Strayed(ManifestHash),
    /// The holder's key is not in the roster.
    #[error("the key of {name} is not in the roster of epoch {epoch}")]
    NotOnRoster {
        /// The holder.
        name: String,
        /// The epoch in force.
        epoch: Epoch,
    },
    /// The share would be refused, for the reason given.
    #[error("{0}")]
    Share(Verdict),
    /// The system has no random numbers, or the session's key is not a good one.
    #[error("the share cannot be sealed to the session's key")]
    CannotSeal,
}

impl AnswerError {
    /// What the holder may do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::OtherAuthority { .. } => Some(
                "use the share for this authority; if this is the right one, do not answer and call the others",
            ),
            Self::NotOfThisManifest(_) | Self::NotSigned | Self::Purpose { .. } => {
                Some("do not answer; tell the operator and the other holders")
            }
            Self::RolledBack { .. } | Self::Forked(_) | Self::Strayed(_) => {
                Some("do not answer; compare the manifest hash with the other holders")
            }
            Self::Expired { .. } | Self::FromTheFuture { .. } => {
                Some("set this machine's clock right, then run `dta unlock` again")
            }
            Self::NotOnRoster { .. } => Some("use the holder key that belongs to this share"),
            Self::Share(verdict) => verdict.remedy(),
            Self::CannotSeal => Some("ask the operator to open another session"),
        }
    }

    /// The verdict in one word where the share itself is refused.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::Share(verdict) => Some(verdict.as_str()),
            Self::OtherAuthority { .. } => Some("other-set"),
            _ => None,
        }
    }
}

/// A session that this holder may answer.
#[derive(Debug)]
pub struct Answerable<'a> {
    question: Question<'a>,
    slot: &'a Holder,
    compared: Compared,
    before: Option<&'a SetDescription>,
}

/// Who came and who went since this holder answered last, by name and by key: a new key under an old name is both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterChange {
    /// Holders of the roster in force that were not in the earlier one.
    pub new: Vec<Name>,
    /// Holders of the earlier roster that are in force no more.
    pub gone: Vec<Name>,
}

impl RosterChange {
    pub(super) fn between(before: &[Holder], now: &[Holder]) -> Self {
        let only_in = |these: &[Holder], those: &[Holder]| {
            let same = |a: &Holder, b: &Holder| a.name == b.name && a.sign_key == b.sign_key;
            let missing = |holder: &&Holder| !those.iter().any(|other| same(holder, other));
            these
                .iter()
                .filter(missing)
                .map(|h| h.name.clone())
                .collect()
        };
        Self {
            new: only_in(now, before),
            gone: only_in(before, now),
        }
    }
}

/// Checks a session against everything that this holder knows.
///
/// # Errors
/// The first reason not to answer.
pub fn examine<'a>(question: Question<'a>) -> Result<Answerable<'a>, AnswerError> {
    let Question {
        session,
        chain,
        holder,
        share,
        ..
    } = question;
    let asked = chain.authority_id();
    if share.share().genesis != asked {
        return Err(AnswerError::OtherAuthority {
            share: share.share().genesis,
            asked,
        });
    }
    check_document(&question)?;
    check_clock(&session.session, question.now)?;
    let set = &chain.current().unlock;
    let compared = match question
        .seen
        .compare(asked, set.epoch(), chain.current().hash())
    {
        Compared::Older(seen) => {
            return Err(AnswerError::RolledBack {
                shown: set.epoch(),
                seen,
            });
        }
        Compared::Forked => return Err(AnswerError::Forked(set.epoch())),
        good => good,
    };
    let seen = question.seen.manifest_of(asked);
    let before = match seen.map(|hash| (hash, manifest_in(chain, hash))) {
        Some((_, Some(manifest))) => Some(&manifest.unlock),
        Some((hash, None)) => return Err(AnswerError::Strayed(hash)),
        None => None,
    };
    let slot = set
        .holder_by_key(&holder.public().sign_key)
        .ok_or_else(|| AnswerError::NotOnRoster {
            name: holder.name().to_string(),
            epoch: set.epoch(),
        })?;
    match Collector::new(chain).offer(slot.index, share.encoded()) {
        Verdict::Accepted { .. } => Ok(Answerable {
            question,
            slot,
            compared,
            before,
        }),
        verdict => Err(AnswerError::Share(verdict)),
    }
}

fn manifest_in(chain: &ManifestChain, hash: ManifestHash) -> Option<&Manifest> {
    let manifests = chain.manifests().iter().map(|signed| &signed.manifest);
    manifests
        .into_iter()
        .find(|manifest| manifest.hash() == hash)
}

fn check_document(question: &Question<'_>) -> Result<(), AnswerError> {
    let (session, manifest) = (&question.session.session, question.chain.current());
    let differs = if session.authority_id != question.chain.authority_id() {
        Some("authority")
    } else if session.manifest_hash != manifest.hash() {
        Some("manifest")
    } else if session.set_id != manifest.unlock.set_id() || session.epoch != manifest.unlock.epoch()
    {
        Some("set")
    } else {
        None
    };
    if let Some(what) = differs {
        return Err(AnswerError::NotOfThisManifest(what));
    }
    manifest
        .node_keys
        .iter()
        .find(|key| key.node == session.node)
        .and_then(|key| {
            key.verify(
                &session.signed_bytes(),
                question.session.signature.as_bytes(),
            )
            .ok()
        })
        .ok_or(AnswerError::NotSigned)?;
    if session.purpose != question.purpose {
        return Err(AnswerError::Purpose {
            asked: session.purpose,
            wanted: question.purpose,
        });
    }
    Ok(())
}

fn check_clock(session: &SessionDocument, now: Timestamp) -> Result<(), AnswerError> {
    let tolerance = CLOCK_TOLERANCE.as_secs();
    if now.unix_seconds() >= session.expires.unix_seconds().saturating_add(tolerance) {
        return Err(AnswerError::Expired {
            expires: session.expires,
            now,
        });
    }
    if session.created.unix_seconds() > now.unix_seconds().saturating_add(tolerance) {
        return Err(AnswerError::FromTheFuture {
            created: session.created,
            now,
        });
    }
    Ok(())
}

impl Answerable<'_> {
    /// What is asked, to be shown to the holder.
    #[must_use]
    pub fn session(&self) -> &SessionDocument {
        &self.question.session.session
    }

    /// The D-TA's name.
    #[must_use]
    pub fn authority(&self) -> &Name {
        &self.question.chain.current().authority
    }

    /// Everybody in the roster, to be shown to the holder.
    #[must_use]
    pub fn roster(&self) -> &[Holder] {
        self.question.chain.current().unlock.roster()
    }

    /// The holder's own place in it.
    #[must_use]
    pub fn slot(&self) -> &Holder {
        self.slot
    }

    /// What the holder should notice: a first meeting, or a manifest that is newer than the one seen last.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let (epoch, hash) = (self.session().epoch, self.session().manifest_hash);
        match self.compared {
            Compared::First => Some(format!(
                "This key has not answered this authority before. Compare its id: {}",
                self.session().authority_id
            )),
            Compared::Newer => Some(format!(
                "The manifest has changed since you answered last: now epoch {epoch}. Compare its hash: {hash}"
            )),
            Compared::Same | Compared::Older(_) | Compared::Forked => None,
        }
    }

    /// How the roster differs from the one that this holder answered last; `None` at a first meeting.
    #[must_use]
    pub fn roster_change(&self) -> Option<RosterChange> {
        self.before
            .map(|before| RosterChange::between(before.roster(), self.roster()))
    }

    /// How far the holder's clock is from the time in which the session is open, in seconds: negative when the holder's clock
    /// is before its beginning, positive when it is after its end. Such a session is answered within [`CLOCK_TOLERANCE`].
    #[must_use]
    pub fn clock_skew(&self) -> Option<i64> {
        let (session, now) = (self.session(), self.question.now.unix_seconds());
        let (created, expires) = (
            session.created.unix_seconds(),
            session.expires.unix_seconds(),
        );
        let skew = if now < created {
            i64::try_from(created - now).map(|seconds| -seconds)
        } else if now >= expires {
            i64::try_from(now - expires)
        } else {
            return None;
        };
        skew.ok()
    }

    /// What is to be remembered before the answer leaves: the manifest answered to.
    #[must_use]
    pub fn remember(&self) -> Seen {
        let mut seen = self.question.seen.clone();
        let session = self.session();
        seen.remember(session.authority_id, session.epoch, session.manifest_hash);
        seen
    }

    /// Seals the share to the session and signs the envelope.
    ///
    /// # Errors
    /// [`AnswerError::CannotSeal`].
    pub fn answer(self) -> Result<Envelope, AnswerError> {
        let Question {
            session,
            holder,
            share,
            ..
        } = self.question;
        let (hash, index) = (session.session.hash(), self.slot.index);
        let sealed = sealing::seal(&session.session.hpke_key, &hash, index, share.encoded())
            .map_err(|_| AnswerError::CannotSeal)?;
        let message = Envelope::signed_message(&hash, index, &sealed.enc, &sealed.ciphertext);
        Ok(Envelope {
            v: Version1,
            session: session.session.session,
            index,
            holder: self.slot.name.clone(),
            enc: sealed.enc,
            ciphertext: sealed.ciphertext,
            signature: holder.sign(ENVELOPE, &message),
        })
    }
}
