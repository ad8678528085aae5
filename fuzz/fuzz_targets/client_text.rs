//! Addresses of D-TAs and `mpin_id`s are read or refused, never a panic.
#![no_main]

use client::config::Endpoint;
use client::mpin_id::MpinId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Endpoint::parse(text) {
        Ok(endpoint) => {
            assert!(endpoint.port != 0 && !endpoint.host.is_empty());
            let again = Endpoint::parse(&format!("https://{}", endpoint.public_authority));
            assert_eq!(again, Ok(endpoint));
        }
        Err(reason) => assert!(!reason.is_empty()),
    }
    match MpinId::parse(text) {
        Ok(id) => assert_eq!(id.as_str(), text),
        Err(error) => dta_fuzz::say(&error),
    }
    if let Ok(id) = MpinId::with_salt(text, &[7; 16]) {
        assert_eq!(MpinId::parse(id.as_str()), Ok(id));
    }
});
