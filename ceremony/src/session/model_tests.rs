//! The unlock session, model-checked: every state that any order of answers, strangers and time can reach, for small M and N.
//!
//! The states of the model are what the real [`UnlockSession`] shows after the messages that lead there; each transition plays
//! those messages to a real session, with real keys, shares and envelopes, and adds one. Which messages led to a state is not
//! part of it, so the search ends. What is left out is how many answers each holder has sent: it can only refuse more, and
//! `a_holder_may_err_often_but_not_without_end` holds it to that.
#![allow(clippy::unwrap_used)]

use std::hash::{Hash, Hasher};

use quorum::{Collector, ManifestChain, ShareIndex};
use stateright::{Checker, Model, Property};
use zeroize::Zeroizing;

use super::testroom::{Room, wall};
use super::*;

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// A holder sends the own share.
    Give(usize),
    /// A holder sends what is no share of the own.
    Err(usize, Mistake),
    /// Somebody without a holder's key, or in the wrong holder's name.
    Intrude(usize, Intrusion),
    /// Time goes by, beyond the session's end. Everything else happens early, even afterwards: clocks may be set back.
    Expire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mistake {
    Damaged,
    Colleagues,
    Foreign,
    Unopenable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Intrusion {
    /// Signed by a key that is nowhere in the roster, around a valid share.
    UnknownKey,
    /// A colleague signs in this holder's name.
    ColleaguesKey,
    /// This holder's good answer to another session.
    Replay,
    /// This holder's good answer, put into another slot.
    Moved,
}

/// Who did the last thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Nobody,
    Holder(usize),
    Mistaken,
    Stranger,
    Time,
}

/// What a session shows: slots that are taken (a bit each), whether it is over, whether it opens the D-TA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Shown {
    slots: u16,
    over: bool,
    opens: bool,
}

#[derive(Clone, Debug)]
struct State {
    shown: Shown,
    before: Shown,
    who: Who,
    /// Holders who gave a valid share of their own in time.
    given: u16,
    path: Vec<Action>,
}

impl State {
    fn facts(&self) -> (Shown, Shown, Who, u16) {
        (self.shown, self.before, self.who, self.given)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.facts() == other.facts()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.facts().hash(state);
    }
}

struct Unlock {
    room: Room,
    other: Room,
    m: u8,
    n: usize,
    k_quorum: Zeroizing<[u8; 32]>,
}

impl Unlock {
    fn new(m: u8, n: u8) -> Self {
        let room = Room::new(m, n);
        Self {
            k_quorum: k_quorum(&room),
            other: Room::new(m, n),
            room,
            m,
            n: n.into(),
        }
    }

    fn play(&self, session: &mut UnlockSession, action: Action) {
        let envelope = match action {
            Action::Expire => {
                session.expire(session.deadline());
                return;
            }
            Action::Give(holder) => self.own(holder, session),
            Action::Err(holder, mistake) => self.mistaken(holder, mistake, session),
            Action::Intrude(holder, how) => self.intruding(holder, how, session),
        };
        // What it says of the answer is for other tests; here counts what it does with it.
        let _ = session.accept(&envelope, self.room.later(1));
    }

    fn own(&self, holder: usize, session: &UnlockSession) -> Envelope {
        let share = self.room.dealt.shares[holder - 1].encode();
        self.room.forge(holder, session, &share)
    }

    fn mistaken(&self, holder: usize, mistake: Mistake, session: &UnlockSession) -> Envelope {
        let mut own = self.room.dealt.shares[holder - 1].encode();
        match mistake {
            Mistake::Damaged => {
                own[80] ^= 1;
                self.room.forge(holder, session, &own)
            }
            Mistake::Colleagues => {
                let share = self.room.dealt.shares[holder % self.n].encode();
                self.room.forge(holder, session, &share)
            }
            Mistake::Foreign => {
                let share = self.other.dealt.shares[holder - 1].encode();
                self.room.forge(holder, session, &share)
            }
            Mistake::Unopenable => {
                let mut envelope = self.own(holder, session);
                envelope.ciphertext[3] ^= 1;
                self.room.resign(holder, session, envelope)
            }
        }
    }

    fn intruding(&self, holder: usize, how: Intrusion, session: &UnlockSession) -> Envelope {
        let good = self.own(holder, session);
        let next = holder % self.n + 1;
        match how {
            Intrusion::UnknownKey => self.other.resign(holder, session, good),
            Intrusion::ColleaguesKey => self.room.resign(next, session, good),
            Intrusion::Replay => {
                let mut replayed = self.own(holder, &self.room.open());
                replayed.session = good.session;
                replayed
            }
            Intrusion::Moved => Envelope {
                index: ShareIndex::new(u8::try_from(next).unwrap()).unwrap(),
                holder: self.room.holder(next).name().as_str().parse().unwrap(),
                ..good
            },
        }
    }

    fn enough(&self, state: &State) -> bool {
        state.given.count_ones() >= self.m.into()
    }

    fn show(&self, session: &mut UnlockSession) -> Shown {
        let slot = |index: ShareIndex| 1 << (index.get() - 1);
        Shown {
            slots: session.accepted().map(|holder| slot(holder.index)).sum(),
            over: session.expire(self.room.later(1)),
            opens: session.combine().is_ok_and(|secret| {
                *secret.k_quorum(&self.room.dealt.chain.current().unlock.set_id()) == *self.k_quorum
            }),
        }
    }
}

