//! The holder's side: every session that must not be answered.
#![allow(clippy::unwrap_used)]

use quorum::{Epoch, ManifestChain, ManifestHash, Timestamp};

use super::testroom::{Room, reshared, wall};
use super::*;
use crate::testing::Dealt;

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
fn who_came_and_who_went_since_the_holder_answered_last_is_said_by_name() {
    let dealt = Dealt::new(2, 3);
    let genesis = dealt.chain.clone();
    let (dealt, _) = reshared(dealt);
    let room = Room::of(Dealt::new(2, 3));
    let names = |names: &[quorum::Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    // The roster that is asked now, against one in which the third holder had another key.
    let mut before = genesis.current().unlock.roster().to_vec();
    before[2] = room.dealt.chain.current().unlock.roster()[2].clone();
    before.push(quorum::Holder {
        name: "dora".parse().unwrap(),
        ..before[0].clone()
    });
    let now = dealt.chain.current().unlock.roster();
    let change = RosterChange::between(&before, now);
    assert_eq!(names(&change.new), ["holder-3"]);
    assert_eq!(names(&change.gone), ["holder-3", "dora"]);

    // Known from the chain itself: the manifest answered last is one of it.
    let mut seen = Seen::default();
    let authority = genesis.authority_id();
    seen.remember(authority, Epoch::new(1), genesis.current().hash());
    let room = Room::of(dealt);
    let (session, share) = (room.open(), room.share(1));
    let question = |seen| Question {
        session: session.document(),
        chain: &room.dealt.chain,
        purpose: SessionPurpose::Unlock,
        now: wall(1),
        seen,
        holder: room.holder(1),
        share: &share,
    };
    let answerable = examine(question(&seen)).unwrap();
    assert!(answerable.notice().unwrap().contains("now epoch 2"));
    assert_eq!(answerable.roster_change(), Some(RosterChange::default()));
    let first = Seen::default();
    assert_eq!(examine(question(&first)).unwrap().roster_change(), None);
    // Another history that led to a later epoch.
    let mut strayed = Seen::default();
    strayed.remember(authority, Epoch::new(1), ManifestHash::from_bytes([9; 32]));
    let error = examine(question(&strayed)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the authority's manifests do not lead over 0909"),
        "{error}"
    );
    assert!(error.remedy().unwrap().contains("do not answer"));
}

#[test]
fn a_clock_that_is_a_little_wrong_is_said_and_answered() {
    let room = Room::new(1, 1);
    let (session, share, seen) = (room.open(), room.share(1), Seen::default());
    let skew = |now| {
        let question = Question {
            session: session.document(),
            chain: &room.dealt.chain,
            purpose: SessionPurpose::Unlock,
            now,
            seen: &seen,
            holder: room.holder(1),
            share: &share,
        };
        examine(question).unwrap().clock_skew()
    };
    let early = Timestamp::from_unix_seconds(wall(0).unix_seconds() - 90).unwrap();
    assert_eq!(skew(early), Some(-90));
    assert_eq!(skew(wall(0)), None);
    assert_eq!(skew(wall(599)), None);
    assert_eq!(skew(wall(600 + 119)), Some(119));
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
