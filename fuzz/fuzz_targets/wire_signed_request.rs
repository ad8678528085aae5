//! A request that was signed here verifies exactly if its target is one an origin server reads one
//! way only; with another body, query or D-TA it never does.
#![no_main]

use std::sync::LazyLock;

use dta_fuzz::Message;
use libfuzzer_sys::fuzz_target;
use wire::keys::SigningKey;
use wire::signature::{Expected, RequestParts, RequestToSign, Stamp, sign_request, verify_request};

/// RFC 8032, section 7.1, test 1, as PKCS#8.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let der = hex::decode(format!("302e020100300506032b657004220420{seed}"));
    SigningKey::from_pkcs8_der(&der.expect("that is hex")).expect("that is a key")
});

const NOW: u64 = 1_795_200_000;
const ID: &str = "aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00";

fn accepted(parts: &RequestParts<'_>, body: &[u8], id: &str) -> bool {
    let expected = Expected {
        public_authority: "dta.example",
        authority_id_hex: id,
        now_unix: NOW,
    };
    verify_request(parts, body, &expected, |_| {
        Some(KEY.verifying_key().clone())
    })
    .is_ok()
}

fuzz_target!(|bytes: &[u8]| {
    let message = Message::read(bytes);
    let (method, target) = message.first.split_once(' ').unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let request = RequestToSign {
        method,
        path,
        query,
        body: message.body,
        public_authority: "dta.example",
        authority_id_hex: ID,
    };
    let stamp = Stamp::new(NOW, [7; 16]);
    let signed = sign_request(&request, &stamp, &KEY).expect("Ed25519 signs everything");
    let mut parts = RequestParts {
        method,
        path,
        query,
        headers: signed
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect(),
    };
    let visible = |text: &str| text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    let good = !method.is_empty()
        && method.bytes().all(|byte| byte.is_ascii_uppercase())
        && path.starts_with('/')
        && visible(target)
        && !target.contains('#');
    assert_eq!(accepted(&parts, message.body, ID), good);
    assert!(!accepted(&parts, message.body, &ID.replace("aa", "ab")));
    assert!(!accepted(&parts, &[message.body, b" "].concat(), ID));
    let longer = format!("{}&all", query.unwrap_or_default());
    parts.query = Some(&longer);
    assert!(!accepted(&parts, message.body, ID));
});