/// What M shares of this D-TA open, found without a session.
fn k_quorum(room: &Room) -> Zeroizing<[u8; 32]> {
    let chain: &ManifestChain = &room.dealt.chain;
    let mut collector = Collector::new(chain);
    for share in &room.dealt.shares {
        collector.offer(share.value.index(), &share.encode());
    }
    let secret = collector.combine().unwrap();
    secret.k_quorum(&chain.current().unlock.set_id())
}

impl Model for Unlock {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let shown = self.show(&mut self.room.open());
        vec![State {
            shown,
            before: shown,
            who: Who::Nobody,
            given: 0,
            path: Vec::new(),
        }]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        use Intrusion::{ColleaguesKey, Moved, Replay, UnknownKey};
        use Mistake::{Colleagues, Damaged, Foreign, Unopenable};
        actions.push(Action::Expire);
        for holder in 1..=self.n {
            actions.push(Action::Give(holder));
            actions.extend([Damaged, Foreign, Unopenable].map(|what| Action::Err(holder, what)));
            actions.extend([UnknownKey, Replay].map(|how| Action::Intrude(holder, how)));
            // These take two.
            if self.n > 1 {
                actions.push(Action::Err(holder, Colleagues));
                actions.extend([ColleaguesKey, Moved].map(|how| Action::Intrude(holder, how)));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut session = self.room.open();
        for earlier in &last.path {
            self.play(&mut session, *earlier);
        }
        self.play(&mut session, action);
        let (who, given) = match action {
            Action::Give(holder) => (Who::Holder(holder), 1 << (holder - 1)),
            Action::Err(..) => (Who::Mistaken, 0),
            Action::Intrude(..) => (Who::Stranger, 0),
            Action::Expire => (Who::Time, 0),
        };
        let in_time = if last.shown.over { 0 } else { given };
        Some(State {
            shown: self.show(&mut session),
            before: last.shown,
            who,
            given: last.given | in_time,
            path: [last.path.as_slice(), &[action]].concat(),
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "fewer than M valid shares open nothing",
                |model: &Self, state: &State| !state.shown.opens || model.enough(state),
            ),
            Property::always(
                "M valid shares open it until it ends",
                |model: &Self, state: &State| {
                    state.shown.opens == (!state.shown.over && model.enough(state))
                },
            ),
            Property::always(
                "a slot holds its own holder's valid share",
                |_: &Self, state: &State| state.shown.over || state.shown.slots == state.given,
            ),
            Property::always("a stranger changes nothing", |_: &Self, state: &State| {
                state.who != Who::Stranger || state.shown == state.before
            }),
            Property::always(
                "a wrong share changes nothing",
                |_: &Self, state: &State| state.who != Who::Mistaken || state.shown == state.before,
            ),
            Property::always(
                "a holder changes the own slot alone",
                |_: &Self, state: &State| {
                    let changed = state.shown.slots ^ state.before.slots;
                    !matches!(state.who, Who::Holder(number) if changed & !(1 << (number - 1)) != 0)
                },
            ),
            Property::always("its end wipes every share", |_: &Self, state: &State| {
                !state.shown.over || (state.shown.slots == 0 && !state.shown.opens)
            }),
            Property::always(
                "only time ends it, and for ever",
                |_: &Self, state: &State| {
                    state.shown.over == (state.before.over || state.who == Who::Time)
                },
            ),
            Property::sometimes("it opens", |_: &Self, state: &State| state.shown.opens),
            Property::sometimes("it ends with shares in it", |_: &Self, state: &State| {
                state.shown.over && state.before.slots != 0
            }),
        ]
    }
}

#[test]
fn no_reachable_state_opens_with_fewer_than_m_or_heeds_a_stranger() {
    let most = if std::env::var_os("DTA_TEST_LONG").is_some() {
        4
    } else {
        3
    };
    for n in 1..=most {
        for m in 1..=n {
            let checked = Unlock::new(m, n).checker().threads(2).spawn_bfs().join();
            checked.assert_properties();
            assert!(checked.unique_state_count() >= 1 << n, "{m} of {n}");
        }
    }
}

#[test]
fn a_holder_may_err_often_but_not_without_end() {
    let model = Unlock::new(2, 3);
    let mut session = model.room.open();
    for _ in 0..MOST_ANSWERS {
        let wrong = model.mistaken(1, Mistake::Damaged, &session);
        let verdict = session.accept(&wrong, model.room.later(1)).unwrap();
        assert_eq!(verdict.as_str(), "damaged");
        // Sent again on the way, it costs its holder nothing.
        assert!(session.has_judged(&wrong));
        assert!(session.accept(&wrong, model.room.later(1)).is_ok());
    }
    let refused = session.accept(&model.own(1, &session), model.room.later(1));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "holder-1 has sent 16 answers to this session; no more are judged"
    );
    // Nobody else is held back, and strangers count for nobody.
    for _ in 0..=MOST_ANSWERS {
        let forged = model.intruding(2, Intrusion::UnknownKey, &session);
        assert!(!session.has_judged(&forged));
        assert_eq!(
            session.accept(&forged, model.room.later(1)),
            Err(Refused::Stranger)
        );
    }
    for (have, holder) in [(1, 2), (2, 3)] {
        let answer = model.room.ask(holder, session.document(), wall(1)).unwrap();
        assert!(
            session
                .accept(&answer, model.room.later(1))
                .unwrap()
                .is_accepted()
        );
        assert_eq!(session.accepted().count(), have);
    }
    assert!(session.combine().is_ok());
}
