//! Bytes of a share: decoding never panics, and what decodes encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorum::Share;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(share) = Share::decode(bytes) {
        assert_eq!(share.encode().as_slice(), bytes);
    }
});
