use super::*;

const BINDING: RequestBinding<'_> = RequestBinding {
    method: "POST",
    path: "/v1/client-shares",
    signature_field: Some("dta=:AAAA:"),
};

fn signed(body: &[u8], binding: &RequestBinding<'_>) -> Vec<(&'static str, String)> {
    let response = ResponseToSign {
        status: 200,
        content_type: "application/json",
        body,
        created: NOW,
    };
    sign_response(&response, binding, &key()).unwrap()
}

fn check(
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
    binding: &RequestBinding<'_>,
    now: u64,
) -> Result<VerifiedResponse, ResponseError> {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let parts = ResponseParts { status, headers };
    verify_response(&parts, body, binding, key().verifying_key(), now)
}

#[test]
fn a_response_is_bound_to_its_request() {
    let headers = signed(b"{}", &BINDING);
    let verified = check(200, &headers, b"{}", &BINDING, NOW + 2).unwrap();
    assert_eq!(
        (verified.created, verified.content_type.as_str()),
        (NOW, "application/json")
    );

    let other_request = RequestBinding {
        signature_field: Some("dta=:AAAB:"),
        ..BINDING
    };
    let refused = check(200, &headers, b"{}", &other_request, NOW);
    assert_eq!(refused, Err(ResponseError::BadSignature));
    let other_path = RequestBinding {
        path: "/v1/server-shares",
        ..BINDING
    };
    let refused = check(200, &headers, b"{}", &other_path, NOW);
    assert_eq!(refused, Err(ResponseError::BadSignature));
    let unsigned_request = RequestBinding {
        signature_field: None,
        ..BINDING
    };
    let refused = check(200, &headers, b"{}", &unsigned_request, NOW);
    assert_eq!(refused, Err(ResponseError::Coverage));
}

#[test]
fn an_unsigned_request_gets_a_response_bound_to_method_and_path() {
    let binding = RequestBinding {
        method: "GET",
        path: "/v1/authority",
        signature_field: None,
    };
    let headers = signed(b"{}", &binding);
    assert!(check(200, &headers, b"{}", &binding, NOW).is_ok());
    assert!(headers[2].1.contains(
        "(\"@status\" \"content-digest\" \"content-type\" \"@method\";req \"@path\";req)"
    ));
}

#[test]
fn an_altered_response_is_refused() {
    let headers = signed(b"{}", &BINDING);
    let refused = |result: Result<VerifiedResponse, ResponseError>| result.unwrap_err();
    assert_eq!(
        refused(check(403, &headers, b"{}", &BINDING, NOW)),
        ResponseError::BadSignature
    );
    assert_eq!(
        refused(check(200, &headers, b"[]", &BINDING, NOW)),
        ResponseError::Digest
    );
    assert_eq!(
        refused(check(200, &headers[..2], b"{}", &BINDING, NOW)),
        ResponseError::Unsigned
    );
    let mut altered = headers.clone();
    altered[0].1 = "application/problem+json".into();
    assert_eq!(
        refused(check(200, &altered, b"{}", &BINDING, NOW)),
        ResponseError::BadSignature
    );
    let mut altered = headers.clone();
    altered[2].1 = altered[2].1.replace(";tag=\"dta-v1-response\"", "");
    assert_eq!(
        refused(check(200, &altered, b"{}", &BINDING, NOW)),
        ResponseError::Coverage
    );
    let mut altered = headers.clone();
    altered[2].1 = altered[2].1.replace("\"@status\" ", "");
    assert_eq!(
        refused(check(200, &altered, b"{}", &BINDING, NOW)),
        ResponseError::Coverage
    );
    let mut altered = headers.clone();
    altered[2].1 = altered[2].1.replace("dta-v1-response", "dta-v1");
    assert_eq!(
        refused(check(200, &altered, b"{}", &BINDING, NOW)),
        ResponseError::Coverage
    );
    let mut altered = headers;
    altered.push(("Signature", "dta=:AAAA:".into()));
    let error = refused(check(200, &altered, b"{}", &BINDING, NOW));
    assert!(
        error.to_string().contains("occurs more than once"),
        "{error}"
    );
}

#[test]
fn a_response_under_another_key_is_named_as_such() {
    let mut headers = signed(b"{}", &BINDING);
    let keyid = key().verifying_key().keyid();
    headers[2].1 = headers[2].1.replace(&keyid, "another");
    let error = check(200, &headers, b"{}", &BINDING, NOW).unwrap_err();
    assert!(matches!(&error, ResponseError::OtherKey { found, .. } if found == "another"));
    assert!(error.remedy().is_some());
}

#[test]
fn a_response_from_another_time_is_stale() {
    let headers = signed(b"{}", &BINDING);
    assert!(check(200, &headers, b"{}", &BINDING, NOW + 65).is_ok());
    let error = check(200, &headers, b"{}", &BINDING, NOW + 66).unwrap_err();
    assert_eq!(
        error,
        ResponseError::Stale {
            created: NOW,
            now: NOW + 66
        }
    );
    assert!(check(200, &headers, b"{}", &BINDING, NOW - 66).is_err());
}

#[test]
fn a_request_signature_is_not_a_response_signature() {
    // Same label, same key, other tag and coverage.
    let request = to_sign(BODY);
    let headers = sign_request(&request, &Stamp::new(NOW, [7; 16]), &key()).unwrap();
    let error = check(200, &headers, BODY, &BINDING, NOW).unwrap_err();
    assert_eq!(error, ResponseError::Coverage);
}
