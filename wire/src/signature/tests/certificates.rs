use super::*;

fn authority() -> AuthorityIdHex {
    ID.parse().unwrap()
}

fn certified(node: &SigningKey, response: &VerifyingKey) -> ResponseCertificate {
    let statement = ResponseStatement::new(authority(), "node-1", response, NOW);
    let signature = node.sign(&statement.message()).unwrap();
    statement.certify(&signature)
}

#[test]
fn the_signed_statement_is_pinned() {
    let statement = ResponseStatement::new(authority(), "node-1", key().verifying_key(), NOW);
    let expected = format!(
        "dta response key v1\n{{\"authority\":\"{ID}\",\"created\":1795200000,\
         \"node\":\"node-1\",\"public_key\":\
         \"26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb\",\"v\":1}}"
    );
    assert_eq!(String::from_utf8(statement.message()).unwrap(), expected);
}

#[test]
fn a_certificate_by_the_pinned_node_key_gives_the_response_key() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        let node = SigningKey::generate(algorithm).unwrap();
        let certificate = certified(&node, key().verifying_key());
        let found = certificate
            .verify(&authority(), node.verifying_key())
            .unwrap();
        assert_eq!(&found, key().verifying_key());
    }
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_and_the_reason_said() {
    let node = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let certificate = certified(&node, key().verifying_key());
    let other = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let error = certificate
        .verify(&authority(), other.verifying_key())
        .unwrap_err();
    assert_eq!(error, CertificateError::Signature);

    let elsewhere = AuthorityIdHex::from_bytes([1; 32]);
    let error = certificate
        .verify(&elsewhere, node.verifying_key())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("is for authority {ID}")),
        "{error}"
    );

    let mut altered = certificate.clone();
    altered.statement.created += 1;
    let error = altered
        .verify(&authority(), node.verifying_key())
        .unwrap_err();
    assert_eq!(error, CertificateError::Signature);

    let p256 = SigningKey::generate(Algorithm::EcdsaP256Sha256).unwrap();
    let wrong_kind = certified(&node, p256.verifying_key());
    let error = wrong_kind
        .verify(&authority(), node.verifying_key())
        .unwrap_err();
    assert_eq!(error, CertificateError::NotEd25519);
}
