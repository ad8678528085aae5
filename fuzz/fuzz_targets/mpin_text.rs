//! Identities, suites, encodings and PINs as people and files write them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpin::{Encoding, Identity, Pin, Suite};

fuzz_target!(|text: &str| {
    match text.parse::<Identity>() {
        Ok(identity) => assert_eq!(hex::encode(identity.as_bytes()), text.to_ascii_lowercase()),
        Err(error) => dta_fuzz::say(&error),
    }
    match text.parse::<Suite>() {
        Ok(suite) => assert_eq!(suite.as_str(), text),
        Err(error) => dta_fuzz::say(&error),
    }
    match text.parse::<Encoding>() {
        Ok(encoding) => assert_eq!(encoding.to_string(), text),
        Err(error) => dta_fuzz::say(&error),
    }
    let digits = (4..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    assert_eq!(Pin::from_digits(text).is_ok(), digits);
});
