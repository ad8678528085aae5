//! Whatever stands in the header fields, the verifier answers with a problem, not with a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::signature::{Expected, RequestParts, verify_request};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(5, |byte| *byte == 0);
    let mut next = || lines.next().unwrap_or_default();
    let headers = vec![
        ("signature-input", next()),
        ("signature", next()),
        ("content-digest", next()),
        ("dta-authority", next()),
        ("content-type", &b"application/json"[..]),
    ];
    let parts = RequestParts {
        method: "POST",
        path: "/v1/client-shares",
        query: None,
        headers,
    };
    let expected = Expected {
        public_authority: "dta.example",
        authority_id_hex: "00",
        now_unix: 1_795_200_000,
    };
    let _ = verify_request(&parts, next(), &expected, |_| None);
});
