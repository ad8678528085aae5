#![allow(clippy::unwrap_used)]

use super::*;

/// RFC 9421 appendix B.1.4, `test-key-ed25519`, as PEM.
const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";
const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
";

#[test]
fn the_test_key_of_rfc_9421_is_read_and_written_byte_for_byte() {
    let private = SigningKey::from_pem(RFC_PRIVATE).unwrap();
    let public = VerifyingKey::from_pem(RFC_PUBLIC).unwrap();
    assert_eq!(private.verifying_key(), &public);
    assert_eq!(public.to_pem(), RFC_PUBLIC);
    assert_eq!(private.to_pem().unwrap().as_str(), RFC_PRIVATE);
    assert_eq!(public.to_spki_der().len(), 44);
}

#[test]
fn both_algorithms_sign_and_verify_and_survive_pem() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        let signature = again.sign(b"message").unwrap();
        let public = VerifyingKey::from_pem(&key.verifying_key().to_pem()).unwrap();
        assert_eq!(public.algorithm(), algorithm);
        public.verify(b"message", &signature).unwrap();
        assert_eq!(
            public.verify(b"massage", &signature),
            Err(SignatureMismatch)
        );
        assert_eq!(
            public.verify(b"message", &signature[..63]),
            Err(SignatureMismatch)
        );
        assert_eq!(VerifyingKey::from_hex(&public.to_hex()).unwrap(), public);
        assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
    }
}

#[test]
fn a_keyid_is_22_characters_of_the_hash_of_the_spki() {
    let public = VerifyingKey::from_pem(RFC_PUBLIC).unwrap();
    let digest = Sha256::digest(public.to_spki_der());
    assert_eq!(public.keyid().len(), 22);
    assert!(URL_SAFE_NO_PAD.encode(digest).starts_with(&public.keyid()));
}

#[test]
fn a_signature_of_one_algorithm_is_nothing_to_the_other() {
    let ed25519 = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let p256 = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let signature = ed25519.sign(b"message").unwrap();
    assert!(p256.verifying_key().verify(b"message", &signature).is_err());
}

#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    let key = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let der = [&[0x30, 0x44, 0x02, 0x20][..], &[1; 66]].concat();
    assert!(key.verifying_key().verify(b"message", &der).is_err());
}

#[test]
fn private_keys_print_nothing() {
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    assert_eq!(format!("{key:?}"), "SigningKey(..)");
    assert!(format!("{:?}", key.verifying_key()).starts_with("VerifyingKey(ed25519 "));
}

#[test]
fn bad_public_keys_are_refused_and_the_reason_said() {
    let small = hex::decode(SMALL_ORDER_Y[2]).unwrap();
    let cases: Vec<(Result<VerifyingKey, KeyError>, &str)> = vec![
        (
            VerifyingKey::from_pem("nonsense"),
            "not PEM of one `PUBLIC KEY` block",
        ),
        (
            VerifyingKey::from_pem(RFC_PRIVATE),
            "not PEM of one `PUBLIC KEY` block",
        ),
        (
            VerifyingKey::from_pem(&format!("{RFC_PUBLIC}{RFC_PUBLIC}")),
            "not PEM of one",
        ),
        (
            VerifyingKey::from_spki_der(&[0; 44]),
            "not a SubjectPublicKeyInfo",
        ),
        (VerifyingKey::from_raw(&[4; 65]), "not a point of the curve"),
        (VerifyingKey::from_raw(&[2; 65]), "not a point of the curve"),
        (
            VerifyingKey::from_raw(&[1; 33]),
            "expected 32 bytes (Ed25519) or 65 (P-256), got 33",
        ),
        (VerifyingKey::from_raw(&[0; 32]), "small order"),
        (VerifyingKey::from_raw(&small), "small order"),
        (VerifyingKey::from_hex("zz"), "in hex"),
    ];
    for (result, expected) in cases {
        let error = result.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.remedy().is_some());
    }
}

#[test]
fn the_listed_points_accept_what_nobody_signed_which_is_why_they_are_refused() {
    // y = 1, the neutral element: R = neutral and S = 0 fit every message.
    let neutral: [u8; 32] = hex::decode(SMALL_ORDER_Y[1]).unwrap().try_into().unwrap();
    let forged = [&neutral[..], &[0; 32]].concat();
    let unchecked = VerifyingKey::Ed25519(neutral);
    assert!(unchecked.verify(b"whatever", &forged).is_ok());
    assert_eq!(
        VerifyingKey::from_ed25519(neutral),
        Err(KeyError::SmallOrder)
    );
}

#[test]
fn private_keys_of_other_kinds_are_refused() {
    let error = SigningKey::from_pem(RFC_PUBLIC).unwrap_err();
    assert_eq!(error.to_string(), "not PEM of one `PRIVATE KEY` block");
    let rsa = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----";
    let error = SigningKey::from_pem(rsa).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not an unencrypted PKCS#8 Ed25519 or P-256 private key"
    );
}

#[test]
fn a_c2sp_verifier_key_is_read_and_its_hash_checked() {
    // The example of C2SP signed-note.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let (name, key) = VerifyingKey::from_vkey(text).unwrap();
    assert_eq!(name, "PeterNeumann");
    assert_eq!(key.to_vkey(&name).unwrap(), text);
    let cases = [
        (
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "hash",
        ),
        (
            "PeterNewman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "hash",
        ),
        ("PeterNeumann+c74f20a3+AhpcMQ==", "expected an Ed25519 key"),
        ("PeterNeumann+c74f20a3", "expected name+hash+base64"),
        ("PeterNeumann+c74f20a3+***", "not base64"),
    ];
    for (text, expected) in cases {
        let message = VerifyingKey::from_vkey(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let p256 = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    assert_eq!(p256.verifying_key().to_vkey("node"), None);
    assert_eq!(key.to_vkey("a b"), None);
}
