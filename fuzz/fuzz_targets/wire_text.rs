//! The small values of the API: whatever text is taken as one has one spelling (hexadecimal has two,
//! by its case).
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use wire::ProblemType;
use wire::api::{
    AuthorityIdHex, Blind, CommitmentHex, CustomerStatus, Encoding, IdentityHex, KeyVersion,
    PermitDate, ProofHex, Role, Suite,
};
use wire::keys::Algorithm;
use wire::signature::Nonce;

fn one_spelling<T: FromStr<Err: Display> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn one_spelling_but_for_case<T: FromStr<Err = String> + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text.to_ascii_lowercase());
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<KeyVersion>(text);
    one_spelling::<PermitDate>(text);
    one_spelling::<Encoding>(text);
    one_spelling::<Suite>(text);
    one_spelling::<Role>(text);
    one_spelling::<CustomerStatus>(text);
    one_spelling::<Nonce>(text);
    one_spelling_but_for_case::<IdentityHex>(text);
    one_spelling_but_for_case::<AuthorityIdHex>(text);
    one_spelling_but_for_case::<CommitmentHex>(text);
    one_spelling_but_for_case::<Blind>(text);
    one_spelling_but_for_case::<ProofHex>(text);
    if let Ok(date) = text.parse::<PermitDate>() {
        assert_eq!(PermitDate::from_day_number(date.day_number()), Some(date));
    }
    if let Some(kind) = ProblemType::from_uri(text) {
        assert_eq!(kind.uri(), text);
    }
    if let Some(kind) = ProblemType::from_name(text) {
        assert_eq!(kind.name(), text);
    }
    if let Some(algorithm) = Algorithm::from_name(text) {
        assert_eq!(algorithm.as_str(), text);
    }
});
