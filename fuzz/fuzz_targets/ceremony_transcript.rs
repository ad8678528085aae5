//! A transcript that parses is the canonical JSON of what it says.
#![no_main]

use ceremony::transcript::SignedTranscript;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match SignedTranscript::parse(bytes) {
    Ok(transcript) => {
        let again = SignedTranscript::parse(&transcript.to_bytes())
            .expect("what was written can be parsed");
        assert_eq!(again, transcript);
        assert_eq!(again.hash(), transcript.hash());
    }
    Err(error) => dta_fuzz::say(&error),
});
