//! Every verdict at entry, in any order, for every M and N, whether an answer comes over the socket or in armour.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorum::Share;
use zeroize::Zeroizing;

use super::testroom::{Room, reshared, wall};
use super::*;
use crate::testing::Dealt;

/// What somebody sends in the name of a holder.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Own,
    Damaged,
    Colleagues,
    Foreign,
    Stale,
    ByStranger,
}

const ALL: [Sent; 6] = [
    Sent::ByStranger,
    Sent::Damaged,
    Sent::Stale,
    Sent::Own,
    Sent::Colleagues,
    Sent::Foreign,
];

/// How an answer travels.
#[derive(Clone, Copy, Debug)]
enum Way {
    Socket,
    Armour,
}

/// A D-TA after a reshare, another one with holders of the same names, and an open session.
struct Entry {
    room: Room,
    other: Room,
    old: Vec<Zeroizing<Vec<u8>>>,
    session: UnlockSession,
    there: BTreeSet<usize>,
    m: usize,
    n: usize,
}

impl Entry {
    fn new(m: u8, n: u8) -> Self {
        let (dealt, old) = reshared(Dealt::new(m, n));
        let room = Room::of(dealt);
        Self {
            session: room.open(),
            other: Room::new(m, n),
            old,
            room,
            there: BTreeSet::new(),
            m: m.into(),
            n: n.into(),
        }
    }

    fn envelope(&self, holder: usize, sent: Sent, way: Way) -> Envelope {
        let forge = |share: &[u8]| self.room.forge(holder, &self.session, share);
        let own = self.room.dealt.shares[holder - 1].encode();
        match sent {
            Sent::Own => self.answer(holder, way),
            Sent::Damaged => {
                let mut share = own;
                share[80] ^= 1;
                forge(&share)
            }
            Sent::Colleagues => forge(&self.room.dealt.shares[holder % self.n].encode()),
            Sent::Foreign => forge(&self.other.dealt.shares[holder - 1].encode()),
            Sent::Stale => forge(&self.old[holder - 1]),
            Sent::ByStranger => self.other.forge(holder, &self.session, &own),
        }
    }

    /// What the holder's own tool makes of the session.
    fn answer(&self, holder: usize, way: Way) -> Envelope {
        let request = SessionRequest {
            session: self.session.document().clone(),
            chain: self.room.dealt.chain.clone(),
        };
        let request = match way {
            Way::Socket => request,
            Way::Armour => SessionRequest::from_armour(request.to_armour().as_bytes()).unwrap(),
        };
        self.room.ask(holder, &request.session, wall(1)).unwrap()
    }

    fn expected(&self, holder: usize, sent: Sent) -> &'static str {
        match sent {
            Sent::Own if self.there.contains(&holder) => "duplicate",
            Sent::Own => "accepted",
            Sent::Damaged => "damaged",
            // Of one holder there is no colleague.
            Sent::Colleagues if self.n == 1 && self.there.contains(&holder) => "duplicate",
            Sent::Colleagues if self.n == 1 => "accepted",
            Sent::Colleagues => "wrong-holder",
            Sent::Foreign => "other-set",
            Sent::Stale => "stale-epoch",
            Sent::ByStranger => "stranger",
        }
    }

    /// Sends one answer and checks its verdict, and that it changed nothing else.
    fn step(&mut self, holder: usize, sent: Sent, way: Way) {
        let envelope = self.envelope(holder, sent, way);
        let envelope = match way {
            Way::Socket => envelope,
            Way::Armour => Envelope::from_armour(envelope.to_armour().as_bytes()).unwrap(),
        };
        let expected = self.expected(holder, sent);
        let said = match self.session.accept(&envelope, self.room.later(1)) {
            Ok(verdict) => verdict.as_str(),
            Err(refused) => refused.as_str(),
        };
        assert_eq!(said, expected, "{sent:?} for holder {holder} by {way:?}");
        if expected == "accepted" {
            self.there.insert(holder);
        }
        let there = self.session.accepted().map(|h| h.index.get().into());
        assert_eq!(there.collect::<BTreeSet<usize>>(), self.there);
        assert_eq!(self.session.is_complete(), self.there.len() >= self.m);
        assert_eq!(self.session.combine().is_ok(), self.there.len() >= self.m);
    }
}

/// Counts of everyday runs and of long ones.
fn long<T>(everyday: T, long: T) -> T {
    if std::env::var_os("DTA_TEST_LONG").is_some() {
        long
    } else {
        everyday
    }
}

#[test]
fn every_verdict_is_given_at_entry_for_every_m_and_n() {
    for n in 1..=long(5, 16) {
        for m in 1..=n {
            let mut entry = Entry::new(m, n);
            for holder in 1..=usize::from(n) {
                for (at, sent) in ALL.into_iter().enumerate() {
                    let way = [Way::Socket, Way::Armour][(at + holder) % 2];
                    entry.step(holder, sent, way);
                }
            }
            assert_eq!(entry.there.len(), usize::from(n), "{m} of {n}");
        }
    }
}

#[test]
fn the_holders_own_tool_gives_the_same_verdicts_before_anything_leaves_the_machine() {
    let entry = Entry::new(2, 3);
    let dir = tempfile::tempdir().unwrap();
    let (room, session) = (&entry.room, &entry.session);
    let refused = |share: &Share| {
        let own = &room.holder(1).public().recipient;
        let path = crate::sharefile::write(dir.path(), 1, share, own).unwrap();
        let share = crate::sharefile::open(&path, room.holder(1)).unwrap();
        let question = Question {
            session: session.document(),
            chain: &room.dealt.chain,
            purpose: SessionPurpose::Unlock,
            now: wall(1),
            seen: &Seen::default(),
            holder: room.holder(1),
            share: &share,
        };
        examine(question).map(|_| ()).unwrap_err().verdict()
    };
    assert_eq!(refused(&room.dealt.shares[1]), Some("wrong-holder"));
    assert_eq!(refused(&entry.other.dealt.shares[0]), Some("other-set"));
    let stale = Share::decode(&entry.old[0]).unwrap();
    assert_eq!(refused(&stale), Some("stale-epoch"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(long(50, 1_000)))]

    #[test]
    fn in_any_order_every_answer_gets_its_own_verdict_and_the_others_are_kept(
        n in 1u8..=long(5, 16),
        m in any::<prop::sample::Index>(),
        steps in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(ALL.to_vec()), any::<bool>()),
            0..=MOST_ANSWERS,
        ),
    ) {
        let m = 1 + u8::try_from(m.index(n.into())).unwrap();
        let mut entry = Entry::new(m, n);
        for (holder, sent, in_armour) in steps {
            let way = if in_armour { Way::Armour } else { Way::Socket };
            entry.step(1 + holder.index(n.into()), sent, way);
        }
    }
}
