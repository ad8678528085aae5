//! What the tests of sessions share: a D-TA with its holders, and whatever they could send.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use quorum::{
    Epoch, Holder, Name, SetDescription, SetId, Share, ShareIndex, ShareValue, SignedManifest,
    Timestamp, UnlockSecret, Version1, split,
};
use zeroize::Zeroizing;

use super::*;
use crate::holder::HolderSecrets;
use crate::sharefile::{self, OpenedShare};
use crate::testing::{Dealt, node_key, node_sign};

/// The same holders after a reshare, with the encoded shares that it replaced.
pub(super) fn reshared(dealt: Dealt) -> (Dealt, Vec<Zeroizing<Vec<u8>>>) {
    let Dealt {
        mut chain,
        holders,
        shares,
    } = dealt;
    let before = chain.current().clone();
    let (threshold, rng) = (before.unlock.threshold(), &mut UnwrapErr(SysRng));
    let (values, commitments) = split(&UnlockSecret::random(rng), threshold, rng);
    let (set_id, epoch) = (SetId::random(rng), Epoch::new(2));
    let roster = before.unlock.roster().to_vec();
    let mut manifest = before.clone();
    manifest.predecessor = Some(before.hash());
    manifest.unlock =
        SetDescription::new(set_id, epoch, threshold, roster.clone(), commitments).unwrap();
    let sign = |holder: &HolderSecrets| manifest.sign(&before.unlock, holder.signing_key());
    let signatures = holders.iter().map(|holder| sign(holder).unwrap());
    let signed = SignedManifest {
        signatures: signatures.collect(),
        manifest: manifest.clone(),
        node_signature: None,
    };
    chain.append(signed).unwrap();
    let old = shares.iter().map(Share::encode).collect();
    let share = |(value, holder): (ShareValue, Holder)| Share {
        genesis: chain.authority_id(),
        set_id,
        epoch,
        threshold,
        holder: holder.name,
        value,
    };
    let shares = values.into_iter().zip(roster).map(share).collect();
    let dealt = Dealt {
        chain,
        holders,
        shares,
    };
    (dealt, old)
}

/// A D-TA whose holders keep their share files in a directory.
pub(super) struct Room {
    pub(super) dealt: Dealt,
    files: Vec<PathBuf>,
    pub(super) start: Instant,
    _dir: tempfile::TempDir,
}

impl Room {
    pub(super) fn new(m: u8, n: u8) -> Self {
        Self::of(Dealt::new(m, n))
    }

    pub(super) fn of(dealt: Dealt) -> Self {
        let n = dealt.chain.current().unlock.threshold().n();
        let dir = tempfile::tempdir().unwrap();
        let files = (1..=n)
            .map(|number| dealt.write_share(dir.path(), number))
            .collect();
        Self {
            dealt,
            files,
            start: Instant::now(),
            _dir: dir,
        }
    }

    pub(super) fn open_for(&self, purpose: SessionPurpose) -> UnlockSession {
        let node: Name = "node-1".parse().unwrap();
        let opening = Opening {
            chain: &self.dealt.chain,
            node: &node,
            purpose,
            checkpoint: Some(Checkpoint {
                size: 3,
                root: crate::HexBytes([5; 32]),
            }),
            binary: [1; 32],
            config: [2; 32],
            created: wall(0),
            now: self.start,
            lifetime: DEFAULT_LIFETIME,
        };
        UnlockSession::open(opening, |bytes| {
            Ok::<_, Infallible>(node_sign(&node_key(), bytes))
        })
        .unwrap()
    }

    pub(super) fn open(&self) -> UnlockSession {
        self.open_for(SessionPurpose::Unlock)
    }

    pub(super) fn holder(&self, number: usize) -> &HolderSecrets {
        &self.dealt.holders[number - 1]
    }

    pub(super) fn share(&self, number: usize) -> OpenedShare {
        sharefile::open(&self.files[number - 1], self.holder(number)).unwrap()
    }

    pub(super) fn ask(
        &self,
        number: usize,
        session: &SignedSession,
        now: Timestamp,
    ) -> Result<Envelope, AnswerError> {
        let share = self.share(number);
        let seen = Seen::default();
        let question = Question {
            session,
            chain: &self.dealt.chain,
            purpose: SessionPurpose::Unlock,
            now,
            seen: &seen,
            holder: self.holder(number),
            share: &share,
        };
        examine(question)?.answer()
    }

    pub(super) fn answer(&self, number: usize, session: &UnlockSession) -> Envelope {
        self.ask(number, session.document(), wall(1)).unwrap()
    }

    /// What holder `signer` could send by hand: any bytes, properly sealed and signed.
    pub(super) fn forge(&self, signer: usize, session: &UnlockSession, share: &[u8]) -> Envelope {
        let document = &session.document().session;
        let index = ShareIndex::new(u8::try_from(signer).unwrap()).unwrap();
        let sealed = sealing::seal(&document.hpke_key, &session.hash(), index, share).unwrap();
        let message =
            Envelope::signed_message(&session.hash(), index, &sealed.enc, &sealed.ciphertext);
        Envelope {
            v: Version1,
            session: document.session,
            index,
            holder: self.holder(signer).name().as_str().parse().unwrap(),
            enc: sealed.enc,
            signature: self.holder(signer).sign(ENVELOPE, &message),
            ciphertext: sealed.ciphertext,
        }
    }

    /// The envelope with another signature: that of holder `signer` of this room.
    pub(super) fn resign(
        &self,
        signer: usize,
        session: &UnlockSession,
        envelope: Envelope,
    ) -> Envelope {
        let (enc, ciphertext) = (&envelope.enc, &envelope.ciphertext);
        let message = Envelope::signed_message(&session.hash(), envelope.index, enc, ciphertext);
        Envelope {
            signature: self.holder(signer).sign(ENVELOPE, &message),
            ..envelope
        }
    }

    pub(super) fn later(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }
}

pub(super) fn wall(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_795_200_480 + seconds).unwrap()
}
