//! Whatever stands in `hsm.toml`, it is a configuration or an error that says where.
#![no_main]

use hsm::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    |bytes: &[u8]| match Config::read(&dta_fuzz::file("hsm.toml", bytes)) {
        Ok(config) => {
            assert!((1..=32).contains(&config.token_label.len()));
            assert!(config.socket.is_absolute());
            let _ = config.pin_file.to_string();
        }
        Err(error) => {
            dta_fuzz::say(&error);
            let _ = error.remedy();
        }
    }
);
