//! What the tests of sessions share: a D-TA with its holders, and whatever they could send.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use quorum::{Name, ShareIndex, Timestamp};

use super::*;
use crate::holder::HolderSecrets;
use crate::sharefile::{self, OpenedShare};
use crate::testing::{Dealt, node_key, node_sign};

/// A D-TA whose holders keep their share files in a directory.
pub(super) struct Room {
    pub(super) dealt: Dealt,
    files: Vec<PathBuf>,
    pub(super) start: Instant,
    _dir: tempfile::TempDir,
}

impl Room {
    pub(super) fn new(m: u8, n: u8) -> Self {
        let dealt = Dealt::new(m, n);
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
        let mut envelope = self.answer(signer, session);
        envelope.enc = sealed.enc;
        envelope.signature = self.holder(signer).sign(ENVELOPE, &message);
        envelope.ciphertext = sealed.ciphertext;
        envelope
    }

    pub(super) fn later(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }
}

pub(super) fn wall(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_795_200_480 + seconds).unwrap()
}
