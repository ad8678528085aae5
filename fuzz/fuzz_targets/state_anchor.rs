//! The anchor object of a token: decoding never panics, and canonical bytes are a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use state::AnchorObject;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(anchor) = AnchorObject::decode(bytes) {
        let encoded = anchor.encode();
        assert_eq!(AnchorObject::decode(&encoded).expect("canonical bytes decode"), anchor);
    }
});
