//! The signed session document that a holder's tool is sent: parsing survives anything, hashing is stable.
#![no_main]

use ceremony::session::SignedSession;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(session) = SignedSession::parse(bytes) {
        let json = serde_json::to_vec(&session).expect("what was parsed can be written");
        let again = SignedSession::parse(&json).expect("what was written can be parsed");
        assert_eq!(again.session.hash(), session.session.hash());
    }
});
