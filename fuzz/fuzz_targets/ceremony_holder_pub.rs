//! A `.holder.pub` file either fails with an error, or is canonical JSON of what it says.
#![no_main]

use ceremony::holder::HolderPublic;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match HolderPublic::parse(bytes) {
    Ok(public) => assert_eq!(HolderPublic::parse(&public.to_bytes()).ok(), Some(public)),
    Err(error) => dta_fuzz::say(&error),
});
