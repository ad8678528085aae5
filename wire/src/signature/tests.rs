#![allow(clippy::unwrap_used)]

mod certificates;
mod responses;

use proptest::prelude::*;

use super::base::signature_base;
use super::response::ResponseToSign;
use super::structured::{Component, SignatureInput, parse_bytes_member, serialize_bytes_member};
use super::*;
use crate::api::AuthorityIdHex;
use crate::keys::{Algorithm, SigningKey, VerifyingKey};
use crate::{Problem, ProblemType};

const NOW: u64 = 1_795_200_000;
const ID: &str = "aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00";
const BODY: &[u8] = br#"{"identity":"00"}"#;

fn key() -> SigningKey {
    SigningKey::from_pem(
        "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----",
    )
    .unwrap()
}

fn to_sign(body: &'static [u8]) -> RequestToSign<'static> {
    RequestToSign {
        method: if body.is_empty() { "GET" } else { "POST" },
        path: "/v1/client-shares",
        query: None,
        body,
        public_authority: "dta.example",
        authority_id_hex: ID,
    }
}

fn parts<'a>(
    request: &RequestToSign<'a>,
    headers: &'a [(&'static str, String)],
) -> RequestParts<'a> {
    RequestParts {
        method: request.method,
        path: request.path,
        query: request.query,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect(),
    }
}

fn expected(now_unix: u64) -> Expected<'static> {
    Expected {
        public_authority: "dta.example",
        authority_id_hex: ID,
        now_unix,
    }
}

/// Signs at `NOW` and verifies at `at`.
fn verify_at(key: &SigningKey, body: &'static [u8], at: u64) -> Result<VerifiedRequest, Problem> {
    let request = to_sign(body);
    let headers = sign_request(&request, &Stamp::new(NOW, [7; 16]), key).unwrap();
    verify_request(&parts(&request, &headers), body, &expected(at), |keyid| {
        let public = key.verifying_key();
        (keyid == public.keyid()).then(|| public.clone())
    })
}

#[test]
fn the_ed25519_example_of_rfc_9421_is_built_and_signed_byte_for_byte() {
    // Appendix B.2.6; the request is in appendix B.2.
    let field = "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
        \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
    let input = SignatureInput::parse(field).unwrap();
    assert_eq!(input.serialize(), field);
    let base = signature_base(&input, |component| {
        Some(
            match component.name.as_str() {
                "date" => "Tue, 20 Apr 2021 02:07:55 GMT",
                "@method" => "POST",
                "@path" => "/foo",
                "@authority" => "example.com",
                "content-type" => "application/json",
                "content-length" => "18",
                _ => return None,
            }
            .into(),
        )
    })
    .unwrap();
    let expected = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT
\"@method\": POST
\"@path\": /foo
\"@authority\": example.com
\"content-type\": application/json
\"content-length\": 18
\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
        \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
    assert_eq!(base, expected);
    let signature = key().sign(base.as_bytes()).unwrap();
    assert_eq!(
        serialize_bytes_member("sig-b26", &signature),
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
    );
}

#[test]
fn the_digest_of_rfc_9530_is_computed() {
    // RFC 9530 appendix B.1.
    assert_eq!(
        content_digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
}

#[test]
fn the_signature_base_of_the_profile_is_pinned() {
    let verified = verify_at(&key(), BODY, NOW).unwrap();
    let expected = "\"@method\": POST
\"@authority\": dta.example
\"@path\": /v1/client-shares
\"@query\": ?
\"content-digest\": sha-256=:mf8sl2Wfz7vJTSdMSfWwQD47sP2xvFtF16H9ad8BG3A=:
\"content-type\": application/json
\"dta-authority\": aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00aa00
\"@signature-params\": (\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \
        \"content-type\" \"dta-authority\");created=1795200000;expires=1795200060;\
        nonce=\"BwcHBwcHBwcHBwcHBwcHBw\";keyid=\"NFcWBst6DXG-N35nHdzMri\";alg=\"ed25519\";\
        tag=\"dta-v1\"";
    assert_eq!(verified.signature_base, expected);
}

#[test]
fn a_signed_request_is_verified_under_both_algorithms_with_and_without_body() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        let key = SigningKey::generate(algorithm).unwrap();
        for body in [BODY, b""] {
            let verified = verify_at(&key, body, NOW + 3).unwrap();
            assert_eq!(verified.keyid, key.verifying_key().keyid());
            assert_eq!(verified.algorithm, algorithm);
            assert_eq!(verified.nonce.as_str(), "BwcHBwcHBwcHBwcHBwcHBw");
            assert_eq!(
                (verified.created, verified.expires),
                (NOW, NOW + WINDOW_SECONDS)
            );
            let covers_body = verified.signature_base.contains("content-digest");
            assert_eq!(covers_body, !body.is_empty());
        }
    }
}

