//! Times, names of logs and hexadecimal in entries have one spelling.
#![no_main]

use std::error::Error;
use std::fmt::Display;
use std::str::FromStr;

use audit::{Hash, Hex, Origin, Timestamp};
use libfuzzer_sys::fuzz_target;

fn one_spelling<T: FromStr<Err: Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string(), text),
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|text: &str| {
    one_spelling::<Timestamp>(text);
    one_spelling::<Origin>(text);
    one_spelling::<Hash>(text);
    one_spelling::<Hex<48>>(text);
});
