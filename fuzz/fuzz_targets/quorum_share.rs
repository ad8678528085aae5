//! Bytes of a share: decoding never panics, and what decodes encodes to the same bytes. The checksum
//! is no secret, so the same is tried under one that fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorum::Share;
use sha2::{Digest as _, Sha256};

fn read(bytes: &[u8]) {
    match Share::decode(bytes) {
        Ok(share) => {
            assert_eq!(share.encode().as_slice(), bytes);
            assert!(share.index().get() <= share.threshold.n());
        }
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let body = &bytes[..bytes.len().saturating_sub(8)];
    read(&[body, &Sha256::digest(body)[..8]].concat());
});
