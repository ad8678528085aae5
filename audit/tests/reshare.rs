//! The schema of the events of a reshare, pinned: `vectors/reshare.ndjson` is never edited.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use audit::{Event, Hex, Participant, Set};

fn holder(index: u8, name: &str) -> Participant {
    Participant {
        index,
        holder: name.to_owned(),
    }
}

fn every_event() -> Vec<Event> {
    let session = || "2f1c".to_owned();
    let set = || Set {
        set: Hex([0x5f; 16]),
        epoch: 2,
        m: 3,
        n: 5,
    };
    vec![
        Event::ReshareOpened {
            session: session(),
            plan: Hex([0x91; 32]),
            manifest: Hex([0x3b; 32]),
            set: set(),
            operator: 1000,
        },
        Event::ReshareConsent {
            session: session(),
            slot: 1,
            holder: "alice".to_owned(),
        },
        Event::ReshareConfirmed {
            session: session(),
            slot: 4,
            holder: "dave".to_owned(),
        },
        Event::ReshareWaiver {
            session: session(),
            slot: 5,
            holder: "erin".to_owned(),
            signer: holder(1, "alice"),
        },
        Event::ReshareClosed {
            session: session(),
            reason: "expired".to_owned(),
        },
        Event::Reshared {
            session: session(),
            manifest: Hex([0x3b; 32]),
            set: set(),
            consented: vec![holder(1, "alice"), holder(2, "bob")],
            waived: vec![holder(5, "erin")],
            generation: 11,
        },
        Event::SealKeyDestroyed {
            hsm: "7f3a9b2c".to_owned(),
            key: "dta-seal-5e5e-1".to_owned(),
            reason: "superseded".to_owned(),
        },
    ]
}

#[test]
fn the_events_of_a_reshare_are_the_pinned_ones_and_read_back() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/reshare.ndjson");
    let pinned = std::fs::read_to_string(path).unwrap();
    let events = every_event();
    assert_eq!(pinned.lines().count(), events.len());
    for (line, event) in pinned.lines().zip(events) {
        let value = serde_json::to_value(&event).unwrap();
        assert_eq!(line, value.to_string());
        assert_eq!(value["event"], event.name());
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
    }
}
