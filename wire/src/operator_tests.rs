#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Request, String> {
    Request::parse(text.as_bytes()).map_err(|problem| problem.to_string())
}

#[test]
fn a_request_is_one_line_and_comes_back() {
    let ops = [
        Op::Status {},
        Op::SessionOpen {
            purpose: "unlock".into(),
            minutes: None,
        },
        Op::SessionOpen {
            purpose: "unlock".into(),
            minutes: Some(30),
        },
        Op::SessionClose {},
        Op::ShareSubmit {
            session: json!({"id": "s"}),
            envelope: json!("e"),
        },
        Op::CustomerAdd {
            name: "acme".into(),
            key_pem: "-----BEGIN".into(),
            suite: Suite::Ro,
            roles: vec![Role::Enrol, Role::Permit],
        },
        Op::KeyRevoke {
            name: "acme".into(),
            keyid: "k".into(),
        },
    ];
    for op in ops {
        let request = Request { id: 7, op };
        let line = request.to_line();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(line.last(), Some(&b'\n'));
        assert_eq!(Request::parse(&line).unwrap(), request);
    }
    let line = Request {
        id: 7,
        op: Op::Status {},
    }
    .to_line();
    assert_eq!(line, b"{\"id\":7,\"op\":\"status\",\"v\":1}\n");
}

#[test]
fn a_malformed_request_is_refused_and_the_member_named() {
    let cases = [
        ("", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        (r#"{"id":1,"op":"status"}"#, "field `v`: expected 1"),
        (r#"{"v":2,"id":1,"op":"status"}"#, "field `v`: expected 1"),
        (r#"{"v":1,"op":"status"}"#, "field `id`"),
        (r#"{"v":1,"id":-1,"op":"status"}"#, "field `id`"),
        (r#"{"v":1,"id":1}"#, "missing field `op`"),
        (
            r#"{"v":1,"id":1,"op":"explode"}"#,
            "unknown variant `explode`",
        ),
        (
            r#"{"v":1,"id":1,"op":"status","name":"acme"}"#,
            "unknown field `name`",
        ),
        (
            r#"{"v":1,"id":1,"op":"customer-show"}"#,
            "missing field `name`",
        ),
        (
            r#"{"v":1,"id":1,"op":"customer-show","name":"a","name":"b"}"#,
            "occurs twice",
        ),
        (r#"{"v":1,"id":1,"op":"status"} {}"#, "trailing characters"),
    ];
    for (text, expected) in cases {
        let message = parse(text).unwrap_err();
        assert!(message.starts_with("malformed: "), "{message}");
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn a_reply_carries_either_a_value_or_a_problem() {
    let status = StatusReport {
        state: AuthorityState::Unlocking,
        set: SetReport {
            id: "00".repeat(16),
            epoch: 1,
            m: 3,
            n: 5,
        },
        accepted: vec![AcceptedShare {
            index: 2,
            holder: "bob".into(),
        }],
        session: Some(SessionReport {
            id: "s".into(),
            expires: 1_795_200_000,
            left: 598,
        }),
        hsm: HsmState::Ready,
        hsm_reason: None,
        audit: AuditReport {
            size: 12,
            state: AuditState::Ready,
            reason: None,
        },
        version: "0.1.0".into(),
    };
    let reply = Reply::ok(7, &status);
    let back = Reply::parse(&reply.to_line()).unwrap();
    assert_eq!(back.into_ok::<StatusReport>().unwrap(), status);

    let problem = Problem::new(ProblemType::ShareRefused, "share 2 was offered before")
        .with_verdict("duplicate");
    let back = Reply::parse(&Reply::problem(8, problem.clone()).to_line()).unwrap();
    assert_eq!(back.id, 8);
    assert_eq!(back.into_ok::<StatusReport>().unwrap_err(), problem);

    for text in [
        r#"{"id":1}"#,
        r#"{"id":1,"ok":1,"problem":{}}"#,
        r#"{"id":1,"ok":1,"x":2}"#,
    ] {
        assert!(Reply::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn the_status_report_has_the_documented_members() {
    let report = StatusReport {
        state: AuthorityState::Sealed,
        set: SetReport {
            id: "ab".repeat(16),
            epoch: 1,
            m: 2,
            n: 3,
        },
        accepted: Vec::new(),
        session: None,
        hsm: HsmState::Unavailable,
        hsm_reason: Some("the token was removed".into()),
        audit: AuditReport {
            size: 0,
            state: AuditState::Blocked,
            reason: Some("disk-full".into()),
        },
        version: "0.1.0".into(),
    };
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({
            "state": "sealed",
            "set": {"id": "abababababababababababababababab", "epoch": 1, "m": 2, "n": 3},
            "accepted": [],
            "hsm": "unavailable",
            "hsm_reason": "the token was removed",
            "audit": {"size": 0, "state": "blocked", "reason": "disk-full"},
            "version": "0.1.0",
        })
    );
}

#[test]
fn a_reply_of_another_type_is_refused() {
    let problem = Reply::ok(1, &json!({"state": "melted"}))
        .into_ok::<StatusReport>()
        .unwrap_err();
    assert!(
        problem.detail().contains("unknown variant `melted`"),
        "{problem}"
    );
}
