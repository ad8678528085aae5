//! Malformed and attacking requests, each with the problem type it must get.
//!
//! The requests stand in `tests/vectors/signature_negative.json`, so that other implementations can
//! be held to them. They are made here, from one good request each and a change before or after
//! signing; wherever an attack allows it the signature is a *valid* one over the weaker coverage.
//! `DTA_WRITE_VECTORS=1 cargo test -p wire --test negative_requests` writes the file anew.
#![allow(clippy::unwrap_used)]

mod cases;
mod content;
mod coverage;
mod draft;
mod forgeries;
mod shape;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wire::ProblemType;
use wire::keys::{SigningKey, VerifyingKey};
use wire::signature::{Content, Expected, RequestParts, verify_head, verify_request};

use crate::cases::{Case, cases};
use crate::draft::{Draft, ID, KEY, Message, NOW, P256, PUBLIC_AUTHORITY};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    /// What a reader has to know.
    about: String,
    now: u64,
    public_authority: String,
    authority_id: String,
    /// The registered signing keys.
    keys: Vec<String>,
    /// One request that must be accepted.
    good: Message,
    cases: Vec<Case>,
}

fn vectors() -> Vectors {
    Vectors {
        about: "Requests that a verifier of the profile dta-v1 must refuse, each with its problem \
            type and part of the detail. `good` must be accepted. Verify at `now` as \
            `public_authority` with `authority_id`; `keys` are registered under their keyid (the \
            first 22 characters of the base64url of SHA-256 over the DER SubjectPublicKeyInfo)."
            .into(),
        now: NOW,
        public_authority: PUBLIC_AUTHORITY.into(),
        authority_id: ID.into(),
        keys: vec![
            SigningKey::from_pem(KEY).unwrap().verifying_key().to_pem(),
            P256.into(),
        ],
        good: Draft::new().sign(),
        cases: cases(),
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/signature_negative.json")
}

fn pinned() -> Vectors {
    serde_json::from_slice(&std::fs::read(path()).unwrap()).unwrap()
}

fn verify(vectors: &Vectors, message: &Message) -> Result<(), wire::Problem> {
    let keys: Vec<_> = vectors
        .keys
        .iter()
        .map(|pem| VerifyingKey::from_pem(pem).unwrap())
        .collect();
    let headers = message.headers.iter();
    let parts = RequestParts {
        method: &message.method,
        path: &message.path,
        query: message.query.as_deref(),
        headers: headers
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
    };
    let expected = Expected {
        public_authority: &vectors.public_authority,
        authority_id_hex: &vectors.authority_id,
        now_unix: vectors.now,
    };
    let lookup = |keyid: &str| keys.iter().find(|key| key.keyid() == keyid).cloned();
    let body = message.body.as_bytes();
    let whole = verify_request(&parts, body, &expected, lookup).map(|_| ());
    let content = match body {
        [] => Content::Absent,
        _ => Content::Present,
    };
    let in_steps =
        verify_head(&parts, content, &expected, lookup).and_then(|head| head.check_body(body));
    let kind = |result: &Result<(), wire::Problem>| result.clone().map_err(|p| p.kind());
    assert_eq!(kind(&in_steps), kind(&whole), "{message:?}");
    whole
}

#[test]
fn every_request_of_the_negative_suite_gets_its_problem_type() {
    let vectors = pinned();
    assert_eq!(verify(&vectors, &vectors.good), Ok(()));
    let mut wrong = Vec::new();
    for case in &vectors.cases {
        match verify(&vectors, &case.request) {
            Ok(()) => wrong.push(format!("{}: accepted", case.name)),
            Err(problem) => {
                let fits =
                    problem.kind().name() == case.expect && problem.detail().contains(&case.detail);
                if !fits {
                    wrong.push(format!("{}: {problem}", case.name));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        vectors.cases.len(),
        wrong.join("\n")
    );
    assert!(vectors.cases.len() >= 60, "{}", vectors.cases.len());
}

#[test]
fn the_negative_suite_is_what_this_file_makes() {
    let made = vectors();
    if std::env::var_os("DTA_WRITE_VECTORS").is_some() {
        let mut text = serde_json::to_string_pretty(&made).unwrap();
        text.push('\n');
        std::fs::write(path(), text).unwrap();
    }
    let pinned = pinned();
    for (pinned, made) in pinned.cases.iter().zip(&made.cases) {
        assert_eq!(pinned, made);
    }
    assert_eq!(pinned, made);
}

#[test]
fn only_a_bad_signature_shows_the_signature_base_and_only_what_the_caller_sent() {
    let vectors = pinned();
    for case in &vectors.cases {
        let problem = verify(&vectors, &case.request).unwrap_err();
        let shown = problem.signature_base().is_some();
        assert_eq!(
            shown,
            problem.kind() == ProblemType::BadSignature,
            "{}",
            case.name
        );
    }
}

#[test]
fn the_names_of_the_negative_suite_are_unique() {
    let mut names: Vec<_> = pinned().cases.into_iter().map(|case| case.name).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