#[test]
fn the_window_opens_five_seconds_early_and_closes_five_seconds_late() {
    let kind = |at| verify_at(&key(), BODY, at).map_err(|problem| problem.kind());
    assert_eq!(kind(NOW - SKEW_SECONDS - 1), Err(ProblemType::TooEarly));
    assert!(kind(NOW - SKEW_SECONDS).is_ok());
    assert!(kind(NOW + WINDOW_SECONDS + SKEW_SECONDS).is_ok());
    assert_eq!(
        kind(NOW + WINDOW_SECONDS + SKEW_SECONDS + 1),
        Err(ProblemType::Expired)
    );
    assert_eq!(kind(0), Err(ProblemType::TooEarly));
    assert_eq!(kind(u64::MAX), Err(ProblemType::Expired));
}

#[test]
fn a_bad_signature_comes_with_the_base_the_verifier_built() {
    let request = to_sign(BODY);
    let headers = sign_request(&request, &Stamp::new(NOW, [7; 16]), &key()).unwrap();
    let here = Expected {
        public_authority: "other.example",
        ..expected(NOW)
    };
    let problem = verify_request(&parts(&request, &headers), BODY, &here, |_| {
        Some(key().verifying_key().clone())
    })
    .unwrap_err();
    assert_eq!(problem.kind(), ProblemType::BadSignature);
    assert!(
        problem
            .signature_base()
            .unwrap()
            .contains("\"@authority\": other.example\n")
    );
}

#[test]
fn the_claimed_keyid_is_read_without_verifying_anything() {
    let request = to_sign(BODY);
    let headers = sign_request(&request, &Stamp::new(NOW, [7; 16]), &key()).unwrap();
    let keyid = key().verifying_key().keyid();
    assert_eq!(request_keyid(&parts(&request, &headers)), Some(keyid));
    assert_eq!(request_keyid(&parts(&request, &[])), None);
}

