//! Sessions end to end without I/O, and everything that people could try with them.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use quorum::{Epoch, ManifestChain, ManifestHash, Name, ShareIndex, Timestamp, Verdict};

use super::*;
use crate::holder::HolderSecrets;
use crate::sharefile::{self, OpenedShare};
use crate::testing::{Dealt, node_key, node_sign};

/// A D-TA whose holders keep their share files in a directory.
struct Room {
    dealt: Dealt,
    files: Vec<PathBuf>,
    start: Instant,
    _dir: tempfile::TempDir,
}

impl Room {
    fn new(m: u8, n: u8) -> Self {
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

    fn open_for(&self, purpose: SessionPurpose) -> UnlockSession {
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

    fn open(&self) -> UnlockSession {
        self.open_for(SessionPurpose::Unlock)
    }

    fn holder(&self, number: usize) -> &HolderSecrets {
        &self.dealt.holders[number - 1]
    }

    fn share(&self, number: usize) -> OpenedShare {
        sharefile::open(&self.files[number - 1], self.holder(number)).unwrap()
    }

    fn ask(
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

    fn answer(&self, number: usize, session: &UnlockSession) -> Envelope {
        self.ask(number, session.document(), wall(1)).unwrap()
    }

    /// What holder `signer` could send by hand: any bytes, properly sealed and signed.
    fn forge(&self, signer: usize, session: &UnlockSession, share: &[u8]) -> Envelope {
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

    fn later(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }
}

fn wall(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_795_200_480 + seconds).unwrap()
}

#[test]
fn three_of_five_holders_open_in_any_order_and_the_fourth_changes_nothing() {
    let room = Room::new(3, 5);
    let mut session = room.open();
    for (have, number) in [(1, 5), (2, 1), (3, 3)] {
        let verdict = session
            .accept(&room.answer(number, &session), room.later(1))
            .unwrap();
        assert_eq!(
            verdict.to_string(),
            format!("share {number} of holder-{number} is accepted")
        );
        assert_eq!(session.accepted().count(), have);
        assert_eq!(session.is_complete(), have == 3);
    }
    assert_eq!(
        session
            .missing()
            .map(|h| h.name.as_str())
            .collect::<Vec<_>>(),
        ["holder-2", "holder-4"]
    );
    assert!(session.combine().is_ok());
    assert!(
        session
            .accept(&room.answer(2, &session), room.later(2))
            .unwrap()
            .is_accepted()
    );
    assert_eq!(
        format!("{session:?}"),
        format!(
            "UnlockSession({}, 4 of 3, ..)",
            session.document().session.session
        )
    );
}

#[test]
fn fewer_than_m_shares_give_nothing() {
    let room = Room::new(3, 5);
    let mut session = room.open();
    session
        .accept(&room.answer(1, &session), room.later(1))
        .unwrap();
    session
        .accept(&room.answer(2, &session), room.later(1))
        .unwrap();
    assert_eq!(
        session.combine().unwrap_err().to_string(),
        "2 of the 3 shares needed are there"
    );
}

#[test]
fn a_duplicate_is_named_and_counts_once() {
    let room = Room::new(2, 3);
    let mut session = room.open();
    session
        .accept(&room.answer(1, &session), room.later(1))
        .unwrap();
    let verdict = session
        .accept(&room.answer(1, &session), room.later(1))
        .unwrap();
    assert_eq!(
        verdict.to_string(),
        "share 1 of holder-1 was entered before and counts once"
    );
    assert_eq!(session.accepted().count(), 1);
}

#[test]
fn a_stranger_is_refused_before_anything_is_opened() {
    let (room, other) = (Room::new(2, 3), Room::new(2, 3));
    let mut session = room.open();
    session
        .accept(&room.answer(1, &session), room.later(1))
        .unwrap();
    let good = room.answer(2, &session);

    let message =
        Envelope::signed_message(&session.hash(), good.index, &good.enc, &good.ciphertext);
    let by_stranger = Envelope {
        signature: other.holder(2).sign(ENVELOPE, &message),
        ..good.clone()
    };
    let by_colleague = Envelope {
        signature: room.holder(3).sign(ENVELOPE, &message),
        ..good.clone()
    };
    let other_name = Envelope {
        holder: "mallory".parse().unwrap(),
        ..good.clone()
    };
    let other_slot = Envelope {
        index: ShareIndex::new(3).unwrap(),
        ..good.clone()
    };
    let no_slot = Envelope {
        index: ShareIndex::new(16).unwrap(),
        ..good.clone()
    };
    let mut flipped = good.clone();
    flipped.ciphertext[0] ^= 1;
    for envelope in [
        by_stranger,
        by_colleague,
        other_name,
        other_slot,
        no_slot,
        flipped,
    ] {
        let refused = session.accept(&envelope, room.later(1)).unwrap_err();
        assert_eq!(refused.to_string(), "not signed by a holder of this set");
        assert_eq!(session.accepted().count(), 1, "what was accepted stays");
    }
    assert!(session.accept(&good, room.later(1)).unwrap().is_accepted());
}

#[test]
fn an_envelope_replayed_to_another_session_is_refused() {
    let room = Room::new(2, 3);
    let (first, mut second) = (room.open(), room.open());
    let envelope = room.answer(1, &first);
    assert_eq!(
        second.accept(&envelope, room.later(1)),
        Err(Refused::OtherSession)
    );
    // Renaming the session does not help: the signature covers the session hash.
    let renamed = Envelope {
        session: second.document().session.session,
        ..envelope
    };
    assert_eq!(
        second.accept(&renamed, room.later(1)),
        Err(Refused::Stranger)
    );
}

#[test]
fn a_roster_holders_undecryptable_answer_is_named() {
    let room = Room::new(2, 3);
    let mut session = room.open();
    let mut envelope = room.answer(1, &session);
    envelope.ciphertext[3] ^= 1;
    let message = Envelope::signed_message(
        &session.hash(),
        envelope.index,
        &envelope.enc,
        &envelope.ciphertext,
    );
    envelope.signature = room.holder(1).sign(ENVELOPE, &message);
    let refused = session.accept(&envelope, room.later(1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the answer of holder-1 does not open with the key of this session"
    );
}

#[test]
fn wrong_holder_damaged_and_foreign_shares_get_their_verdicts_and_others_are_kept() {
    let (room, other) = (Room::new(2, 3), Room::new(2, 3));
    let mut session = room.open();
    session
        .accept(&room.answer(3, &session), room.later(1))
        .unwrap();

    let colleagues = room.forge(1, &session, room.share(2).encoded());
    let verdict = session.accept(&colleagues, room.later(1)).unwrap();
    assert_eq!(
        verdict.to_string(),
        "share 2 belongs to holder-2, not to who entered it"
    );

    let mut bytes = room.share(1).encoded().to_vec();
    bytes[80] ^= 1;
    let verdict = session
        .accept(&room.forge(1, &session, &bytes), room.later(1))
        .unwrap();
    assert_eq!(verdict.as_str(), "damaged");

    let foreign = room.forge(1, &session, other.share(1).encoded());
    assert_eq!(
        session.accept(&foreign, room.later(1)).unwrap().as_str(),
        "other-set"
    );
    assert_eq!(session.accepted().count(), 1);
    assert!(matches!(
        session.accept(&room.answer(1, &session), room.later(1)),
        Ok(Verdict::Accepted { .. })
    ));
    assert!(session.is_complete());
}

#[test]
fn an_expired_session_wipes_what_it_held() {
    let room = Room::new(2, 3);
    let mut session = room.open();
    session
        .accept(&room.answer(1, &session), room.later(1))
        .unwrap();
    let second = room.answer(2, &session);
    assert!(!session.expire(room.later(599)));
    assert_eq!(
        session.accept(&second, room.later(600)),
        Err(Refused::Expired)
    );
    assert_eq!(session.accepted().count(), 0);
    // Time that seems to run back does not revive it.
    assert_eq!(
        session.accept(&second, room.later(1)),
        Err(Refused::Expired)
    );
    assert_eq!(
        session.combine().unwrap_err().to_string(),
        "0 of the 2 shares needed are there"
    );
}

#[test]
fn a_node_that_is_not_in_the_manifest_cannot_open_a_session() {
    let room = Room::new(1, 1);
    let node: Name = "node-1".parse().unwrap();
    let opening = Opening {
        chain: &room.dealt.chain,
        node: &node,
        purpose: SessionPurpose::Unlock,
        checkpoint: None,
        binary: [1; 32],
        config: [2; 32],
        created: wall(0),
        now: room.start,
        lifetime: DEFAULT_LIFETIME,
    };
    let stranger = room.holder(1).signing_key();
    let error =
        UnlockSession::open(opening, |b| Ok::<_, Infallible>(node_sign(stranger, b))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signature of node node-1 does not verify under the manifest in force"
    );
    let opening = Opening {
        lifetime: Duration::ZERO,
        ..opening
    };
    let error =
        UnlockSession::open(opening, |b| Ok::<_, Infallible>(node_sign(stranger, b))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a session lives 1 second to 24 hours")
    );
}

#[test]
fn a_session_with_a_changed_purpose_is_not_answered() {
    let room = Room::new(2, 3);
    // Signed by the right node, for another purpose than the holder came for.
    let error = room
        .ask(
            1,
            room.open_for(SessionPurpose::Reshare).document(),
            wall(1),
        )
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the session asks for `reshare`, not for `unlock`"
    );
    // Changed on the way.
    let mut document = room.open_for(SessionPurpose::Reshare).document().clone();
    document.session.purpose = SessionPurpose::Unlock;
    let error = room.ask(1, &document, wall(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the session is not signed by a node of this authority"
    );
}

#[test]
fn any_changed_field_of_a_session_is_noticed() {
    let room = Room::new(2, 3);
    let session = room.open();
    let good = session.document();
    let change = |edit: fn(&mut SessionDocument)| {
        let mut document = good.clone();
        edit(&mut document.session);
        room.ask(1, &document, wall(1)).unwrap_err().to_string()
    };
    assert_eq!(
        change(|d| d.manifest_hash = ManifestHash::from_bytes([0; 32])),
        "the session names another manifest than the manifest that came with it"
    );
    assert_eq!(
        change(|d| d.epoch = Epoch::new(2)),
        "the session names another set than the manifest that came with it"
    );
    let unsigned = "the session is not signed by a node of this authority";
    assert_eq!(change(|d| d.hpke_key = crate::HexBytes([9; 32])), unsigned);
    assert_eq!(change(|d| d.node = "node-2".parse().unwrap()), unsigned);
    assert_eq!(change(|d| d.checkpoint = None), unsigned);
    assert_eq!(change(|d| d.expires = wall(10_000)), unsigned);
}

#[test]
fn a_made_up_authority_with_the_real_roster_is_refused() {
    let room = Room::new(2, 3);
    // Same people, same names, own token and node key: another genesis.
    let mut manifest = room.dealt.chain.current().clone();
    manifest.check_value = quorum::CheckValue::from_bytes([8; 32]);
    let signatures = room
        .dealt
        .holders
        .iter()
        .map(|h| manifest.sign(&manifest.unlock, h.signing_key()).unwrap());
    let signatures = signatures.collect();
    let signed = quorum::SignedManifest {
        manifest,
        signatures,
        node_signature: None,
    };
    let made_up = ManifestChain::verify(vec![signed]).unwrap();

    let (session, share, seen) = (room.open(), room.share(1), Seen::default());
    let question = Question {
        session: session.document(),
        chain: &made_up,
        purpose: SessionPurpose::Unlock,
        now: wall(1),
        seen: &seen,
        holder: room.holder(1),
        share: &share,
    };
    let error = examine(question).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("this share is for authority "),
        "{error}"
    );
    assert_eq!(error.verdict(), Some("other-set"));
    assert!(error.remedy().unwrap().contains("do not answer"));
}

#[test]
fn an_epoch_or_manifest_that_contradicts_what_the_holder_saw_is_refused() {
    let room = Room::new(2, 3);
    let (session, share) = (room.open(), room.share(1));
    let authority = room.dealt.chain.authority_id();
    let attempt = |seen: &Seen| {
        let question = Question {
            session: session.document(),
            chain: &room.dealt.chain,
            purpose: SessionPurpose::Unlock,
            now: wall(1),
            seen,
            holder: room.holder(1),
            share: &share,
        };
        examine(question).map(|answerable| (answerable.notice(), answerable.remember()))
    };
    let mut newer = Seen::default();
    newer.remember(authority, Epoch::new(2), ManifestHash::from_bytes([1; 32]));
    assert_eq!(
        attempt(&newer).unwrap_err().to_string(),
        "the authority shows epoch 1, but this holder has seen epoch 2: an old state was put back"
    );
    let mut fork = Seen::default();
    fork.remember(authority, Epoch::new(1), ManifestHash::from_bytes([1; 32]));
    assert_eq!(
        attempt(&fork).unwrap_err().to_string(),
        "the authority shows another manifest of epoch 1 than this holder has seen"
    );
    let (notice, seen) = attempt(&Seen::default()).unwrap();
    assert!(
        notice
            .unwrap()
            .starts_with("This key has not answered this authority before.")
    );
    assert_eq!(attempt(&seen).unwrap().0, None);
}

#[test]
fn clocks_that_disagree_are_said() {
    let room = Room::new(1, 1);
    let session = room.open();
    let error = room.ask(1, session.document(), wall(720)).unwrap_err();
    assert!(
        error.to_string().starts_with("the session ended at "),
        "{error}"
    );
    assert!(room.ask(1, session.document(), wall(719)).is_ok());
    let early = Timestamp::from_unix_seconds(wall(0).unix_seconds() - 121).unwrap();
    let error = room.ask(1, session.document(), early).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("this machine's clock says 2026-11-20T18:45:59Z, 121 s earlier"),
        "{error}"
    );
    assert!(error.remedy().unwrap().contains("clock"));
}

#[test]
fn another_holders_key_with_this_share_is_refused() {
    let (room, other) = (Room::new(2, 3), Room::new(2, 3));
    let (session, share, seen) = (room.open(), room.share(1), Seen::default());
    let with = |holder| {
        let question = Question {
            session: session.document(),
            chain: &room.dealt.chain,
            purpose: SessionPurpose::Unlock,
            now: wall(1),
            seen: &seen,
            holder,
            share: &share,
        };
        examine(question).unwrap_err().to_string()
    };
    assert_eq!(
        with(other.holder(1)),
        "the key of holder-1 is not in the roster of epoch 1"
    );
    assert_eq!(
        with(room.holder(2)),
        "share 1 belongs to holder-1, not to who entered it"
    );
}

#[test]
fn documents_and_envelopes_survive_json_and_refuse_what_they_do_not_know() {
    let room = Room::new(1, 1);
    let session = room.open();
    let json = serde_json::to_value(session.document()).unwrap();
    assert_eq!(
        &SignedSession::parse(json.to_string().as_bytes()).unwrap(),
        session.document()
    );
    let envelope = room.answer(1, &session);
    let mut value = serde_json::to_value(&envelope).unwrap();
    assert_eq!(
        Envelope::parse(value.to_string().as_bytes()).unwrap(),
        envelope
    );
    value["extra"] = 1.into();
    assert_eq!(
        Envelope::parse(value.to_string().as_bytes())
            .unwrap_err()
            .to_string(),
        "not an unlock envelope"
    );
    let mut newer = json;
    newer["session"]["v"] = 2.into();
    assert_eq!(
        SignedSession::parse(newer.to_string().as_bytes())
            .unwrap_err()
            .to_string(),
        "not an unlock session"
    );
    assert!(Envelope::parse(&vec![b' '; LONGEST_ENVELOPE + 1]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = SignedSession::parse(&bytes);
        let _ = Envelope::parse(&bytes);
        let _ = crate::holder::HolderPublic::parse(&bytes);
        let _ = crate::plan::check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn m_holders_open_and_fewer_do_not(n in 1u8..=5, seed in any::<u64>()) {
        let m = 1 + u8::try_from(seed % u64::from(n)).unwrap();
        let room = Room::new(m, n);
        let mut session = room.open();
        let start = usize::try_from(seed / 16 % u64::from(n)).unwrap();
        for step in 0..usize::from(n) {
            prop_assert_eq!(session.is_complete(), step >= usize::from(m));
            prop_assert_eq!(session.combine().is_ok(), step >= usize::from(m));
            let number = (start + step) % usize::from(n) + 1;
            prop_assert!(session.accept(&room.answer(number, &session), room.later(1)).unwrap().is_accepted());
        }
    }
}
