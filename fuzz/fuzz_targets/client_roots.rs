//! The PEM file with the certificates that a customer trusts is read or refused.
#![no_main]

use std::sync::Once;

use client::Config;
use libfuzzer_sys::fuzz_target;

const CUSTOMER: &str = include_str!("../seeds/client_config/two");

static KEY: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    KEY.call_once(|| {
        dta_fuzz::file("acme.key", include_bytes!("../seeds/wire_keys/ed25519.key"));
    });
    dta_fuzz::file("ca.pem", bytes);
    match Config::parse(CUSTOMER, dta_fuzz::scratch()) {
        Ok(config) => {
            let roots = format!("{:?}", config.dtas[0].roots);
            assert!(roots.starts_with("Roots(") && roots != "Roots(0)");
        }
        Err(error) => dta_fuzz::say(&error),
    }
});
