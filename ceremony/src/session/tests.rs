//! Sessions end to end without I/O, and everything that people could try with them.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use quorum::{Name, ShareIndex, Verdict};

use super::testroom::{Room, wall};
use super::*;
use crate::testing::node_sign;

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
