//! The layer under a PIN is parsed without doing its work.
#![no_main]

use ceremony::pin::PinnedShare;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = PinnedShare::parse(bytes);
});
