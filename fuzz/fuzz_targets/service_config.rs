//! Whatever stands in `authority.toml` or `proxy.toml`, it is a configuration or an error with a remedy.
#![no_main]
#![allow(dead_code, reason = "the files of the binary are used in part")]

#[path = "../../src/authority/config.rs"]
mod authority;
#[path = "../../src/proxy/config.rs"]
mod proxy;
#[path = "../../src/service"]
mod service {
    pub(crate) mod config;
}
#[path = "../../src/term.rs"]
mod term;

use libfuzzer_sys::fuzz_target;
use service::config::{ConfigError, load};

fn refused(error: &ConfigError) {
    dta_fuzz::say(error);
    assert!(!error.remedy().is_empty());
}

fuzz_target!(|bytes: &[u8]| {
    let path = dta_fuzz::file("role.toml", bytes);
    if let Err(error) = load::<authority::Config>(&path) {
        refused(&error);
    }
    if let Err(error) = load::<proxy::Config>(&path) {
        refused(&error);
    }
});
