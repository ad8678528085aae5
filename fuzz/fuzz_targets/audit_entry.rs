//! Entries: what passes the check reads as JSON and is spelled as serde_json would spell it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match audit::Entry::check(bytes) {
        Ok(()) => {
            let value: serde_json::Value =
                serde_json::from_slice(bytes).expect("canonical JSON is JSON");
            assert_eq!(
                serde_json::to_vec(&value).expect("a value can be written"),
                bytes
            );
        }
        Err(fault) => dta_fuzz::say(&fault),
    }
});
