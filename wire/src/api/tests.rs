#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const IDENTITY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn refusal<T: std::fmt::Debug>(result: Result<T, FieldError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_client_share_request_is_read_and_written() {
    let text =
        format!(r#"{{"identity":"{IDENTITY}","key":"k2","encoding":"milagro","proof":true}}"#);
    let request = ClientShareRequest::parse(text.as_bytes()).unwrap();
    assert_eq!(request.identity.as_bytes()[1], 0x11);
    assert_eq!(request.key, KeyVersion::new(2));
    assert_eq!(request.encoding, Some(Encoding::Milagro));
    assert!(request.proof);
    assert_eq!(request.to_json(), text.as_bytes());

    let least = format!(r#"{{"identity":"{}"}}"#, IDENTITY.to_uppercase());
    let request = ClientShareRequest::parse(least.as_bytes()).unwrap();
    assert_eq!(
        (request.key, request.encoding, request.proof),
        (None, None, false)
    );
    assert_eq!(
        request.to_json(),
        format!(r#"{{"identity":"{IDENTITY}"}}"#).as_bytes()
    );
}

#[test]
fn a_malformed_client_share_request_is_refused_and_the_field_named() {
    let good = format!(r#""identity":"{IDENTITY}""#);
    let cases = [
        (String::new(), "field `body`: expected a JSON object"),
        ("null".into(), "field `body`: expected a JSON object"),
        (format!("{{{good}}}{{}}"), "trailing characters"),
        ("{}".into(), "field `identity`: is missing"),
        (
            r#"{"identity":null}"#.into(),
            "field `identity`: expected a string, got null",
        ),
        (
            r#"{"identity":7}"#.into(),
            "expected a string, got the number 7",
        ),
        (
            format!(r#"{{"identity":"{}"}}"#, &IDENTITY[1..]),
            "expected 64 hexadecimal digits (32 bytes), got 63 characters",
        ),
        (
            format!(r#"{{"identity":"{}"}}"#, IDENTITY.replace("99", "9g")),
            "but position 19 holds none",
        ),
        (
            format!("{{{good},{good}}}"),
            "member \"identity\" occurs twice",
        ),
        (
            format!(r#"{{{good},"proof":"yes"}}"#),
            "expected true or false",
        ),
        (
            format!(r#"{{{good},"key":"1"}}"#),
            "expected a key version such as k1, got \"1\"",
        ),
        (
            format!(r#"{{{good},"key":"k0"}}"#),
            "expected a key version",
        ),
        (
            format!(r#"{{{good},"key":"k01"}}"#),
            "expected a key version",
        ),
        (
            format!(r#"{{{good},"key":"k+1"}}"#),
            "expected a key version",
        ),
        (
            format!(r#"{{{good},"key":"k99999999999"}}"#),
            "expected a key version",
        ),
        (
            format!(r#"{{{good},"encoding":"zip"}}"#),
            "expected an encoding (compressed, uncompressed, milagro, miracl), got \"zip\"",
        ),
        (
            format!(r#"{{{good},"recipient":"00"}}"#),
            "field `recipient`: is unknown here, expected only identity, key, encoding, proof",
        ),
    ];
    for (text, expected) in cases {
        let message = refusal(ClientShareRequest::parse(text.as_bytes()));
        assert!(message.contains(expected), "{text}: {message}");
    }
    let problem = crate::Problem::from(ClientShareRequest::parse(b"{}").unwrap_err());
    assert_eq!(
        problem.to_string(),
        "malformed: field `identity`: is missing"
    );
}

#[test]
fn a_server_share_request_may_be_an_empty_object() {
    assert_eq!(
        ServerShareRequest::parse(b"{}").unwrap(),
        ServerShareRequest::default()
    );
    let message = refusal(ServerShareRequest::parse(br#"{"proof":true}"#));
    assert_eq!(
        message,
        "field `proof`: is unknown here, expected only key, encoding"
    );
}

#[test]
fn a_time_permit_request_lists_each_identity_and_day_in_order() {
    let other = IDENTITY.replace("00", "01");
    let text = format!(
        r#"{{"identities":["{IDENTITY}","{other}"],"from":"2026-12-31","days":2,"key":"k1"}}"#
    );
    let request = TimePermitRequest::parse(text.as_bytes()).unwrap();
    assert_eq!(request.to_json(), text.as_bytes());
    let permits: Vec<_> = request
        .permits()
        .map(|(identity, day)| (identity.to_string(), day.to_string()))
        .collect();
    let expected = [
        (IDENTITY, "2026-12-31"),
        (IDENTITY, "2027-01-01"),
        (&other, "2026-12-31"),
        (&other, "2027-01-01"),
    ];
    assert_eq!(
        permits,
        expected.map(|(identity, day)| (identity.into(), day.into()))
    );
}

#[test]
fn a_malformed_time_permit_request_is_refused_and_the_field_named() {
    let body = |identities: &str, from: &str, days: &str| {
        format!(r#"{{"identities":{identities},"from":{from},"days":{days}}}"#)
    };
    let one = format!(r#"["{IDENTITY}"]"#);
    let day = r#""2026-11-20""#;
    let many = serde_json::to_string(&vec![IDENTITY; MAX_IDENTITIES + 1]).unwrap();
    let cases = [
        (
            body("[]", day, "1"),
            "field `identities`: expected 1 to 1000 elements, got 0",
        ),
        (
            body(&many, day, "1"),
            "expected 1 to 1000 elements, got 1001",
        ),
        (
            body("{}", day, "1"),
            "expected an array of strings, got an object",
        ),
        (
            body(r#"["xy"]"#, day, "1"),
            "field `identities[0]`: expected 64 hexadecimal digits",
        ),
        (
            body(&format!(r#"["{IDENTITY}",1]"#), day, "1"),
            "field `identities[1]`",
        ),
        (
            body(&format!(r#"["{IDENTITY}","{IDENTITY}"]"#), day, "1"),
            "field `identities[1]`: was listed before",
        ),
        (
            body(&one, r#""2026-02-29""#, "1"),
            "field `from`: expected a date YYYY-MM-DD",
        ),
        (body(&one, r#""2026-2-9""#, "1"), "field `from`"),
        (
            body(&one, r#""1969-12-31""#, "1"),
            "from 1970-01-01 on, got \"1969-12-31\"",
        ),
        (
            body(&one, "20777", "1"),
            "field `from`: expected a string, got the number 20777",
        ),
        (
            body(&one, day, "0"),
            "field `days`: expected an integer from 1 to 31, got the number 0",
        ),
        (body(&one, day, "32"), "field `days`"),
        (body(&one, day, "1.5"), "field `days`"),
        (body(&one, day, "-1"), "field `days`"),
        (
            body(&one, r#""9999-12-31""#, "2"),
            "field `days`: reaches beyond the year 9999",
        ),
    ];
    for (text, expected) in cases {
        let message = refusal(TimePermitRequest::parse(text.as_bytes()));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn dates_and_day_numbers_agree() {
    for (text, day) in [
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("2026-11-20", 20_777),
        ("9999-12-31", 2_932_896),
    ] {
        let date: PermitDate = text.parse().unwrap();
        assert_eq!(date.day_number(), day, "{text}");
        assert_eq!(PermitDate::from_day_number(day).unwrap().to_string(), text);
    }
    assert_eq!(PermitDate::from_day_number(2_932_897), None);
    let midnight = 20_777 * 86_400;
    assert_eq!(
        PermitDate::from_unix_seconds(midnight)
            .unwrap()
            .day_number(),
        20_777
    );
    assert_eq!(
        PermitDate::from_unix_seconds(midnight - 1)
            .unwrap()
            .day_number(),
        20_776
    );
}

#[test]
fn replies_come_back_and_ignore_what_a_later_version_adds() {
    let reply = ClientShareReply {
        share: ShareHex::from_bytes([7; 48]),
        key: KeyVersion::FIRST,
        commitment: CommitmentHex::from_bytes([8; 48]),
        proof: Some(ProofHex::from_bytes([9; 64])),
        blind: Blind::from_bytes([1; 32]),
    };
    let json = reply.to_json();
    assert_eq!(
        json.capacity(),
        json.len(),
        "it grew, and left copies behind"
    );
    assert_eq!(ClientShareReply::parse(&json).unwrap(), reply);
    let longer = [&json[..json.len() - 1], br#","checkpoint":"later"}"#].concat();
    assert_eq!(ClientShareReply::parse(&longer).unwrap(), reply);

    let reply = TimePermitReply {
        permits: vec![IssuedPermit {
            identity: IDENTITY.parse().unwrap(),
            day: "2026-11-20".parse().unwrap(),
            share: ShareHex::from_bytes([7; 48]),
        }],
        key: KeyVersion::FIRST,
        commitment: CommitmentHex::from_bytes([8; 48]),
        proof: None,
        blind: Blind::from_bytes([1; 32]),
    };
    assert_eq!(TimePermitReply::parse(&reply.to_json()).unwrap(), reply);
    let message = refusal(ServerShareReply::parse(b"{}"));
    assert!(message.contains("missing field `share`"), "{message}");
}

#[test]
fn a_share_prints_nothing_not_even_in_an_error() {
    let share = ShareHex::from_bytes([7; 48]);
    assert_eq!(format!("{share:?}"), "ShareHex(..)");
    assert_eq!(
        format!("{:?}", ProofHex::from_bytes([7; 64])),
        "ProofHex(..)"
    );
    let text = r#"{"share":"07zz","key":"k1","commitment":"00","blind":"00"}"#;
    let message = refusal(ServerShareReply::parse(text.as_bytes()));
    assert!(!message.contains("07zz"), "{message}");
}

#[test]
fn a_proof_over_more_permits_than_it_can_cover_is_refused() {
    let identities: Vec<_> = (0u8..129).map(|n| format!("{n:02x}").repeat(32)).collect();
    let identities = serde_json::to_string(&identities).unwrap();
    let body = |proof| {
        format!(r#"{{"identities":{identities},"from":"2026-11-20","days":2,"proof":{proof}}}"#)
    };
    TimePermitRequest::parse(body(false).as_bytes()).unwrap();
    let message = refusal(TimePermitRequest::parse(body(true).as_bytes()));
    assert_eq!(
        message,
        "field `proof`: covers at most 256 permits, asked for 258"
    );
}

#[test]
fn the_context_of_proofs_is_pinned() {
    let authority = AuthorityIdHex::from_bytes([0xab; 32]);
    assert_eq!(
        share_proof_context(&authority, KeyVersion::FIRST, Suite::Ro),
        format!("dta share proof v1\n{}\nk1\nRO\n", "ab".repeat(32)).as_bytes()
    );
}

proptest! {
    #[test]
    fn every_day_comes_back_from_its_text(day in 0u32..2_932_897) {
        let date = PermitDate::from_day_number(day).unwrap();
        prop_assert_eq!(date.to_string().parse::<PermitDate>().unwrap(), date);
    }

    #[test]
    fn no_bytes_make_a_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ClientShareRequest::parse(&body);
        let _ = ServerShareRequest::parse(&body);
        let _ = TimePermitRequest::parse(&body);
        let _ = AuthorityInfo::parse(&body);
    }
}
