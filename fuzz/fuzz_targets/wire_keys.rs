//! Keys in PEM, DER, hex and C2SP form are read or refused; one that is read is written as it was
//! meant, and none that is read makes signing or verifying panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::keys::{KeyError, SigningKey, VerifyingKey};

fn public(read: Result<VerifyingKey, KeyError>) {
    match read {
        Ok(key) => {
            assert_eq!(VerifyingKey::from_pem(&key.to_pem()), Ok(key.clone()));
            assert_eq!(VerifyingKey::from_hex(&key.to_hex()), Ok(key.clone()));
            assert_eq!(key.keyid().len(), 22);
            // Nobody knows a secret to a key that the fuzzer made up.
            assert!(key.verify(b"message", &[0; 64]).is_err());
        }
        Err(error) => dta_fuzz::say(&error),
    }
}

fn private(read: Result<SigningKey, KeyError>) {
    match read {
        Ok(key) => {
            let pem = key.to_pem().expect("what was read can be written");
            let again = SigningKey::from_pem(&pem).expect("what was written can be read");
            assert_eq!(again.verifying_key(), key.verifying_key());
            let signature = again.sign(b"message").expect("a key signs");
            assert!(key.verifying_key().verify(b"message", &signature).is_ok());
        }
        Err(error) => dta_fuzz::say(&error),
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = VerifyingKey::from_spki_der(bytes) {
        assert_eq!(key.to_spki_der(), bytes);
    }
    public(VerifyingKey::from_raw(bytes));
    private(SigningKey::from_pkcs8_der(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        public(VerifyingKey::from_pem(text));
        public(VerifyingKey::from_hex(text));
        private(SigningKey::from_pem(text));
        match VerifyingKey::from_vkey(text) {
            Ok((name, key)) => {
                if let Some(written) = key.to_vkey(&name) {
                    assert_eq!(written, text.trim_end());
                }
            }
            Err(error) => dta_fuzz::say(&error),
        }
    }
});
