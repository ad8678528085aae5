//! An approval that parses is written again as the same, and words that spell a hash spell it back.
#![no_main]

use ceremony::approval::SignedApproval;
use ceremony::words;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match SignedApproval::parse(bytes) {
        Ok(signed) => {
            let again =
                SignedApproval::parse(&signed.to_bytes()).expect("what was written can be parsed");
            assert_eq!(again, signed);
        }
        Err(error) => dta_fuzz::say(&error),
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(hash) = words::to_hash(text)
    {
        assert_eq!(words::to_hash(&words::of_hash(&hash)), Ok(hash));
    }
});