#[test]
fn structured_fields_that_are_not_canonical_are_unreadable() {
    let inputs = [
        "",
        "a",
        "a=",
        "a=(",
        "a=()x",
        "A=()",
        "a=(\"b\"  \"c\")",
        "a=( \"b\")",
        "a=(\"b\" )",
        "a=(b)",
        "a=(\"b\");c",
        "a=(\"b\");c=?1",
        "a=(\"b\");c=1.5",
        "a=(\"b\");c=01",
        "a=(\"b\");c=-0",
        "a=(\"b\");c=1234567890123456",
        "a=(\"b\");c=\"x",
        "a=(\"b\");c=\"\\n\"",
        "a=(\"b\"); c=1",
        "a=(\"b\") ",
        " a=(\"b\")",
        "a=(\"b\"), d=(\"e\")",
        "a=(\"b\";c=1)",
        "a=(\"b\");c=:AA==:",
        "a=(\"é\")",
        "a=1",
        "a=\"b\"",
    ];
    for text in inputs {
        assert!(SignatureInput::parse(text).is_err(), "{text:?}");
    }
    let bytes = [
        "",
        "a=::b",
        "a=:AAA:",
        "a=:AA==",
        "a=:A-==:",
        "a=\"AA==\"",
        "a=:AA==:;x",
        "a=:AA==:, b=:AA==:",
        "a=:AB==:",
        "a",
    ];
    for text in bytes {
        assert!(parse_bytes_member(text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_of_a_signed_request_is_refused(
        at in 0usize..1024,
        bit in 0u8..8,
        field in 0usize..9,
    ) {
        let request = to_sign(BODY);
        let mut headers = sign_request(&request, &Stamp::new(NOW, [7; 16]), &key()).unwrap();
        let (mut method, mut path) = (request.method.to_owned(), request.path.to_owned());
        let mut body = BODY.to_vec();
        let flip = |text: &mut Vec<u8>| {
            let at = at % text.len();
            text[at] ^= 1 << bit;
        };
        let flip_text = |text: &mut String| {
            let mut bytes = std::mem::take(text).into_bytes();
            flip(&mut bytes);
            // Outside ASCII it would not even arrive as text.
            *text = String::from_utf8(bytes).unwrap_or_else(|_| "\u{7f}".to_owned());
        };
        match field {
            0 => flip_text(&mut method),
            1 => flip_text(&mut path),
            2 => flip(&mut body),
            _ => {
                let index = (field - 3) % headers.len();
                flip_text(&mut headers[index].1);
            }
        }
        let parts = RequestParts {
            method: &method,
            path: &path,
            query: None,
            headers: headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect(),
        };
        let lookup = |keyid: &str| {
            (keyid == key().verifying_key().keyid()).then(|| key().verifying_key().clone())
        };
        // Two flips change nothing that counts: the case of hex is not touched here, and the label
        // is not signed; a new label in one field only is refused, so everything is.
        prop_assert!(verify_request(&parts, &body, &expected(NOW), lookup).is_err());
    }

    #[test]
    fn whatever_is_signed_verifies(
        path in "/[a-z0-9/_.-]{0,40}",
        query in proptest::option::of("[a-z0-9=&]{0,20}"),
        body in proptest::collection::vec(any::<u8>(), 0..100),
        random in any::<[u8; 16]>(),
    ) {
        let request = RequestToSign {
            method: "POST",
            path: &path,
            query: query.as_deref(),
            body: &body,
            public_authority: "dta.example:8443",
            authority_id_hex: ID,
        };
        let headers = sign_request(&request, &Stamp::new(NOW, random), &key()).unwrap();
        let here = Expected { public_authority: "dta.example:8443", ..expected(NOW) };
        let verified = verify_request(&parts(&request, &headers), &body, &here, |_| {
            Some(key().verifying_key().clone())
        });
        prop_assert_eq!(verified.unwrap().nonce, Nonce::from_random(random));
    }

    #[test]
    fn a_parsed_signature_input_is_written_as_it_was(text in "[a-z]=\\((\"[a-z@-]{0,5}\"(;req)?( \"[a-z]{1,3}\"){0,3})?\\)(;[a-z]{1,3}=(-?[1-9][0-9]{0,5}|\"[ -~]{0,6}\")){0,3}") {
        if let Ok(input) = SignatureInput::parse(&text) {
            prop_assert_eq!(input.serialize(), text);
        }
    }

    #[test]
    fn no_header_makes_the_verifier_panic(
        input in "[ -~]{0,80}",
        signature in "[ -~]{0,80}",
        body in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let parts = RequestParts {
            method: "POST",
            path: "/v1/client-shares",
            query: None,
            headers: vec![
                ("signature-input", input.as_bytes()),
                ("signature", signature.as_bytes()),
            ],
        };
        prop_assert!(verify_request(&parts, &body, &expected(NOW), |_| None).is_err());
    }
}

#[test]
fn component_identifiers_are_written_with_their_parameters() {
    assert_eq!(Component::plain("@path").serialize(), "\"@path\"");
    assert_eq!(Component::of_request("@path").serialize(), "\"@path\";req");
}
