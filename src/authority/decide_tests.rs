//! One request at a time through the decision, with a real registry and real secrets.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use audit::Event;
use mpin::{ClientShare, IdentityPoint, ShareProof, Statement, Suite};
use state::{CustomerStatus, PermitWindow, Policy, Role};
use wire::ProblemType;
use wire::api::{ClientShareReply, TimePermitReply, share_proof_context};
use wire::keys::{Algorithm, SigningKey};

use super::super::testing::{NOW, World, registration, signed, timestamp};
use super::*;

const IDENTITY: &str = "abababababababababababababababababababababababababababababababab";

/// An open authority, and the customer that asks it.
struct Open {
    keyring: Keyring,
    names: Names,
    key: SigningKey,
    replay: Mutex<ReplayCache>,
    _directory: tempfile::TempDir,
}

impl Open {
    fn new(world: World) -> Self {
        let (keyring, names, key, directory) = world.into_keyring();
        let replay = Mutex::default();
        Self {
            keyring,
            names,
            key,
            replay,
            _directory: directory,
        }
    }

    fn ask(&self, call: Call, body: &str) -> Decision {
        let head = signed(&self.names, &self.key, call, body.as_bytes(), NOW);
        self.decide(call, &head, body)
    }

    fn decide(&self, call: Call, head: &Parts, body: &str) -> Decision {
        let arrived = Arrived {
            call,
            head,
            body: body.as_bytes(),
            now: NOW,
        };
        decide(&arrived, &self.names, &self.keyring, &self.replay)
    }

    fn refusal(&self, call: Call, body: &str) -> (ProblemType, String, Event) {
        match self.ask(call, body) {
            Decision::Refused(problem, event) => {
                (problem.kind(), problem.detail().to_owned(), event)
            }
            other => panic!("expected a logged refusal, got {}", name(&other)),
        }
    }

    fn unproven(&self, call: Call, head: &Parts, body: &str) -> ProblemType {
        match self.decide(call, head, body) {
            Decision::Unproven(problem) => problem.kind(),
            other => panic!("expected a counted refusal, got {}", name(&other)),
        }
    }

    fn issued(&self, call: Call, body: &str) -> Issued {
        match self.ask(call, body) {
            Decision::Issue(issued) => issued,
            other => panic!("expected a share, got {}", name(&other)),
        }
    }
}

fn name(decision: &Decision) -> String {
    match decision {
        Decision::Unproven(problem) | Decision::Failed(problem) => problem.to_string(),
        Decision::Refused(problem, _) => format!("a logged refusal, {problem}"),
        Decision::Issue(_) => "a share".to_owned(),
        Decision::Introduce(_) => "an introduction".to_owned(),
    }
}

