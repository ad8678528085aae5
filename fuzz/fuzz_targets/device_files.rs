//! The test device's file and the server-share file are read or refused; a device file that is read
//! survives being written.
#![no_main]
#![allow(dead_code, reason = "the files of the binary are used in part")]

#[path = "../../src/device/files.rs"]
mod files;
#[path = "../../src/request"]
mod request {
    pub(crate) mod output;

    /// What the command line chose; `output` asks for no more.
    pub(crate) struct Form {
        pub(crate) raw: bool,
        pub(crate) json: bool,
        pub(crate) out: Option<std::path::PathBuf>,
    }
}
#[path = "../../src/term.rs"]
mod term;

use files::{DeviceFile, read_server_share};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = dta_fuzz::file("fuzz.device", bytes);
    match DeviceFile::read(&path) {
        Ok(device) => {
            let copy = path.with_extension("copy");
            let _ = std::fs::remove_file(&copy);
            assert!(device.write(&copy).is_ok());
            let again = DeviceFile::read(&copy).expect("what was written can be read");
            assert_eq!(again.mpin_id(), device.mpin_id());
            assert_eq!(again.identity(), device.identity());
        }
        Err(error) => dta_fuzz::say(&error),
    }
    if let Err(error) = read_server_share(&path) {
        dta_fuzz::say(&error);
    }
});
