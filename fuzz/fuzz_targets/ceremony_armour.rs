//! Armoured requests and answers, as mail may bring them: reading survives anything, and what is read is written and
//! read again as the same document.
#![no_main]

use ceremony::session::{Armoured, Envelope, SessionRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [Armoured::Request, Armoured::Answer] {
        match kind.read(bytes) {
            Ok(document) => {
                let again = kind.write(&document);
                assert_eq!(kind.read(again.as_bytes()).as_ref(), Ok(&document));
            }
            Err(error) => dta_fuzz::say(&error),
        }
        // Whatever the bytes are, in good armour they get past the checksum to the parsers of documents.
        let armoured = kind.write(bytes);
        assert_eq!(kind.read(armoured.as_bytes()).as_deref(), Ok(bytes));
        if let Err(error) = SessionRequest::from_armour(armoured.as_bytes()) {
            dta_fuzz::say(&error);
        }
        if let Err(error) = Envelope::from_armour(armoured.as_bytes()) {
            dta_fuzz::say(&error);
        }
    }
});
