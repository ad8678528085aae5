//! The anchor object of a token: decoding never panics, and canonical bytes are a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use state::AnchorObject;

fuzz_target!(|bytes: &[u8]| match AnchorObject::decode(bytes) {
    Ok(anchor) => {
        let encoded = anchor.encode();
        assert_eq!(AnchorObject::decode(&encoded), Ok(anchor));
        assert!(AnchorObject::label(&anchor.authority).len() <= 64);
    }
    Err(error) => dta_fuzz::say(&error),
});
