//! The schema of every event and the bytes of every file, pinned: a log written today must verify in
//! ten years. The files under `vectors/` are never edited; new events get new lines.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit::{
    Event, Hex, Log, LogKey, Options, Participant, RefusedRequest, Set, Timestamp, VerifierKey,
    VerifyOptions, verify,
};
use common::*;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// One of each event, with every optional field there.
fn every_event() -> Vec<Event> {
    let set = || Set {
        set: Hex([0x5e; 16]),
        epoch: 1,
        m: 2,
        n: 3,
    };
    let holder = |index, name: &str| Participant {
        index,
        holder: name.to_owned(),
    };
    let session = || "2f1c".to_owned();
    let tag = |byte| LogKey::from_bytes(&[9; 32]).tag(&[byte; 48]);
    vec![
        Event::CeremonyInit {
            authority: Hex([7; 32]),
            name: "D-TA \"one\" of Zürich".to_owned(),
            set: set(),
            holders: vec![holder(1, "alice"), holder(2, "bob"), holder(3, "carol")],
            transcript: Some(Hex([0x7a; 32])),
        },
        Event::Start {
            version: "0.1.0".to_owned(),
            binary: Hex([0xb1; 32]),
            config: Hex([0xcf; 32]),
            generation: 3,
        },
        Event::StartRefused {
            reason: "the state directory is an older copy".to_owned(),
        },
        Event::SessionOpened {
            session: session(),
            purpose: "unlock".to_owned(),
            set: set(),
            expires: 1_795_201_080,
            manifest: Hex([0x3a; 32]),
        },
        Event::UnlockShare {
            session: session(),
            slot: 2,
            holder: "bob".to_owned(),
            verdict: "duplicate".to_owned(),
        },
        Event::UnlockFailed {
            session: session(),
            reason: "the HSM is away".to_owned(),
        },
        Event::SessionClosed {
            session: session(),
            reason: "expired".to_owned(),
        },
        Event::Unlocked {
            session: session(),
            set: set(),
            holders: vec![holder(1, "alice"), holder(3, "carol")],
            generation: 3,
        },
        Event::CustomerAdded(customer_change("acme", 4)),
        Event::PolicyChanged {
            change: customer_change("acme", 5),
            policy: Hex([0x90; 32]),
        },
        Event::KeyAdded {
            change: customer_change("acme", 6),
            keyid: request(0).keyid,
            alg: "ed25519".to_owned(),
            roles: vec!["enrol".to_owned(), "permit".to_owned()],
        },
        Event::MasterKeyCreated {
            change: customer_change("acme", 7),
            key: "k1".to_owned(),
            suite: "RO".to_owned(),
            commitment: Hex([0xc0; 48]),
            escrow: Some(Hex([0xe5; 32])),
        },
        Event::ChangeRecovered {
            change: "customer-suspended".to_owned(),
            generation: 8,
        },
        client_share(1),
        Event::ServerShare {
            request: request(2),
        },
        Event::TimePermits {
            request: request(3),
            identities: vec![tag(1), tag(2)],
            from: "2026-11-20".to_owned(),
            days: 2,
            chunk: 0,
        },
        Event::Refused {
            request: RefusedRequest {
                customer: "acme".to_owned(),
                key: Some("k1".to_owned()),
                keyid: request(0).keyid,
                nonce: request(4).nonce,
                expires: request(4).expires,
            },
            op: "client-share".to_owned(),
            problem: "suspended".to_owned(),
            identity: Some(tag(1)),
        },
        Event::RefusalCounts {
            minute: Timestamp::from_unix_millis(1_795_200_480_000),
            counts: BTreeMap::from([("unsigned".to_owned(), 17), ("expired".to_owned(), 2)]),
        },
        Event::CustomerSuspended(customer_change("acme", 8)),
        Event::CustomerResumed(customer_change("acme", 9)),
        Event::KeyRevoked {
            change: customer_change("acme", 10),
            keyid: request(0).keyid,
        },
        Event::AnchorAdded {
            directory: "/mnt/anchor".to_owned(),
        },
        Event::LogRepaired {
            offset: 4711,
            removed: 42,
        },
        Event::ClockFault {
            wall: Timestamp::from_unix_millis(NOON - 1000),
            expected: Timestamp::from_unix_millis(NOON),
            fault: "behind".to_owned(),
        },
        Event::Locked {
            reason: "operator".to_owned(),
            operator: Some(1000),
        },
        Event::Stop {
            reason: "signal".to_owned(),
        },
    ]
}

/// Writes every event into a log, with a clock that stands at a known moment.
fn write_all(directory: &Path, node: &Node) {
    let clock = HandClock::at(NOON);
    let options = Options {
        clock: Arc::clone(&clock) as _,
        reserve_bytes: 16,
        ..Options::default()
    };
    let log = Log::create(directory, &node.key, options, |text| node.sign(text)).unwrap();
    for event in every_event() {
        log.append_blocking(event).unwrap();
        clock.pass(250);
    }
    log.checkpoint(|text| node.sign(text)).unwrap();
    fs::write(directory.join("authority.vkey"), node.key.to_file()).unwrap();
}

#[test]
fn todays_log_is_byte_for_byte_the_pinned_one() {
    let root = tempfile::tempdir().unwrap();
    write_all(root.path(), &Node::new(7));
    for name in ["journal", "checkpoint", "authority.vkey"] {
        let (written, pinned) = (
            fs::read(root.path().join(name)).unwrap(),
            fs::read(vectors().join("log").join(name)),
        );
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&pinned.unwrap()),
            "{name}"
        );
    }
}

#[test]
fn the_pinned_entries_are_those_of_the_pinned_log_and_read_back() {
    let lines = fs::read_to_string(vectors().join("entries.ndjson")).unwrap();
    let shown = entries(&vectors().join("log"));
    assert_eq!(lines.lines().count(), shown.len());
    for (line, entry) in lines.lines().zip(&shown) {
        assert_eq!(line.as_bytes(), entry.bytes);
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["event"], entry.event.name());
    }
    let events: Vec<_> = shown.into_iter().map(|entry| entry.event).collect();
    assert_eq!(events, every_event());
}

#[test]
fn the_pinned_log_verifies_with_its_pinned_key() {
    let log = vectors().join("log");
    let text = fs::read_to_string(log.join("authority.vkey")).unwrap();
    let key = VerifierKey::from_file(&text).unwrap();
    let report = verify(&log, &key, VerifyOptions::default()).unwrap();
    assert_eq!(report.size, every_event().len() as u64);
    assert_eq!((report.signed, report.unsigned_tail), (report.size, 0));
    assert_eq!(
        report.root.to_string(),
        fs::read_to_string(vectors().join("root.hex"))
            .unwrap()
            .trim_end()
    );
}

#[test]
fn no_entry_can_carry_what_would_be_an_oracle() {
    // Names of fields that must never exist: see the PIN-oracle rule.
    let lines = fs::read_to_string(vectors().join("entries.ndjson")).unwrap();
    for line in lines.lines() {
        let fields: serde_json::Map<_, _> = serde_json::from_str(line).unwrap();
        for forbidden in [
            "share",
            "proof",
            "permit",
            "permits",
            "reply",
            "blind",
            "signature",
            "digest",
            "request",
        ] {
            assert!(!fields.contains_key(forbidden), "{forbidden} in {line}");
        }
    }
}
