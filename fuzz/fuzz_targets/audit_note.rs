//! Verifier keys and checkpoints: a key that is read is written back alike, and a checkpoint that
//! opens says what was signed.
#![no_main]

use std::sync::LazyLock;

use audit::{Checkpoint, VerifierKey};
use libfuzzer_sys::fuzz_target;

static SIGNED: LazyLock<(VerifierKey, Checkpoint)> = LazyLock::new(|| {
    let key = include_str!("../../audit/tests/vectors/log/authority.vkey");
    let key = VerifierKey::from_file(key).expect("the vector is a key");
    let note = include_str!("../../audit/tests/vectors/log/checkpoint");
    let checkpoint = Checkpoint::open(note, &key).expect("the vector is a checkpoint");
    (key, checkpoint)
});

fuzz_target!(|text: &str| {
    match VerifierKey::from_file(text) {
        Ok(key) => {
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            assert_eq!(VerifierKey::from_file(&key.to_file()), Ok(key.clone()));
            // No key but the vector's signed anything.
            assert!(key == SIGNED.0 || Checkpoint::open(SIGNED.1.note(), &key).is_err());
        }
        Err(error) => dta_fuzz::say(&error),
    }
    match Checkpoint::open(text, &SIGNED.0) {
        Ok(checkpoint) => assert_eq!(checkpoint.head(), SIGNED.1.head()),
        Err(fault) => dta_fuzz::say(&fault),
    }
});
