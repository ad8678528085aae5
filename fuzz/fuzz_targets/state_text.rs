//! Names of customers, key ids, versions, roles and operations have one spelling.
#![no_main]

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use state::{CustomerId, KeyAlgorithm, KeyId, KeyVersion, Operation, Role};

fn one_spelling<T: FromStr<Err: Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<CustomerId>(text);
    one_spelling::<KeyId>(text);
    one_spelling::<KeyVersion>(text);
    one_spelling::<KeyAlgorithm>(text);
    one_spelling::<Operation>(text);
    one_spelling::<Role>(text);
    // Both rooms know key versions: neither may take what the other refuses.
    assert_eq!(
        text.parse::<KeyVersion>().is_ok(),
        text.parse::<wire::api::KeyVersion>().is_ok()
    );
});
