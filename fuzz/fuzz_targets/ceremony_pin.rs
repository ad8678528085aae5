//! The layer under a PIN is parsed without doing its work, and PINs are judged as they are chosen.
#![no_main]

use ceremony::pin::{PinnedShare, SharePin};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match PinnedShare::parse(bytes) {
        Ok(pinned) => assert!(pinned.header().index.get() <= pinned.header().threshold.n()),
        Err(error) => dta_fuzz::say(&error),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        match SharePin::chosen(text.to_owned(), "alice") {
            Ok(pin) => assert_eq!(format!("{pin:?}"), "SharePin(..)"),
            Err(error) => dta_fuzz::say(&error),
        }
    }
});
