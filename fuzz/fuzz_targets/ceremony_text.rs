//! What people type: names of holders and purposes have one spelling, passphrases are judged.
#![no_main]

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use ceremony::Passphrase;
use ceremony::holder::{HolderName, ShareRecipient};
use ceremony::session::SessionPurpose;
use ceremony::sharefile::ShareFileName;
use libfuzzer_sys::fuzz_target;

fn one_spelling<T: FromStr<Err: Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<HolderName>(text);
    one_spelling::<ShareFileName>(text);
    one_spelling::<SessionPurpose>(text);
    if let Ok(recipient) = text.parse::<ShareRecipient>() {
        assert_eq!(recipient.to_string(), text.to_lowercase());
    }
    match Passphrase::chosen(text.to_owned(), "alice") {
        Ok(passphrase) => assert_eq!(format!("{passphrase:?}"), "Passphrase(..)"),
        Err(error) => dta_fuzz::say(&error),
    }
});