fn enrol(identity: &str) -> String {
    format!(r#"{{"identity":"{identity}"}}"#)
}

fn permits(identities: usize, from: &str, days: u32) -> String {
    let list: Vec<_> = (0..identities).map(|n| format!("\"{n:064x}\"")).collect();
    format!(
        r#"{{"identities":[{}],"from":"{from}","days":{days}}}"#,
        list.join(",")
    )
}

#[test]
fn a_client_share_is_proven_under_the_registered_commitment_and_logged_by_its_tag() {
    let open = Open::new(World::new());
    let body = format!(r#"{{"identity":"{IDENTITY}","proof":true}}"#);
    let issued = open.issued(Call::ClientShare, &body);
    let reply = ClientShareReply::parse(&issued.body).unwrap();
    let point = <IdentityPoint>::hash(Suite::Ro, &IDENTITY.parse().unwrap());
    let share = ClientShare::from_compressed(reply.share.as_bytes()).unwrap();
    let commitment = mpin::Commitment::from_compressed(reply.commitment.as_bytes()).unwrap();
    let context = share_proof_context(&open.names.authority_id, reply.key, wire::api::Suite::Ro);
    let proof = <ShareProof>::from_bytes(reply.proof.unwrap().as_bytes()).unwrap();
    proof
        .verify(
            &commitment,
            &[Statement::client_share(&point, &share)],
            &context,
        )
        .unwrap();

    let Event::ClientShare { request, identity } = issued.event else {
        panic!("{:?}", issued.event)
    };
    assert_eq!(
        (request.customer.as_str(), request.key.as_str()),
        ("acme", "k1")
    );
    assert_eq!(identity, open.keyring.log_key.tag(&point.to_compressed()));
    assert!(!format!("{request:?}").contains(IDENTITY));
}

#[test]
fn the_same_request_again_is_a_replay_and_a_new_one_gets_the_same_share() {
    let open = Open::new(World::new());
    let body = enrol(IDENTITY);
    let head = signed(
        &open.names,
        &open.key,
        Call::ClientShare,
        body.as_bytes(),
        NOW,
    );
    let share = |decision| match decision {
        Decision::Issue(issued) => ClientShareReply::parse(&issued.body).unwrap().share,
        other => panic!("{}", name(&other)),
    };
    let first = share(open.decide(Call::ClientShare, &head, &body));
    match open.decide(Call::ClientShare, &head, &body) {
        Decision::Refused(
            problem,
            Event::Refused {
                problem: logged,
                op,
                ..
            },
        ) => {
            assert_eq!(problem.kind(), ProblemType::Replayed);
            assert_eq!((logged.as_str(), op.as_str()), ("replayed", "client-share"));
        }
        other => panic!("{}", name(&other)),
    }
    // One entry says that it was replayed; a proxy that goes on replaying it makes no more of them.
    match open.decide(Call::ClientShare, &head, &body) {
        Decision::Unproven(problem) => assert_eq!(problem.kind(), ProblemType::Replayed),
        other => panic!("{}", name(&other)),
    }
    assert_eq!(first, share(open.ask(Call::ClientShare, &body)));
}

#[test]
fn what_is_not_signed_by_a_valid_key_is_counted_and_never_logged() {
    let mut world = World::new();
    let revoked = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let future = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let acme = "acme".parse().unwrap();
    let new = registration(&revoked, [Role::Enrol]);
    let keyid = new.keyid.clone();
    world.change(|state, key| {
        state
            .add_signing_key(key, &acme, new, timestamp(NOW))
            .unwrap()
    });
    world.change(|state, key| {
        state
            .revoke_signing_key(key, &keyid, timestamp(NOW))
            .unwrap()
    });
    let mut new = registration(&future, [Role::Enrol]);
    new.not_before = Some(timestamp(NOW + 100));
    world.change(|state, key| {
        state
            .add_signing_key(key, &acme, new, timestamp(NOW))
            .unwrap()
    });
    let open = Open::new(world);

    let body = enrol(IDENTITY);
    let stranger = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    for key in [&revoked, &future, &stranger] {
        let head = signed(&open.names, key, Call::ClientShare, body.as_bytes(), NOW);
        assert_eq!(
            open.unproven(Call::ClientShare, &head, &body),
            ProblemType::UnknownKey
        );
    }
    let head = signed(
        &open.names,
        &open.key,
        Call::ClientShare,
        body.as_bytes(),
        NOW,
    );
    let other = enrol(&IDENTITY.replace("ab", "cd"));
    assert_eq!(
        open.unproven(Call::ClientShare, &head, &other),
        ProblemType::BadSignature
    );
    let old = signed(
        &open.names,
        &open.key,
        Call::ClientShare,
        body.as_bytes(),
        NOW - 66,
    );
    assert_eq!(
        open.unproven(Call::ClientShare, &old, &body),
        ProblemType::Expired
    );
}

#[test]
fn a_suspended_customer_is_refused_everything_but_to_be_told_so() {
    let mut world = World::new();
    let acme = "acme".parse().unwrap();
    world.change(|state, key| {
        state
            .set_status(key, &acme, CustomerStatus::Suspended)
            .unwrap()
    });
    let open = Open::new(world);
    let (kind, detail, event) = open.refusal(Call::ClientShare, &enrol(IDENTITY));
    assert_eq!(
        (kind, detail.as_str()),
        (ProblemType::Suspended, "this customer is suspended")
    );
    let Event::Refused {
        request, problem, ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!(
        (request.customer.as_str(), problem.as_str()),
        ("acme", "suspended")
    );
    match open.ask(Call::Authority, "") {
        Decision::Introduce(caller) => {
            assert_eq!(caller.status, wire::api::CustomerStatus::Suspended);
            assert_eq!(caller.keys.len(), 1);
        }
        other => panic!("{}", name(&other)),
    }
}

#[test]
fn a_key_without_the_role_and_a_policy_without_the_operation_are_refused_by_name() {
    let mut world = World::new();
    let permit_only = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let acme = "acme".parse().unwrap();
    let new = registration(&permit_only, [Role::Permit]);
    world.change(|state, key| {
        state
            .add_signing_key(key, &acme, new, timestamp(NOW))
            .unwrap()
    });
    let operations = [state::Operation::ClientShare].into();
    let policy = Policy {
        operations,
        ..Policy::default()
    };
    world.change(|state, key| state.set_policy(key, &acme, policy).unwrap());
    let mut open = Open::new(world);
    let (kind, detail, _) = open.refusal(Call::ServerShare, "{}");
    let expected = "the customer's policy does not allow server-share";
    assert_eq!(
        (kind, detail.as_str()),
        (ProblemType::NotPermitted, expected)
    );
    open.key = permit_only;
    let (kind, detail, _) = open.refusal(Call::ClientShare, &enrol(IDENTITY));
    let expected = "this signing key has not the role enrol";
    assert_eq!(
        (kind, detail.as_str()),
        (ProblemType::NotPermitted, expected)
    );
}

#[test]
fn permits_are_given_for_the_days_of_the_policy_and_in_bounded_numbers() {
    let open = Open::new(World::new());
    let issued = open.issued(Call::TimePermits, &permits(2, "2026-11-20", 2));
    let reply = TimePermitReply::parse(&issued.body).unwrap();
    assert_eq!(reply.permits.len(), 4);
    let Event::TimePermits {
        identities, days, ..
    } = issued.event
    else {
        panic!()
    };
    assert_eq!((identities.len(), days), (2, 2));

    let (kind, detail, event) = open.refusal(Call::TimePermits, &permits(1, "2026-11-22", 1));
    let expected = "permits are given for 2026-11-20 to 2026-11-21 (UTC)";
    assert_eq!((kind, detail.as_str()), (ProblemType::WrongDay, expected));
    let Event::Refused { request, .. } = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        request.key.as_deref(),
        Some("k1"),
        "it is known which key was meant"
    );
    let (kind, detail, _) = open.refusal(Call::TimePermits, &permits(257, "2026-11-20", 1));
    let expected = "257 permits; at most 256 are given at a time";
    assert_eq!((kind, detail.as_str()), (ProblemType::TooLarge, expected));
}

#[test]
fn a_wider_window_and_a_smaller_batch_of_the_policy_hold() {
    let mut world = World::new();
    let acme = "acme".parse().unwrap();
    let policy = Policy {
        permit_window_days: PermitWindow::new(31).unwrap(),
        max_batch: 31,
        ..Policy::default()
    };
    world.change(|state, key| state.set_policy(key, &acme, policy).unwrap());
    let open = Open::new(world);
    open.issued(Call::TimePermits, &permits(1, "2026-11-20", 31));
    let (kind, detail, _) = open.refusal(Call::TimePermits, &permits(32, "2026-11-20", 1));
    let expected = "32 permits; at most 31 are given at a time";
    assert_eq!((kind, detail.as_str()), (ProblemType::TooLarge, expected));
}

#[test]
fn with_two_master_keys_a_request_must_name_one_that_is_there() {
    let mut world = World::new();
    world.rotate();
    let open = Open::new(world);
    let (kind, detail, _) = open.refusal(Call::ServerShare, "{}");
    let expected = "name one of the master keys k1, k2 in `key`";
    assert_eq!(
        (kind, detail.as_str()),
        (ProblemType::KeyRequired, expected)
    );
    let (kind, detail, _) = open.refusal(Call::ServerShare, r#"{"key":"k3"}"#);
    let expected = "there is no master key k3; there are k1, k2";
    assert_eq!((kind, detail.as_str()), (ProblemType::KeyUnknown, expected));
    open.issued(Call::ServerShare, r#"{"key":"k2"}"#);
}

#[test]
fn a_malformed_body_of_a_signed_request_is_refused_and_logged() {
    let open = Open::new(World::new());
    for body in [
        r#"{"identity":"zz"}"#,
        "{}",
        "not json",
        r#"{"identity":1}"#,
    ] {
        let (kind, detail, _) = open.refusal(Call::ClientShare, body);
        assert_eq!(kind, ProblemType::Malformed, "{body}");
        assert!(detail.starts_with("field `"), "{body}: {detail}");
    }
}
