//! A customer's policy as JSON: parsing never panics, and what parses survives writing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use state::Policy;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(policy) = serde_json::from_slice::<Policy>(bytes) {
        let json = serde_json::to_vec(&policy).expect("a policy is writable");
        let again: Policy = serde_json::from_slice(&json).expect("a written policy parses");
        assert_eq!(again, policy);
    }
});
