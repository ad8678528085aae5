//! The name of a share file has one spelling.
#![no_main]

use ceremony::sharefile::ShareFileName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(name) = text.parse::<ShareFileName>() {
        assert_eq!(name.to_string(), text);
    }
});
