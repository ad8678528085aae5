//! What authority and proxy tell each other: snapshots of the registry, and counters of refusals.
#![no_main]
#![allow(dead_code, reason = "the file of the binary is used in part")]

#[path = "../../src/service/link.rs"]
mod link;

use libfuzzer_sys::fuzz_target;
use link::{RefusalReport, Snapshot};
use wire::keys::VerifyingKey;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) {
        let json = serde_json::to_vec(&snapshot).expect("a snapshot is plain JSON");
        assert!(!json.contains(&b'\n'));
        let again: Snapshot = serde_json::from_slice(&json).expect("what was written can be read");
        assert_eq!(again, snapshot);
        for key in snapshot.keys.iter().flatten() {
            let _ = VerifyingKey::from_pem(&key.pem);
        }
    }
    if let Ok(report) = serde_json::from_slice::<RefusalReport>(bytes) {
        let json = serde_json::to_vec(&report).expect("a report is plain JSON");
        assert_eq!(
            serde_json::from_slice::<RefusalReport>(&json).ok(),
            Some(report)
        );
    }
});
