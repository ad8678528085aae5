//! Certificates of response keys: only the statement that the node key signed is believed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wire::api::AuthorityInfo;
use wire::keys::VerifyingKey;
use wire::signature::ResponseCertificate;

/// What the demo's D-TA said of itself.
static INFO: LazyLock<AuthorityInfo> = LazyLock::new(|| {
    AuthorityInfo::parse(include_bytes!("../seeds/wire_replies/authority"))
        .expect("the seed is a reply")
});

static NODE_KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    VerifyingKey::from_hex(&INFO.node_key.public_key).expect("the seed's node key is a key")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = serde_json::from_slice::<ResponseCertificate>(bytes) else {
        return;
    };
    match certificate.verify(&INFO.authority, &NODE_KEY) {
        Err(error) => dta_fuzz::say(&error),
        Ok(key) => {
            let known = INFO.response_key.as_ref().expect("it is unlocked");
            assert_eq!(certificate.statement, known.statement);
            assert_eq!(key.to_hex(), known.statement.public_key);
        }
    }
});
