//! The envelope that an authority is sent: parsing survives anything and loses nothing.
#![no_main]

use ceremony::session::Envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        let json = serde_json::to_vec(&envelope).expect("what was parsed can be written");
        assert_eq!(Envelope::parse(&json).ok(), Some(envelope));
    }
});
