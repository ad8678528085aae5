//! Whatever stands in the header fields, the verifier answers with a problem, not with a panic; and
//! what it accepts keeps every promise of the profile.
#![no_main]

use std::sync::LazyLock;

use dta_fuzz::Message;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use wire::keys::VerifyingKey;
use wire::signature::{
    Expected, RequestParts, SKEW_SECONDS, WINDOW_SECONDS, request_keyid, verify_request,
};

/// Who verifies, and when: as in the vectors, so that their requests are the seeds.
#[derive(Deserialize)]
struct World {
    now: u64,
    public_authority: String,
    authority_id: String,
    keys: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let vectors = include_str!("../../tests/vectors/signature_negative.json");
    serde_json::from_str(vectors).expect("the vectors are JSON")
});

static KEYS: LazyLock<Vec<VerifyingKey>> = LazyLock::new(|| {
    let read = |pem: &String| VerifyingKey::from_pem(pem).expect("the vectors' keys are keys");
    WORLD.keys.iter().map(read).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let message = Message::read(bytes);
    let (method, target) = message.first.split_once(' ').unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let parts = RequestParts {
        method,
        path,
        query,
        headers: message.headers,
    };
    let expected = Expected {
        public_authority: &WORLD.public_authority,
        authority_id_hex: &WORLD.authority_id,
        now_unix: WORLD.now,
    };
    let keyid = request_keyid(&parts);
    let find = |keyid: &str| KEYS.iter().find(|key| key.keyid() == keyid).cloned();
    match verify_request(&parts, message.body, &expected, find) {
        Err(problem) => dta_fuzz::say(&problem),
        Ok(request) => {
            assert_eq!(keyid, Some(request.keyid));
            assert!(request.created <= WORLD.now + SKEW_SECONDS);
            assert!(request.expires + SKEW_SECONDS >= WORLD.now);
            assert!((1..=WINDOW_SECONDS).contains(&(request.expires - request.created)));
            for line in [
                format!("\"@method\": {method}\n"),
                format!("\"@authority\": {}\n", WORLD.public_authority),
                format!("\"@path\": {path}\n"),
                format!("\"@query\": ?{}\n", query.unwrap_or_default()),
                format!("\"dta-authority\": {}\n", WORLD.authority_id),
            ] {
                assert!(request.signature_base.contains(&line), "{line}");
            }
        }
    }
});
