//! A customer.toml is read or refused. One that is read names D-TAs that are not each other.
#![no_main]

use std::sync::Once;

use client::Config;
use libfuzzer_sys::fuzz_target;

static FILES: Once = Once::new();

fuzz_target!(|text: &str| {
    FILES.call_once(|| {
        dta_fuzz::file("acme.key", include_bytes!("../seeds/wire_keys/ed25519.key"));
        dta_fuzz::file("ca.pem", include_bytes!("../seeds/client_roots/ca"));
    });
    match Config::parse(text, dta_fuzz::scratch()) {
        Ok(config) => {
            assert!(!config.dtas.is_empty() && !config.timeout.is_zero());
            for (at, one) in config.dtas.iter().enumerate() {
                let others = &config.dtas[at + 1..];
                assert!(others.iter().all(|other| other.authority != one.authority));
            }
        }
        Err(error) => {
            dta_fuzz::say(&error);
            let _ = error.remedy();
        }
    }
});
