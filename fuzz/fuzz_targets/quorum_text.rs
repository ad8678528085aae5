//! Names, ids, keys and times of manifests have one spelling, and names hold nothing that deceives.
#![no_main]

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use quorum::{AuthorityId, CheckValue, HolderKey, ManifestHash, Name, Recipient, SetId, Timestamp};

fn one_spelling<T: FromStr<Err: Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<Name>(text);
    one_spelling::<Recipient>(text);
    one_spelling::<SetId>(text);
    one_spelling::<AuthorityId>(text);
    one_spelling::<ManifestHash>(text);
    one_spelling::<CheckValue>(text);
    one_spelling::<HolderKey>(text);
    one_spelling::<Timestamp>(text);
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(
            Timestamp::from_unix_seconds(time.unix_seconds()),
            Some(time)
        );
    }
    if text.parse::<Name>().is_ok() {
        assert!(!text.contains(char::is_control) && text.trim() == text);
    }
});
