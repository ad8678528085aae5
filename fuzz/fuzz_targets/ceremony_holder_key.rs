//! What stands inside a holder's key file, under a passphrase that fits: a key that is read signs and
//! publishes itself.
#![no_main]

use std::sync::LazyLock;

use ceremony::Passphrase;
use ceremony::holder::{HolderPublic, HolderSecrets};
use libfuzzer_sys::fuzz_target;

static PASSPHRASE: LazyLock<Passphrase> = LazyLock::new(|| {
    Passphrase::entered(dta_fuzz::PASSPHRASE.to_owned()).expect("it is not empty")
});

fuzz_target!(|plaintext: &[u8]| {
    match HolderSecrets::open(&dta_fuzz::key_file(plaintext), &PASSPHRASE) {
        Ok(key) => {
            let public = HolderPublic::parse(&key.public().to_bytes());
            assert_eq!(public.ok().as_ref(), Some(key.public()));
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
