//! A customer.toml and an `mpin_id` are read or refused, never a panic.
#![no_main]

use client::config::Endpoint;
use client::mpin_id::MpinId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // No key file stands there: parsing ends at the latest when it is to be read.
    let _ = client::Config::parse(text, "/nonexistent".as_ref());
    let _ = Endpoint::parse(text);
    if let Ok(id) = MpinId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
});
