//! Keys in PEM, hex and C2SP form are read or refused; one that is read is written as it was meant.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::keys::{SigningKey, VerifyingKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = VerifyingKey::from_spki_der(data) {
        assert_eq!(key.to_spki_der(), data);
    }
    let _ = VerifyingKey::from_raw(data);
    let _ = SigningKey::from_pkcs8_der(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = VerifyingKey::from_pem(text);
        let _ = VerifyingKey::from_hex(text);
        let _ = SigningKey::from_pem(text);
        if let Ok((name, key)) = VerifyingKey::from_vkey(text) {
            let _ = key.to_vkey(&name);
        }
    }
});
