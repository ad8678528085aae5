//! The file in which a holder's tool remembers epochs is read or refused, and survives being written.
#![no_main]

use ceremony::session::Seen;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = dta_fuzz::file("fuzz.holder.seen", bytes);
    match Seen::load(&path) {
        Ok(seen) => {
            let json = serde_json::to_vec(&seen).expect("what was read can be written");
            let again = Seen::load(&dta_fuzz::file("fuzz.holder.seen", &json));
            assert_eq!(again.ok(), Some(seen));
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
