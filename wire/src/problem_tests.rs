#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_problem_type_has_its_own_name_and_comes_back_from_its_uri() {
    for kind in ProblemType::ALL {
        assert_eq!(ProblemType::from_uri(&kind.uri()), Some(kind));
        assert!(!kind.title().is_empty() && !kind.remedy().is_empty());
    }
    let mut names: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ProblemType::ALL.len());
}

#[test]
fn the_list_holds_every_name_of_the_design() {
    let design = "sealed hsm-unavailable audit-unavailable overloaded malformed too-large unsigned \
        bad-signature insufficient-coverage wrong-authority expired too-early replayed unknown-key \
        suspended not-permitted wrong-day revoked rate-limited key-unknown key-required \
        authority-unavailable";
    for name in design.split_whitespace() {
        assert!(ProblemType::from_name(name).is_some(), "{name}");
    }
}

#[test]
fn denied_and_failed_are_told_apart() {
    assert!(ProblemType::Sealed.is_failure());
    assert!(ProblemType::AuditUnavailable.is_failure());
    assert!(!ProblemType::Suspended.is_failure());
    assert!(!ProblemType::RateLimited.is_failure());
}

#[test]
fn a_problem_document_is_canonical_json_and_comes_back() {
    let problem = Problem::new(ProblemType::Overloaded, "32 requests wait").with_retry_after(2);
    let json = problem.to_json();
    assert_eq!(
        String::from_utf8(json.clone()).unwrap(),
        r#"{"detail":"32 requests wait","retry_after":2,"status":503,"title":"too much work at once","type":"/problems/overloaded"}"#
    );
    let back = Problem::from_json(&json).unwrap();
    assert_eq!(back, problem);
    assert_eq!(back.retry_after(), Some(2));
    assert_eq!(back.to_string(), "overloaded: 32 requests wait");
}

#[test]
fn an_extension_cannot_replace_a_standard_member() {
    let problem = Problem::new(ProblemType::Sealed, "0 of 3").with("status", Value::from(200));
    assert_eq!(
        Problem::from_json(&problem.to_json()).unwrap().status(),
        503
    );
}

#[test]
fn a_document_that_is_not_ours_is_refused_and_the_member_named() {
    let cases = [
        ("[]", "expected a JSON object"),
        ("{", "not JSON"),
        (r#"{"status":503}"#, "`type` is missing"),
        (
            r#"{"type":"/problems/nonsense","status":503,"detail":""}"#,
            "unknown problem type",
        ),
        (
            r#"{"type":"/problems/sealed","status":200,"detail":""}"#,
            "`status` must be 503",
        ),
        (
            r#"{"type":"/problems/sealed","status":503}"#,
            "`detail` is missing",
        ),
    ];
    for (text, expected) in cases {
        let message = Problem::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
