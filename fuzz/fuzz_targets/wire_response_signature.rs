//! Whatever a D-TA, or somebody in its place, answers: it is verified or refused, never a panic. What
//! is accepted carries the body that was signed.
#![no_main]

use std::sync::LazyLock;

use dta_fuzz::Message;
use libfuzzer_sys::fuzz_target;
use wire::keys::VerifyingKey;
use wire::signature::{RequestBinding, ResponseParts, content_digest, verify_response};

/// The response key of the demo's D-TA, and the second in which it signed the seed.
static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    VerifyingKey::from_hex("9e150eef2eeb7ec69e0d318fbaf90c9e2d43c6c35f119f10389c277804f150dd")
        .expect("that is a key")
});
const NOW: u64 = 1_795_205_872;

fuzz_target!(|bytes: &[u8]| {
    let message = Message::read(bytes);
    let parts = ResponseParts {
        status: message.first.parse().unwrap_or_default(),
        headers: message.headers,
    };
    let unsigned = RequestBinding {
        method: "GET",
        path: "/v1/authority",
        signature_field: None,
    };
    let signed = RequestBinding {
        signature_field: Some("dta=:AAAA:"),
        ..unsigned
    };
    match verify_response(&parts, message.body, &unsigned, &KEY, NOW) {
        Err(error) => dta_fuzz::say(&error),
        Ok(response) => {
            assert_eq!((parts.status, response.created), (200, NOW));
            let digest = content_digest(message.body);
            assert!(
                parts
                    .headers
                    .iter()
                    .any(|(_, value)| *value == digest.as_bytes())
            );
        }
    }
    // No signature of this key over a signed request was ever given out.
    assert!(verify_response(&parts, message.body, &signed, &KEY, NOW).is_err());
});
