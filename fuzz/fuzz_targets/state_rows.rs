//! Rows of the registry as JSON, policies among them: reading never panics, and what is read survives
//! being written.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use state::{Customer, MasterKey, Policy, SigningKey};

fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let row = serde_json::from_slice::<T>(bytes).ok()?;
    let json = serde_json::to_vec(&row).expect("a row is writable");
    let again = serde_json::from_slice::<T>(&json).expect("a written row is readable");
    assert_eq!(again, row);
    Some(again)
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(key) = read::<SigningKey>(bytes) {
        let _ = (
            key.validity(key.created),
            key.algorithm.check(&key.public_key),
        );
    }
    read::<MasterKey>(bytes);
    let customer = read::<Customer>(bytes);
    for policy in [customer.map(|customer| customer.policy), read(bytes)] {
        let policy: Option<Policy> = policy;
        if let Some(policy) = policy {
            assert!((1..=31).contains(&policy.permit_window_days.days()));
        }
    }
});
